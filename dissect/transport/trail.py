"""What a direction has delivered last, to compare with what is sent again.

Delivered bytes are not copied: a trail points into the windows of the capture that were
read last. `Windows` keeps those alive, within one bound for all connections, and closes
the older ones; a trail that points into a closed window has forgotten.
"""

from __future__ import annotations

from collections import deque

KEPT_BYTES = 4 << 20
"""Windows of the capture kept for comparison, for all connections together."""

LENGTH = 16
"""Segments that a direction remembers at most, and half as many at least."""

LONGEST_OWN = 4096
"""Bytes of a segment remembered that lies in no window (it had to wait and was copied)."""

COPY_NS = 50_000_000
"""A packet that is the same as one so shortly before it is a copy made by the capture (a
mirror port, two interfaces, a router in between), not sent again by its sender: the
shortest of the senders' own timers are longer (RFC 6298 §2.4, RFC 3261 §17.1.1.1)."""

Entry = tuple[int, memoryview, int, int, int]
"""(offset in the direction, window, start, end, time in ns) of a delivered segment."""


class Windows:
    """Views of the buffers that packets came in, the latest `KEPT_BYTES` of them."""

    def __init__(self) -> None:
        self._views: deque[memoryview] = deque()
        self._size = 0
        self._last = b""
        self._view = memoryview(b"")

    def view(self, buf: bytes) -> memoryview:
        """The view of `buf`; the same object while `buf` is the latest."""
        if buf is not self._last:
            self._last, self._view = buf, memoryview(buf)
            self._views.append(self._view)
            self._size += len(buf)
            while self._size > KEPT_BYTES and len(self._views) > 1:
                oldest = self._views.popleft()
                self._size -= len(oldest)
                oldest.release()
        return self._view


def differs(trail: list[Entry], where: int, data: memoryview) -> bool:
    """Whether `data`, sent again for offset `where`, is not what was delivered there."""
    end = where + len(data)
    for offset, window, start, stop, _ in reversed(trail):
        low, high = max(where, offset), min(end, offset + stop - start)
        if low >= high:
            continue
        try:
            known = window[start + low - offset : start + high - offset]
        except ValueError:
            return False  # closed, and so are all before it
        if known != data[low - where : high - where]:
            return True
    return False


def is_copy(trail: list[Entry], where: int, segment: memoryview, head: int, ns: int) -> bool:
    """Whether `segment` (a TCP header of `head` bytes and data for offset `where`) was
    captured shortly before, equal to the last bit: the sender has sent it once."""
    size = len(segment) - head
    for offset, window, start, stop, when in reversed(trail):
        if offset == where and stop - start == size and abs(ns - when) <= COPY_NS:
            try:
                return start >= head and window[start - head : stop] == segment
            except ValueError:
                return False
    return False
