"""HTTP/2 streams: header blocks and data become requests and responses (RFC 9113 §8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from dissect.model import (
    Direction,
    Headers,
    HttpRequest,
    HttpResponse,
    Opaque,
    Output,
    Ranges,
    Span,
    StreamParser,
)
from dissect.protocols.base import Layer, OpenUpgrade, Upgrade
from dissect.protocols.content import BodyCollector
from dissect.protocols.heads import Field, host_of, index, tokens
from dissect.protocols.http2_headers import UNKNOWN, UNKNOWN_BYTES
from dissect.protocols.outbox import Outbox
from dissect.protocols.track import Track

MAX_STREAMS = 1024  # streams that are open at once; the oldest is given up beyond

_REQUEST_PSEUDO = (b":method", b":path", b":scheme", b":authority", b":protocol")


def names_request(fields: list[Field]) -> bool:
    return any(name in _REQUEST_PSEUDO for name, _ in fields)


def names_response(fields: list[Field]) -> bool:
    return any(name == b":status" for name, _ in fields)


def pseudo(fields: list[Field], name: bytes) -> str | None:
    for key, value in fields:
        if key == name:
            return value.decode("utf-8", "replace")
    return None


@dataclass(slots=True)
class Half:
    """What one direction of a stream has brought of its message."""

    direction: Direction
    fields: list[Field]
    span: Span
    head_frame: int
    response: bool
    body: BodyCollector = field(default_factory=BodyCollector)
    done: bool = False
    track: Track = field(default_factory=Track)  # of its frames

    @property
    def asks_tunnel(self) -> bool:
        return not self.response and pseudo(self.fields, b":method") == "CONNECT"


@dataclass(slots=True)
class Stream:
    """One stream: a half a direction (None: no header block was seen).

    `child` reads what a CONNECT tunnel on this stream carries, of which it has got `given`
    bytes a direction.
    """

    number: int
    exchange: int
    halves: list[Half | None] = field(default_factory=lambda: [None, None])
    closed: list[bool] = field(default_factory=lambda: [False, False])
    pushed: bool = False
    child: StreamParser | None = None
    given: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def finished(self) -> bool:
        return all(self.closed)


def tunnel(
    layer: Layer,
    stream: Stream,
    asked: Half,
    answer: Half,
    upgrades: Mapping[str, OpenUpgrade],
) -> StreamParser:
    """A parser for what a CONNECT stream carries, by its :protocol or by its bytes."""
    layer = replace(layer, stream=(*layer.stream, stream.number))
    authority = pseudo(asked.fields, b":authority") or ""
    protocol = (pseudo(asked.fields, b":protocol") or "").lower()
    if protocol:
        opener = upgrades.get(protocol)
        if opener is None:
            return layer.child(alpn=None)
        upgrade = Upgrade(stream.exchange, index(asked.fields), index(answer.fields))
        return opener(layer, upgrade)
    proxy = layer.connection.receiver(asked.direction)
    host = host_of(authority).rpartition(":")[0].strip("[]")
    # The proxy's own TLS and its ALPN are not those of what is inside.
    return layer.child(via=str(proxy), server_name=host or None, alpn=None)


class StreamTable:
    """The streams that are open, a bounded number; gives their messages to `out`."""

    def __init__(self, layer: Layer, out: Outbox, upgrades: Mapping[str, OpenUpgrade]) -> None:
        self._layer = layer
        self._out = out
        self._upgrades = upgrades
        self._streams: dict[int, Stream] = {}

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._streams.values()))

    def __len__(self) -> int:
        return len(self._streams)

    def get(self, number: int) -> Stream | None:
        return self._streams.get(number)

    def add(self, stream: Stream) -> None:
        self._streams[stream.number] = stream

    def remove(self, number: int) -> None:
        self._streams.pop(number, None)

    def open(self, number: int, span: Span) -> Stream:
        """A new stream; beyond MAX_STREAMS the oldest is given up for it."""
        if len(self._streams) >= MAX_STREAMS:
            oldest = self._streams.pop(next(iter(self._streams)))
            self._out.limit(
                "limit.http2_streams",
                f"more than {MAX_STREAMS} streams are open at a time: the oldest is given up for "
                "each more, what comes for it later is not read",
                span.last_frame,
            )
            for each in (0, 1):
                self.close(oldest, each, f"given up, over {MAX_STREAMS} streams are open", None)
        stream = self._streams[number] = Stream(number, next(self._layer.exchanges))
        return stream

    def half(self, number: int, direction: Direction) -> Half | None:
        stream = self._streams.get(number)
        return stream.halves[direction] if stream is not None else None

    def emit(self, stream: Stream, half: Half, problem: str | None = None) -> None:
        self._out.add(message(self._layer, stream, half, problem))
        self._out.unpacked(self._layer, half.span.last_frame)

    def data(self, number: int, direction: Direction, data: bytes, span: Span, taken: int) -> None:
        """Bytes of a body, or of what a tunnel carries; `taken` counts the padding in."""
        stream = self._streams.get(number)
        if stream is None:
            return
        half = stream.halves[direction]
        if half is not None:
            half.body.add(data, span.offset)
            half.track.add(span.offset, taken)
            half.span = half.span.to(span)
        elif data:
            self._tunnelled(stream, direction, data, span)

    def lose(self, number: int, direction: Direction, length: int, span: Span) -> None:
        """`length` bytes (0: an unknown number) of the same were not captured."""
        stream = self._streams.get(number)
        if stream is None:
            return
        half = stream.halves[direction]
        if half is not None:
            half.body.lose(length)
        elif stream.child is not None:
            self._give(stream.child.gap(direction, length, span))

    def answer_connect(self, stream: Stream, asked: Half, answer: Half) -> None:
        """After a 2xx the stream's DATA is another protocol's (RFC 9113 §8.5, RFC 8441)."""
        if not (pseudo(answer.fields, b":status") or "").startswith("2"):
            return
        early = asked.body.kept
        asked.body.clear()
        for half in (asked, answer):
            self.emit(stream, half)
            stream.halves[half.direction] = None
        stream.child = tunnel(self._layer, stream, asked, answer, self._upgrades)
        if early:
            self._tunnelled(stream, asked.direction, early, asked.span)

    def _tunnelled(self, stream: Stream, direction: Direction, data: bytes, span: Span) -> None:
        if stream.child is not None:
            span = span.moved(stream.given[direction])
            stream.given[direction] += len(data)
            self._give(stream.child.data(direction, data, span))

    def end(self, number: int, direction: Direction, span: Span) -> None:
        """END_STREAM of a direction."""
        stream = self._streams.get(number)
        if stream is None:
            return
        half = stream.halves[direction]
        self.close(stream, direction, None, span)
        back = other(direction)
        unseen = stream.halves[back] is None and not stream.closed[back]
        answered = unseen and half is not None and half.response
        if stream.finished or (answered and stream.child is None):
            self._streams.pop(number, None)

    def close(
        self, stream: Stream, direction: Direction, problem: str | None, span: Span | None
    ) -> None:
        """Give what a direction has brought; `span` is where it ended, if that is known."""
        half = stream.halves[direction]
        stream.halves[direction] = None
        if half is not None and not stream.closed[direction]:
            self.emit(stream, half, problem)
        if stream.child is not None and span is not None and not stream.closed[direction]:
            self._give(stream.child.end(direction, span))
        stream.closed[direction] = True

    def _give(self, output: Output) -> None:
        for item in output:
            self._out.add(item)


def other(direction: Direction) -> Direction:
    return 0 if direction else 1


def message(
    layer: Layer, stream: Stream, half: Half, problem: str | None
) -> HttpRequest | HttpResponse:
    """The half as a message of the model."""
    pseudo_fields = [item for item in half.fields if item[0].startswith(b":")]
    headers = [item for item in half.fields if not item[0].startswith(b":")]
    body = half.body.body(tokens(index(headers), b"content-encoding"), problem, layer.allowance)
    track = half.body.track
    body_ranges = () if track is None or track.many else track.ranges(half.direction)
    ranges = Ranges(half.track.ranges(half.direction), body=body_ranges, verbatim=False)
    place = layer.place(half.direction, half.span, ranges)
    if half.response:
        status = pseudo(pseudo_fields, b":status") or ""
        number = int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 0
        return HttpResponse(
            place=place,
            exchange=stream.exchange,
            version="2",
            status=number,
            reason=Opaque(),
            headers=Headers.of(headers),
            body=body,
            interim=100 <= number < 200,
            server_name=layer.server_name,
            h2_stream=stream.number,
            head_frame=half.head_frame,
        )
    authority = pseudo(pseudo_fields, b":authority") or pseudo(headers, b"host")
    method = pseudo(pseudo_fields, b":method") or UNKNOWN
    target = next((value for name, value in pseudo_fields if name == b":path"), b"")
    if not target:
        target = (authority or "").encode() if method == "CONNECT" else UNKNOWN_BYTES
    return HttpRequest(
        place=place,
        exchange=stream.exchange,
        version="2",
        method=method,
        target=Opaque(target),
        scheme=pseudo(pseudo_fields, b":scheme") or ("https" if layer.encrypted else "http"),
        host=host_of(authority) or None if authority else None,
        headers=Headers.of(headers),
        body=body,
        server_name=layer.server_name,
        via=layer.via,
        pushed=stream.pushed,
        h2_stream=stream.number,
        head_frame=half.head_frame,
    )
