"""What two captures have in common, as intervals that the difference of their clocks lies in.

A message that both captures hold takes time from one to the other: those to the server bound
the difference on one side, those to the client on the other, as in NTP (RFC 5905 §8). The Date
of one server (RFC 9110 §6.6.1, RFC 3261 §20.17), a whole second, lies between its request and
its answer. A value is used after it was given out; a token comes after its code was typed, and
the last poll in vain went before the browser was told that all is done.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from dissect.model import (
    Connection,
    DnsMessage,
    Event,
    Fact,
    HttpRequest,
    HttpResponse,
    Message,
    Secret,
    SipMessage,
    TcpConnection,
    TlsConnection,
)
from dissect.signin.dates import moment
from dissect.signin.exchange import Exchange

SECOND = 1_000_000_000
FOREVER = 1 << 62  # ns: an end that nothing is known of
STALE = SECOND  # servers renew the text of their Date once a second
SLACK = 100_000_000
VALUES_KEPT = 100_000  # secrets, and messages of a kind, that are compared
REQUEST, ANSWER = 0, 1

PACKETS, MESSAGES = "packets that both hold", "messages that both hold"
DATES, VALUES = "the servers' Date", "codes and tokens that both hold"


class Bound(NamedTuple):
    """The second clock is ahead of the first by `low` to `high` ns, as `kind` tells."""

    low: int
    high: int
    kind: str


def agree(bounds: Sequence[Bound]) -> tuple[Bound, dict[str, int]] | None:
    """Where most intervals overlap (Marzullo), and how many of each kind do; None if the
    bounds say nothing."""
    edges = sorted(
        [(item.low, 0, item) for item in bounds] + [(item.high, 1, item) for item in bounds],
        key=lambda edge: edge[:2],
    )
    most = count = 0
    low = high = 0
    for position, (at, closes, _) in enumerate(edges):
        count += -1 if closes else 1
        if count > most:
            most, low, high = count, at, edges[position + 1][0]
    if not most or (low <= -FOREVER and high >= FOREVER):
        return None
    kinds = Counter(item.kind for item in bounds if item.low <= low and item.high >= high)
    return Bound(low, high, ""), dict(kinds)


# ------------------------------------------------------------------ what both hold

Constraints = Iterator[tuple[tuple[int, int], Bound]]
_Seen = tuple[int, int, Connection]  # when, which way, where


class Observations:
    """What several captures have in common, noted as their messages are read, in any order; no
    message is kept. At most VALUES_KEPT of each kind are compared; `full`: there were more."""

    def __init__(self) -> None:
        # Per key and capture where it was first seen, None once it was seen again.
        self._seen: dict[Hashable, dict[int, _Seen | None]] = {}
        self._asked: dict[Hashable, int] = {}
        self._dates: list[_Dated] = []
        self._times: dict[int, tuple[int, int]] = {}
        self.full = False

    def add(self, message: Message) -> None:
        """Note a message, also one that another capture has told."""
        where, span = message.place.connection, message.place.span
        first, last = self._times.get(where.capture, (span.first_ns, span.last_ns))
        self._times[where.capture] = min(first, span.first_ns), max(last, span.last_ns)
        for key, at_ns, way in _keys(message):
            if len(self._seen) < VALUES_KEPT or key in self._seen:
                there = self._seen.setdefault(key, {})
                twice = where.capture in there
                there[where.capture] = None if twice else (at_ns, way, where)
            else:
                self.full = True
        if isinstance(message, SipMessage):
            self._sip_date(message)

    def exchange(self, exchange: Exchange) -> None:
        """Note what an exchange tells of its server's clock."""
        if exchange.request is None or exchange.response is None or exchange.host is None:
            return
        if exchange.status == 304 or exchange.response_header("age"):
            return  # what a cache kept has an old Date
        bound = _dated(
            exchange.response_header("date"),
            exchange.request.place.span.first_ns,
            exchange.response.place.span.first_ns,
        )
        if bound is not None:
            capture = exchange.request.place.connection.capture
            self._date(_Dated(capture, exchange.host, bound, tuple(exchange.serials)))

    def _sip_date(self, message: SipMessage) -> None:
        capture, span = message.place.connection.capture, message.place.span
        call = capture, message.header("call-id"), message.header("cseq")
        if message.kind == "request":
            if len(self._asked) < VALUES_KEPT:
                self._asked.setdefault(call, span.first_ns)
            else:
                self.full = True
        elif call in self._asked:
            bound = _dated(message.header("date"), self._asked[call], span.first_ns)
            if bound is not None:
                self._date(_Dated(capture, f"sip {message.place.sender.address}", bound, ()))

    def _date(self, item: _Dated) -> None:
        if len(self._dates) < VALUES_KEPT:
            self._dates.append(item)
        else:
            self.full = True

    @property
    def times(self) -> Mapping[int, tuple[int, int]]:
        """When the first message of each capture began and the last one ended (ns)."""
        return self._times

    def dates(self, without: Container[int] = ()) -> Dates:
        """Capture → server → by how much the capture's clock is ahead of the server's. Exchanges
        of which another capture tells a message (`without`, serial numbers) don't count."""
        found: dict[int, dict[str, list[Bound]]] = defaultdict(lambda: defaultdict(list))
        for item in self._dates:
            if not any(serial in without for serial in item.serials):
                found[item.capture][item.server].append(item.bound)
        return found

    def shared(self) -> Constraints:
        """Messages and connections that were captured once in each of two captures."""
        ways: dict[tuple[int, int, Connection, str], tuple[list[int], list[int]]] = {}
        for key, by_capture in self._seen.items():
            once = {capture: seen for capture, seen in by_capture.items() if seen is not None}
            for first, second in combinations(sorted(once), 2):
                (one_ns, way, where), (two_ns, _, _) = once[first], once[second]
                packets = isinstance(key, tuple) and key[0] in ("syn", "record")
                kind = PACKETS if packets else MESSAGES
                both = ways.setdefault((first, second, where, kind), ([], []))
                both[way].append(two_ns - one_ns)
        for (first, second, _, kind), (there, back) in ways.items():
            bound = _between(there, back, kind)
            if bound is not None:
                yield (first, second), bound


