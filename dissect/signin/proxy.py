"""A forward proxy in the way (RFC 9110 §9.3.6): CONNECT that it did not grant."""

from __future__ import annotations

from collections.abc import Iterator

from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent


def connect(exchange: Exchange) -> Iterator[Found]:
    """CONNECT, and a refusal. A 407 is refusal only if no later one is granted: NTLM takes
    three of them, so whoever judges must look at what followed."""
    if exchange.method != "CONNECT":
        return
    yield sent("proxy.connect.requested")
    if exchange.response is None:
        return
    if exchange.status == 407:
        offered = [
            value.partition(" ")[0] for value in exchange.response.headers.all("proxy-authenticate")
        ]
        schemes = tuple(dict.fromkeys(offered)) or None
        yield got("proxy.connect.refused", status=407, schemes=schemes)
    elif exchange.status >= 300:
        yield got("proxy.connect.refused", status=exchange.status)


RULES = (connect,)
