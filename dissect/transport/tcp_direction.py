"""One direction of a TCP connection: its sequence numbers and what is known to be missing."""

from __future__ import annotations

from collections.abc import Callable

from dissect.model import Direction, Endpoint, Output, Span
from dissect.reassembly import Pieces
from dissect.transport.trail import LENGTH, Entry

MASK = 0xFFFFFFFF
HALF_RANGE = 0x80000000

_NO_PIECES = Pieces()
_NO_TRAIL: list[Entry] = []

Data = Callable[[Direction, bytes | memoryview, Span], Output]


def ahead(number: int, base: int) -> int:
    """How far `number` is after `base` modulo 2^32; negative: before."""
    return ((number - base + HALF_RANGE) & MASK) - HALF_RANGE


class TcpDirection:
    """One direction: the bytes that one endpoint sends.

    `next` is the sequence number after all that was delivered, `offset` the same as a
    count from the start. `expect` equals `next` while a segment with that number can be
    delivered at once (something listens, nothing waits), else -1.

    `since` tells since when a hole is waited for: frames of the connection, time, offset.
    `key` is what `Streams` knows it by. `resent`, `late` and `copies` count segments: sent
    again by the sender; captured after segments that follow them; captured twice though
    sent once.
    """

    __slots__ = (
        "acked",
        "base",
        "copies",
        "data",
        "direction",
        "ended",
        "expect",
        "fin",
        "fin_ack",
        "frames",
        "high",
        "high_ns",
        "key",
        "last_frame",
        "last_ns",
        "late",
        "lost",
        "next",
        "offset",
        "payload",
        "peer",
        "pieces",
        "resent",
        "sender",
        "since",
        "started",
        "syn",
        "trail",
    )

    peer: TcpDirection
    data: Data
    direction: Direction

    def __init__(self, sender: Endpoint, direction: Direction, key: bytes) -> None:
        self.sender = sender
        self.key = key
        self.direction = direction
        self.started = False
        self.expect = -1
        self.next = 0
        self.offset = 0
        self.base: int | None = None
        self.acked = 0
        self.fin: int | None = None
        self.fin_ack: int | None = None
        self.syn = False
        self.ended = False
        self.payload = 0
        self.lost = 0
        self.since: tuple[int, int, int] | None = None
        self.resent = 0
        self.late = 0
        self.copies = 0
        self.frames = 0
        self.last_frame = 0
        self.last_ns = 0
        self.high = 0
        self.high_ns = 0
        self.pieces = Pieces()
        self.trail: list[Entry] = []

    def begin(self, seq: int) -> None:
        self.started = True
        self.next = seq

    def remember(self, entry: Entry) -> None:
        """Note a segment that is being delivered."""
        self.trail.append(entry)
        if len(self.trail) > LENGTH:
            del self.trail[: LENGTH // 2]

    def release(self) -> None:
        """Let go what a tombstone doesn't need; nothing is ever put into what replaces it."""
        self.pieces.clear()
        self.pieces = _NO_PIECES
        self.trail = _NO_TRAIL

    def hole(self) -> int:
        """Bytes missing at `next` that are known to exist; 0: none."""
        items = self.pieces.items
        if items and items[0].offset > self.offset:
            return items[0].offset - self.offset
        if not items and self.fin is not None:
            return max(0, self.fin - self.offset)
        if not items and self.acked - self.offset > 1:
            return self.acked - self.offset
        return 0

    def gone(self) -> bool:
        """Whether there is evidence that the capture has lost the bytes at `next`."""
        if self.acked - self.offset > 1:
            return True
        return self.hole() > 0 and (self.acked > self.offset or not self.peer.frames)


def null_sink(direction: Direction, view: bytes | memoryview, span: Span) -> Output:
    """In place of a parser that is not there yet, has ended or was dropped."""
    return ()
