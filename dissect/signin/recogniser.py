"""From messages to events: runs the rules, names the servers, notes every secret.

A message is taken once, as it is read, in any order between captures; nothing of it is held but
events, until its exchange is complete. What only all of them tell is put right by `finish`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from dissect.errors import PASSED
from dissect.model import (
    Anomaly,
    DhcpMessage,
    DnsMessage,
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
    TlsConnection,
    Unreachable,
)
from dissect.redaction.book import SecretBook
from dissect.redaction.policy import Policy
from dissect.signin import (
    clock,
    device_pairing,
    findings,
    network,
    provisioning,
    skew,
    traffic_patterns,
    vvx_log,
)
from dissect.signin.built_in import BUILT_IN
from dissect.signin.drafts import ENDED, HALF, LIKENESS, Origin, Stream, stream_of
from dissect.signin.emitter import Emitter
from dissect.signin.exchange import OPEN_BYTES, OPEN_EXCHANGES, Exchange, Pairer
from dissect.signin.proxy_legs import ProxyLegs
from dissect.signin.registration import Transactions, unanswered
from dissect.signin.rule import Rule

MAX_UNASKED = 1000  # answers whose request another capture may have

Exchanged = Callable[[Exchange], None]


class Recogniser:
    """Feed it the messages of all captures as they are read; `finish` gives the events.

    `captures` are the files' names by index, `logs` how many of the last are phone logs
    (their frames are lines). What is met, and what may be shown of it, is the policy's affair (a
    book stands for a policy of its own). `several`: messages of several captures come one
    capture after another, and may be reported by two of them. `exchanged` gets each exchange when
    it is complete; it must not keep it.

    A rule that a message breaks costs its events of that message, no more: `failures` has an
    `Anomaly` for each, at most MAX_FAILURES. What a plugin's rule raises ends the run.
    """

    def __init__(
        self,
        captures: Sequence[str],
        policy: Policy | SecretBook,
        rules: Iterable[Rule] = BUILT_IN,
        logs: int = 0,
        several: bool = False,
        exchanged: Exchanged | None = None,
        sip_events: bool = True,
    ) -> None:
        self._policy = policy if isinstance(policy, Policy) else Policy(book=policy)
        self._rules = tuple(rules)
        self._several, self._exchanged, self._sip_wanted = several, exchanged, sip_events
        self._emitter = Emitter(captures, self._policy, logs, several)
        self._pairer = Pairer(self._exchange, (OPEN_EXCHANGES, OPEN_BYTES))
        self._sip: dict[int, Transactions] = {}
        self._unasked: list[tuple[SipMessage, Origin]] = []
        self._lost: set[Stream] = set()  # datagrams that ICMP says did not arrive
        self._polls = traffic_patterns.Polls()
        self._proxy_legs = ProxyLegs(captures)
        self._unasked_lost, self._ended = 0, False

    @property
    def failures(self) -> list[Anomaly]:
        """Bugs of ours that cost a message its events."""
        return self._emitter.failures

    def add(self, message: Message, serial: int = 0) -> None:
        """Take one message; `serial` is its number where several captures are read."""
        self._emitter.now = Origin.of(message, serial)
        try:
            self._take(message)
        except PASSED:
            raise
        except Exception as error:
            self._emitter.failed(error, message.place)

    def _take(self, message: Message) -> None:
        if isinstance(message, HttpRequest | HttpResponse):
            self._learn(message)
            self._pairer.add(message, self._emitter.now.serial)
        elif isinstance(message, SipMessage):
            self._learn(message)
            if self._sip_wanted:
                self._sip_message(message)
        elif isinstance(message, DnsMessage):
            for name, facts in network.dns(message):
                self._emitter.emit(name, message.place, None, facts)
            self._answers(message)
        elif isinstance(message, DhcpMessage):
            for name, facts in provisioning.dhcp(message):
                self._emitter.emit(name, message.place, None, facts)
                if message.address and message.kind in ("offer", "ack"):
                    self._emitter.addressed(message.address)
        elif isinstance(message, NtpMessage):
            for found in provisioning.ntp(message):
                self._emitter.found(found, message.place, None)
        elif isinstance(message, TlsConnection):
            self._tls(message)
        elif isinstance(message, PluginMessage):
            self._emitter.emit(message.event, message.place, None, message.facts, own=True)
        elif isinstance(message, ProxyHeader):
            self._emitter.behind(message)
        elif isinstance(message, LogEntry):
            self._log_entry(message)
        elif isinstance(message, Unreachable):
            self._lost.add(stream_of(message.place.connection))
            for name, facts in network.unreachable(message):
                self._emitter.emit(name, message.place, None, facts)
        else:
            self._emitter.now = self._emitter.now._replace(rank=ENDED)
            self._proxy_legs.ended(message)
            for name, facts in network.tcp(message):
                self._emitter.emit(name, message.place, None, facts)

    def finish(
        self,
        moves: Mapping[int, int] | None = None,
        without: Container[int] = (),
        names: Mapping[str, str] | None = None,
        ends: Mapping[str, int] | None = None,
    ) -> list[Event]:
        """All events, by time, capture and frame. `moves` are ns to add to the times of captures,
        `without` the serial numbers of messages that another capture tells, `names` host names
        by address that the captures give (name resolution blocks): DNS answers go before them;
        `ends` when the captures end (ns, moved), by name."""
        self._end(without)
        events = self._emitter.events(moves or {}, without, names or {})
        events = self._proxy_legs.told(events, ends or {})
        return skew.blamed(device_pairing.tagged(findings.across(events)))

    def so_far(self, without: Container[int] = ()) -> list[Event]:
        """The events by the captures' own clocks, without what only several of them tell; no
        more messages may come."""
        self._end(without)
        return self._emitter.events({}, without)

    def name_of(self, address: str) -> str | None:
        """The DNS name that was asked for when this address came back, else the given one."""
        return self._emitter.name_of(address)

    def _end(self, without: Container[int]) -> None:
        if self._ended:
            return
        self._ended = True
        self._pairer.finish()
        for message, origin in self._unasked:
            self._emitter.now = origin
            asked = next((t for t in self._sip.values() if t.knows(message)), None)
            self._sip_events(message, asked or Transactions())
        self._unasked.clear()
        self._emitter.now = Origin(LIKENESS, ())
        for place, host, facts in self._polls.found(without):
            self._emitter.emit("tls.polling", place, host, facts)
        for silent, place in unanswered(self._sip.values()):
            if stream_of(place.connection) not in self._lost:  # else ICMP says why
                self._emitter.emit(silent.name, place, None, silent.facts)
        self._emitter.met.settle(without)

    @property
    def limits(self) -> list[Anomaly]:
        """The bounds that were reached."""
        found = []
        place = self._pairer.first_given_up
        if place is not None:
            text = (
                f"{self._pairer.given_up} HTTP exchanges were read with one half: at most "
                f"{OPEN_EXCHANGES:,}, with bodies of {OPEN_BYTES >> 20} MB, wait for the other"
            )
            where, frame = place.connection, place.span.first_frame
            found.append(Anomaly("limit.exchanges", text, where.capture, frame, where.stream))
        if self._unasked_lost:
            text = (
                f"more than {MAX_UNASKED:,} SIP messages answer what this capture does not have: "
                f"of {self._unasked_lost} the request was not looked for in other captures"
            )
            found.append(Anomaly("limit.sip_answers", text, 0))
        for capture, transactions in self._sip.items():
            if transactions.forgotten:
                text = (
                    f"of more than {transactions.LIMIT:,} SIP requests the oldest are forgotten: "
                    "an answer that comes later is read without its request"
                )
                found.append(Anomaly("limit.sip_requests", text, capture))
        left_out = self._emitter.met.left_out
        if left_out:
            text = f"{left_out} posted bodies were not held against the forms of other captures"
            found.append(Anomaly("limit.forms", text, 0))
        return found

    def _learn(self, message: HttpRequest | HttpResponse | SipMessage) -> None:
        for secret, credential in self._policy.secrets_of(message):
            self._emitter.met.note(secret, message.place, self._emitter.now.serial, credential)
        if isinstance(message, HttpRequest):
            self._emitter.met.posted(message, self._emitter.now.serial)

    def _exchange(self, exchange: Exchange) -> None:
        if self._exchanged is not None:
            self._exchanged(exchange)
        before = self._emitter.now
        self._emitter.now = Origin(HALF, ()) if self._ended else _completed(exchange)
        for rule in self._rules:
            try:
                for found in rule(exchange):
                    message = exchange.response if found.of_response else exchange.request
                    if message is not None and (self._several or not found.needless):
                        serial = exchange.serials[found.of_response]
                        facts = {**self._target(exchange), **found.facts}
                        self._emitter.emit(
                            found.name,
                            message.place,
                            exchange.host,
                            facts,
                            serial=serial,
                            only_with=found.only_with,
                        )
            except PASSED:
                raise
            except Exception as error:
                self._emitter.failed(error, exchange.place)
        self._emitter.now = before

    def _target(self, exchange: Exchange) -> Mapping[str, Fact]:
        facts: dict[str, Fact] = {}
        if exchange.request is not None:
            facts["method"] = exchange.method
            facts["path"] = self._policy.path(exchange.request)
        if exchange.response is not None:
            facts["http_status"] = exchange.status
        return facts

    def _sip_message(self, message: SipMessage) -> None:
        capture = message.place.connection.capture if self._several else 0
        transactions = self._sip.setdefault(capture, Transactions())
        late = self._several and not message.retransmission and not transactions.knows(message)
        if late:
            # Another capture may have the request.
            if len(self._unasked) < MAX_UNASKED:
                self._unasked.append((message, self._emitter.now))
                return
            self._unasked_lost += 1
        self._sip_events(message, transactions)

    def _sip_events(self, message: SipMessage, transactions: Transactions) -> None:
        for found in transactions.events(message):
            self._emitter.emit(found.name, message.place, None, found.facts)
        if not self._emitter.is_log(message.place.connection):  # whose times are fitted later
            for skewed in clock.sip(message):
                self._emitter.found(skewed, message.place, None)

    def _answers(self, message: DnsMessage) -> None:
        for question, _ in message.questions[:1]:
            name = question.rstrip(".").lower()
            for _, kind, data in message.answers:
                if kind in ("A", "AAAA"):
                    capture = message.place.connection.capture
                    self._emitter.drafts.answer(data, name, capture, self._emitter.now)

    def _tls(self, row: TlsConnection) -> None:
        connection = row.place.connection
        if row.server_name and connection.transport == "tcp":
            # Of a connection that was read the events came before; of others TCP may tell an end.
            always = row.decrypted != "full"
            self._emitter.drafts.server(
                connection, row.server_name.lower(), self._emitter.now, always
            )
        self._polls.add(row, self._emitter.now.serial)
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
            self._emitter.emit(name, place, row.server_name, facts)

    def _log_entry(self, message: LogEntry) -> None:
        place = message.place
        for secret in vvx_log.secrets(message):
            self._emitter.met.note(secret, place, self._emitter.now.serial)
        for name, received, facts in vvx_log.entry(message):
            turned = Place(place.connection, 1 if received else 0, place.span)
            self._emitter.emit(name, turned, None, facts)


def _completed(exchange: Exchange) -> Origin:
    """That of the message that completed an exchange, in the order of the time line."""
    halves = zip((exchange.request, exchange.response), exchange.serials, strict=True)
    return max(Origin.of(message, serial) for message, serial in halves if message is not None)
