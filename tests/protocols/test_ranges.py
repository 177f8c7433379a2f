"""A message's ranges: the bytes there are those that it says. The witness is the stream itself."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import (
    Direction,
    HttpRequest,
    HttpResponse,
    Message,
    Ranges,
    SipMessage,
    Span,
    StreamParser,
)
from dissect.protocols import track
from dissect.protocols.http1 import Http1Parser
from dissect.protocols.sip import SipDatagrams, SipParser

from .drive import UDP, C, S, layer, messages

REQUEST = (
    b"\r\nPOST  /a?b=c HTTP/1.1\r\nHost: h.example\r\nCookie:\t a=1; b=2 \r\nEmpty:\r\n"
    b"Folded: one\r\n  two\r\nno field\r\nbad name: x\r\nContent-Length: 5\r\n\r\nhello"
)
CHUNKED = (
    b"HTTP/1.1 200 All right\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;note=hidden\r\nabc\r\n0002\r\nde\r\n0\r\nX-Trailer: last\r\n\r\n"
)
INVITE = (
    b"INVITE sip:bob@h.example SIP/2.0\r\nv: SIP/2.0/TCP c;branch=z9hG4bK1\r\nCSeq: 1 INVITE\r\n"
    b"Call-ID : 7\r\nl: 4\r\n\r\nv=0\n"
)
BUSY = b"SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"


def fed(
    parser: StreamParser, sent: Sequence[tuple[Direction, bytes]], step: int, base: int = 0
) -> list[Message]:
    """The messages of what was sent, in pieces of `step` bytes, its offsets counted from `base`."""
    at, found, frame = [base, base], [], 0
    for direction, content in sent:
        for start in range(0, len(content), step):
            piece, frame = content[start : start + step], frame + 1
            span = Span(frame, frame, frame, frame, 0, False, at[direction])
            found += list(parser.data(direction, piece, span))
            at[direction] += len(piece)
    for way in (C, S):
        found += parser.end(way, Span(frame, frame, frame, frame))
    return messages(found)


def read(message: Message, streams: tuple[bytes, bytes], wanted: Any, base: int = 0) -> bytes:
    return b"".join(streams[way][at - base : at - base + size] for way, at, size in wanted)


def where(message: Message) -> Ranges:
    assert message.place.ranges is not None
    return message.place.ranges


def holds(message: Any, streams: tuple[bytes, bytes], base: int = 0) -> None:
    """What the ranges of a message hold is what it says."""
    ranges, direction = where(message), message.place.direction
    if isinstance(message, SipMessage):
        value = bytes(message.uri) or message.reason.encode()
    else:
        value = bytes(message.target if isinstance(message, HttpRequest) else message.reason)
    assert read(message, streams, [ranges.target], base) == value
    for number, (_, field) in enumerate(message.headers):
        raw = read(message, streams, [(direction, *ranges.field(number))], base)
        assert raw == field or b" ".join(raw.split()) == field
    assert read(message, streams, ranges.body, base) == message.body.data
    ((_, start, size),) = ranges.whole
    for _, at, length in (*ranges.head, *ranges.body, *ranges.understood):
        assert start <= at <= at + length <= start + size


@pytest.mark.parametrize("step", [1, 2, 7, 50, 10_000])
@pytest.mark.parametrize("base", [0, 1_000_000])
def test_of_http1(step: int, base: int) -> None:
    streams = REQUEST + REQUEST, CHUNKED + CHUNKED
    sent: list[tuple[Direction, bytes]] = [(C, streams[0]), (S, streams[1])]
    found = fed(Http1Parser(layer()), sent, step, base)
    assert [type(message) for message in found] == [HttpRequest] * 2 + [HttpResponse] * 2
    for message in found:
        holds(message, streams, base)
    asked, answer = found[1], found[2]
    head = read(asked, streams, where(asked).head, base)
    assert head.startswith(b"POST  /a?b=c HTTP/1.1\r\nHost: h.example\r\n")
    assert b"no field" not in head
    assert b"bad name" not in head
    assert head.endswith(b"Content-Length: 5\r\n\r\n")
    assert read(asked, streams, where(asked).whole, base) == REQUEST[2:]
    assert read(answer, streams, where(answer).whole, base) == CHUNKED
    framing = read(answer, streams, where(answer).understood, base)
    assert framing == b"3;\r\n\r\n0002\r\n\r\n0\r\n"
    assert b"X-Trailer: last" in read(answer, streams, where(answer).head, base)


@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_of_sip(step: int) -> None:
    streams = b"\r\n\r\n" + INVITE + INVITE.replace(b" 1 ", b" 2 "), BUSY
    found = fed(SipParser(layer()), [(C, streams[0]), (S, streams[1])], step)
    assert len(found) == 3
    for message in found:
        holds(message, streams)
    answer = found[2]
    assert read(answer, streams, [where(answer).target]) == b"Busy Here"


def test_of_sip_datagrams_behind_bytes_that_are_none() -> None:
    streams = b"\0\0junk\r\n" + INVITE + b"more", b""
    (message,) = fed(SipDatagrams(layer(connection=UDP)), [(C, streams[0])], 10_000, 50)
    holds(message, streams, 50)
    assert read(message, streams, where(message).whole, 50) == INVITE


def test_compressed_bodies_are_reported_as_they_were_sent() -> None:
    packed = gzip.compress(b"hello " * 100)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(
        packed
    )
    (message,) = fed(Http1Parser(layer()), [(S, answer + packed)], 20)
    assert isinstance(message, HttpResponse)
    assert read(message, (b"", answer + packed), where(message).body) == packed
    assert message.body.text.startswith("hello hello")


def test_more_chunks_than_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track, "MAX_RANGES", 3)
    few = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 2 + b"0\r\n\r\n"
    )
    many = few.replace(b"0\r\n\r\n", b"1\r\na\r\n" * 3 + b"0\r\n\r\n")
    one, other = fed(Http1Parser(layer()), [(S, few + many)], 1000)
    assert where(one).verbatim
    assert where(other) == Ranges(whole=((S, len(few), len(many)),), verbatim=False)


def test_what_a_gap_leaves_out() -> None:
    """Lost bytes of a body are in no range but the whole; what follows has its own offset."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    parser = Http1Parser(layer())
    found = list(parser.data(S, head + b"abc", Span(1, 1, 1, 1)))
    found += parser.gap(S, 4, Span(2, 2, 2, 2, offset=len(head) + 3))
    found += parser.data(S, b"xyz" + head, Span(3, 3, 3, 3, offset=len(head) + 7))
    (message,) = messages(found)
    at = len(head)
    assert where(message).body == ((S, at, 3), (S, at + 7, 3))
    assert where(message).whole == ((S, 0, at + 10),)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([REQUEST, b"junk\n", REQUEST[:40]]), max_size=5), st.integers(1, 90)
)
def test_however_it_is_cut_and_what_stands_between(parts: list[bytes], step: int) -> None:
    stream = b"".join(parts)
    found = fed(Http1Parser(layer()), [(C, stream)], step)
    whole = fed(Http1Parser(layer()), [(C, stream)], len(stream) + 1)
    assert [where(message) for message in found] == [where(message) for message in whole]
    for message in found:
        if message.body.problem is None:  # type: ignore[union-attr]
            holds(message, (stream, b""))
