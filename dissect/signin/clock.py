"""Clocks: what a server says that the time is, against the time of the capture.

A phone with a wrong clock finds certificates and tokens invalid; a capture with a wrong
clock misleads whoever compares it with a server's log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

from dissect.model import Fact, SipMessage
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, Said, Timed

ALLOWED_S = 300  # a difference that Kerberos, SAML and token services commonly bear


def moment(date: str) -> float | None:
    """What a Date field says, in seconds since 1970; None if it is no date.

    Where it names no zone (asctime's form, `-0000`) it is GMT (RFC 9110 §5.6.7, RFC 3261 §20.17).
    """
    try:
        said = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None  # an unreadable Date tells nothing
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()


def http(exchange: Exchange) -> Iterator[Found]:
    """`clock.skew` where the Date of a response (RFC 9110 §6.6.1) is far from its frame's time.

    A cached response is as old as its Age says.
    """
    if exchange.response is None or exchange.status == 304:
        return
    date = exchange.response_header("date")
    age = (exchange.response_header("age") or "0").strip()
    if date:
        cached = int(age) if age.isdecimal() and len(age) < 10 else 0
        yield from _skew(date, cached, exchange.response.place.span.first_ns)


def sip(message: SipMessage) -> Iterator[Found]:
    """`clock.skew` where a SIP response's Date says one."""
    date = message.header("date") if message.kind == "response" else None
    if date:
        yield from _skew(date, 0, message.place.span.first_ns)


def _skew(date: str, age: int, at_ns: int) -> Iterator[Found]:
    said = moment(date)
    if said is None:
        return

    yield apart(
        "clock.skew",
        at_ns,
        lambda ns: round(ns / 1e9 - said) - age,
        lambda seconds: f"the capture's clock is {compared(seconds)} the server's",
        True,
        server_date=date.strip()[:60],
    )


def apart(
    name: str,
    at_ns: int,
    seconds: Callable[[int], int],
    words: Callable[[int], str],
    of_response: bool = False,
    **more: Fact,
) -> Found:
    """An event that there is if two clocks are too far apart: by `seconds` at a moment (ns), in
    `words`."""

    def much(ns: int) -> int | None:
        found = seconds(ns)
        return found if abs(found) > ALLOWED_S else None

    def text(ns: int) -> str | None:
        found = much(ns)
        return None if found is None else words(found)

    facts: dict[str, Said] = {"seconds": Timed(at_ns, much), **more, "text": Timed(at_ns, text)}
    return Found(name, of_response, facts, only_with="seconds")


def compared(seconds: int) -> str:
    """`90 s ahead of`, `90 s behind`."""
    return f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}"


RULES = (http,)
