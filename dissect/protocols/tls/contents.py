"""What is in the records of a TLS connection: decrypted where there is a key, passed on.

Handshake messages go to the negotiation, application data to the child, alerts and what
stays undecrypted to the notes.
"""

from __future__ import annotations

from dissect.errors import ProtocolError
from dissect.model import Span
from dissect.protocols.tls import code_points
from dissect.protocols.tls.blind import MAX_GUESSED
from dissect.protocols.tls.direction_state import MAX_FAILURES, DirectionState
from dissect.protocols.tls.inside import Inside, Results
from dissect.protocols.tls.keyring import LABELS
from dissect.protocols.tls.negotiation import Negotiation
from dissect.protocols.tls.observations import Observations
from dissect.protocols.tls.records import VERSION2_HELLO, Record


class Contents:
    """Takes the records of both directions, each in order and none that waits."""

    def __init__(self, talk: Negotiation, inside: Inside, notes: Observations) -> None:
        self._talk = talk
        self._inside = inside
        self._notes = notes

    def take(self, state: DirectionState, record: Record, out: Results) -> None:
        """A record, or what is left of one."""
        state.records += 1
        if record.kind == code_points.HANDSHAKE or (
            record.kind == code_points.CHANGE_CIPHER_SPEC and not self._talk.tls13
        ):
            self._notes.trips.note(self._talk.role(state), record.span)
        if state.undecrypted and self._is_protected(record):
            state.protected += 1
        if record.damaged or record.payload is None:
            if record.damaged and state.key is not None:
                state.skip(record)
            self._walked(state, record)
        elif state.key is not None:
            self._protected(state, record, out)
        elif state.undecrypted:
            self._walked(state, record)
            if record.kind == code_points.ALERT and record.length == 2:
                self._notes.alert(state, record.payload, record.span)
        else:
            self._clear(state, record, out)

    def _is_protected(self, record: Record) -> bool:
        if record.kind == code_points.ALERT:
            return record.length > 2
        return record.kind != code_points.CHANGE_CIPHER_SPEC or not self._talk.tls13

    def _walked(self, state: DirectionState, record: Record) -> None:
        """A record that can't be decrypted: its key is unknown, or a part of it was lost."""
        if record.kind == code_points.APPLICATION_DATA:
            if self._talk.role(state):
                self._notes.trips.stop()
            self._notes.undecrypted_record(state, record)

    # ------------------------------------------------------------- in clear

    def _clear(self, state: DirectionState, record: Record, out: Results) -> None:
        kind, payload = record.kind, record.payload
        assert payload is not None
        talk = self._talk
        if state.search and state.locate(record.header, payload):
            self._inside.gap(state.direction, record.span, out)  # the change of cipher was lost
            self._protected(state, record, out)
        elif kind == code_points.HANDSHAKE and state.changed:  # encrypted: TLS 1.2 or before
            state.protected += 1
            state.close("no_client_hello", "")
        elif kind == code_points.HANDSHAKE:
            if payload[:1] == b"\x02" and talk.may_wait(state):
                state.waits = True  # the client hello may still come: the order was changed
                state.park(record)
            else:
                self._handshake(state, payload, record.span, out)
        elif kind == code_points.CHANGE_CIPHER_SPEC:
            talk.change_cipher(state)
        elif kind == code_points.ALERT:
            self._notes.alert(state, payload, record.span)
        elif kind == VERSION2_HELLO:
            try:
                talk.version2_hello(state, payload)
            except ProtocolError as error:
                self._notes.anomaly(error.kind, str(error), record.span, out)
        elif kind == code_points.APPLICATION_DATA:
            self._data_without_key(state, record, out)

    def _data_without_key(self, state: DirectionState, record: Record, out: Results) -> None:
        talk, payload = self._talk, record.payload
        assert payload is not None
        if talk.retried and talk.server_hello is None:
            return  # 0-RTT data sent before the second hello: rejected, so nobody's data
        if talk.client_hello is None and state.guessed < MAX_GUESSED:
            state.guessed += 1
            if talk.guess(state, record.header, payload):
                self._protected(state, record, out)
                return
        self._walked(state, record)
        if talk.client_hello is not None:
            state.close("no_server_hello", "")
        elif state.guessed >= MAX_GUESSED:
            state.close("no_client_hello", "")

    # ------------------------------------------------------------- protected

    def _protected(self, state: DirectionState, record: Record, out: Results) -> None:
        payload, span = record.payload, record.span
        assert payload is not None
        talk = self._talk
        if record.kind != code_points.APPLICATION_DATA and talk.tls13:
            # TLS 1.3 protects type 23 only: dummy ChangeCipherSpecs, alerts before keys.
            if record.kind == code_points.ALERT and record.length == 2:
                self._notes.alert(state, payload, span)
            return
        key = state.key if state.proven else None
        decrypted = state.open(record)
        if decrypted is None:
            self._failed(state, record, out)
            return
        kind, content = decrypted
        if state.key is not key:
            talk.proven(state)
            for unproven_record in state.unproven:
                self._notes.bad_tag(*unproven_record, out)
            state.unproven.clear()
        state.tolerate = 0
        if kind == code_points.APPLICATION_DATA:
            if state.data_decrypted == 0 and talk.role(state):
                self._notes.trips.stop()
            state.data_decrypted += 1
            state.bytes_decrypted += len(content)
            if content:
                self._inside.data(state.direction, content, span, out)
        elif kind == code_points.HANDSHAKE:
            if record.kind == code_points.APPLICATION_DATA:
                self._notes.trips.note(talk.role(state), span)
            self._handshake(state, content, span, out)
        elif kind == code_points.ALERT:
            self._notes.alert(state, bytes(content), span)
            if content[1:2] == b"\0":
                self._inside.end(state.direction, span, out)
        elif kind == code_points.CHANGE_CIPHER_SPEC:
            talk.change_cipher(state)

    def _failed(self, state: DirectionState, record: Record, out: Results) -> None:
        """A record's tag is wrong: another key's, or behind a loss, or damaged."""
        if state.tolerate:
            state.tolerate -= 1
            if state.why is not None:  # 0-RTT data that was accepted, and no secret for it
                self._walked(state, record)
            return
        self._walked(state, record)
        if state.undecrypted:  # it was decrypted, but can't be unpacked
            return
        state.failed += 1
        state.failures += 1
        many = state.failures > MAX_FAILURES
        if state.key is not None and state.key.random is not None:
            wanted = LABELS["application"][self._talk.role(state)]
            state.close("no_secret_for_random", wanted)  # a guess that was none
        elif state.out_of_sync:
            state.search += 1
            if many:
                state.close("lost_segment", state.tags)
        else:
            self._damaged(state, record, out)
            if many:
                if self._talk.sure(state):
                    state.close("damaged_record", state.tags)
                else:
                    state.close("lost_segment" if state.gaps else "wrong_secret", state.tags)

    def _damaged(self, state: DirectionState, record: Record, out: Results) -> None:
        if state.bad is None:
            state.bad = state.records, record.span.last_frame
        if self._talk.sure(state):
            self._notes.bad_tag(state.records, record.span, out)
        else:
            state.unproven.append((state.records, record.span))  # at most MAX_FAILURES
        state.skip(record)
        self._inside.gap(state.direction, record.span, out)

    # ------------------------------------------------------------- handshake

    def _handshake(
        self, state: DirectionState, content: bytes | memoryview, span: Span, out: Results
    ) -> None:
        state.messages.feed(content)
        going = True
        while going:
            going = self._next_message(state, span, out)

    def _next_message(self, state: DirectionState, span: Span, out: Results) -> bool:
        """Whether there was a message; anomalies are noted and the next one is looked at."""
        try:
            message = state.messages.take()
            if message is not None:
                self._talk.message(state, *message)
        except ProtocolError as error:
            # Behind a loss, records in clear may begin within a message.
            if state.key is not None or not state.gaps:
                self._notes.anomaly(error.kind, str(error), span, out)
            return True
        return message is not None
