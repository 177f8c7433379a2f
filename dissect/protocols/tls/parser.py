"""The TLS parser: a stream parser whose child reads the application data.

Bytes come in as data, gap and end (`StreamParser`); out come the messages of the child
as they are found, oddities, and one `TlsConnection` when both directions have ended.
"""

from __future__ import annotations

from collections import deque

from dissect.model import Direction, Output, Span
from dissect.protocols.base import Layer
from dissect.protocols.tls import words
from dissect.protocols.tls.contents import Contents
from dissect.protocols.tls.half import Half
from dissect.protocols.tls.handshake import parse_cut_client_hello
from dissect.protocols.tls.inside import Inside, Results
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.notes import Notes
from dissect.protocols.tls.records import LOST, Record, RecordReader
from dissect.protocols.tls.resync import Resync
from dissect.protocols.tls.secrets import MAX_TRIALS, SecretStore
from dissect.protocols.tls.verdict import describe


class TlsParser:
    """Decrypts one connection with the secrets of `secrets`; see `StreamParser`."""

    def __init__(self, layer: Layer, secrets: SecretStore) -> None:
        self._layer = layer
        self._halves = (Half(0, secrets), Half(1, secrets))
        self._talk = Negotiation(secrets, self._halves, layer.connection.stream)
        self._secrets = secrets
        self._inside = Inside(layer, self._talk.facts)
        self._notes = Notes(layer)
        self._contents = Contents(self._talk, self._inside, self._notes)
        self._releasing = False
        self._done = False

    # ------------------------------------------------------------- the three verbs

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        half = self._halves[direction]
        half.touch(len(view), span)
        out: Results = []
        if half.resync is not None:
            self._search(half, view, span, out)
            return out
        reader = half.reader
        records = reader.feed(view, span)
        if records or reader.broken is not None:  # most segments complete no record
            rest = self._take(half, records, span, out)
            if rest is not None:
                self._search(half, rest, span.moved(half.reader.stop), out)
        return out

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        half = self._halves[direction]
        half.cuts += span.cut
        half.note()
        half.touch(0, span)
        out: Results = []
        if not half.waits:
            self._lose(half, length)
        elif not half.park(Record(LOST, b"", None, length, span)):
            self._stop_waiting(half, out)
        if half.resync is not None:
            # Nothing found so far can reach across the new hole.
            self._start_search(half, half.resync.size, length)
            return out
        pending = half.reader.pending
        records = half.reader.gap(length, span)
        if records is None:
            half.behind = 0
            self._start_search(half, pending, length)
        if half.phase != "clear":
            self._inside.gap(direction, span, out)
        for record in records or ():
            self._record(half, record, out)
        return out

    def end(self, direction: Direction, span: Span) -> Output:
        half = self._halves[direction]
        out: Results = []
        if half.ended:
            return out
        half.ended = True
        half.note()
        if half.resync is None and (half.key is not None or half.shut):
            half.unfinished = half.reader.pending
        other = self._halves[direction ^ 1]
        self._stop_waiting(other, out)
        if other.ended:
            self._stop_waiting(half, out)
        for one in (half, other):
            if one.ended and not one.parked:
                self._inside.end(one.direction, span, out)
        if other.ended and not self._done:
            self._done = True
            out.append(describe(self._layer, self._talk, self._notes, self._secrets))
            out += self._notes.bounds(self._talk.facts.limits, span)
            for one in self._halves:
                one.successors = list  # else keys and hellos wait for the garbage collector
        return out

    # ------------------------------------------------------------- bytes to records

    def _take(self, half: Half, records: list[Record], span: Span, out: Results) -> bytes | None:
        """Take the records that the reader has cut; the bytes that it could not, to be searched."""
        rest = half.reader.broken
        for record in records:
            self._record(half, record, out)
        if rest is not None:
            self._notes.odd(
                "tls.record", "what should be a TLS record has no valid header", span, out
            )
            half.note()
            half.lose(0)
            half.behind = 0
            self._start_search(half)
        return rest

    def _start_search(self, half: Half, read: int = 0, lost: int | None = None) -> None:
        """Look for a record; `read` bytes came after the last one, `lost` ones after them
        (0: nobody knows how many)."""

        def proof(header: bytes, payload: bytes, before: bytes, at: int) -> bool:
            return half.locate(header, payload, before, at)

        if lost == 0:
            half.behind = None
        elif half.behind is not None:
            half.behind += read + (lost or 0)
        # Without a key there is nothing to prove a record with, only its surroundings.
        opener = half.opener
        half.resync = Resync(proof if opener is not None and opener.proves else None)

    def _search(self, half: Half, view: bytes | memoryview, span: Span, out: Results) -> None:
        """Read on from bytes in which a record is looked for.

        Once one is found, all from it on are records again, until one has no valid header: so
        a place may be searched and read many times in turns, each time from a later byte.
        """
        pieces: deque[tuple[bytes | memoryview, Span]] = deque([(view, span)])
        while pieces:
            piece, where = pieces.popleft()
            search = half.resync
            if search is None:
                rest = self._take(half, half.reader.feed(piece, where), where, out)
                if rest is not None:
                    pieces.appendleft((rest, where.moved(half.reader.stop)))
                continue
            found = search.feed(piece, where)
            if found is not None:
                keep = half.reader.keep
                half.reader = RecordReader(first=False)
                half.reader.keep = keep
                half.resync = None
                stop = search.offset + sum(len(data) for data, _ in found)
                for data, came in reversed(found):
                    stop -= len(data)
                    pieces.appendleft((data, came.moved(stop)))
            elif search.exhausted or not half.trials:
                why = "no record was found behind the loss"
                if self._secrets.trials <= 0:
                    why += f", and over {MAX_TRIALS} tries in this capture no more are made"
                half.close("lost_segment", why)
                self._start_search(half)

    def _record(self, half: Half, record: Record, out: Results) -> None:
        if half.waits:
            if not half.park(record):
                self._stop_waiting(half, out)
        elif record.kind == LOST:
            self._lose(half, record.length)
            return
        else:
            self._contents.take(half, record, out)
        self._release(out)

    def _lose(self, half: Half, length: int) -> None:
        """Bytes are missing. Of a client hello its first bytes are enough to go on with."""
        if self._talk.client_hello is None and half.phase == "clear":
            begun = half.messages.begun or half.reader.remainder()[5:]
            if begun[:1] == bytes((words.CLIENT_HELLO,)):
                hello = parse_cut_client_hello(begun[4:])
                if hello is not None:
                    self._talk.hello(half, hello)
        half.lose(length)

    # ------------------------------------------------------------- waiting

    def _release(self, out: Results) -> None:
        first, second = self._halves
        if self._releasing or not (first.parked or second.parked):
            return
        self._releasing = True
        talk = self._talk
        moved = True
        while moved:
            moved = False
            client, server = self._halves[talk.client], self._halves[talk.client ^ 1]
            if client.waits and server.shut and talk.server_hello is not None:
                talk.settle_early(None)
            for half in self._halves:
                while half.parked and not half.waits:
                    record = half.parked.popleft()
                    half.parked_bytes -= record.length + len(record.header)
                    self._record(half, record, out)
                    moved = True
        self._releasing = False

    def _stop_waiting(self, half: Half, out: Results) -> None:
        """What the half waits for won't come."""
        if half.waits:
            if half.direction == self._talk.client:
                self._talk.settle_early(None)
            half.waits = False
            self._release(out)
