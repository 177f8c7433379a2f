"""The TLS parser: a stream parser whose child reads the application data.

Bytes come in as data, gap and end (`StreamParser`); out come the messages of the child
as they are found, anomalies, and one `TlsConnection` when both directions have ended.
"""

from __future__ import annotations

from collections import deque

from dissect.model import Direction, Output, Span
from dissect.protocols.base import Layer
from dissect.protocols.tls import code_points
from dissect.protocols.tls.connection_row import describe
from dissect.protocols.tls.contents import Contents
from dissect.protocols.tls.direction_state import DirectionState
from dissect.protocols.tls.handshake import parse_cut_client_hello
from dissect.protocols.tls.inside import Inside, Results
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.observations import Observations
from dissect.protocols.tls.records import LOST, Record, RecordReader
from dissect.protocols.tls.resync import Resync
from dissect.protocols.tls.secret_store import MAX_TRIALS, SecretStore


class TlsParser:
    """Decrypts one connection with the secrets of `secrets`; see `StreamParser`."""

    def __init__(self, layer: Layer, secrets: SecretStore) -> None:
        self._layer = layer
        self._states = (DirectionState(0, secrets), DirectionState(1, secrets))
        self._talk = Negotiation(secrets, self._states, layer.connection.stream)
        self._secrets = secrets
        self._inside = Inside(layer, self._talk.facts)
        self._notes = Observations(layer)
        self._contents = Contents(self._talk, self._inside, self._notes)
        self._releasing = False
        self._done = False

    # ------------------------------------------------------------- the three verbs

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        state = self._states[direction]
        state.touch(len(view), span)
        out: Results = []
        if state.resync is not None:
            self._search(state, view, span, out)
            return out
        reader = state.reader
        records = reader.feed(view, span)
        if records or reader.broken is not None:  # most segments complete no record
            rest = self._take(state, records, span, out)
            if rest is not None:
                self._search(state, rest, span.moved(state.reader.stop), out)
        return out

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        state = self._states[direction]
        state.cuts += span.cut
        state.note()
        state.touch(0, span)
        out: Results = []
        if not state.waits:
            self._lose(state, length)
        elif not state.park(Record(LOST, b"", None, length, span)):
            self._stop_waiting(state, out)
        if state.resync is not None:
            # Nothing found so far can reach across the new hole.
            self._start_search(state, state.resync.size, length)
            return out
        pending = state.reader.pending
        records = state.reader.gap(length, span)
        if records is None:
            state.behind = 0
            self._start_search(state, pending, length)
        if state.phase != "clear":
            self._inside.gap(direction, span, out)
        for record in records or ():
            self._record(state, record, out)
        return out

    def end(self, direction: Direction, span: Span) -> Output:
        state = self._states[direction]
        out: Results = []
        if state.ended:
            return out
        state.ended = True
        state.note()
        if state.resync is None and (state.key is not None or state.undecrypted):
            state.unfinished = state.reader.pending
        other = self._states[direction ^ 1]
        self._stop_waiting(other, out)
        if other.ended:
            self._stop_waiting(state, out)
        for one in (state, other):
            if one.ended and not one.parked:
                self._inside.end(one.direction, span, out)
        if other.ended and not self._done:
            self._done = True
            out.append(describe(self._layer, self._talk, self._notes, self._secrets))
            out += self._notes.bounds(self._talk.facts.limits, span)
            for one in self._states:
                one.successors = list  # else keys and hellos wait for the garbage collector
        return out

    # ------------------------------------------------------------- bytes to records

    def _take(
        self, state: DirectionState, records: list[Record], span: Span, out: Results
    ) -> bytes | None:
        """Take the records that the reader has cut; the bytes that it could not, to be searched."""
        rest = state.reader.broken
        for record in records:
            self._record(state, record, out)
        if rest is not None:
            self._notes.anomaly(
                "tls.record", "what should be a TLS record has no valid header", span, out
            )
            state.note()
            state.lose(0)
            state.behind = 0
            self._start_search(state)
        return rest

    def _start_search(self, state: DirectionState, read: int = 0, lost: int | None = None) -> None:
        """Look for a record; `read` bytes came after the last one, `lost` ones after them
        (0: nobody knows how many)."""

        def proof(header: bytes, payload: bytes, before: bytes, at: int) -> bool:
            return state.locate(header, payload, before, at)

        if lost == 0:
            state.behind = None
        elif state.behind is not None:
            state.behind += read + (lost or 0)
        # Without a key there is nothing to prove a record with, only its surroundings.
        opener = state.opener
        state.resync = Resync(proof if opener is not None and opener.proves else None)

    def _search(
        self, state: DirectionState, view: bytes | memoryview, span: Span, out: Results
    ) -> None:
        """Read on from bytes in which a record is looked for.

        Once one is found, all from it on are records again, until one has no valid header: so
        a place may be searched and read many times in turns, each time from a later byte.
        """
        pieces: deque[tuple[bytes | memoryview, Span]] = deque([(view, span)])
        while pieces:
            piece, where = pieces.popleft()
            search = state.resync
            if search is None:
                rest = self._take(state, state.reader.feed(piece, where), where, out)
                if rest is not None:
                    pieces.appendleft((rest, where.moved(state.reader.stop)))
                continue
            found = search.feed(piece, where)
            if found is not None:
                keep = state.reader.keep
                state.reader = RecordReader(first=False)
                state.reader.keep = keep
                state.resync = None
                stop = search.offset + sum(len(data) for data, _ in found)
                for data, came in reversed(found):
                    stop -= len(data)
                    pieces.appendleft((data, came.moved(stop)))
            elif search.exhausted or not state.trials:
                why = "no record was found behind the loss"
                if self._secrets.trials <= 0:
                    why += f", and over {MAX_TRIALS} tries in this capture no more are made"
                state.close("lost_segment", why)
                self._start_search(state)

    def _record(self, state: DirectionState, record: Record, out: Results) -> None:
        if state.waits:
            if not state.park(record):
                self._stop_waiting(state, out)
        elif record.kind == LOST:
            self._lose(state, record.length)
            return
        else:
            self._contents.take(state, record, out)
        self._release(out)

    def _lose(self, state: DirectionState, length: int) -> None:
        """Bytes are missing. Of a client hello its first bytes are enough to go on with."""
        if self._talk.client_hello is None and state.phase == "clear":
            begun = state.messages.begun or state.reader.remainder()[5:]
            if begun[:1] == bytes((code_points.CLIENT_HELLO,)):
                hello = parse_cut_client_hello(begun[4:])
                if hello is not None:
                    self._talk.hello(state, hello)
        state.lose(length)

    # ------------------------------------------------------------- waiting

    def _release(self, out: Results) -> None:
        first, second = self._states
        if self._releasing or not (first.parked or second.parked):
            return
        self._releasing = True
        talk = self._talk
        moved = True
        while moved:
            moved = False
            client, server = self._states[talk.client], self._states[talk.client ^ 1]
            if client.waits and server.undecrypted and talk.server_hello is not None:
                talk.settle_early(None)
            for state in self._states:
                while state.parked and not state.waits:
                    record = state.parked.popleft()
                    state.parked_bytes -= record.length + len(record.header)
                    self._record(state, record, out)
                    moved = True
        self._releasing = False

    def _stop_waiting(self, state: DirectionState, out: Results) -> None:
        """What the half waits for won't come."""
        if state.waits:
            if state.direction == self._talk.client:
                self._talk.settle_early(None)
            state.waits = False
            self._release(out)