class _Dated(NamedTuple):
    """A capture's clock against a server's, and the serial numbers of the messages that tell."""

    capture: int
    server: str
    bound: Bound
    serials: tuple[int, ...]


def _between(there: Sequence[int], back: Sequence[int], kind: str) -> Bound | None:
    """The first capture may be the client's or the server's side of the second."""
    if not there or not back:
        return None  # how long the way is can't be determined
    for low, high in ((max(back), min(there)), (max(there), min(back))):
        if low <= high:
            return Bound(low, high, kind)
    ends = sorted((*there, *back))
    return Bound(ends[0], ends[-1], kind)


def _keys(message: Message) -> Iterator[tuple[Hashable, int, int]]:
    """What a message is known by in any capture, whatever was translated on the way."""
    span, way = message.place.span, message.place.direction
    if isinstance(message, HttpRequest):
        reported = message.method, message.target, message.headers, message.body.data
        yield ("http", hash(reported)), span.last_ns, way
    elif isinstance(message, HttpResponse):
        yield (
            ("http", hash((message.status, message.headers, message.body.data))),
            span.last_ns,
            way,
        )
    elif isinstance(message, SipMessage) and not message.retransmission:
        call = message.header("call-id"), message.header("cseq"), message.status
        yield ("sip", *call), span.last_ns, _towards(message)
    elif isinstance(message, DnsMessage):
        yield ("dns", message.ident, message.questions, message.is_response), span.first_ns, way
    elif isinstance(message, TcpConnection) and message.handshake_seen:
        yield ("syn", *_ends(message)), span.first_ns, REQUEST
    elif isinstance(message, TlsConnection) and message.inside is None:
        for number, shape in enumerate(message.record_sizes):
            key = ("record", *_ends(message), number, shape.direction, shape.length)
            yield key, shape.time_ns, shape.direction


