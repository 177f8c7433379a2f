"""Bytes that come with their offset, put in order: TCP's segments, and what protocols number
themselves (QUIC's CRYPTO and STREAM frames, fragments of a handshake over datagrams).

`Pieces` is what can't be delivered yet, in the order of the stream, not overlapping; when a hole
is given up is for the owner to say. `Ordered` is the whole for a protocol.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from dissect.model import Span

MAX_BYTES = 4 << 20
"""Bytes kept for one direction of one connection until a hole before them is filled."""

MAX_COUNT = 8192


class Piece(NamedTuple):
    """`data` is None for bytes that a segment had but the capture cut off (snaplen).

    Offsets count bytes of the direction from its start. `ack` is the sequence number
    that the segment acknowledged, or None.
    """

    offset: int
    end: int
    data: bytes | None
    frame: int
    ns: int
    ack: int | None


class Pieces:
    """Sorted pieces. Of overlapping bytes the first that were seen are kept."""

    __slots__ = ("items", "size")

    def __init__(self) -> None:
        self.items: list[Piece] = []
        self.size = 0

    def add(self, piece: Piece) -> bool:
        """Put in what is not there yet. True: bytes differ from those already there."""
        items = self.items
        if not items or piece.offset >= items[-1].end:
            items.append(piece)
            self.size += len(piece.data or b"")
            return False
        index = bisect_right(items, piece.offset, key=_offset) - 1
        if index < 0 or items[index].end <= piece.offset:
            index += 1
        differs = False
        cursor = piece.offset
        fresh: list[Piece] = []
        while cursor < piece.end:
            if index >= len(items) or items[index].offset >= piece.end:
                fresh.append(_part(piece, cursor, piece.end))
                break
            there = items[index]
            if cursor < there.offset:
                fresh.append(_part(piece, cursor, there.offset))
                cursor = there.offset
            upto = min(piece.end, there.end)
            ours, theirs = _part(piece, cursor, upto).data, _part(there, cursor, upto).data
            differs = differs or (ours is not None and theirs is not None and ours != theirs)
            cursor = there.end
            index += 1
        for part in fresh:
            items.insert(bisect_right(items, part.offset, key=_offset), part)
            self.size += len(part.data or b"")
        return differs

    @property
    def full(self) -> bool:
        return self.size > MAX_BYTES or len(self.items) > MAX_COUNT

    def pop(self) -> Piece:
        """Take out the first."""
        piece = self.items.pop(0)
        self.size -= len(piece.data or b"")
        return piece

    def clear(self) -> None:
        self.items.clear()
        self.size = 0


def _offset(piece: Piece) -> int:
    return piece.offset


def _part(piece: Piece, start: int, end: int) -> Piece:
    if start == piece.offset and end == piece.end:
        return piece
    data = piece.data
    if data is not None:
        data = data[start - piece.offset : end - piece.offset]
    return piece._replace(offset=start, end=end, data=data)


class Ordered:
    """One direction of a stream whose bytes come in any order, and more than once.

    `next` is the offset of the first byte that was not given yet. At most `most_bytes` wait for
    what comes before them, in at most `most_pieces` pieces: who adds asks `full`. `differs` is set
    when bytes that wait came again with another value; the first ones are kept.
    """

    __slots__ = ("_most", "_pieces", "differs", "next")

    def __init__(self, most_bytes: int = MAX_BYTES, most_pieces: int = MAX_COUNT) -> None:
        self.next = 0
        self.differs = False
        self._pieces = Pieces()
        self._most = most_bytes, most_pieces

    @property
    def full(self) -> bool:
        """Whether more waits than may."""
        return self._pieces.size > self._most[0] or len(self._pieces.items) > self._most[1]

    @property
    def hole(self) -> int:
        """How many bytes are missing before the first that wait, 0 if none wait."""
        items = self._pieces.items
        return items[0].offset - self.next if items else 0

    def add(self, offset: int, data: bytes, span: Span) -> list[tuple[bytes, Span]]:
        """Take bytes in; gives those that are in order now and were not before, with their spans:
        `last_frame` is the one that filled the hole before them, `offset` that in the stream."""
        end = offset + len(data)
        if end <= self.next:
            return []
        if offset < self.next:
            data, offset = data[self.next - offset :], self.next
        if offset == self.next and not self._pieces.items:
            self.next = end
            return [(data, span.moved(offset))]
        frame, ns = span.first_frame, span.first_ns
        self.differs |= self._pieces.add(Piece(offset, end, data, frame, ns, None))
        return self._ready(span)

    def skip(self, span: Span) -> list[tuple[bytes, Span]]:
        """Give the first hole up, whose size `hole` tells: what `add` would if it were filled."""
        self.next += self.hole
        return self._ready(span)

    def _ready(self, span: Span) -> list[tuple[bytes, Span]]:
        found: list[tuple[bytes, Span]] = []
        pieces = self._pieces
        while pieces.items and pieces.items[0].offset == self.next:
            piece = pieces.pop()
            own = Span(piece.frame, piece.ns, piece.frame, piece.ns)
            found.append((piece.data or b"", own.to(span).moved(piece.offset)))
            self.next = piece.end
        return found
