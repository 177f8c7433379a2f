"""SIP as a passive observer sees it (RFC 3261), with Microsoft's methods ([MS-SIPRE]).

Over TCP and TLS messages are framed by Content-Length, split and joined anywhere, with
keep-alives between them (RFC 5626 §3.5.1); over UDP a datagram is a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dissect.model import Anomaly, Direction, Message, Span
from dissect.protocols.base import Layer
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.content import join
from dissect.protocols.header_sections import HEAD_END, MAX_HEAD, tail_of_start, values
from dissect.protocols.sip_lines import describe, find_start, start_line
from dissect.protocols.sip_messages import Head, Maker, Transport

if TYPE_CHECKING:
    from dissect.protocols.tls.secret_store import SecretStore

MAX_START = 8 * 1024  # kept while the next start line is looked for


@dataclass(slots=True)
class _SipDirection:
    buffer: SpanBuffer = field(default_factory=SpanBuffer)
    scanned: int = 0
    head: Head | None = None
    remaining: int = 0
    lost: bool = False
    ended: bool = False


class SipParser:
    """A `StreamParser` for SIP over TCP, TLS or another reliable stream."""

    def __init__(self, layer: Layer, secrets: SecretStore | None = None) -> None:
        self._maker = Maker(layer, "tls" if layer.encrypted else "tcp", secrets)
        self._sides = (_SipDirection(), _SipDirection())

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        side = self._sides[direction]
        side.buffer.append(view, span)
        while side.buffer.data and self._step(side, direction):
            continue
        return self._maker.out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        side = self._sides[direction]
        head = side.head
        if head is not None and 0 < length <= side.remaining:
            head.body.lose(length)
            side.remaining -= length
            if not side.remaining:
                self._finish(side, direction)
        else:
            self._cut(side, direction, "lost bytes")
            side.lost = True
        return self._maker.out.flush()

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        side = self._sides[direction]
        if not side.ended:
            side.ended = True
            self._cut(side, direction, "the end")
            if all(one.ended for one in self._sides):
                self._maker.finish()
        return self._maker.out.flush()

    # ------------------------------------------------------------ steps

    def _step(self, side: _SipDirection, direction: Direction) -> bool:
        """One step of reading; False when more bytes are needed."""
        if side.head is not None:
            taken = min(side.remaining, len(side.buffer))
            self._take_body(side, side.head, taken)
            if not side.remaining:
                self._finish(side, direction)
            return True
        if side.lost:
            return self._search(side)
        data = side.buffer.data
        if data[0] in b"\r\n\0":  # keep-alives (RFC 5626 §4.4.1), some phones send NULs
            side.buffer.drop(len(data) - len(data.lstrip(b"\r\n\0")))
            side.scanned = 0
            return True
        match = HEAD_END.search(data, max(0, side.scanned - 3))
        side.scanned = len(data)
        if match is None:
            line_end = data.find(b"\n")
            begun = line_end < 0 or start_line(bytes(data[:line_end]).removesuffix(b"\r"))
            return not (begun and len(data) <= MAX_HEAD) and self._seek(side)
        span = side.buffer.span(match.end())
        section, at = bytes(data[: match.start()]), side.buffer.at
        head = self._maker.head(section, span, direction, at, match.end())
        if head is None:
            return self._seek(side)
        side.buffer.drop(match.end())
        side.scanned = 0
        length = self._maker.length(head)
        if length is None and not values(head.index, b"content-length", b"l"):
            sentence = "no Content-Length over a stream, taken for 0"
            self._maker.out.anomaly("sip.no_content_length", sentence, span.last_frame)
        side.head, side.remaining = head, length or 0
        if not side.remaining:
            self._finish(side, direction)
        return True

    def _take_body(self, side: _SipDirection, head: Head, length: int) -> None:
        head.body.add(side.buffer.data[:length], side.buffer.at)
        head.span = head.span.to(side.buffer.span(length))
        side.buffer.drop(length)
        side.remaining -= length

    def _finish(
        self, side: _SipDirection, direction: Direction, problem: str | None = None
    ) -> None:
        if side.head is not None:
            self._maker.emit(side.head, direction, problem)
        side.head = None
        side.scanned = 0

    def _seek(self, side: _SipDirection) -> bool:
        """Bytes that begin no message: skip to the next that can only be a start line."""
        frame = side.buffer.span(1).first_frame
        self._maker.out.anomaly("sip.junk", "bytes that begin no SIP message are skipped", frame)
        side.buffer.drop(1)
        side.lost = True
        return True

    def _search(self, side: _SipDirection) -> bool:
        data = side.buffer.data
        match = find_start(data)
        if match is None:
            side.buffer.drop(max(tail_of_start(data), len(data) - MAX_START))
            return False
        side.buffer.drop(match.start())
        side.scanned = 0
        side.lost = False
        return True

    def _cut(self, side: _SipDirection, direction: Direction, why: str) -> None:
        """Give what is known of a message that `why` breaks off."""
        if side.head is not None:
            if side.remaining:
                problem = f"{side.remaining} bytes of it are missing"
                self._maker.out.anomaly(
                    "sip.incomplete",
                    f"a SIP message lacks {side.remaining} bytes of its body",
                    side.head.span.last_frame,
                )
                self._finish(side, direction, problem)
        elif not side.lost and side.buffer.data.strip(b"\r\n\0"):
            self._cut_head(side, direction, why)
        side.buffer.clear()
        side.scanned = 0

    def _cut_head(self, side: _SipDirection, direction: Direction, why: str) -> None:
        """A header section that breaks off: the message as far as whole lines tell it.

        Without a whole start line there is an anomaly only.
        """
        maker = self._maker
        data = bytes(side.buffer.data.lstrip(b"\r\n\0"))
        span = side.buffer.span(len(side.buffer))
        lines, newline, _ = data.rpartition(b"\n")
        at = side.buffer.at + len(side.buffer) - len(data)
        size = len(data)
        head = maker.head(lines, span, direction, at, size, False) if newline else None
        problem = f"breaks off after {len(data)} bytes of its header section ({why})"
        what = describe(head.start if head else None)
        maker.out.anomaly("sip.incomplete", f"{what} {problem}", span.last_frame)
        if head is not None:
            maker.emit(head, direction, f"the message {problem}")


class SipDatagrams:
    """A `StreamParser` for SIP over UDP: each call of `data` is one datagram."""

    def __init__(self, layer: Layer, transport: Transport = "udp") -> None:
        self._maker = Maker(layer, transport)
        self._ended = [False, False]

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        maker, datagram = self._maker, bytes(view)
        if not datagram.strip(b"\r\n\0 \t"):
            return []
        text = datagram.lstrip(b"\r\n\0")
        match = HEAD_END.search(text)
        section = text[: match.start()] if match else text.rstrip(b"\r\n")
        at = span.offset + len(datagram) - len(text)
        size = match.end() if match else len(section)
        head = maker.head(section, span, direction, at, size, match is not None)
        if head is None:
            found = find_start(text)
            if found is None or not found.start():
                return []
            maker.out.anomaly("sip.junk", "bytes before a SIP message are skipped", span.last_frame)
            start = span.moved(at + found.start())
            return maker.out.flush() + self.data(direction, text[found.start() :], start)
        if match is None:
            maker.out.anomaly(
                "sip.incomplete",
                f"{describe(head.start)} has no end of its header section",
                span.last_frame,
            )
        body = text[match.end() :] if match else b""
        length = maker.length(head)
        problem = None if match else "the header section has no end"
        if length is not None and length < len(body):
            extra = f"{len(body) - length} bytes follow the body in its datagram"
            if body[length:].strip(b"\r\n\0"):
                maker.out.anomaly("sip.trailing", extra, span.last_frame)
            body = body[:length]
        elif length is not None and length > len(body):
            problem = join(problem, f"{length - len(body)} bytes of it are missing")
            maker.out.anomaly(
                "sip.incomplete",
                f"a SIP message lacks {length - len(body)} bytes of its body",
                span.last_frame,
            )
        head.body.add(body, at + size)
        maker.emit(head, direction, problem)
        return maker.out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        return []

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        if not self._ended[direction]:
            self._ended[direction] = True
            if all(self._ended):
                self._maker.finish()
        return self._maker.out.flush()
