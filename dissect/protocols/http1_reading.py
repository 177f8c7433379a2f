"""What an HTTP/1 direction is in the middle of, and which bytes its messages are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from dissect.model import Direction, HttpRequest, HttpResponse, Range, Ranges
from dissect.protocols import http1_framing as framing
from dissect.protocols.base import Layer
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.header_sections import Section, between
from dissect.protocols.http.messages import Message
from dissect.protocols.http.pairing import Pending
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
class MessageInProgress(Message):
    """The message whose body is being read."""

    pending: Pending
    extent: Extent

    def give(self, layer: Layer, problem: str | None) -> HttpRequest | HttpResponse:
        """The message of the model; `problem` says what it lacks."""
        ranges = self.extent.ranges(self.content.track, self.direction)
        codings = framing.codings(self.index)
        return self.given(layer, self.pending.exchange, ranges, problem, codings)


@dataclass(slots=True)
class HttpDirection:
    """One direction: its state, its bytes, the message it is in."""

    direction: Direction
    state: State = State.HEAD
    buffer: SpanBuffer = field(default_factory=SpanBuffer)
    scanned: int = 0
    remaining: int = 0
    message: MessageInProgress | None = None
    begun: bool = False
    answers: bool = False  # the last message was a response
    malformed_lines: int = 0  # of a trailer section, not reported yet

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
            self.message.content.add(self.buffer.data[:length], self.buffer.at)
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
        body = self.message.content
        return (
            f"{self.remaining} of {body.wire_size + body.lost + self.remaining} bytes are missing"
        )


def extent(
    side: HttpDirection,
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
