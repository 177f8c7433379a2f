"""Exchanges whose request and response share a stream, many of them at once (RFC 9113 §8,
RFC 9114 §4): field sections and content of the streams become requests and responses.

The framing says what came on which stream; it knows nothing of messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from dissect.model import Direction, Output, Ranges, Span, StreamParser
from dissect.protocols.base import Layer, OpenUpgrade, Upgrade
from dissect.protocols.header_sections import Field
from dissect.protocols.http import pseudo
from dissect.protocols.http.messages import Message, Request, Response, Version
from dissect.protocols.http.switch import through_proxy, upgraded
from dissect.protocols.outbox import Outbox
from dissect.protocols.track import Track

MAX_STREAMS = 1024  # streams that are open at once; the oldest is given up beyond


@dataclass(slots=True)
class StreamMessage(Message):
    """What one direction of a stream has brought of its message; `track` notes the frames."""

    track: Track


@dataclass(slots=True)
class Exchange:
    """A stream and its exchange: a message a direction (None: no field section was seen).

    `child` reads what a CONNECT tunnel on this stream carries, of which it has got `given`
    bytes a direction.
    """

    stream: int
    number: int
    messages: list[StreamMessage | None] = field(default_factory=lambda: [None, None])
    closed: list[bool] = field(default_factory=lambda: [False, False])
    pushed: bool = False
    child: StreamParser | None = None
    given: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def finished(self) -> bool:
        return all(self.closed)


class Exchanges:
    """The exchanges of a connection that are open, a bounded number; gives their messages to
    `out`. `client` is the direction of requests, None until something tells it. `openers` know
    what an extended CONNECT opens (RFC 8441), by its :protocol."""

    def __init__(
        self, layer: Layer, out: Outbox, openers: Mapping[str, OpenUpgrade], version: Version
    ) -> None:
        self.client: Direction | None = None
        self._layer = layer
        self._out = out
        self._openers = openers
        self._version = version
        self._exchanges: dict[int, Exchange] = {}

    def __iter__(self) -> Iterator[Exchange]:
        return iter(list(self._exchanges.values()))

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, exchange: Exchange) -> None:
        self._exchanges[exchange.stream] = exchange

    def message(self, stream: int, direction: Direction) -> StreamMessage | None:
        exchange = self._exchanges.get(stream)
        return exchange.messages[direction] if exchange is not None else None

    # ------------------------------------------------------------ field sections

    def fields(
        self, stream: int, direction: Direction, found: list[Field], span: Span, track: Track
    ) -> None:
        """A field section: it begins a message, or is the trailers of the one that is there."""
        exchange = self._exchanges.get(stream) or self._open(stream, span)
        section = pseudo.read(found)
        message = exchange.messages[direction]
        if message is not None:
            if not (section.is_request or section.is_response):
                message.fields += section.fields
                message.span = message.span.to(span)
                message.track.extend(track)
                return
            self.close(exchange, direction, "its end was not captured", span)
            exchange.closed[direction] = False
        response = self._is_response(direction, section)
        message = self._begin(section, direction, response, span, track)
        if isinstance(message.control, Response) and 100 <= message.control.status < 200:
            self._emit(exchange, message)
            return
        exchange.messages[direction] = message
        asked = exchange.messages[1 - direction]
        if response and asked is not None and asked.asks_tunnel:
            self._answer_connect(exchange, asked, message)

    def promised(
        self, stream: int, direction: Direction, found: list[Field], span: Span, track: Track
    ) -> None:
        """RFC 9113 §8.4, RFC 9114 §4.6: the server tells which request it is going to answer."""
        exchange = self._open(stream, span)
        exchange.pushed = True
        self._emit(exchange, self._begin(pseudo.read(found), direction, False, span, track))
        exchange.closed[1 - direction] = True

    def _begin(
        self,
        section: pseudo.Section,
        direction: Direction,
        response: bool,
        span: Span,
        track: Track,
    ) -> StreamMessage:
        control, index = pseudo.control(section, response)
        return StreamMessage(
            self._version, direction, control, section.fields, index, span, span.last_frame, track
        )

    def _is_response(self, direction: Direction, section: pseudo.Section) -> bool:
        if section.is_response:
            if self.client is None:
                self.client = other(direction)
            return True
        if section.is_request:
            if self.client is None:
                self.client = direction
            return False
        return direction != (self.client or 0)

    def _open(self, stream: int, span: Span) -> Exchange:
        """A new exchange; beyond MAX_STREAMS the oldest is given up for it."""
        if len(self._exchanges) >= MAX_STREAMS:
            oldest = self._exchanges.pop(next(iter(self._exchanges)))
            self._out.limit(
                f"limit.http{self._version}_streams",
                f"more than {MAX_STREAMS} streams are open at a time: the oldest is given up for "
                "each more, what comes for it later is not read",
                span.last_frame,
            )
            for each in (0, 1):
                self.close(oldest, each, f"given up, over {MAX_STREAMS} streams are open", None)
        exchange = self._exchanges[stream] = Exchange(stream, next(self._layer.exchanges))
        return exchange

    # ------------------------------------------------------------ content

    def data(self, stream: int, direction: Direction, data: bytes, span: Span, taken: int) -> None:
        """Bytes of a body, or of what a tunnel carries; `taken` counts the padding in."""
        exchange = self._exchanges.get(stream)
        if exchange is None:
            return
        message = exchange.messages[direction]
        if message is not None:
            message.content.add(data, span.offset)
            message.track.add(span.offset, taken)
            message.span = message.span.to(span)
        elif data:
            self._tunnelled(exchange, direction, data, span)

    def lose(self, stream: int, direction: Direction, length: int, span: Span) -> None:
        """`length` bytes (0: an unknown number) of the same were not captured."""
        exchange = self._exchanges.get(stream)
        if exchange is None:
            return
        message = exchange.messages[direction]
        if message is not None:
            message.content.lose(length)
        elif exchange.child is not None:
            self._give(exchange.child.gap(direction, length, span))

    # ------------------------------------------------------------ CONNECT

    def _answer_connect(
        self, exchange: Exchange, asked: StreamMessage, answer: StreamMessage
    ) -> None:
        """After a 2xx the stream's DATA is another protocol's (RFC 9113 §8.5, RFC 8441)."""
        request, response = asked.control, answer.control
        if not (isinstance(request, Request) and isinstance(response, Response)):
            return
        if response.status // 100 != 2:
            return
        early = asked.content.kept
        asked.content.clear()
        for message in (asked, answer):
            self._emit(exchange, message)
            exchange.messages[message.direction] = None
        upgrade = Upgrade(exchange.number, asked.index, answer.index)
        exchange.child = self._tunnel(exchange.stream, asked.direction, request, upgrade)
        if early:
            self._tunnelled(exchange, asked.direction, early, asked.span)

    def _tunnel(
        self, stream: int, asking: Direction, request: Request, upgrade: Upgrade
    ) -> StreamParser:
        """A parser for what a CONNECT stream carries, by its :protocol or by its bytes."""
        layer = replace(self._layer, stream=(*self._layer.stream, stream))
        if request.protocol:
            return upgraded(layer, request.protocol, upgrade, self._openers)
        return through_proxy(layer, asking, request.authority)

    def _tunnelled(self, exchange: Exchange, direction: Direction, data: bytes, span: Span) -> None:
        if exchange.child is not None:
            span = span.moved(exchange.given[direction])
            exchange.given[direction] += len(data)
            self._give(exchange.child.data(direction, data, span))

    # ------------------------------------------------------------ ends

    def end(self, stream: int, direction: Direction, span: Span) -> None:
        """The end of a direction of a stream."""
        exchange = self._exchanges.get(stream)
        if exchange is None:
            return
        message = exchange.messages[direction]
        self.close(exchange, direction, None, span)
        back = other(direction)
        unseen = exchange.messages[back] is None and not exchange.closed[back]
        answered = unseen and message is not None and isinstance(message.control, Response)
        if exchange.finished or (answered and exchange.child is None):
            self._exchanges.pop(stream, None)

    def reset(self, stream: int, problem: str, span: Span) -> bool:
        """A stream was given up by a peer; whether it was open."""
        exchange = self._exchanges.pop(stream, None)
        if exchange is None:
            return False
        for each in (0, 1):
            self.close(exchange, each, problem, span)
        return True

    def close(
        self, exchange: Exchange, direction: Direction, problem: str | None, span: Span | None
    ) -> None:
        """Give what a direction has brought; `span` is where it ended, if that is known."""
        message = exchange.messages[direction]
        exchange.messages[direction] = None
        if message is not None and not exchange.closed[direction]:
            self._emit(exchange, message, problem)
        if exchange.child is not None and span is not None and not exchange.closed[direction]:
            self._give(exchange.child.end(direction, span))
        exchange.closed[direction] = True

    def _emit(self, exchange: Exchange, message: StreamMessage, problem: str | None = None) -> None:
        body = message.content.track
        self._out.add(
            message.given(
                self._layer,
                exchange.number,
                Ranges(
                    message.track.ranges(message.direction),
                    body=() if body is None or body.many else body.ranges(message.direction),
                    verbatim=False,
                ),
                problem,
                stream=exchange.stream,
                pushed=exchange.pushed,
            )
        )
        self._out.unpacked(self._layer, message.span.last_frame)

    def _give(self, output: Output) -> None:
        for item in output:
            self._out.add(item)


def other(direction: Direction) -> Direction:
    return 0 if direction else 1
