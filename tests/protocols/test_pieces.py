"""The small parts that the parsers share: buffer, header sections, outbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissect.model import Anomaly, Span
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.header_sections import (
    MAX_FIELDS,
    content_lengths,
    index,
    parse_fields,
    split_lines,
    tail_of_start,
    tokens,
    values,
)
from dissect.protocols.outbox import MAX_ANOMALIES, Outbox

from .drive import CONNECTION, layer, span


@given(st.lists(st.binary(max_size=5), max_size=12), st.lists(st.integers(1, 9), max_size=12))
def test_buffer_knows_the_frame_of_every_byte(chunks: list[bytes], steps: list[int]) -> None:
    buffer = SpanBuffer()
    frames: list[int] = []
    for number, chunk in enumerate(chunks, 1):
        buffer.append(chunk, span(number))
        frames += [number] * len(chunk)
    text = b"".join(chunks)
    for step in steps:
        if step > len(buffer):
            break
        where = buffer.span(step)
        assert (where.first_frame, where.last_frame) == (frames[0], frames[step - 1])
        assert buffer.take(step) == text[:step]
        text, frames = text[step:], frames[step:]
    pieces = list(buffer.pieces())
    assert b"".join(piece for piece, _ in pieces) == text
    assert [where.last_frame for piece, where in pieces for _ in piece] == frames
    assert len(buffer) == 0


def test_buffer_joins_late_and_early_frames() -> None:
    """A segment that a hole held back: own frame first, the filling frame last."""
    buffer = SpanBuffer()
    buffer.append(b"ab", Span(9, 90, 9, 90))
    buffer.append(b"cd", Span(8, 80, 9, 90))
    assert buffer.span(3) == Span(8, 80, 9, 90)
    with pytest.raises(IndexError):
        buffer.span(5)


def test_fields_in_wire_order_with_repeats_and_folds() -> None:
    lines = split_lines(b"B: 1\r\na : 2\nB:3\r\n\tmore\r\n X\r\nnone\r\n: empty\r\nC:")
    fields, anomaly = parse_fields(lines)
    assert fields == [(b"B", b"1"), (b"a", b"2"), (b"B", b"3 more X"), (b"C", b"")]
    assert anomaly == 2
    found = index(fields)
    assert values(found, b"b") == [b"1", b"3 more X"]
    assert values(found, b"a", b"c") == [b"2", b""]
    assert parse_fields([b"  folded onto nothing"]) == ([], 1)


def test_number_of_fields_is_bounded() -> None:
    fields, anomaly = parse_fields([b"a: b"] * (MAX_FIELDS + 5))
    assert (len(fields), anomaly) == (MAX_FIELDS, 5)


def test_tokens() -> None:
    found = index([(b"TE", b"GZip;q=1 , chunked"), (b"te", b",deflate")])
    assert tokens(found, b"te") == ["gzip", "chunked", "deflate"]
    assert tokens(found, b"connection") == []


@pytest.mark.parametrize(
    ("found", "length", "problem"),
    [
        ([], None, False),
        ([b"5"], 5, False),
        ([b"5, 5", b"5"], 5, False),
        ([b"5", b"6"], 5, True),
        ([b"+5"], None, True),
        ([b"0x5"], None, True),
        ([b""], None, True),
        ([b"1" * 30], None, True),
    ],
)
def test_content_lengths(found: list[bytes], length: int | None, problem: bool) -> None:
    """RFC 9110 §8.6."""
    assert content_lengths(found)[0] == length
    assert bool(content_lengths(found)[1]) is problem


@given(
    st.binary(max_size=60),
    st.sampled_from([b"GET /a HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"]),
    st.data(),
)
def test_no_cut_start_line_is_dropped(junk: bytes, line: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(line) - 1))
    text = junk + line[:cut]
    assert text[tail_of_start(text) :].endswith(line[:cut])
    assert tail_of_start(b"a b c d") == 1


def test_anomalies_of_a_stream_are_bounded() -> None:
    out = Outbox(layer())
    for frame in range(3 * MAX_ANOMALIES):
        out.anomaly("x.odd", "odd", frame)
    reported = out.flush()
    assert len(reported) == MAX_ANOMALIES
    assert reported[0] == Anomaly("x.odd", "odd", CONNECTION.capture, 0, CONNECTION.stream)
    assert isinstance(reported[-1], Anomaly)
    assert reported[-1].kind == "anomalies.more"
    assert out.flush() == []


def test_reported_once() -> None:
    out = Outbox(layer())
    out.anomaly_once("x.odd", "odd", 1)
    out.anomaly_once("x.odd", "odd", 2)
    assert len(out.flush()) == 1
