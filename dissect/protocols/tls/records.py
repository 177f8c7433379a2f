"""The record layer: from an ordered byte stream to TLS records (RFC 8446 §5.1).

A record is copied once, when it is whole. Of a direction that can't be decrypted only
headers are looked at (`keep` is False): no payload is copied or kept.
"""

from __future__ import annotations

from typing import NamedTuple

from dissect.model import Span
from dissect.protocols.tls.code_points import CHANGE_CIPHER_SPEC, HEARTBEAT

HEADER = 5
# RFC 5246 allows 2^14 + 2048 bytes of protected payload, RFC 8446 less.
MAX_RECORD = (1 << 14) + 2048
SHORT = 64  # records that are kept even where payloads aren't: alerts in clear
TAIL = 64  # bytes kept of the end of a damaged record: the IV of the next may be in it

# Kinds of our own: the client hello of SSL 2.0, and bytes that were lost.
VERSION2_HELLO = 0x80
LOST = 0


class Record(NamedTuple):
    """A record, or what is left of one.

    `payload` is None for a record that was walked over. `damaged` tells that some of its
    bytes were lost; `payload` then holds only its last bytes.
    """

    kind: int
    header: bytes
    payload: bytes | None
    length: int
    span: Span
    damaged: bool = False


def plausible(data: bytes | bytearray | memoryview, at: int) -> bool:
    """Whether what is there of the five bytes at `at` may be a record's header."""
    left = len(data) - at
    if left > 0 and not CHANGE_CIPHER_SPEC <= data[at] <= HEARTBEAT:
        return False
    if left > 1 and data[at + 1] != 3:
        return False
    if left > 2 and data[at + 2] > 4:
        return False
    return left < HEADER or (data[at + 3] << 8 | data[at + 4]) <= MAX_RECORD


class RecordReader:
    """Cuts one direction into records. `broken` holds the bytes from the first that
    can't be a record's header on, else it is None. All bytes from offset `start` to `stop` are
    those of records, or begin one."""

    __slots__ = (
        "_buffer",
        "_first",
        "_header",
        "_partial",
        "_skip",
        "_tail",
        "broken",
        "keep",
        "start",
        "stop",
    )

    def __init__(self, *, first: bool = True) -> None:
        self.keep = True
        self.broken: bytes | None = None
        self.start: int | None = None
        self.stop = 0
        self._first = first  # only a stream's first record may be a version 2 hello
        self._buffer = bytearray()
        self._partial = Span(0, 0, 0, 0)  # where the record began that isn't whole yet
        self._skip = 0  # bytes still to come of a record that is not kept
        self._header = b""
        self._tail: bytearray | None = None  # the end of a damaged record

    def remainder(self) -> bytes:
        """What there is of a record that isn't whole, header included."""
        return bytes(self._buffer)

    @property
    def pending(self) -> int:
        """Bytes read, or known to be lost, of a record that isn't whole."""
        if self._skip:
            return HEADER + (self._header[3] << 8 | self._header[4]) - self._skip
        return len(self._buffer)

    def feed(self, view: bytes | memoryview, span: Span) -> list[Record]:
        records: list[Record] = []
        if self.start is None:
            self.start = span.offset
        self.stop = span.offset + len(view)
        at = 0
        data: bytes | bytearray | memoryview = view
        buffer, partial = self._buffer, span
        if self._skip:
            partial = self._partial.to(span)
            if self._tail is not None:
                self._tail += view[: self._skip]
                del self._tail[:-TAIL]
            if len(view) < self._skip:
                self._skip -= len(view)
                self._partial = partial
                return records
            at = self._skip
            records.append(self._skipped(partial))
            partial = span
        elif buffer:
            buffer += view
            data = buffer
            partial = self._partial.to(span)
        end = len(data)
        while end - at >= HEADER:
            kind = data[at]
            length = data[at + 3] << 8 | data[at + 4]
            if (
                not CHANGE_CIPHER_SPEC <= kind <= HEARTBEAT
                or data[at + 1] != 3
                or length > MAX_RECORD
            ):
                taken = self._version2_hello(data, at, partial, records)
                if taken < 0:
                    self.broken = bytes(data[at:])
                    self.stop -= end - at
                    at = end
                if taken <= 0:
                    break
                at += taken
                continue
            self._first = False
            stop = at + HEADER + length
            kept = self.keep or length <= SHORT
            if stop > end:
                if not kept:
                    self._header, self._skip = bytes(data[at : at + HEADER]), stop - end
                    at = end
                break
            payload = bytes(data[at + HEADER : stop]) if kept else None
            records.append(Record(kind, bytes(data[at : at + HEADER]), payload, length, partial))
            at = stop
            partial = span
        self._partial = partial
        if data is buffer:
            del buffer[:at]
        elif at < end:
            buffer += data[at:]
        return records

    def _skipped(self, span: Span) -> Record:
        header, tail = self._header, self._tail
        self._skip = 0
        self._tail = None
        return Record(
            header[0],
            header,
            None if tail is None else bytes(tail),
            header[3] << 8 | header[4],
            span,
            tail is not None,
        )

    def _version2_hello(
        self, data: bytes | bytearray | memoryview, at: int, span: Span, records: list[Record]
    ) -> int:
        """Bytes taken by a client hello of SSL 2.0, 0: not whole yet, -1: there is none."""
        if not (self._first and data[at] & 0x80 and data[at + 2] == 1 and data[at + 3] == 3):
            return -1
        size = (data[at] & 0x7F) << 8 | data[at + 1]
        if len(data) - at < 2 + size:
            return 0
        self._first = False
        payload = bytes(data[at + 3 : at + 2 + size])
        records.append(Record(VERSION2_HELLO, bytes(data[at : at + 3]), payload, size, span))
        return 2 + size

    def bounds(self) -> tuple[int, int]:
        """`start` and `stop`, without the beginning of a header that can be none."""
        stray = 0 < len(self._buffer) < HEADER and not plausible(self._buffer, 0)
        return self.start or 0, self.stop - (len(self._buffer) if stray else 0)

    def gap(self, length: int, span: Span) -> list[Record] | None:
        """Bytes are missing. Where they end within the record begun, the stream stays in
        step: the damaged record comes now or when its end does. Otherwise None."""
        self.start = None
        if self._skip:
            missing = self._skip
        elif len(self._buffer) >= HEADER:
            self._header = bytes(self._buffer[:HEADER])
            size = self._header[3] << 8 | self._header[4]
            missing = HEADER + size - len(self._buffer)
            if self._header[0] == 0 or not plausible(self._header, 0):
                missing = 0
        else:
            missing = 0
        self._buffer.clear()
        if not 0 < length <= missing:
            self._skip = 0
            self._tail = None
            return None
        self._skip = missing - length
        self._tail = bytearray()
        if self._skip:
            return []
        return [self._skipped(self._partial.to(span))]
