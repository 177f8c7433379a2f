"""HTTP authentication at any server (RFC 9110 §11): Basic (RFC 7617), Digest (RFC 7616), NTLM
([MS-NTHT]) and Negotiate (RFC 4559), with the Kerberos error that a server's token may hold."""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Iterator

from dissect.model import Fact
from dissect.signin import authentication, digest, kerberos_error, ntlm, server_words
from dissect.signin.authentication import Credentials
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent

_SCHEMES = ("basic", "digest", "ntlm", "negotiate", "kerberos")


def sign_in(exchange: Exchange) -> Iterator[Found]:
    """What a request brings in its Authorization field, and what a server makes of it."""
    if exchange.method == "CONNECT" or exchange.request is None or _client(exchange):
        return
    brought = _first(exchange.request.headers.all("authorization"))
    offers = _known(exchange.response.headers.all("www-authenticate")) if exchange.response else []
    if brought is None:
        if exchange.status == 401 and offers:
            yield got("http.auth.asked", **_about(exchange), **_offered(offers))
        return
    facts = {**_about(exchange), **_brought(brought, exchange)}
    yield sent("http.auth.sent", **facts)
    if exchange.response is None:
        return
    status = exchange.status
    words = server_words.of_http(exchange.response.headers)
    reported: dict[str, Fact] = {"status": status, **({"words": words} if words else {})}
    if status == 401:
        yield _refusal(brought, offers, {**facts, **reported}, exchange)
    elif status == 403:
        yield got("http.auth.forbidden", **facts, **reported)
    elif 100 < status < 400 or status in (404, 405, 410):
        yield got("http.auth.accepted", **facts, **reported)


def _client(exchange: Exchange) -> bool:
    """Whether an application proves itself to an authorization server by its own id and secret
    (RFC 6749 §2.3.1, RFC 7009, RFC 7662): nobody signs in by that."""
    return bool({"grant_type", "token", "device_code"} & exchange.form.keys())


def _refusal(
    brought: Credentials, offers: list[Credentials], facts: dict[str, Fact], exchange: Exchange
) -> Found:
    """A 401 to credentials: a leg of signing in, or a refusal."""
    if digest.is_stale(digest.only(offers)):
        return got("http.auth.asked", **{**facts, **_offered(offers), "stale": True})
    error = kerberos_error.of(offers)
    if error:
        return got("http.auth.refused", **{**facts, **error, **_offered(offers)})
    if any(item.token for item in offers):
        return got("http.auth.challenged", **{**facts, **_offered(offers)})
    if brought.scheme.lower() == "digest":
        problem = (
            digest.contradiction(brought, digest.only(offers))
            if _same_nonce(brought, offers)
            else ""
        )
        if problem:
            facts = {**facts, "contradiction": problem}
    return got("http.auth.refused", **{**facts, **_offered(offers)})


def _same_nonce(brought: Credentials, offers: list[Credentials]) -> bool:
    """Whether the server still gives the nonce that was answered, so that the two can be held
    against each other."""
    nonce = brought.parameters.get("nonce")
    return any(item.parameters.get("nonce") == nonce for item in digest.only(offers))


def _first(values: Iterator[str]) -> Credentials | None:
    return next(iter(_known(values)), None)


def _known(values: Iterator[str]) -> list[Credentials]:
    found = (item for value in values for item in authentication.parse(value))
    return [item for item in found if item.scheme.lower() in _SCHEMES]


def _about(exchange: Exchange) -> dict[str, Fact]:
    return {"site": exchange.host} if exchange.host else {}


def _offered(offers: list[Credentials]) -> dict[str, Fact]:
    names = OrderedDict((item.scheme.lower(), item.scheme) for item in offers)
    realm = next((item.parameters["realm"] for item in offers if item.parameters.get("realm")), "")
    facts: dict[str, Fact] = {"schemes": tuple(names.values())} if names else {}
    return {**facts, **({"realm": realm} if realm else {})}


def _brought(item: Credentials, exchange: Exchange) -> dict[str, Fact]:
    """Scheme (as found inside Negotiate), leg, and the user, where it can be read."""
    leg = ntlm.sent(exchange)
    if leg is not None:
        facts: dict[str, Fact] = {
            "scheme": leg.scheme if item.token else item.scheme,
            "leg": "authenticate" if leg.final else "negotiate",
        }
        return {**facts, **({"user": leg.user} if leg.user else {})}
    user = item.parameters.get("username", "") or _basic_user(item)
    return {"scheme": item.scheme, "leg": "signed", **({"user": user} if user else {})}


def _basic_user(item: Credentials) -> str:
    """The name before the colon (RFC 7617 §2); the rest is the password."""
    if item.scheme.lower() != "basic":
        return ""
    try:
        raw = base64.b64decode(item.token + "=" * (-len(item.token) % 4), validate=True)
    except (binascii.Error, ValueError):
        return ""  # no credentials of Basic: then there is no name to show
    name, colon, _ = raw.partition(b":")
    text = name.decode("utf-8", "replace")
    return text if colon and text.isprintable() and len(text) <= 200 else ""


RULES = (sign_in,)
