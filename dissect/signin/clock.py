"""Clocks: what a server says that the time is, against the time of the capture.

A phone with a wrong clock finds certificates and tokens invalid; a capture with a wrong
clock misleads whoever compares it with a server's log.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissect.model import Fact, SipMessage
from dissect.signin.dates import moment
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got

ALLOWED_S = 300  # a difference that Kerberos, SAML and token services commonly bear


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
        facts = _skew(date, cached, exchange.response.place.span.first_ns)
        if facts:
            yield got("clock.skew", **facts)


def sip(message: SipMessage) -> dict[str, Fact]:
    """The facts of a `clock.skew` where a SIP response's Date says one; else empty."""
    date = message.header("date") if message.kind == "response" else None
    return _skew(date, 0, message.place.span.first_ns) if date else {}


def _skew(date: str, age: int, at_ns: int) -> dict[str, Fact]:
    said = moment(date)
    if said is None:
        return {}
    seconds = round(at_ns / 1e9 - said) - age
    if abs(seconds) <= ALLOWED_S:
        return {}
    way = "ahead of" if seconds > 0 else "behind"
    return {
        "seconds": seconds,
        "server_date": date.strip()[:60],
        "text": f"the capture's clock is {abs(seconds)} s {way} the server's",
    }


RULES = (http,)
