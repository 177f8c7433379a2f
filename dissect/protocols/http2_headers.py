"""HTTP/2 header blocks of one direction (RFC 9113 §4.3, RFC 7541), and its reading state.

A capture may begin inside a connection or lose bytes. Then the dynamic table holds entries
that nobody saw: static and literal fields are still right, entries added since are right
again, and any other index yields `pseudo.UNKNOWN`. Nothing is ever guessed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from hpack import Decoder, HeaderTuple, HPACKError
from hpack.exceptions import InvalidTableIndex
from hpack.table import HeaderTable

from dissect.model import Span
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.header_sections import Field
from dissect.protocols.http.pseudo import UNKNOWN_BYTES
from dissect.protocols.http2_frames import (
    DEFAULT_FRAME_SIZE,
    FRAME_HEADER,
    FrameHead,
    FrameType,
    unpadded,
)
from dissect.protocols.track import Track

# The library logs every field at level DEBUG; tokens and cookies must not get there.
logging.getLogger("hpack").setLevel(logging.WARNING)

# The library's cost grows with the square of a block; servers accept 8 to 64 KB.
MAX_HEADER_BLOCK = 128 << 10
MAX_TABLE = 1 << 20  # of the HPACK dynamic table, whatever SETTINGS allow
DEFAULT_TABLE = 4096


class _Table(HeaderTable):
    """A header table that answers for entries it never saw."""

    def __init__(self) -> None:
        super().__init__()
        self.missed = 0

    def get_by_index(self, index: int) -> tuple[bytes, bytes]:
        try:
            return super().get_by_index(index)
        except InvalidTableIndex:
            if not index:
                raise
            self.missed += 1
            return UNKNOWN_BYTES, UNKNOWN_BYTES


class HeaderBlocks:
    """The HPACK decoder of one direction. `complete` is False once blocks were missed."""

    def __init__(self, *, complete: bool) -> None:
        self._allowed = DEFAULT_TABLE
        self.complete = complete
        self._reset()

    def _reset(self) -> None:
        self._decoder = Decoder(max_header_list_size=4 * MAX_HEADER_BLOCK)
        self._decoder.header_table = self._table = _Table()
        if self.complete:
            self._decoder.max_allowed_table_size = self._allowed
        else:
            # The size in force is not known. A table that is too large only keeps
            # entries that the sender will not name any more.
            self._decoder.max_allowed_table_size = MAX_TABLE
            self._table.maxsize = MAX_TABLE

    def allow(self, size: int) -> None:
        """The receiver's SETTINGS_HEADER_TABLE_SIZE. Decreases bind only after the peer's
        acknowledgement, and an observer loses nothing by allowing the largest one."""
        self._allowed = max(self._allowed, min(size, MAX_TABLE))
        if self.complete:
            self._decoder.max_allowed_table_size = self._allowed

    def lose(self) -> None:
        """A block was missed: what is in the table now is not known."""
        self.complete = False
        self._reset()

    def decode(self, block: bytes) -> tuple[list[Field], str | None]:
        """(fields, problem); fields that a damaged block still gave are not kept."""
        self._table.missed = 0
        try:
            found: list[HeaderTuple] = list(self._decoder.decode(block, raw=True))
        except (HPACKError, ValueError, IndexError) as error:
            self.lose()
            return [], f"a header block is damaged ({type(error).__name__})"
        fields = [(bytes(name), bytes(value)) for name, value in found]
        if self._table.missed and self.complete:
            return fields, "a header block names table entries that were never added"
        return fields, None


NO_SPAN = Span(0, 0, 0, 0)


@dataclass(slots=True)
class Http2Direction:
    """One direction: unread bytes, the frame being read, the header block being joined."""

    blocks: HeaderBlocks
    buffer: SpanBuffer = field(default_factory=SpanBuffer)
    begun: bool = False
    lost: bool = False
    ended: bool = False
    max_frame: int = DEFAULT_FRAME_SIZE
    # DATA (and frames that are skipped) are read as they come: the head, the bytes of the
    # payload still to come, how many of them are padding at its end.
    head: FrameHead | None = None
    left: int = 0
    padding: int = 0
    last: Span = NO_SPAN  # of the payload's last bytes so far
    # HEADERS or PUSH_PROMISE that wait for END_HEADERS.
    joining: Joining | None = None

    def begin_block(self, head: FrameHead, payload: bytes, span: Span, at: int) -> bool:
        """HEADERS or PUSH_PROMISE, whose frame begins at offset `at`; False if its lengths
        contradict, the block is then lost."""
        block, promised = unpadded(head, payload), 0
        if block is not None and head.kind == FrameType.PUSH_PROMISE:
            promised = int.from_bytes(block[:4], "big") & 0x7FFFFFFF
            block = block[4:] if len(block) >= 4 else None
        if block is None or len(block) > MAX_HEADER_BLOCK:
            self.lose_block()
            return False
        self.joining = Joining(head, bytearray(block), span, promised)
        self.joining.track.add(at, FRAME_HEADER + head.length)
        return True

    def continue_block(self, head: FrameHead, payload: bytes, span: Span, at: int) -> bool:
        """CONTINUATION; False if there is nothing to continue, or too much of it."""
        joining = self.joining
        if joining is None or joining.head.stream != head.stream:
            self.lose_block()
            return False
        joining.block += payload
        joining.track.add(at, FRAME_HEADER + head.length)
        joining.span = joining.span.to(span)
        if len(joining.block) > MAX_HEADER_BLOCK:
            self.lose_block()
            return False
        return True

    def lose_block(self) -> None:
        self.joining = None
        self.blocks.lose()


@dataclass(slots=True)
class Joining:
    """A header block that is not whole yet; `promised` is the stream of a push."""

    head: FrameHead
    block: bytearray
    span: Span
    promised: int = 0
    track: Track = field(default_factory=Track)  # of its frames
