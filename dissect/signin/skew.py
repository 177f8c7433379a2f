"""A wrong clock as the cause of a failure (`clock.skew`), with the grounds for saying so.

A certificate that is valid and taken for expired, or a token that is fresh and refused for its
times, is a clock's fault if that clock is known to be wrong: from the client's own question to
a time server (RFC 4330 §5), from a time server's answer, from the time stamp of a signed
request ([WSS] §10), or, where the capture was made on the client, from servers' Date fields.
The issuer of a SAML assertion tells its clock by the assertion's own times. Nothing is blamed
on a clock that no packet shows to be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dissect.model import Event, Fact
from dissect.signin.dates import apart
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found

ALLOWED_S = 300  # as in `clock`: what certificates and tokens commonly bear

_CREATED = re.compile(
    r"<(?:\w+:)?Timestamp\b[^>]{0,200}>\s*<(?:\w+:)?Created(?:\s[^>]{0,200})?>([^<]{10,40})<"
)
# Alerts by which clients refuse a certificate for its dates: OpenSSL has none of its own for
# "not yet valid" and says bad_certificate.
_BY_DATES = {"certificate_expired": (1, -1), "bad_certificate": (-1,), "certificate_unknown": (-1,)}
_TOKENS = ("wsfed.token.refused", "saml.response.refused")
_TICKETS = ("webticket.refused", "certprov.refused", "wstrust.refused", "oauth.bearer.refused")
_OF_TIME = re.compile(
    r"expired|not yet valid|clock|time ?stamp|valid time range|time skew|not before", re.I
)
_REMEDY = (
    "Give {whose} the right time (a time server it can reach, DHCP option 42, the time zone), "
    "then try again."
)


def stamped(exchange: Exchange) -> Iterator[Found]:
    """A SOAP request whose security time stamp is far from the time of its frame."""
    if exchange.method != "POST" or exchange.request is None:
        return
    text = exchange.request.body.text[:65536]
    found = _CREATED.search(text) if "Created" in text else None
    moment = _moment(found.group(1)) if found else None
    if moment is None:
        return
    yield apart(
        "clock.client_wrong",
        exchange.place.span.first_ns,
        lambda ns: round(moment - ns / 1e9),
        lambda seconds: _words("the client", seconds),
    )


@dataclass(frozen=True, slots=True)
class _Clock:
    """How far a client's clock is ahead of the true time (s) at a moment, how the capture's is,
    and why. `reported`: a time server has just told the client better."""

    seconds: int
    capture: int
    grounds: str
    at_ns: int = 0
    by_server: bool = False


_Clocks = Mapping[str, Sequence[_Clock]]  # by the client's address, in order of time


def blamed(events: Sequence[Event]) -> list[Event]:
    """The events; failures that a wrong clock explains have facts `clock_code` (`clock.skew`),
    `clock` (the grounds) and `clock_remedy`."""
    clocks = _clocks(events)
    issuers = _issuers(events)
    return [
        replace(event, facts={**event.facts, **extra})
        if (extra := _explained(event, clocks, issuers))
        else event
        for event in events
    ]


def by_log(packets: Sequence[Event], log: Sequence[Event], offset_ns: int) -> list[Event]:
    """`clock.client_wrong` for the clients in `packets` whose own log this is (it holds values
    of theirs), if the log's clock is wrong. `offset_ns` was added to the log's times.

    A log has local time: only what no time zone explains counts.
    """
    seconds = _beyond_zones(-offset_ns)
    if abs(seconds) <= ALLOWED_S:
        return []
    known = {value for event in log for value in _own(event)}
    clients: dict[tuple[str, str], Event] = {}
    for event in packets:
        if event.client is not None and any(value in known for value in _own(event)):
            clients.setdefault((event.source.capture, event.client.address), event)
    facts: dict[str, Fact] = {
        "seconds": seconds,
        "measured": "by its log",
        "text": _words("the clock of the client's log", seconds),
    }
    return [
        replace(event, name="clock.client_wrong", facts=facts, source=log[0].source)
        for event in clients.values()
    ]


def _own(event: Event) -> Iterator[Fact]:
    for name in ("device_code", "user_code", "access_token", "call_id"):
        if name in event.facts:
            yield event.facts[name]


def _beyond_zones(ahead_ns: int) -> int:
    """Seconds of a difference that no time zone is (they are quarters of an hour, -12 to +14 h)."""
    seconds = round(ahead_ns / 1e9)
    if not -12 * 3600 <= seconds <= 14 * 3600:
        return seconds
    return seconds - round(seconds / 900) * 900


def warnings(events: Sequence[Event]) -> list[str]:
    """A sentence for each client, and each capture, whose clock is known to be wrong."""
    lines = [
        f"{capture}: its clock is {_words('', seconds)}, by the Date of several servers"
        for capture, seconds in _captures(events).items()
    ]
    for address, known in _clocks(events).items():
        clock = known[-1]
        if not clock.at_ns:
            continue  # only the capture's
        until = "; then a time server told it better" if clock.by_server else ""
        lines.append(f"the clock of {address} is wrong: {clock.grounds}{until}")
    return lines


def _captures(events: Sequence[Event]) -> dict[str, int]:
    """How far each capture's clock is ahead, where several servers agree on it."""
    return {
        event.source.capture: _seconds(event)
        for event in events
        if event.name == "clock.skew" and event.facts.get("suspect") == "the capture's clock"
    }


