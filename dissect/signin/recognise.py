"""From messages to events: runs the rules, names the servers, notes every secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dissect.errors import INTERNAL, PASSED, internal
from dissect.model import (
    Anomaly,
    Connection,
    DhcpMessage,
    DnsMessage,
    Endpoint,
    Event,
    Fact,
    HttpRequest,
    HttpResponse,
    LogEntry,
    Message,
    NtpMessage,
    Place,
    PluginMessage,
    ProxyHeader,
    SipMessage,
    Source,
    TcpConnection,
    TlsConnection,
)
from dissect.redaction.book import SecretBook
from dissect.redaction.policy import Policy
from dissect.signin import (
    adfs,
    advice,
    azuread,
    clock,
    findings,
    lync,
    network,
    oauth,
    openid,
    pairing,
    provisioning,
    proxy,
    saml_bindings,
    services,
    shapes,
    skew,
    vvx_log,
    websocket,
    wsfed,
    wstrust,
)
from dissect.signin.exchange import Exchange, Pairer
from dissect.signin.registration import Transactions
from dissect.signin.rule import Rule

MAX_FAILURES = 100  # of a recogniser that are told

BUILT_IN: tuple[Rule, ...] = (
    *lync.RULES,
    *proxy.RULES,
    *oauth.RULES,
    *openid.RULES,
    *azuread.RULES,
    *adfs.RULES,
    *wsfed.RULES,
    *websocket.RULES,
    *saml_bindings.RULES,
    *wstrust.RULES,
    *services.RULES,
    *clock.RULES,
    *skew.RULES,
    *provisioning.RULES,
)


def _key(connection: Connection) -> tuple[int, str, int]:
    return connection.capture, connection.transport, connection.stream


class Recogniser:
    """Feed it the messages of all captures in order; `finish` gives the events.

    `captures` are the files' names by index, `logs` how many of the last are phone logs
    (their frames are lines). What is met, and what may be shown of it, is the policy's affair (a
    book stands for a policy of its own). `names` are host names by address that the captures
    give (name resolution blocks); DNS answers go before them.

    A rule that a message breaks costs its events of that message, no more: `failures` has an
    `Anomaly` for each, at most MAX_FAILURES. What a plugin's rule raises ends the run.
    """

    def __init__(
        self,
        captures: Sequence[str],
        policy: Policy | SecretBook,
        rules: Iterable[Rule] = BUILT_IN,
        logs: int = 0,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._given = {address: name.lower() for address, name in (names or {}).items()}
        self._captures = captures
        self._first_log = len(captures) - logs
        self._policy = policy if isinstance(policy, Policy) else Policy(book=policy)
        self._book = self._policy.book
        self._rules = tuple(rules)
        self._pairer = Pairer(self._exchange)
        self._sip = Transactions()
        self._events: list[Event] = []
        self._names: dict[str, str] = {}  # address → name, from DNS answers
        self._servers: dict[
            tuple[int, str, int], str
        ] = {}  # (capture, transport, stream) → TLS server name
        # Whom a load balancer speaks for (PROXY protocol).
        self._behind: dict[tuple[int, str, int], Endpoint] = {}
        self._late: list[TcpConnection] = []
        self._shut: list[TlsConnection] = []
        self.exchanges: list[Exchange] = []
        self.failures: list[Anomaly] = []

    def add(self, message: Message) -> None:
        """Take one message."""
        try:
            self._take(message)
        except PASSED:
            raise
        except Exception as error:
            self._failed(error, message.place)

    def _failed(self, error: Exception, place: Place) -> None:
        """What a rule raises is a bug of ours: told, and gone on from."""
        if len(self.failures) < MAX_FAILURES:
            where, frame = place.connection, place.span.first_frame
            self.failures.append(
                Anomaly(INTERNAL, internal(error), where.capture, frame, where.stream)
            )

    def _take(self, message: Message) -> None:
        if isinstance(message, HttpRequest | HttpResponse):
            self._policy.learn(message)
            self._pairer.add(message)
        elif isinstance(message, SipMessage):
            self._policy.learn(message)
            for found in self._sip.events(message):
                self._emit(found.name, message.place, None, found.facts)
            skew = clock.sip(message)
            if skew and not self._is_log(message.place.connection):
                # A log's times are local and fitted later.
                self._emit("clock.skew", message.place, None, skew)
        elif isinstance(message, DnsMessage):
            for name, facts in network.dns(message):
                self._emit(name, message.place, None, facts)
            for question, _ in message.questions[:1]:
                for _, kind, data in message.answers:
                    if kind in ("A", "AAAA"):
                        self._names.setdefault(data, question.rstrip(".").lower())
        elif isinstance(message, DhcpMessage):
            for name, facts in provisioning.dhcp(message):
                self._emit(name, message.place, None, facts)
                if message.address and message.kind in ("offer", "ack"):
                    self._addressed(message.address)
        elif isinstance(message, NtpMessage):
            for name, facts in provisioning.ntp(message):
                self._emit(name, message.place, None, facts)
        elif isinstance(message, TlsConnection):
            self._tls(message)
        elif isinstance(message, PluginMessage):
            self._emit(message.event, message.place, None, message.facts, own=True)
        elif isinstance(message, ProxyHeader):
            self._behind[_key(message.place.connection)] = message.client
        elif isinstance(message, LogEntry):
            self._log_entry(message)
        else:
            self._late.append(message)

    def finish(self) -> list[Event]:
        """All events, by time, capture and frame."""
        self._pairer.finish()
        for row in self._late:
            try:
                for name, facts in network.tcp(row):
                    self._emit(name, row.place, None, facts)
            except PASSED:
                raise
            except Exception as error:
                self._failed(error, row.place)
        self._late.clear()
        for place, host, facts in shapes.polls(self._shut):
            self._emit("tls.polling", place, host, facts)
        self._shut.clear()
        events = [self._named(event) for event in self._events]
        events.sort(key=lambda event: event.order)
        return skew.blamed(pairing.tagged(findings.across(events)))

    def name_of(self, address: str) -> str | None:
        """The DNS name that was asked for when this address came back, else the given one."""
        return self._names.get(address) or self._given.get(address)

    def _exchange(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        for rule in self._rules:
            try:
                for found in rule(exchange):
                    message = exchange.response if found.of_response else exchange.request
                    if message is not None:
                        facts = {**self._target(exchange), **found.facts}
                        self._emit(found.name, message.place, exchange.host, facts)
            except PASSED:
                raise
            except Exception as error:
                self._failed(error, exchange.place)

    def _target(self, exchange: Exchange) -> Mapping[str, Fact]:
        facts: dict[str, Fact] = {}
        if exchange.request is not None:
            facts["method"] = exchange.method
            facts["path"] = self._policy.path(exchange.request)
        if exchange.response is not None:
            facts["http_status"] = exchange.status
        return facts

    def _tls(self, row: TlsConnection) -> None:
        connection = row.place.connection
        if row.server_name and connection.transport == "tcp":
            self._servers.setdefault(
                (connection.capture, connection.transport, connection.stream),
                row.server_name.lower(),
            )
        if row.shapes:
            self._shut.append(row)
        for name, facts in network.tls(row):
            place = row.place
            if name == "tls.alert":
                alert = next(a for a in row.alerts if a.description == facts["alert"])
                span = place.span._replace(
                    first_frame=alert.frame,
                    last_frame=alert.frame,
                    first_ns=alert.time_ns,
                    last_ns=alert.time_ns,
                )
                place = Place(connection, alert.direction, span, place.encrypted)
            self._emit(name, place, row.server_name, facts)

    def _log_entry(self, message: LogEntry) -> None:
        place = message.place
        for secret in vvx_log.secrets(message):
            self._book.learn(secret, place.connection.capture, place.span.first_frame)
        for name, received, facts in vvx_log.entry(message):
            turned = Place(place.connection, 1 if received else 0, place.span)
            self._emit(name, turned, None, facts)

    def _source(self, place: Place) -> Source:
        connection = place.connection
        name = self._captures[connection.capture]
        if self._is_log(connection):
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

    def _emit(
        self,
        name: str,
        place: Place,
        host: str | None,
        facts: Mapping[str, Fact],
        own: bool = False,
    ) -> None:
        """One more event. `own`: a plugin says itself what is secret in its facts."""
        connection = place.connection
        facts = {**facts, **advice.of_event(name, facts), **facts}
        if not own:
            facts = {key: self._policy.fact(key, fact) for key, fact in facts.items()}
        front, ends = self._behind.get(_key(connection)), [place.sender, place.receiver]
        if front is not None:
            facts["balancer"] = connection.client.address
            ends = [front if end == connection.client else end for end in ends]
        for fact in facts.values():
            self._book.learn_fact(fact, connection.capture, place.span.first_frame)
        self._events.append(
            Event(
                name=name,
                time_ns=place.span.first_ns,
                after_ns=place.span.after_ns,
                sender=ends[0].address,
                receiver=ends[1].address,
                host=host
                or self._servers.get((connection.capture, connection.transport, connection.stream)),
                source=self._source(place),
                facts=dict(facts),
                client=(front or connection.client) if self._has_ends(connection) else None,
                server=connection.server if self._has_ends(connection) else None,
            )
        )

    def _addressed(self, address: str) -> None:
        """The latest event's client is who will have this address: it has none yet."""
        event = self._events[-1]
        if event.client is not None:
            self._events[-1] = replace(event, client=Endpoint(address, event.client.port))

    def _has_ends(self, connection: Connection) -> bool:
        """Whether its ends are addresses: a phone's own log has none."""
        return bool(connection.client.port) or not self._is_log(connection)

    def _is_log(self, connection: Connection) -> bool:
        return connection.capture >= self._first_log

    def _named(self, event: Event) -> Event:
        """With the server's name, where only DNS knows it."""
        if event.host is not None:
            return event
        name = self.name_of(event.server.address) if event.server else None
        if name is None or event.name.startswith("dns."):
            return event
        return replace(event, host=name)
