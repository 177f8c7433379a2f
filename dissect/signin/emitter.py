"""Events as messages make them: their place, what may be shown of their facts, their secrets."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import partial

from dissect.errors import INTERNAL, internal
from dissect.model import (
    Anomaly,
    Connection,
    Endpoint,
    Event,
    Fact,
    Place,
    ProxyHeader,
    Secret,
    Source,
    Text,
)
from dissect.redaction.policy import Policy
from dissect.signin import error_catalogue
from dissect.signin.drafts import READ, Draft, Drafts, Origin, Stream, stream_of
from dissect.signin.met import Met
from dissect.signin.rule import FactValue, Found, Timed, settled

MAX_FAILURES = 100  # of a recogniser that are reported


class Emitter:
    """Makes the events of what is read; `now` is the origin of those that come.

    `captures`, `logs` and `several` as `Recogniser` has them.
    """

    def __init__(self, captures: Sequence[str], policy: Policy, logs: int, several: bool) -> None:
        self.drafts = Drafts()
        self.met = Met(policy, several)
        self.now = Origin(READ, ())
        self.failures: list[Anomaly] = []
        self._captures = captures
        self._first_log = len(captures) - logs
        self._policy = policy
        self._several = several
        self._names: Mapping[str, str] = {}  # by address
        # Whom a load balancer speaks for (PROXY protocol).
        self._behind: dict[Stream, Endpoint] = {}

    def events(
        self,
        moves: Mapping[int, int],
        without: Container[int],
        given: Mapping[str, str] | None = None,
    ) -> list[Event]:
        """What was emitted, in order, on clocks that are moved; `without` messages that another
        capture tells. With the names that only DNS, or else the captures (`given`), have for
        servers; None: without names."""
        found = self.drafts.events(moves, without, self.failed)
        if given is None:
            return found
        lower = {address: name.lower() for address, name in given.items()}
        self._names = {**lower, **self.drafts.names(moves, without)}
        return [self._named(event) for event in found]

    def failed(self, error: Exception, place: Place) -> None:
        """What a rule raises is a bug of ours: told, and gone on from."""
        if len(self.failures) < MAX_FAILURES:
            where, frame = place.connection, place.span.first_frame
            self.failures.append(
                Anomaly(INTERNAL, internal(error), where.capture, frame, where.stream)
            )

    def name_of(self, address: str) -> str | None:
        """The DNS name that was asked for when this address came back, else the given one."""
        return self._names.get(address)

    def behind(self, message: ProxyHeader) -> None:
        """Whom a load balancer speaks for from now on."""
        self._behind[stream_of(message.place.connection)] = message.client

    def _learn_fact(self, fact: Fact, place: Place, serial: int) -> None:
        for part in fact.parts if isinstance(fact, Text) else (fact,):
            if isinstance(part, Secret):
                self.met.note(part, place, serial)

    def found(
        self, found: Found, place: Place, host: str | None, serial: int | None = None
    ) -> None:
        self.emit(found.name, place, host, found.facts, serial=serial, only_with=found.only_with)

    def emit(
        self,
        name: str,
        place: Place,
        host: str | None,
        facts: Mapping[str, FactValue],
        own: bool = False,
        serial: int | None = None,
        only_with: str = "",
    ) -> None:
        """One more event, of the message with this serial number. `own`: a plugin says itself
        what is secret in its facts. Without the fact `only_with` there is none."""
        number = self.now.serial if serial is None else serial
        make = partial(self._made, name, place, host, facts, own, only_with, number)
        if self._several and any(isinstance(fact, Timed) for fact in facts.values()):
            self.drafts.wait(Draft(self.now, place.connection, number, make, place))
            return
        event = make(0)
        if event is not None:
            self.drafts.add(self.now, place.connection, number, event)

    def _made(
        self,
        name: str,
        place: Place,
        host: str | None,
        reported: Mapping[str, FactValue],
        own: bool,
        only_with: str,
        serial: int,
        shift_ns: int,
    ) -> Event | None:
        """The event, with its capture's own time and the facts of a clock moved by `shift_ns`."""
        known = settled(reported, shift_ns)
        if only_with and only_with not in known:
            return None
        connection = place.connection
        facts = {**known, **error_catalogue.of_event(name, known), **known}
        if not own:
            facts = {key: self._policy.fact(key, fact) for key, fact in facts.items()}
        front, ends = self._behind.get(stream_of(connection)), [place.sender, place.receiver]
        if front is not None:
            facts["balancer"] = connection.client.address
            ends = [front if end == connection.client else end for end in ends]
        for fact in facts.values():
            self._learn_fact(fact, place, serial)
        return Event(
            name=name,
            time_ns=place.span.first_ns,
            after_ns=place.span.after_ns,
            sender=ends[0].address,
            receiver=ends[1].address,
            host=host,
            source=self._source(place),
            facts=facts,
            client=(front or connection.client) if self._has_ends(connection) else None,
            server=connection.server if self._has_ends(connection) else None,
        )

    def addressed(self, address: str) -> None:
        """The latest event's client is who will have this address: it has none yet."""

        def change(event: Event) -> Event:
            if event.client is None:
                return event
            return replace(event, client=Endpoint(address, event.client.port))

        self.drafts.addressed(change)

    def _has_ends(self, connection: Connection) -> bool:
        """Whether its ends are addresses: a phone's own log has none."""
        return bool(connection.client.port) or not self.is_log(connection)

    def is_log(self, connection: Connection) -> bool:
        return connection.capture >= self._first_log

    def _source(self, place: Place) -> Source:
        connection = place.connection
        name = self._captures[connection.capture]
        if self.is_log(connection):
            line = place.span.first_frame
            if not connection.client.port:
                return Source(capture=name, line=line)
            # A server's log: each connection is somebody's own.
            return Source(
                capture=name, line=line, stream=connection.stream, transport=connection.transport
            )
        return Source(
            capture=name,
            first_frame=place.span.first_frame,
            last_frame=place.span.last_frame,
            stream=connection.stream,
            transport=connection.transport,
            encrypted=place.encrypted,
        )

    def _named(self, event: Event) -> Event:
        """With the server's name, where only DNS knows it."""
        if event.host is not None:
            return event
        name = self.name_of(event.server.address) if event.server else None
        if name is None or event.name.startswith("dns."):
            return event
        return replace(event, host=name)
