"""Reading HTTP/1 bodies: by length, until the end, in chunks (RFC 9112 §6, §7)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from dissect.protocols import http1_framing as framing
from dissect.protocols.header_sections import HEAD_END, MAX_HEAD, between, read_section
from dissect.protocols.http.messages import Response
from dissect.protocols.http1_reading import HttpDirection, State

MAX_LINE = 16 * 1024  # of a chunk size with its extensions


class BodyStep(Enum):
    """What came of one step."""

    MORE = auto()  # more bytes are needed
    GO = auto()
    END = auto()  # the message is complete
    BAD = auto()  # the chunks are damaged
    ABSENT = auto()  # the body was never sent, another message begins in its place


def read_length(side: HttpDirection) -> BodyStep:
    absent = body_absent(side)
    if absent is None and len(side.buffer) < side.remaining:
        return BodyStep.MORE
    if absent:
        return BodyStep.ABSENT
    take(side)
    return BodyStep.GO if side.remaining else BodyStep.END


def read_close(side: HttpDirection) -> BodyStep:
    absent = body_absent(side)
    if absent is None:
        return BodyStep.MORE
    if absent:
        return BodyStep.ABSENT
    take(side)
    return BodyStep.GO


def take(side: HttpDirection) -> None:
    """Take what the buffer holds of a body that a length or the end of the stream ends."""
    taken = len(side.buffer)
    if side.state is State.LENGTH:
        taken = min(side.remaining, taken)
        side.remaining -= taken
    if taken:
        side.collect(taken)


def body_absent(side: HttpDirection) -> bool | None:
    """Whether the announced body was never sent: another message begins in its place.

    So it is where a final answer came before the body of `Expect: 100-continue`, and
    where a response answers a HEAD that was not captured. None: more bytes will tell.
    """
    message = side.message
    if message is None or message.content.wire_size or message.content.lost:
        return False
    pending, response = message.pending, isinstance(message.control, Response)
    if pending.known and (response or not (pending.expects_continue and pending.answered)):
        return False
    return framing.begins_message(bytes(side.buffer.data), response)


def read_chunk_size(side: HttpDirection) -> BodyStep:
    data = side.buffer.data
    newline = data.find(b"\n", 0, MAX_LINE)
    if newline < 0:
        return BodyStep.BAD if len(data) >= MAX_LINE else BodyStep.MORE
    line = bytes(data[:newline])
    size = framing.chunk_size(line)
    if size is None:
        return BodyStep.BAD
    # An extension (RFC 9112 §7.1.1) is nothing that anybody reads.
    semicolon = line.find(b";") + 1
    end = len(line) - line.endswith(b"\r")
    if semicolon:
        side.frame(semicolon)
        side.frame(newline + 1 - end, end)
    else:
        side.frame(newline + 1)
    side.consume(newline + 1)
    side.remaining = size
    side.state = State.CHUNK_DATA if size else State.TRAILERS
    return BodyStep.GO


def read_chunk_data(side: HttpDirection) -> BodyStep:
    if side.remaining:
        taken = min(side.remaining, len(side.buffer))
        side.remaining -= taken
        side.collect(taken)
        return BodyStep.GO
    line_end = framing.line_end(side.buffer.data)
    if not line_end:
        return BodyStep.MORE if line_end is None else BodyStep.BAD
    side.frame(line_end)
    side.consume(line_end)
    side.state = State.CHUNK_SIZE
    return BodyStep.GO


def read_trailers(side: HttpDirection) -> BodyStep:
    data = side.buffer.data
    end = framing.line_end(data)
    if not end:
        match = HEAD_END.search(data, max(0, side.scanned - 3))
        side.scanned = len(data)
        if match is None:
            return BodyStep.BAD if len(data) > MAX_HEAD else BodyStep.MORE
        found = read_section(bytes(data[: match.start()]), side.buffer.at)
        side.malformed_lines, end = found.malformed, match.end()
        if side.message is not None:
            side.message.fields += found.fields
            extent, at = side.message.extent, side.buffer.at
            extent.head += between(side.direction, at, at + end, found.unread)
            extent.places += found.places
    else:
        side.frame(end)
    side.consume(end)
    return BodyStep.END


READERS: dict[State, Callable[[HttpDirection], BodyStep]] = {
    State.LENGTH: read_length,
    State.CLOSE: read_close,
    State.CHUNK_SIZE: read_chunk_size,
    State.CHUNK_DATA: read_chunk_data,
    State.TRAILERS: read_trailers,
}
