"""Finding the next record after a loss.

Candidates are the places that look like a record's header. Where the direction has a
key, the record's tag decides; where it has none, what follows must look like a header
too, or the record end with the bytes at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dissect.model import Span
from dissect.protocols.tls.records import HEADER, MAX_RECORD, TAIL, plausible

MAX_SCANNED = 1 << 18  # bytes searched after a loss before the direction is given up

_HEADER = re.compile(rb"(?=[\x14-\x18]\x03[\x00-\x04](?s:..))")

# (header, payload, the bytes before the header, how many these are in all) → whether this
# is a record
Proof = Callable[[bytes, bytes, bytes, int], bool]


class Resync:
    """Bytes since a loss, and where each of them came from. `offset` is that of the record in
    its stream, once it is found."""

    __slots__ = ("_at", "_buffer", "_chunks", "_proof", "offset")

    def __init__(self, proof: Proof | None) -> None:
        self._buffer = bytearray()
        self._chunks: list[tuple[int, Span]] = []
        self._at = 0
        self.offset = 0
        self._proof = proof

    @property
    def size(self) -> int:
        return len(self._buffer)

    @property
    def exhausted(self) -> bool:
        return len(self._buffer) > MAX_SCANNED

    def feed(self, view: bytes | memoryview, span: Span) -> list[tuple[bytes, Span]] | None:
        """None while no record was found, then all bytes from its header on."""
        self._chunks.append((len(self._buffer), span))
        self._buffer += view
        buffer = self._buffer
        resume: int | None = None  # the first candidate that isn't whole yet
        for match in _HEADER.finditer(buffer, self._at):
            at = match.start()
            stop = at + HEADER + (buffer[at + 3] << 8 | buffer[at + 4])
            if stop - at > HEADER + MAX_RECORD:
                continue
            if stop > len(buffer):
                resume = at if resume is None else resume
                if self._proof is None:
                    break
            elif self._is_record(at, stop):
                return self._from(at)
        self._at = max(self._at, len(buffer) - HEADER + 1) if resume is None else resume
        return None

    def _is_record(self, at: int, stop: int) -> bool:
        buffer = self._buffer
        if self._proof is None:
            return stop > at + HEADER and plausible(buffer, stop)
        head, body = at + HEADER, bytes(buffer[at + HEADER : stop])
        before = bytes(buffer[max(0, at - TAIL) : at])
        return self._proof(bytes(buffer[at:head]), body, before, at)

    def _from(self, start: int) -> list[tuple[bytes, Span]]:
        pieces: list[tuple[bytes, Span]] = []
        for number, (begin, span) in enumerate(self._chunks):
            last = number + 1 == len(self._chunks)
            end = len(self._buffer) if last else self._chunks[number + 1][0]
            if end > start:
                first = max(begin, start)
                if first == start:
                    self.offset = span.offset + first - begin
                pieces.append((bytes(self._buffer[first:end]), span))
        return pieces
