"""The TLS parser: a stream parser whose child reads the application data.

Bytes come in as data, gap and end (`StreamParser`); out come the messages of the child
as they are found, oddities, and one `TlsConnection` when both directions have ended.
"""

from __future__ import annotations

from dissect.errors import ProtocolError
from dissect.model import (
    Alert,
    Anomaly,
    Direction,
    Output,
    RecordShape,
    Span,
)
from dissect.protocols.base import Layer
from dissect.protocols.tls import words
from dissect.protocols.tls.blind import MAX_GUESSED
from dissect.protocols.tls.half import MAX_FAILURES, Half
from dissect.protocols.tls.handshake import parse_cut_client_hello
from dissect.protocols.tls.inside import Inside, Results
from dissect.protocols.tls.keyring import LABELS
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.records import LOST, VERSION2_HELLO, Record, RecordReader
from dissect.protocols.tls.resync import Resync
from dissect.protocols.tls.secrets import SecretStore
from dissect.protocols.tls.timing import RoundTrips
from dissect.protocols.tls.verdict import describe

MAX_SHAPES = 4096  # record shapes kept of a connection that stays shut
MAX_ALERTS = 64
MAX_ANOMALIES = 20  # of one connection


class TlsParser:
    """Decrypts one connection with the secrets of `secrets`; see `StreamParser`."""

    def __init__(self, layer: Layer, secrets: SecretStore) -> None:
        self._layer = layer
        self._halves = (Half(0), Half(1))
        self._talk = Negotiation(secrets, self._halves, layer.connection.stream)
        self._secrets = secrets
        self._inside = Inside(layer, self._talk.facts)
        self._alerts: list[Alert] = []
        self._shapes: list[RecordShape] = []
        self._trips = RoundTrips()
        self._anomalies = 0
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
            self._take(half, records, span, out)
        return out

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        half = self._halves[direction]
        if half.last is not None and half.last.first_frame == span.first_frame:
            half.cuts += 1  # the frame was captured in part: nothing was lost on the way
        half.touch(0, span)
        out: Results = []
        if not half.waits:
            self._lose(half, length)
        elif not half.park(Record(LOST, b"", None, length, span)):
            self._stop_waiting(half, out)
        if half.resync is not None:
            self._start_search(half)  # nothing found so far can reach across the new hole
            return out
        records = half.reader.gap(length, span)
        opener = half.opener
        if records is None:
            if opener is not None and not opener.restartable:
                half.close("lost_segment", f"{self._suite_name} can't be taken up again")
            self._start_search(half)
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
        other = self._halves[direction ^ 1]
        self._stop_waiting(other, out)
        if other.ended:
            self._stop_waiting(half, out)
        for one in (half, other):
            if one.ended and not one.parked:
                self._inside.end(one.direction, span, out)
        if other.ended and not self._done:
            self._done = True
            out.append(
                describe(
                    self._layer,
                    self._talk,
                    tuple(self._alerts),
                    tuple(self._shapes),
                    self._secrets,
                    tuple(self._trips.found_ns),
                )
            )
        return out

    # ------------------------------------------------------------- bytes to records

    def _take(self, half: Half, records: list[Record], span: Span, out: Results) -> None:
        rest = half.reader.broken
        for record in records:
            self._record(half, record, out)
        if rest is not None:
            self._odd("tls.record", "what should be a TLS record has no valid header", span, out)
            half.lose(0)
            self._start_search(half)
            self._search(half, rest, span, out)

    def _start_search(self, half: Half) -> None:
        def proof(header: bytes, payload: bytes, before: bytes) -> bool:
            return half.locate(header, payload, before)

        # Without a key there is nothing to prove a record with, only its surroundings.
        half.resync = Resync(proof if half.key is not None else None)

    def _search(self, half: Half, view: bytes | memoryview, span: Span, out: Results) -> None:
        search = half.resync
        assert search is not None
        pieces = search.feed(view, span)
        if pieces is None:
            if search.exhausted or not half.trials:
                half.close("lost_segment", "no record was found behind the loss")
                self._start_search(half)
            return
        keep = half.reader.keep
        half.reader = RecordReader(first=False)
        half.reader.keep = keep
        half.resync = None
        for number, (piece, where) in enumerate(pieces):
            if half.resync is not None:  # lost again
                for rest, place in pieces[number:]:
                    self._search(half, rest, place, out)
                return
            self._take(half, half.reader.feed(piece, where), where, out)

    # ------------------------------------------------------------- records

    def _record(self, half: Half, record: Record, out: Results) -> None:
        if half.waits:
            if not half.park(record):
                self._stop_waiting(half, out)
            self._release(out)
            return
        if record.kind == LOST:
            self._lose(half, record.length)
            return
        half.records += 1
        if record.kind == words.HANDSHAKE or (
            record.kind == words.CHANGE_CIPHER_SPEC and not self._talk.tls13
        ):
            self._trips.note(self._talk.role(half), record.span)
        if record.damaged or record.payload is None:
            self._walked(half, record)
        elif half.key is not None:
            self._protected(half, record, out)
        elif half.shut:
            self._walked(half, record)
            if record.kind == words.ALERT and record.length == 2:
                self._alert(half, record.payload, record.span)
        else:
            self._clear(half, record, out)
        self._release(out)

    def _walked(self, half: Half, record: Record) -> None:
        """A record that can't be opened: its key is unknown, or a part of it was lost."""
        if record.damaged and half.opener is not None:
            half.opener.lost(record.length, record.payload or b"")
            half.search = 1  # now it is known how many records were lost
        if record.kind == words.APPLICATION_DATA:
            if self._talk.role(half):
                self._trips.stop()
            half.data_shut += 1
            if len(self._shapes) < MAX_SHAPES:
                self._shapes.append(
                    RecordShape(
                        record.span.last_ns, half.direction, record.length, record.span.last_frame
                    )
                )

    def _clear(self, half: Half, record: Record, out: Results) -> None:
        kind, payload = record.kind, record.payload
        assert payload is not None
        talk = self._talk
        if half.search and half.locate(record.header, payload):
            self._inside.gap(half.direction, record.span, out)  # the change of cipher was lost
            self._protected(half, record, out)
        elif kind == words.HANDSHAKE:
            if payload[:1] == b"\x02" and self._may_wait(half):
                half.waits = True  # the client hello may still come: the order was changed
                half.park(record)
            else:
                self._handshake(half, payload, record.span, out)
        elif kind == words.CHANGE_CIPHER_SPEC:
            talk.change_cipher(half)
        elif kind == words.ALERT:
            self._alert(half, payload, record.span)
        elif kind == VERSION2_HELLO:
            try:
                talk.version2_hello(half, payload)
            except ProtocolError as error:
                self._odd(error.kind, str(error), record.span, out)
        elif kind == words.APPLICATION_DATA:
            self._data_without_key(half, record, out)

    def _data_without_key(self, half: Half, record: Record, out: Results) -> None:
        talk, payload = self._talk, record.payload
        assert payload is not None
        if talk.retried and talk.server_hello is None:
            return  # 0-RTT data sent before the second hello: rejected, so nobody's data
        if talk.client_hello is None and half.guessed < MAX_GUESSED:
            half.guessed += 1
            if talk.guess(half, record.header, payload):
                self._protected(half, record, out)
                return
        self._walked(half, record)
        if talk.client_hello is not None:
            half.close("no_server_hello", "")
        elif half.guessed >= MAX_GUESSED:
            half.close("no_client_hello", "")

    def _may_wait(self, half: Half) -> bool:
        """Whether a server hello should be kept until the client's is read."""
        if self._talk.client_hello is not None or half.messages.begun:
            return False
        other = self._halves[half.direction ^ 1]
        return not (other.ended or other.gaps or other.shut or half.parked_bytes)

    def _protected(self, half: Half, record: Record, out: Results) -> None:
        payload, span = record.payload, record.span
        assert payload is not None
        talk = self._talk
        if record.kind != words.APPLICATION_DATA and talk.tls13:
            # TLS 1.3 protects type 23 only: dummy ChangeCipherSpecs, alerts before keys.
            if record.kind == words.ALERT and record.length == 2:
                self._alert(half, payload, span)
            return
        key = half.key if half.proven else None
        opened = half.open(record)
        if opened is None:
            self._failed(half, record, out)
            return
        kind, content = opened
        if half.key is not key:
            talk.proven(half)
        half.tolerate = 0
        if kind == words.APPLICATION_DATA:
            if half.data_opened == 0 and talk.role(half):
                self._trips.stop()
            half.data_opened += 1
            half.bytes_opened += len(content)
            if content:
                self._inside.data(half.direction, content, span, out)
        elif kind == words.HANDSHAKE:
            if record.kind == words.APPLICATION_DATA:
                self._trips.note(talk.role(half), span)
            self._handshake(half, content, span, out)
        elif kind == words.ALERT:
            self._alert(half, bytes(content), span)
            if content[1:2] == b"\0":
                self._inside.end(half.direction, span, out)
        elif kind == words.CHANGE_CIPHER_SPEC:
            talk.change_cipher(half)

    def _failed(self, half: Half, record: Record, out: Results) -> None:
        assert record.payload is not None
        if half.tolerate:
            half.tolerate -= 1
            if half.why is not None:  # 0-RTT data that was accepted, and no secret for it
                self._walked(half, record)
            return
        half.failed += 1
        half.failures += 1
        self._walked(half, record)
        opener = half.opener
        assert opener is not None
        lost = bool(half.search)
        half.search += lost
        if lost or half.failures > MAX_FAILURES or not half.proven:
            if half.key is not None and half.key.random is not None:
                wanted = LABELS["application"][self._talk.role(half)]
                half.close("no_secret_for_random", wanted)  # a guess that was none
            elif half.failures > MAX_FAILURES or not lost:
                tags = f"{half.failed} of {half.failed + half.opened}"
                half.close("lost_segment" if half.gaps else "wrong_secret", tags)
            return
        self._odd(
            "tls.bad_tag",
            f"record {half.records} of this direction fails its integrity check: left out",
            record.span,
            out,
        )
        opener.passed(record.payload)
        self._inside.gap(half.direction, record.span, out)

    # ------------------------------------------------------------- contents

    def _handshake(self, half: Half, content: bytes | memoryview, span: Span, out: Results) -> None:
        half.messages.feed(content)
        going = True
        while going:
            going = self._next_message(half, span, out)

    def _next_message(self, half: Half, span: Span, out: Results) -> bool:
        """Whether there was a message; oddities are noted and the next one is looked at."""
        try:
            message = next(half.messages.messages(), None)
            if message is not None:
                self._talk.message(half, *message)
        except ProtocolError as error:
            # In clear and behind a loss, records may begin within a message.
            if half.key is not None or not half.gaps:
                self._odd(error.kind, str(error), span, out)
            return True
        return message is not None

    def _lose(self, half: Half, length: int) -> None:
        """Bytes are missing. Of a client hello its first bytes are enough to go on with."""
        if self._talk.client_hello is None and half.phase == "clear":
            begun = half.messages.begun or half.reader.remainder()[5:]
            if begun[:1] == bytes((words.CLIENT_HELLO,)):
                hello = parse_cut_client_hello(begun[4:])
                if hello is not None:
                    self._talk.hello(half, hello)
        half.lose(length)

    def _alert(self, half: Half, content: bytes, span: Span) -> None:
        if len(content) == 2 and len(self._alerts) < MAX_ALERTS:
            self._alerts.append(
                Alert(
                    half.direction,
                    words.alert_level(content[0]),
                    words.alert_name(content[1]),
                    span.last_frame,
                    span.last_ns,
                )
            )

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

    # ------------------------------------------------------------- oddities

    @property
    def _suite_name(self) -> str:
        return self._talk.facts.suite.name if self._talk.facts.suite else "the cipher"

    def _odd(self, kind: str, sentence: str, span: Span, out: Results) -> None:
        self._anomalies += 1
        if self._anomalies <= MAX_ANOMALIES:
            connection = self._layer.connection
            out.append(
                Anomaly(kind, sentence, connection.capture, span.last_frame, connection.stream)
            )
