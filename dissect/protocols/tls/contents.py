"""What is in the records of a TLS connection: opened where there is a key, passed on.

Handshake messages go to the negotiation, application data to the child, alerts and what
stays shut to the notes.
"""

from __future__ import annotations

from dissect.errors import ProtocolError
from dissect.model import Span
from dissect.protocols.tls import words
from dissect.protocols.tls.blind import MAX_GUESSED
from dissect.protocols.tls.half import MAX_FAILURES, Half
from dissect.protocols.tls.inside import Inside, Results
from dissect.protocols.tls.keyring import LABELS
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.notes import Notes
from dissect.protocols.tls.records import VERSION2_HELLO, Record


class Contents:
    """Takes the records of both directions, each in order and none that waits."""

    def __init__(self, talk: Negotiation, inside: Inside, notes: Notes) -> None:
        self._talk = talk
        self._inside = inside
        self._notes = notes

    def take(self, half: Half, record: Record, out: Results) -> None:
        """A record, or what is left of one."""
        half.records += 1
        if record.kind == words.HANDSHAKE or (
            record.kind == words.CHANGE_CIPHER_SPEC and not self._talk.tls13
        ):
            self._notes.trips.note(self._talk.role(half), record.span)
        if half.shut and self._is_sealed(record):
            half.sealed += 1
        if record.damaged or record.payload is None:
            if record.damaged and half.key is not None:
                half.skip(record)
            self._walked(half, record)
        elif half.key is not None:
            self._protected(half, record, out)
        elif half.shut:
            self._walked(half, record)
            if record.kind == words.ALERT and record.length == 2:
                self._notes.alert(half, record.payload, record.span)
        else:
            self._clear(half, record, out)

    def _is_sealed(self, record: Record) -> bool:
        if record.kind == words.ALERT:
            return record.length > 2
        return record.kind != words.CHANGE_CIPHER_SPEC or not self._talk.tls13

    def _walked(self, half: Half, record: Record) -> None:
        """A record that can't be opened: its key is unknown, or a part of it was lost."""
        if record.kind == words.APPLICATION_DATA:
            if self._talk.role(half):
                self._notes.trips.stop()
            self._notes.shut(half, record)

    # ------------------------------------------------------------- in clear

    def _clear(self, half: Half, record: Record, out: Results) -> None:
        kind, payload = record.kind, record.payload
        assert payload is not None
        talk = self._talk
        if half.search and half.locate(record.header, payload):
            self._inside.gap(half.direction, record.span, out)  # the change of cipher was lost
            self._protected(half, record, out)
        elif kind == words.HANDSHAKE and half.changed:  # encrypted: TLS 1.2 or before
            half.sealed += 1
            half.close("no_client_hello", "")
        elif kind == words.HANDSHAKE:
            if payload[:1] == b"\x02" and talk.may_wait(half):
                half.waits = True  # the client hello may still come: the order was changed
                half.park(record)
            else:
                self._handshake(half, payload, record.span, out)
        elif kind == words.CHANGE_CIPHER_SPEC:
            talk.change_cipher(half)
        elif kind == words.ALERT:
            self._notes.alert(half, payload, record.span)
        elif kind == VERSION2_HELLO:
            try:
                talk.version2_hello(half, payload)
            except ProtocolError as error:
                self._notes.odd(error.kind, str(error), record.span, out)
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

    # ------------------------------------------------------------- protected

    def _protected(self, half: Half, record: Record, out: Results) -> None:
        payload, span = record.payload, record.span
        assert payload is not None
        talk = self._talk
        if record.kind != words.APPLICATION_DATA and talk.tls13:
            # TLS 1.3 protects type 23 only: dummy ChangeCipherSpecs, alerts before keys.
            if record.kind == words.ALERT and record.length == 2:
                self._notes.alert(half, payload, span)
            return
        key = half.key if half.proven else None
        opened = half.open(record)
        if opened is None:
            self._failed(half, record, out)
            return
        kind, content = opened
        if half.key is not key:
            talk.proven(half)
            for doubt in half.doubts:
                self._notes.bad_tag(*doubt, out)
            half.doubts.clear()
        half.tolerate = 0
        if kind == words.APPLICATION_DATA:
            if half.data_opened == 0 and talk.role(half):
                self._notes.trips.stop()
            half.data_opened += 1
            half.bytes_opened += len(content)
            if content:
                self._inside.data(half.direction, content, span, out)
        elif kind == words.HANDSHAKE:
            if record.kind == words.APPLICATION_DATA:
                self._notes.trips.note(talk.role(half), span)
            self._handshake(half, content, span, out)
        elif kind == words.ALERT:
            self._notes.alert(half, bytes(content), span)
            if content[1:2] == b"\0":
                self._inside.end(half.direction, span, out)
        elif kind == words.CHANGE_CIPHER_SPEC:
            talk.change_cipher(half)

    def _failed(self, half: Half, record: Record, out: Results) -> None:
        """A record's tag is wrong: another key's, or behind a loss, or damaged."""
        if half.tolerate:
            half.tolerate -= 1
            if half.why is not None:  # 0-RTT data that was accepted, and no secret for it
                self._walked(half, record)
            return
        self._walked(half, record)
        if half.shut:  # it was opened, but can't be unpacked
            return
        half.failed += 1
        half.failures += 1
        many = half.failures > MAX_FAILURES
        if half.key is not None and half.key.random is not None:
            wanted = LABELS["application"][self._talk.role(half)]
            half.close("no_secret_for_random", wanted)  # a guess that was none
        elif half.astray:
            half.search += 1
            if many:
                half.close("lost_segment", half.tags)
        else:
            self._damaged(half, record, out)
            if many:
                if self._talk.sure(half):
                    half.close("damaged_record", half.tags)
                else:
                    half.close("lost_segment" if half.gaps else "wrong_secret", half.tags)

    def _damaged(self, half: Half, record: Record, out: Results) -> None:
        if half.bad is None:
            half.bad = half.records, record.span.last_frame
        if self._talk.sure(half):
            self._notes.bad_tag(half.records, record.span, out)
        else:
            half.doubts.append((half.records, record.span))  # at most MAX_FAILURES
        half.skip(record)
        self._inside.gap(half.direction, record.span, out)

    # ------------------------------------------------------------- handshake

    def _handshake(self, half: Half, content: bytes | memoryview, span: Span, out: Results) -> None:
        half.messages.feed(content)
        going = True
        while going:
            going = self._next_message(half, span, out)

    def _next_message(self, half: Half, span: Span, out: Results) -> bool:
        """Whether there was a message; oddities are noted and the next one is looked at."""
        try:
            message = half.messages.take()
            if message is not None:
                self._talk.message(half, *message)
        except ProtocolError as error:
            # Behind a loss, records in clear may begin within a message.
            if half.key is not None or not half.gaps:
                self._notes.odd(error.kind, str(error), span, out)
            return True
        return message is not None
