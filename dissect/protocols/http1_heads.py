"""HTTP/1 header sections out of the bytes of a direction, whole or broken off (RFC 9112 §2)."""

from __future__ import annotations

from typing import NamedTuple

from dissect.model import Direction, Span
from dissect.protocols import http1_framing as framing
from dissect.protocols.header_sections import HEAD_END, MAX_HEAD, Field, Index, read_section
from dissect.protocols.http.messages import Request, Response
from dissect.protocols.http.pairing import Pending
from dissect.protocols.http1_reading import Extent, HttpDirection, MessageInProgress, extent


class Head(NamedTuple):
    """The start line and fields of a message; `malformed` lines are no fields. `cut` says in a
    sentence how it breaks off, if it does."""

    start: framing.RequestLine | framing.StatusLine
    fields: list[Field]
    malformed: int
    span: Span
    extent: Extent
    cut: str | None = None

    def begun(
        self, direction: Direction, control: Request | Response, index: Index, pending: Pending
    ) -> MessageInProgress:
        """The message that begins here."""
        return MessageInProgress(
            self.start.version,
            direction,
            control,
            self.fields,
            index,
            self.span,
            self.span.last_frame,
            pending,
            self.extent,
        )


class NoHead(NamedTuple):
    """Bytes that begin no message that can be read: what is reported of them."""

    kind: str
    sentence: str


def take_head(side: HttpDirection) -> Head | NoHead | None:
    """The header section that the buffer begins with, taken from it; None if more is needed."""
    buffer, data = side.buffer, side.buffer.data
    match = HEAD_END.search(data, max(0, side.scanned - 3))
    side.scanned = len(data)
    line_end = data.find(b"\n")
    if line_end < 0 and len(data) <= MAX_HEAD:
        return None
    line = bytes(data[: max(line_end, 0)]).removesuffix(b"\r")
    start = framing.start_line(line)
    if start is None:
        kind = "http.bad_start_line" if side.begun else "http.began_inside"
        return NoHead(kind, "bytes that begin no HTTP message are skipped")
    if match is None or match.end() > MAX_HEAD:
        if len(data) <= MAX_HEAD:
            return None
        sentence = f"a header section of over {MAX_HEAD} bytes is skipped"
        return NoHead("http.head_too_long", sentence)
    size = match.end()
    span = buffer.span(size)
    section = bytes(data[line_end + 1 : match.start()])
    found = read_section(section, buffer.at + line_end + 1)
    ranges = extent(side, line, start, found, size)
    side.consume(size)
    return Head(start, found.fields, found.malformed, span, ranges)


def take_cut_head(side: HttpDirection) -> tuple[Head | None, NoHead, Span] | None:
    """What the buffer holds of a header section that breaks off, if anything: the message as far
    as it is known, what is reported of it, and where."""
    buffer = side.buffer
    data = bytes(buffer.data.lstrip(b"\r\n"))
    if not data:
        return None
    span = buffer.span(len(buffer))
    buffer.drop(len(buffer) - len(data))
    first, newline, rest = data.partition(b"\n")
    start = framing.start_line(first.removesuffix(b"\r")) if newline else None
    if start is None and not framing.MAY_START.match(data):
        sentence = f"{len(data)} bytes that begin no HTTP message"
        return None, NoHead("http.bad_start_line", sentence), span
    problem = f"the header section breaks off after {len(data)} bytes"
    reported = NoHead("http.incomplete", f"HTTP: {problem}")
    if start is None:
        return None, reported, span
    found = read_section(rest.rpartition(b"\n")[0], buffer.at + len(first) + 1)
    # Nobody knows what its last line was going to say: only where it is, is reported.
    ranges = Extent(buffer.at, buffer.at + len(data), (), None, [])
    buffer.clear()
    return Head(start, found.fields, 0, span, ranges, problem), reported, span