def _towards(message: SipMessage) -> int:
    """Requests go one way and their responses the other, whoever opened the connection."""
    return REQUEST if message.kind == "request" else ANSWER


def _ends(message: Message) -> tuple[str, str]:
    where = message.place.connection
    return str(where.client), str(where.server)


# ------------------------------------------------------------------ Date


Dates = Mapping[int, Mapping[str, Sequence[Bound]]]


def _dated(date: str | None, asked_ns: int, answered_ns: int) -> Bound | None:
    statement = moment(date) if date else None
    if statement is None or answered_ns < asked_ns:
        return None
    reported = int(statement) * SECOND
    return Bound(
        asked_ns - reported - SECOND - STALE - SLACK, answered_ns - reported + SLACK, DATES
    )


def by_date(reported: Dates) -> Constraints:
    """Captures that a server told the time: the server's clock is one for both."""
    for first, second in combinations(sorted(reported), 2):
        for server in sorted(reported[first].keys() & reported[second].keys()):
            one, two = agree(reported[first][server]), agree(reported[second][server])
            if one and two:
                low, high = two[0].low - one[0].high, two[0].high - one[0].low
                yield (first, second), Bound(low, high, f"{DATES} ({server})")


# ------------------------------------------------------------------ values


def by_value(events: Sequence[Event], names: Sequence[str]) -> Constraints:
    """What is given out in one capture and used in the other, later; and device codes."""
    index = {name: number for number, name in enumerate(names)}
    given: dict[Secret, dict[int, int]] = defaultdict(dict)
    used: dict[Secret, dict[int, int]] = defaultdict(dict)
    for event in events:
        capture = index.get(event.source.capture)
        if capture is None or event.client is None:
            continue
        answer = event.server is not None and event.sender == event.server.address
        for value in event.facts.values():
            if isinstance(value, Secret):
                if answer:
                    given[value].setdefault(capture, event.time_ns)
                else:
                    used[value][capture] = event.time_ns
    for value in given.keys() & used.keys():
        for first, given_ns in given[value].items():
            for second, used_ns in used[value].items():
                if first in used[value] or second in given[value]:
                    continue  # who had it first can't be determined
                yield (first, second), Bound(-FOREVER, used_ns - given_ns, VALUES)
    yield from _device_codes(events, index)


def _device_codes(events: Sequence[Event], index: Mapping[str, int]) -> Constraints:
    """A code is typed before its token is issued; the last poll in vain was sent before the
    browser was told that all is done."""
    typed: dict[Fact | None, tuple[int, int]] = {}
    done: dict[tuple[int, str], int] = {}
    codes: dict[Fact | None, Fact] = {}
    polled: dict[Fact | None, int] = {}
    vain: dict[Fact | None, int] = {}
    issued: dict[Fact | None, tuple[int, int]] = {}
    browsers: dict[Fact | None, tuple[int, str]] = {}
    for event in events:
        capture = index.get(event.source.capture)
        if capture is None or event.client is None:
            continue
        code, name = event.facts.get("device_code"), event.name
        if name == "oauth.device_code.issued" and code:
            codes[event.facts.get("user_code")] = code
        elif name == "deviceauth.code.entered":
            user_code = event.facts.get("user_code")
            typed[user_code] = capture, event.time_ns
            browsers[user_code] = capture, event.client.address
        elif name == "deviceauth.completed":
            done[capture, event.client.address] = event.time_ns
        elif name == "oauth.token.polled" and code:
            polled[code] = event.time_ns
        elif name == "oauth.token.pending" and code in polled:
            vain[code] = polled[code]
        elif name == "oauth.token.issued" and code:
            issued[code] = capture, event.time_ns
    for user_code, (second, typed_ns) in typed.items():
        code = codes.get(user_code)
        if code not in issued or issued[code][0] == second:
            continue
        first, issued_ns = issued[code]
        done_ns = done.get(browsers[user_code])
        high = done_ns - vain[code] if done_ns is not None and code in vain else FOREVER
        low = typed_ns - issued_ns
        if low <= high:
            yield (first, second), Bound(low, high, VALUES)
