"""A forward proxy in the way (RFC 9110 §9.3.6): CONNECT that it did not grant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.signin import server_words
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent

_CONTINUES = re.compile(r"(?:NTLM|Negotiate) +\S", re.IGNORECASE)


def connect(exchange: Exchange) -> Iterator[Found]:
    """CONNECT, or another request that a proxy wants credentials for, and its answer. A 407 is
    refusal only if no later one is granted: NTLM takes three of them, so whoever judges must look
    at what followed."""
    proxied = exchange.status == 407 or exchange.request_header("proxy-authorization")
    if exchange.method != "CONNECT" and not proxied:
        return  # nothing shows that a proxy is meant
    yield sent("proxy.connect.requested", target=exchange.host)
    if exchange.response is None:
        return
    words = server_words.of_http(exchange.response.headers)
    if exchange.status == 407:
        offers = list(exchange.response.headers.all("proxy-authenticate"))
        schemes = tuple(dict.fromkeys(offer.partition(" ")[0] for offer in offers)) or None
        # A challenge of its own (MS-NLMP §2.2.1.2, RFC 4559 §5) waits for the client's answer.
        midway = any(_CONTINUES.match(offer) for offer in offers)
        name = "proxy.connect.challenged" if midway else "proxy.connect.refused"
        yield got(name, status=407, schemes=schemes, words=words, target=exchange.host)
    elif exchange.method != "CONNECT" or 200 <= exchange.status < 300:
        yield got("proxy.connect.granted", target=exchange.host)
    elif exchange.status >= 300:
        status = exchange.status
        yield got("proxy.connect.refused", status=status, words=words, target=exchange.host)


RULES = (connect,)
