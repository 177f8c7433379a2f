"""However the segments of a dialogue are cut, doubled and shuffled: the same bytes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.reassembly import Piece, Pieces

from .segments import Result, assemble, handshake, segment

SIZES = (300, 420)
BYTES = (
    bytes(n % 251 for n in range(SIZES[0])),
    bytes((n * 7 + 3) % 253 for n in range(SIZES[1])),
)


@st.composite
def pieces_of(draw: st.DrawFn, size: int) -> list[tuple[int, int]]:
    """(start, end) that together cover `size` bytes, some of them twice, in order."""
    cuts = sorted(draw(st.sets(st.integers(1, size - 1), max_size=8)))
    edges = [0, *cuts, size]
    cover = list(pairwise(edges))
    spans = st.tuples(st.integers(0, size - 1), st.integers(1, size)).map(
        lambda pair: (min(pair), max(pair) + (min(pair) == max(pair)))
    )
    return cover + draw(st.lists(spans, max_size=4))


@st.composite
def shuffled(draw: st.DrawFn) -> list[bytes]:
    """All segments of both directions in any order, after the handshake."""
    parts = [
        segment(direction, start, BYTES[direction][start:end])
        for direction in (0, 1)
        for start, end in draw(pieces_of(SIZES[direction]))
    ]
    return [*handshake(), *draw(st.permutations(parts))]


def assert_whole(result: Result) -> None:
    (parser,) = result.parsers
    assert (parser.sent(0), parser.sent(1)) == BYTES
    assert [call[0] for call in parser.calls if call[0] != "data"] == ["end", "end"]
    assert "tcp.lost" not in result.anomalies
    assert result.rows[0].payload == SIZES
    assert result.rows[0].lost == (0, 0)


@given(shuffled())
@settings(max_examples=80, deadline=None)
def test_cut_doubled_overlapping_and_permuted(frames: list[bytes]) -> None:
    assert_whole(assemble(frames, step_ns=1))


@given(shuffled(), st.data())
@settings(max_examples=40, deadline=None)
def test_every_byte_is_of_a_frame_that_carried_it(frames: list[bytes], data: st.DataObject) -> None:
    result = assemble(frames, step_ns=1)
    (parser,) = result.parsers
    latest = [0, 0]
    place = [0, 0]
    for (verb, direction, body), span in zip(parser.calls, parser.spans, strict=True):
        if verb != "data":
            continue
        carried = frames[span.first_frame - 1]
        assert body in carried
        assert BYTES[direction][place[direction] :].startswith(body)
        place[direction] += len(body)
        # Readable with the latest of all frames up to here, as tshark names it.
        latest[direction] = max(latest[direction], span.first_frame)
        assert span.last_frame == latest[direction]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_questions_and_answers_keep_their_order_when_neighbours_are_swapped(
    data: st.DataObject,
) -> None:
    dialogue = []
    sent = [0, 0]
    for turn in range(8):
        direction = turn % 2
        body = BYTES[direction][sent[direction] : sent[direction] + 30]
        dialogue.append(
            segment(direction, sent[direction], body, ack=sent[1 - direction], flags="PA")
        )
        sent[direction] += len(body)
    expected = assemble([*handshake(), *dialogue], step_ns=1).parsers[0].calls
    at = 0
    while at < len(dialogue) - 1:
        if data.draw(st.booleans()):
            dialogue[at], dialogue[at + 1] = dialogue[at + 1], dialogue[at]
            at += 1
        at += 1
    calls = assemble([*handshake(), *dialogue], step_ns=1).parsers[0].calls
    assert calls == expected


@given(shuffled(), st.data())
@settings(max_examples=60, deadline=None)
def test_with_segments_lost_every_byte_is_delivered_or_counted_as_lost(
    frames: list[bytes], data: st.DataObject
) -> None:
    kept = [
        frame
        for number, frame in enumerate(frames)
        if number < 3 or data.draw(st.integers(0, 3)) > 0
    ]
    closing = [segment(0, SIZES[0], flags="FA", ack=SIZES[1])]
    closing.append(segment(1, SIZES[1], flags="FA", ack=SIZES[0] + 1))
    result = assemble([*kept, *closing], step_ns=1)
    (row,) = result.rows
    for direction in (0, 1):
        assert row.payload[direction] + row.lost[direction] == SIZES[direction]
    if result.parsers:
        (parser,) = result.parsers
        for direction in (0, 1):
            place = 0
            for verb, way, value in parser.calls:
                if way != direction or verb == "end":
                    continue
                if verb == "data":
                    assert BYTES[direction][place : place + len(value)] == value
                place += len(value) if verb == "data" else value
            assert place == SIZES[direction]


@given(st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=20)), max_size=12))
@settings(max_examples=200, deadline=None)
def test_pieces_keep_the_first_of_overlapping_bytes(parts: list[tuple[int, bytes]]) -> None:
    model: dict[int, int] = {}
    pieces = Pieces()
    for frame, (offset, body) in enumerate(parts):
        differs = any(model.get(offset + n, byte) != byte for n, byte in enumerate(body))
        assert pieces.add(Piece(offset, offset + len(body), body, frame, 0, None)) == differs
        for n, byte in enumerate(body):
            model.setdefault(offset + n, byte)
    found = {}
    place = -1
    for piece in pieces.items:
        assert piece.data is not None
        assert piece.offset >= place
        assert piece.end == piece.offset + len(piece.data)
        place = piece.end
        found.update({piece.offset + n: byte for n, byte in enumerate(piece.data)})
    assert found == model
    assert pieces.size == sum(piece.end - piece.offset for piece in pieces.items)


@given(st.lists(st.tuples(st.integers(0, 120), st.binary(max_size=80)), max_size=30))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_skipped_or_delivered_never_an_exception(
    parts: list[tuple[int, bytes]],
) -> None:
    base = segment(0, 5, b"some payload here", ack=7, flags="PA")
    frames = [base[:at] + noise + base[at + len(noise) :] for at, noise in parts]
    for link in (0, 1, 9, 101, 113, 239, 276):
        assemble([*handshake(), *frames], link=link)
