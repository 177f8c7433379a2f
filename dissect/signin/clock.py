"""Clocks: what a server says that the time is, against the time of the capture.

A phone with a wrong clock finds certificates and tokens invalid; a capture with a wrong
clock misleads whoever compares it with a server's log.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissect.model import SipMessage
from dissect.signin.dates import apart, compared, moment
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found


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
    reported = moment(date)
    if reported is None:
        return

    yield apart(
        "clock.skew",
        at_ns,
        lambda ns: round(ns / 1e9 - reported) - age,
        lambda seconds: f"the capture's clock is {compared(seconds)} the server's",
        True,
        server_date=date.strip()[:60],
    )


RULES = (http,)