def _clocks(events: Sequence[Event]) -> _Clocks:
    off = _captures(events)
    found: dict[str, list[_Clock]] = {}
    for event in events:
        stamp = _STAMPS.get(event.name)
        if stamp is None or event.client is None:
            continue
        capture = off.get(event.source.capture, 0)
        # A time server's answer is measured against that server, all else against the
        # capture's own clock.
        reported = event.facts.get("measured") == "by the server"
        seconds = _seconds(event) + (0 if reported else capture)
        if abs(seconds) > ALLOWED_S:
            place = f"frame {event.source.first_frame}"
            if event.source.line is not None:
                stamp, place = "its own log", f"line {event.source.line}"
            grounds = f"{_words('it', seconds)} ({stamp}, {place})"
            clock = _Clock(seconds, capture, grounds, event.time_ns, reported)
            found.setdefault(event.client.address, []).append(clock)
    for event in events:
        capture = off.get(event.source.capture, 0)
        if capture and event.client is not None:
            grounds = (
                f"the capture's clock is {_words('', capture)} (Date of the servers); "
                "if the capture was made there, so is its own"
            )
            found.setdefault(event.client.address, [_Clock(capture, capture, grounds)])
    return found


_STAMPS = {
    "clock.client_wrong": "its request's time stamp",
    "ntp.clock_wrong": "its NTP time stamp",
}


def _at(known: Sequence[_Clock], time_ns: int) -> _Clock | None:
    """The clock as of a moment; None once a time server has told the client better."""
    before = [clock for clock in known if clock.at_ns <= time_ns]
    clock = before[-1] if before else next(iter(known), None)
    return None if clock is None or (before and clock.by_server) else clock


def _explained(event: Event, clocks: _Clocks, issuers: Mapping[object, str]) -> dict[str, Fact]:
    client = event.client.address if event.client else ""
    clock = _at(clocks.get(client, ()), event.time_ns)
    if event.name == "tls.alert" and event.facts.get("by") == "client":
        if clock is not None and _by_dates(event, clock):
            return _blame(clock.grounds, "the client")
    elif event.name in _TOKENS:
        grounds = issuers.get((event.source.capture, event.source.stream, client))
        if grounds:
            return _blame(grounds, "the identity provider")
    elif event.name in _TICKETS and clock is not None:
        text = " ".join(str(event.facts.get(name, "")) for name in ("text", "fault", "meaning"))
        if "validity" in event.facts or _OF_TIME.search(text):
            return _blame(clock.grounds, "the client")
    return {}


def _blame(grounds: str, whose: str) -> dict[str, Fact]:
    return {
        "clock_code": "clock.skew",
        "clock": grounds,
        "clock_remedy": _REMEDY.format(whose=whose),
    }


def _by_dates(event: Event, clock: _Clock) -> bool:
    """Whether the certificate is valid, but not by the client's clock; where its dates can't be
    read, whether the alert fits a clock that is wrong in this direction."""
    ways = _BY_DATES.get(str(event.facts.get("alert")), ())
    since, until = (
        _moment(str(event.facts.get(name, "")))
        for name in ("certificate_from", "certificate_until")
    )
    if not ways:
        return False
    if since is None or until is None:
        return (1 if clock.seconds > 0 else -1) in ways
    true = event.time_ns / 1e9 - clock.capture
    return since <= true <= until and not since <= true + clock.seconds <= until


def _issuers(events: Sequence[Event]) -> dict[object, str]:
    """Assertions that were not valid when they were handed out, by who then brought them.

    The issuer's clock is at fault, unless the capture's is.
    """
    off = {event.source.capture for event in events if event.name == "clock.skew"}
    fresh: dict[Fact, str] = {}
    found: dict[object, str] = {}
    for event in events:
        token = event.facts.get("wresult") or event.facts.get("saml_response")
        if token is None or event.source.capture in off:
            continue
        if event.name.endswith(".issued") and event.facts.get("validity") in (
            "not_yet_valid",
            "expired",
        ):
            dates = f"{event.facts.get('not_before')} to {event.facts.get('not_on_or_after')}"
            issuer = event.facts.get("issuer") or event.host
            fresh[token] = (
                f"{issuer} handed out an assertion that is valid from {dates}, "
                f"{event.facts.get('off_by')} s beside the time of the capture"
            )
        elif event.name.endswith(".posted") and token in fresh and event.client is not None:
            key = event.source.capture, event.source.stream, event.client.address
            found[key] = fresh[token]
    return found


def _seconds(event: Event) -> int:
    value = event.facts.get("seconds")
    return value if isinstance(value, int) else 0


def _words(whose: str, seconds: int) -> str:
    size = abs(seconds)
    amount = f"{size // 86400} days" if size >= 2 * 86400 else f"{size} s"
    return f"{whose} is {amount} {'ahead' if seconds > 0 else 'behind'}".removeprefix(" is ")


def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None  # no date: nothing is concluded
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


RULES = (stamped,)
