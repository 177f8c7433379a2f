"""WebSocket (RFC 6455, RFC 7692) as far as SIP uses it (RFC 7118): a message each.

Opened for the subprotocol `sip` only; what other subprotocols carry is nobody's here.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace

from dissect.model import Anomaly, Direction, Message, Output, Ranges, Span, StreamParser
from dissect.protocols.base import Layer
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.content import Allowance
from dissect.protocols.outbox import Outbox
from dissect.protocols.track import Track

MAX_MESSAGE = 1 << 20  # bytes of one message, its fragments joined and inflated
_FIN, _COMPRESSED, _MASKED = 0x80, 0x40, 0x80
_CONTINUATION, _BINARY = 0, 2


@dataclass(slots=True)
class _WebSocketDirection:
    buffer: SpanBuffer = field(default_factory=SpanBuffer)
    parts: bytearray = field(default_factory=bytearray)
    span: Span | None = None
    track: Track = field(default_factory=Track)  # of the frames
    compressed: bool = False
    lost: bool = False
    # The window is kept over messages: right with and without context takeover.
    inflater: zlib._Decompress = field(default_factory=lambda: zlib.decompressobj(-15))


class WebSocketParser:
    """A `StreamParser` that unmasks, joins and inflates, and gives each message to `inner`.

    After lost bytes or a frame that breaks the rules the direction is given up: nothing
    in WebSocket tells where the next frame begins.
    """

    def __init__(self, layer: Layer, inner: StreamParser) -> None:
        self._inner = inner
        self._layer = layer
        self._out = Outbox(layer)
        self._sides = (_WebSocketDirection(), _WebSocketDirection())

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        side = self._sides[direction]
        if not side.lost:
            side.buffer.append(view, span)
            while self._frame(side, direction):
                continue
        return self._out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        self._give_up(self._sides[direction], span, "bytes of a WebSocket were lost")
        return self._out.flush()

    def end(self, direction: Direction, span: Span) -> Output:
        side = self._sides[direction]
        if not side.lost and (side.buffer.data or side.span is not None):
            self._give_up(side, span, "the last WebSocket message is not whole")
        for item in self._inner.end(direction, span):
            self._out.add(item)
        return self._out.flush()

    def _give_up(self, side: _WebSocketDirection, span: Span, sentence: str) -> None:
        if not side.lost:
            self._out.anomaly("websocket.lost", sentence, span.last_frame)
        side.lost = True
        side.buffer.clear()
        side.parts.clear()

    def _frame(self, side: _WebSocketDirection, direction: Direction) -> bool:
        """Read one frame (RFC 6455 §5.2); False when more bytes are needed."""
        data = side.buffer.data
        if len(data) < 2:
            return False
        size, start = data[1] & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(data) < start:
                return False
            size = int.from_bytes(data[2:start], "big")
        if size > MAX_MESSAGE or data[0] & 0x30:
            span = side.buffer.span(2)
            self._give_up(side, span, "a WebSocket frame that is too long or of an unknown kind")
            return False
        mask = b""
        if data[1] & _MASKED:
            mask, start = bytes(data[start : start + 4]), start + 4
        if len(data) < start + size:
            return False
        span = side.buffer.span(start + size).moved(side.buffer.at)
        first = data[0]
        payload = unmask(bytes(data[start : start + size]), mask)
        side.buffer.drop(start + size)
        if first & 0x0F <= _BINARY:
            self._part(side, direction, first, payload, span, start + size)
        return True

    def _part(
        self,
        side: _WebSocketDirection,
        direction: Direction,
        first: int,
        payload: bytes,
        span: Span,
        size: int,
    ) -> None:
        if first & 0x0F != _CONTINUATION:
            side.parts.clear()
            side.track.clear()
            side.span = None
            side.compressed = bool(first & _COMPRESSED)
        side.parts += payload
        side.track.add(span.offset, size)
        side.span = span if side.span is None else side.span.to(span)
        where = side.span
        if len(side.parts) > MAX_MESSAGE:
            self._give_up(side, span, f"a WebSocket message of over {MAX_MESSAGE} bytes")
        elif first & _FIN:
            whole = bytes(side.parts)
            frames = Ranges(side.track.ranges(direction), verbatim=False, stream=self._layer.stream)
            side.track.clear()
            side.parts.clear()
            side.span = None
            if side.compressed:
                inflated = inflate(side.inflater, whole, self._layer.allowance)
                self._out.unpacked(self._layer, span.last_frame)
                if inflated is None:
                    self._give_up(side, span, "a WebSocket message that can't be inflated")
                    return
                whole = inflated
            for item in self._inner.data(direction, whole, where):
                self._out.add(_in_frames(item, frames))


def _in_frames(item: Message | Anomaly, frames: Ranges) -> Message | Anomaly:
    """A message whose bytes are masked, or compressed, in the frames that held it."""
    if isinstance(item, Anomaly):
        return item
    return replace(item, place=replace(item.place, ranges=frames))


def unmask(payload: bytes, mask: bytes) -> bytes:
    """RFC 6455 §5.3; an empty mask changes nothing."""
    if not mask or not payload:
        return payload
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(
        len(payload), "big"
    )


def inflate(
    inflater: zlib._Decompress, payload: bytes, allowance: Allowance | None = None
) -> bytes | None:
    """One message of permessage-deflate (RFC 7692 §7.2.2); None if damaged or too long."""
    room = MAX_MESSAGE if allowance is None else min(MAX_MESSAGE, allowance.room(len(payload)))
    try:
        data = inflater.decompress(payload + b"\0\0\xff\xff", room + 1)
    except zlib.error:
        return None
    if allowance is not None:
        allowance.take(len(data))
        allowance.reached |= room < min(MAX_MESSAGE, len(data))
    return data if len(data) <= room else None
