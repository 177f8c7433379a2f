"""One direction of a TLS connection: its records, its key, what became of them.

A direction is in clear, or has a key, or is undecrypted: encrypted, and no key for it. While
it `waits` for something that the other direction has yet to say, its records are parked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from dissect.model import Direction, Span, TlsReason
from dissect.protocols.tls.compression import Inflater
from dissect.protocols.tls.handshake_messages import MessageReader
from dissect.protocols.tls.key_schedule import TrafficSecret
from dissect.protocols.tls.protection import Decrypted, Opener
from dissect.protocols.tls.records import Record, RecordReader
from dissect.protocols.tls.resync import Resync
from dissect.protocols.tls.secret_store import SecretStore
from dissect.protocols.track import Track

MAX_PARKED = 1 << 17  # bytes parked in one direction
MAX_SEARCHED = 4096  # record numbers tried after a loss
MAX_TRIALS = 50_000  # record numbers tried after one loss, all candidates together
MAX_FAILURES = 8  # records in a row that may fail before a direction is given up
SMALLEST_RECORD = 22  # bytes on the wire of the smallest protected record that is usual

Phase = Literal["clear", "early", "handshake", "application"]


@dataclass(slots=True, repr=False)
class TrafficKey:
    """A key for one direction, and what it was made of.

    `traffic` is set in TLS 1.3, `master` (the session's master secret) before it. `random`
    is set where the secret is logged for another client random than that of the hello: only
    a tag can tell whether it is this connection's (Encrypted Client Hello). `unpack` is set
    where the content of records is compressed.
    """

    opener: Opener
    phase: Phase
    origin: str | None = None
    traffic: TrafficSecret | None = None
    master: bytes | None = None
    random: bytes | None = None
    unpack: Inflater | None = None


class DirectionState:
    """State and counters of one direction. `direction` is that of the connection."""

    def __init__(self, direction: Direction, store: SecretStore) -> None:
        self.direction: Direction = direction
        self._store = store  # whose trials all connections of the capture share
        self._paid = 0  # bytes that were counted in for them
        # Gives the keys that may have been taken up behind a loss, nearest first.
        self.successors: Callable[[], list[TrafficKey]] = list
        self.reader = RecordReader()
        self.resync: Resync | None = None
        self.key: TrafficKey | None = None
        self.rivals: list[TrafficKey] = []  # other keys that the log gives for this direction
        self.phase: Phase = "clear"
        self.proven = False  # whether the key has decrypted a record
        self.undecrypted = False
        self.why: tuple[TlsReason, str] | None = None
        self.waits = False
        self.parked: deque[Record] = deque()
        self.parked_bytes = 0
        self.search = 0  # after a loss: how many record numbers to try
        self.out_of_sync = False  # after a loss: the place in the stream of records is not known
        self.behind: int | None = None  # then: bytes since the last record that was counted
        self.trials = MAX_TRIALS  # what is left of them
        self.tolerate = 0  # records that may fail unremarked: they have another key
        self.failures = 0  # records that failed in a row
        self.changed = False  # a change of cipher, and no hello that tells what it means
        self.guessed = 0  # records tried with secrets that may not be this connection's
        self.messages = MessageReader()
        self.first: Span | None = None
        self.last: Span | None = None
        self.bytes_in = 0
        self.records = 0
        self.decrypted = 0  # protected records of any kind that were opened
        self.failed = 0  # that had a key and failed their tag
        self.bad: tuple[int, int] | None = None  # the first of them: its number, its frame
        self.unproven: list[tuple[int, Span]] = []  # failed before the key had decrypted any
        self.data_decrypted = 0  # application data records
        self.data_undecrypted = 0
        self.protected = 0  # protected records of any kind that came when it was undecrypted
        self.bytes_decrypted = 0  # application data
        self.gaps = 0
        self.cuts = 0  # gaps that are ends of packets which the capture cut off
        self.blind = 0  # gaps in what was protected
        self.lost = 0  # bytes
        self.unfinished = 0  # bytes of a protected record whose end never came
        self.ended = False
        self.track = Track()  # of the records

    @property
    def tags(self) -> str:
        """How many records failed, of those that a key was tried on."""
        return f"{self.failed} of {self.failed + self.decrypted}"

    @property
    def opener(self) -> Opener | None:
        return self.key.opener if self.key else None

    def touch(self, size: int, span: Span) -> None:
        if self.first is None:
            self.first = span
        self.last = span
        self.bytes_in += size

    def note(self) -> None:
        """Note where the records are that the reader has read, before it loses its place."""
        if self.resync is None and self.reader.start is not None:
            start, stop = self.reader.bounds()
            self.track.add(start, stop - start)
            self.reader.start = None

    # ------------------------------------------------------------- keys

    def use(self, keys: Iterable[TrafficKey]) -> None:
        """Take a new key; where the log gives several, a tag will tell which is right."""
        first, *others = keys
        self.key, self.rivals = first, others
        self.phase = first.phase
        self.proven = False
        self.failures = 0
        self.messages.clear()

    def adopt(self, key: TrafficKey) -> None:
        """Take a key whose right place in the stream a tag has proven already."""
        self.key, self.rivals = key, []
        self.phase = key.phase
        self.proven = True

    def close(self, reason: TlsReason, detail: str) -> None:
        """From here on nothing can be decrypted; the first cause is the one reported."""
        self.undecrypted = True
        self.key = None
        self.rivals = []
        self.unproven = []
        self.reader.keep = False
        if self.why is None:
            self.why = (reason, detail)

    def park(self, record: Record) -> bool:
        """Whether there was room for it."""
        self.parked_bytes += record.length + len(record.header)
        self.parked.append(record)
        return self.parked_bytes <= MAX_PARKED

    # ------------------------------------------------------------- opening

    @property
    def _keys(self) -> list[TrafficKey]:
        return [*([self.key] if self.key else []), *self.rivals]

    def open(self, record: Record) -> Decrypted | None:
        """The content of a protected record, or None where its tag is wrong."""
        payload = record.payload
        assert payload is not None
        if self.search and not self.locate(record.header, payload):
            return None
        key = self.key
        assert key is not None
        decrypted = key.opener.open(record.header, payload)
        if decrypted is None and not self.proven:
            for key in self.rivals:
                decrypted = key.opener.open(record.header, payload)
                if decrypted is not None:
                    break
        if decrypted is None:
            return None
        if not self.proven:
            self.adopt(key)
        self.failures = 0
        self.decrypted += 1
        return decrypted if key.unpack is None else self._unpacked(key.unpack, decrypted)

    def _unpacked(self, unpack: Inflater, decrypted: Decrypted) -> Decrypted | None:
        content = unpack.content(decrypted[1])
        if content is None:
            self.close(
                "lost_segment" if self.gaps else "damaged_record",
                "records are compressed against those before them",
            )
            return None
        return decrypted[0], content

    def skip(self, record: Record) -> None:
        """Count a record as gone by that can't be decrypted; what follows may have a new key."""
        for key in self._keys:
            if record.damaged:
                key.opener.lost(record.length, record.payload or b"")
            else:
                key.opener.passed(record.payload or b"")
            if key.unpack is not None:
                key.unpack.broken = True
        self.search = 1  # but how many records went by is known
        self.out_of_sync = False

    def locate(
        self, header: bytes, payload: bytes, before: bytes | None = None, at: int = 0
    ) -> bool:
        """After a loss: find the record's number, or the key that was taken up meanwhile.

        Where it is found, the key in use stands before this very record. `before` are
        the bytes before its header, if the stream was searched for it, `at` how many
        were searched.
        """
        window = max(1, min(self.search, MAX_SEARCHED))
        distance = None if self.behind is None else self.behind + at
        known = self._keys
        for key in [*known, *self.successors()]:
            opener = key.opener
            self.trials = max(0, self.trials - window)
            self._store.trials -= window
            if not self.trials:
                return False
            if before is not None:
                opener.restart(before, distance if key in known else None)
            if opener.locate(header, payload, window):
                if key is not self.key:
                    self.adopt(key)
                self.search = 0
                self.out_of_sync = False
                return True
        return False

    def lose(self, length: int) -> None:
        """Widen the search by the records that `length` lost bytes may have held."""
        self.gaps += 1
        self.lost += length
        self.blind += self.undecrypted or self.phase != "clear"
        held = length // SMALLEST_RECORD + 2 if length else MAX_SEARCHED
        self.search = min(self.search + held, MAX_SEARCHED)
        self.out_of_sync = True
        self._store.trials += (self.bytes_in - self._paid) // 2
        self._paid = self.bytes_in
        self.trials = max(0, min(MAX_TRIALS, self._store.trials))
        self.messages.clear()
        for key in self._keys:
            if key.unpack is not None:
                key.unpack.broken = True
