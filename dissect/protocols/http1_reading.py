"""What an HTTP/1 direction is in the middle of, and how that becomes a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from dissect.model import (
    Direction,
    Headers,
    HttpRequest,
    HttpResponse,
    Opaque,
    Place,
    Range,
    Ranges,
    Span,
)
from dissect.protocols import http1_framing as framing
from dissect.protocols.base import Layer
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.content import BodyCollector
from dissect.protocols.heads import Field, Index, Section, between, host_of
from dissect.protocols.http1_pairing import Pending
from dissect.protocols.track import Track, new_ranges


class State(Enum):
    """What the next byte of a direction belongs to."""

    HEAD = auto()
    LENGTH = auto()
    CLOSE = auto()
    CHUNK_SIZE = auto()
    CHUNK_DATA = auto()
    TRAILERS = auto()
    HELD = auto()  # CONNECT or Upgrade was asked for, whose bytes follow is not known yet
    LOST = auto()
    TUNNEL = auto()
    IGNORE = auto()


@dataclass(slots=True)
class Extent:
    """Which bytes the message was read from: all are from `start` to `stop`; `target` is that of
    the start line, `places` are those of the fields, `frame` notes the framing of chunks."""

    start: int
    stop: int
    head: tuple[Range, ...]
    target: Range | None
    places: list[int]
    frame: Track | None = None

    def ranges(self, body: Track | None, direction: Direction) -> Ranges:
        whole = ((direction, self.start, self.stop - self.start),)
        frame = self.frame
        if (body is not None and body.many) or (frame is not None and frame.many):
            return Ranges(whole, verbatim=False)
        return new_ranges(
            whole,
            self.head,
            self.target,
            self.places,
            () if body is None else body.ranges(direction),
            () if frame is None else frame.ranges(direction),
        )


@dataclass(slots=True)
class Reading:
    """The message whose body is being read."""

    start: framing.RequestLine | framing.StatusLine
    fields: list[Field]  # of the head, then of the trailers
    index: Index  # of the head alone: trailers must not change the framing (RFC 9110 §6.5.1)
    span: Span
    head_frame: int
    pending: Pending
    extent: Extent
    body: BodyCollector = field(default_factory=BodyCollector)


@dataclass(slots=True)
class Side:
    """One direction: its state, its bytes, the message it is in."""

    direction: Direction
    state: State = State.HEAD
    buffer: SpanBuffer = field(default_factory=SpanBuffer)
    scanned: int = 0
    remaining: int = 0
    message: Reading | None = None
    begun: bool = False
    answers: bool = False  # the last message was a response
    odd_lines: int = 0  # of a trailer section, not reported yet

    def consume(self, length: int) -> None:
        """Take `length` bytes that belong to the message but not to its body."""
        if self.message is not None:
            self.message.span = self.message.span.to(self.buffer.span(length))
            self.message.extent.stop = self.buffer.at + length
        self.buffer.drop(length)
        self.scanned = 0

    def collect(self, length: int) -> None:
        """Take `length` bytes of the body."""
        if self.message is not None:
            self.message.body.add(self.buffer.data[:length], self.buffer.at)
        self.consume(length)

    def frame(self, length: int, start: int = 0) -> None:
        """Note the next `length` bytes from `start` on as framing of the body."""
        if self.message is not None:
            extent = self.message.extent
            extent.frame = extent.frame or Track()
            extent.frame.add(self.buffer.at + start, length)

    def missing(self) -> str:
        """What the body lacks if nothing follows."""
        if self.message is None or self.state is not State.LENGTH:
            return "the last chunk is missing"
        body = self.message.body
        return (
            f"{self.remaining} of {body.wire_size + body.lost + self.remaining} bytes are missing"
        )


def extent(
    side: Side,
    line: bytes,
    start: framing.RequestLine | framing.StatusLine,
    section: Section,
    size: int,
) -> Extent:
    """The bytes of a message whose start line is `line`, and whose header section has `size`."""
    at, direction = side.buffer.at, side.direction
    value = start.target if isinstance(start, framing.RequestLine) else start.reason
    return Extent(
        at,
        at + size,
        between(direction, at, at + size, section.unread),
        (direction, at + framing.value_at(line, start), len(value)),
        section.places,
    )


def _place(layer: Layer, side: Side, message: Reading) -> Place:
    ranges = message.extent.ranges(message.body.track, side.direction)
    return layer.place(side.direction, message.span, ranges)


def request(
    layer: Layer, side: Side, message: Reading, start: framing.RequestLine, problem: str | None
) -> HttpRequest:
    headers = Headers.of(message.fields)
    scheme = "https" if layer.encrypted else "http"
    host = headers.get("host") or None
    absolute = framing.absolute_form(start.target)
    if absolute is not None:
        scheme = absolute[0]
        host = host or absolute[1] or None
    elif start.method == "CONNECT":
        host = host or start.target.decode("latin-1")
    host = host_of(host) or None if host else None
    return HttpRequest(
        place=_place(layer, side, message),
        exchange=message.pending.exchange,
        version=start.version,
        method=start.method,
        target=Opaque(start.target),
        scheme=scheme,
        host=host,
        headers=headers,
        body=message.body.body(framing.codings(message.index), problem, layer.allowance),
        server_name=layer.server_name,
        via=layer.via,
        head_frame=message.head_frame,
    )


def response(
    layer: Layer, side: Side, message: Reading, start: framing.StatusLine, problem: str | None
) -> HttpResponse:
    return HttpResponse(
        place=_place(layer, side, message),
        exchange=message.pending.exchange,
        version=start.version,
        status=start.status,
        reason=Opaque(start.reason),
        headers=Headers.of(message.fields),
        body=message.body.body(framing.codings(message.index), problem, layer.allowance),
        interim=framing.is_interim(start.status),
        server_name=layer.server_name,
        head_frame=message.head_frame,
    )
