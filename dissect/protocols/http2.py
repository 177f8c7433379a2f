"""HTTP/2 as a passive observer sees it (RFC 9113), in clear or inside TLS.

Frames of a direction are read one after the other; header blocks, joined from HEADERS,
PUSH_PROMISE and CONTINUATION, go through the direction's HPACK decoder in the order they
were sent. Messages come when their stream's direction ends, is reset, or the capture does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from dissect.model import Anomaly, Direction, Message, Span
from dissect.protocols import http2_frames as frames
from dissect.protocols.base import Layer, OpenUpgrade
from dissect.protocols.content import MAX_FIELDS_UNPACKED, UNPACKED_RATIO
from dissect.protocols.http.exchanges import Exchange, Exchanges
from dissect.protocols.http.pseudo import UNKNOWN
from dissect.protocols.http2_frames import FrameHead, FrameType
from dissect.protocols.http2_headers import HeaderBlocks, Http2Direction
from dissect.protocols.outbox import Outbox

MAX_PSEUDO = 4096  # bytes of a pseudo-header field that is kept when all others are left out


class Http2Parser:
    """A `StreamParser` for HTTP/2; raises nothing, anomalies come as `Anomaly`.

    `upgraded` is (exchange, HTTP2-Settings value) of the HTTP/1.1 request that stream 1
    answers after an upgrade to h2c (RFC 7540 §3.2). `upgrades` opens what a stream of an
    extended CONNECT carries, by its :protocol (RFC 8441).
    """

    def __init__(
        self,
        layer: Layer,
        upgraded: tuple[int, bytes] | None = None,
        upgrades: Mapping[str, OpenUpgrade] | None = None,
    ) -> None:
        self._sides = (
            Http2Direction(HeaderBlocks(complete=True)),
            Http2Direction(HeaderBlocks(complete=True)),
        )
        self._layer = layer
        self._out = Outbox(layer)
        self._exchanges = Exchanges(layer, self._out, upgrades or {}, "2")
        if upgraded is not None:
            self._exchanges.add(Exchange(1, upgraded[0], closed=[True, False]))
            self._apply_upgrade_settings(upgraded[1])

    # ------------------------------------------------------------ the three verbs

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        side = self._sides[direction]
        if side.lost:
            if not frames.looks_like_frames(view):
                return []
            side.lost = False
        side.buffer.append(view, span)
        self._run(side, direction)
        return self._out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        side = self._sides[direction]
        if not side.lost:
            self._gap(side, direction, length, span)
        return self._out.flush()

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        side = self._sides[direction]
        if not side.ended:
            side.ended = True
            if side.buffer.data or side.head is not None or side.joining is not None:
                self._out.anomaly(
                    "http2.incomplete", "the last frame is not whole", span.last_frame
                )
            for exchange in self._exchanges:
                problem = "the stream's end was not captured"
                self._exchanges.close(exchange, direction, problem, span)
            side.buffer.clear()
        return self._out.flush()

    # ------------------------------------------------------------ frames

    def _run(self, side: Http2Direction, direction: Direction) -> None:
        if not side.begun and not self._begin(side, direction):
            return
        buffer = side.buffer
        while True:
            if side.head is not None:
                if side.left and not buffer.data:
                    return
                self._read_payload(side, side.head, direction)
                continue
            data = buffer.data
            if len(data) < frames.FRAME_HEADER:
                return
            head = FrameHead.parse(data[: frames.FRAME_HEADER])
            limit = side.max_frame if side.blocks.complete else frames.MAX_FRAME
            if head.length > limit or (head.kind <= 9 and not head.plausible(limit)):
                span = buffer.span(1)
                sentence = "bytes that are no HTTP/2 frame"
                self._out.anomaly("http2.framing", sentence, span.first_frame)
                self._lose_sync(side, direction, span)
                return
            size = frames.FRAME_HEADER + head.length
            if head.kind == FrameType.DATA or head.kind > FrameType.CONTINUATION:
                if not self._open_payload(side, head, direction):
                    return
            elif len(data) < size:
                return
            else:
                span = buffer.span(size).moved(buffer.at)
                payload = bytes(data[frames.FRAME_HEADER : size])
                buffer.drop(size)
                self._frame(side, direction, head, payload, span)

    def _begin(self, side: Http2Direction, direction: Direction) -> bool:
        """The start of a direction: the client's preface or the server's SETTINGS."""
        data = side.buffer.data
        if data.startswith(frames.PREFACE):
            self._exchanges.client = direction
            side.buffer.drop(len(frames.PREFACE))
        elif len(data) < frames.FRAME_HEADER or frames.PREFACE.startswith(
            bytes(data[: len(frames.PREFACE)])
        ):
            return False
        elif data[3] != FrameType.SETTINGS or data[4] & frames.ACK:
            side.blocks.lose()
            self._out.anomaly_once(
                "http2.began_inside",
                "the connection's start is not in the capture: header fields that were sent "
                f"before are shown as {UNKNOWN}",
                side.buffer.span(1).first_frame,
            )
        side.begun = True
        return True

    def _open_payload(self, side: Http2Direction, head: FrameHead, direction: Direction) -> bool:
        """Begin a frame that is read as it comes; False if its pad length is not here yet."""
        taken = frames.FRAME_HEADER
        side.padding = 0
        if head.kind == FrameType.DATA and head.flags & frames.PADDED and head.length:
            if len(side.buffer) == taken:
                return False
            side.padding = min(side.buffer.data[taken], head.length - 1)
            taken += 1
        span = side.buffer.span(taken)
        side.buffer.drop(taken)
        side.head = head
        side.left = head.length - (taken - frames.FRAME_HEADER)
        if side.joining is not None:
            side.lose_block()
            self._block_lost(span)
        if head.kind == FrameType.DATA:
            side.last = span
            if message := self._exchanges.message(head.stream, direction):
                message.span = message.span.to(span)
                message.track.add(side.buffer.at - taken, taken)
        return True

    def _read_payload(self, side: Http2Direction, head: FrameHead, direction: Direction) -> None:
        taken = min(side.left, len(side.buffer))
        if taken:
            span = side.buffer.span(taken)
            if head.kind == FrameType.DATA:
                wanted = max(0, min(taken, side.left - side.padding))
                data = bytes(side.buffer.data[:wanted])
                span = span.moved(side.buffer.at)
                self._exchanges.data(head.stream, direction, data, span, taken)
                side.last = span
            side.buffer.drop(taken)
            side.left -= taken
        if side.left == 0:
            side.head = None
            if head.kind == FrameType.DATA and head.flags & frames.END_STREAM:
                self._exchanges.end(head.stream, direction, side.last)

    def _frame(
        self,
        side: Http2Direction,
        direction: Direction,
        head: FrameHead,
        payload: bytes,
        span: Span,
    ) -> None:
        continues = head.kind == FrameType.CONTINUATION
        if side.joining is not None and not continues:
            side.lose_block()
            self._block_lost(span)
        if continues or head.kind in (FrameType.HEADERS, FrameType.PUSH_PROMISE):
            join = side.continue_block if continues else side.begin_block
            if not join(head, payload, span, span.offset):
                self._block_lost(span)
            elif head.flags & frames.END_HEADERS:
                self._end_block(side, direction)
        elif head.kind == FrameType.SETTINGS:
            if not head.flags & frames.ACK:
                self._settings(payload, direction)
        elif head.kind == FrameType.RST_STREAM:
            self._reset(head.stream, direction, int.from_bytes(payload, "big"), span)
        elif head.kind == FrameType.GOAWAY:
            code = int.from_bytes(payload[4:8], "big")
            if code:
                who = self._name(direction)
                sentence = f"{who} gave up: {frames.error_name(code)}"
                self._out.anomaly("http2.goaway", sentence, span.last_frame)

    def _settings(self, payload: bytes, direction: Direction) -> None:
        """What a side announces binds what the other one sends."""
        peer = self._sides[1 - direction]
        announced = frames.settings(payload)
        if frames.SETTINGS_HEADER_TABLE_SIZE in announced:
            peer.blocks.allow(announced[frames.SETTINGS_HEADER_TABLE_SIZE])
        size = announced.get(frames.SETTINGS_MAX_FRAME_SIZE, 0)
        peer.max_frame = max(peer.max_frame, min(size, frames.MAX_FRAME))

    def _apply_upgrade_settings(self, encoded: bytes) -> None:
        try:
            payload = base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            self._out.anomaly("http2.settings", "HTTP2-Settings can't be decoded", None)
            return
        self._settings(payload, 0)

    def _reset(self, number: int, direction: Direction, code: int, span: Span) -> None:
        # NO_ERROR only asks to stop sending a request that was answered (RFC 9113 §8.1).
        name, who = frames.error_name(code), self._name(direction)
        known = self._exchanges.reset(number, f"the stream was reset by {who}: {name}", span)
        if known and code:
            sentence = f"stream {number} was reset by {who}: {name}"
            self._out.anomaly("http2.reset", sentence, span.last_frame)

    def _name(self, direction: Direction) -> str:
        return "the client" if direction == (self._exchanges.client or 0) else "the server"

    # ------------------------------------------------------------ header blocks

    def _block_lost(self, span: Span) -> None:
        sentence = "a header block is not whole, its fields are lost"
        self._out.anomaly("http2.header_block", sentence, span.last_frame)

    def _end_block(self, side: Http2Direction, direction: Direction) -> None:
        joined, side.joining = side.joining, None
        if joined is None:
            return
        head, span, track = joined.head, joined.span, joined.track
        fields, problem = side.blocks.decode(bytes(joined.block))
        if problem:
            self._out.anomaly("http2.header_block", problem, span.last_frame)
        size = sum(len(name) + len(value) for name, value in fields)
        if not self._layer.allowance.fields(len(joined.block), size):
            fields = [item for item in fields if item[0][:1] == b":" and len(item[1]) <= MAX_PSEUDO]
            self._out.limit(
                "limit.http2_fields",
                f"the header fields of this capture unpack to more than "
                f"{MAX_FIELDS_UNPACKED >> 20} MB and {UNPACKED_RATIO} times their size: further "
                "ones are left out",
                span.last_frame,
            )
        if head.kind == FrameType.PUSH_PROMISE:
            self._exchanges.promised(joined.promised, direction, fields, span, track)
            return
        self._exchanges.fields(head.stream, direction, fields, span, track)
        if head.flags & frames.END_STREAM:
            self._exchanges.end(head.stream, direction, span)

    # ------------------------------------------------------------ loss

    def _gap(self, side: Http2Direction, direction: Direction, length: int, span: Span) -> None:
        data = side.buffer.data
        if side.head is None and length and len(data) >= frames.FRAME_HEADER:
            # The rest of a frame whose size is known: only this frame is lost.
            head = FrameHead.parse(data[: frames.FRAME_HEADER])
            left = frames.FRAME_HEADER + head.length - len(data)
            if length <= left:
                if head.kind in (
                    FrameType.HEADERS,
                    FrameType.PUSH_PROMISE,
                    FrameType.CONTINUATION,
                ):
                    self._block_lost(side.buffer.span(1))
                    side.lose_block()
                side.buffer.clear()
                side.head = FrameHead(head.length, 0xFF, 0, head.stream)
                side.left = left
        if side.head is not None and 0 < length <= side.left:
            side.left -= length
            if side.head.kind == FrameType.DATA:
                self._exchanges.lose(side.head.stream, direction, length, span)
            self._run(side, direction)
            return
        self._lose_sync(side, direction, span)

    def _lose_sync(self, side: Http2Direction, direction: Direction, span: Span) -> None:
        """Nothing is known of what follows until a chunk begins with frames again."""
        side.buffer.clear()
        side.head, side.left = None, 0
        side.lost = side.begun = True
        side.lose_block()
        for exchange in self._exchanges:
            self._exchanges.lose(exchange.stream, direction, 0, span)
