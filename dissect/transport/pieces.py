"""Segments of one direction that can't be delivered yet, in stream order, not overlapping."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

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
