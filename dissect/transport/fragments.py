"""IP fragments joined to datagrams, within bounds."""

from __future__ import annotations

from dissect.transport.trail import COPY_NS

MAX_DATAGRAMS = 512
"""Datagrams in the making at a time; the one begun first gives way."""

MAX_DATAGRAM = 65535
MAX_PIECES = 8192

MAX_AGE_NS = 60_000_000_000
"""Fragments of one datagram are not farther apart (RFC 8200 §4.5); identifications repeat."""

FragmentKey = tuple[bytes, int, int]


class Fragments:
    """Datagrams in the making, by (addresses, protocol, identification).

    Of overlapping bytes the first seen are kept, as in TCP here. A datagram that is
    never completed is dropped when others need its place; `dropped` counts their frames.
    Fragments that come right after their datagram was complete are copies of it (mirror
    ports), counted in `copies`.
    """

    def __init__(self) -> None:
        self._sets: dict[FragmentKey, _Datagram] = {}
        self._done: dict[FragmentKey, int] = {}
        self.dropped = 0
        self.copies = 0

    def add(self, key: FragmentKey, offset: int, data: bytes, more: bool, ns: int) -> bytes | None:
        """The whole datagram's payload if `data`, captured at `ns`, completed it, else None."""
        datagram = self._sets.get(key)
        if datagram is not None and abs(ns - datagram.ns) > MAX_AGE_NS:
            self.dropped += self._sets.pop(key).frames
            datagram = None
        if datagram is None:
            done = self._done.get(key)
            if done is not None and abs(ns - done) <= COPY_NS:
                self.copies += 1
                return None
            if len(self._sets) >= MAX_DATAGRAMS:
                oldest = next(iter(self._sets))
                self.dropped += self._sets.pop(oldest).frames
            datagram = self._sets[key] = _Datagram(ns)
        whole = datagram.add(offset, data, more)
        if whole is not None:
            del self._sets[key]
            self._done.pop(key, None)
            self._done[key] = ns
            if len(self._done) > MAX_DATAGRAMS:
                del self._done[next(iter(self._done))]
        return whole

    def finish(self) -> int:
        """Frames whose datagram was never completed."""
        count = self.dropped + sum(datagram.frames for datagram in self._sets.values())
        self._sets.clear()
        self.dropped = 0
        return count


class _Datagram:
    __slots__ = ("frames", "have", "ns", "pieces", "total")

    def __init__(self, ns: int) -> None:
        self.frames = 0
        self.have = 0
        self.ns = ns
        self.total: int | None = None
        self.pieces: list[tuple[int, bytes]] = []

    def add(self, offset: int, data: bytes, more: bool) -> bytes | None:
        self.frames += 1
        if offset + len(data) > MAX_DATAGRAM or len(self.pieces) >= MAX_PIECES:
            return None
        if not more and self.total is None:
            self.total = offset + len(data)
        self.pieces.append((offset, data))
        self.have += len(data)
        if self.total is None or self.have < self.total:
            return None
        whole = bytearray(self.total)
        filled = bytearray(self.total)
        for start, piece in reversed(self.pieces):
            # In reverse, so that of an overlap the first piece seen is written last.
            part = piece[: max(0, self.total - start)]
            whole[start : start + len(part)] = part
            filled[start : start + len(part)] = b"\1" * len(part)
        return bytes(whole) if 0 not in filled else None
