"""WS-Federation passive requestor profile: the claims token of an identity provider ([MS-MWBF])."""

from __future__ import annotations

from collections.abc import Iterator

from dissect.signin import saml
from dissect.signin.azuread_errors import error_facts
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent


def token_posted(exchange: Exchange) -> Iterator[Found]:
    """The claims token on its way to the relying party (wresult), and whether it was taken."""
    result = exchange.form.get("wresult")
    if exchange.method != "POST" or result is None:
        return
    facts = saml.token_facts(result, exchange.place.span.first_ns)
    yield sent("wsfed.token.posted", **facts)
    if exchange.response is None:
        return
    problem = error_facts(exchange.response_text)
    if (problem and not problem["interrupt"]) or exchange.status >= 400:
        yield got("wsfed.token.refused", **problem)
    else:
        user = {"user": facts["user"]} if "user" in facts else {}
        yield got("wsfed.token.accepted", **user)


def signed_out(exchange: Exchange) -> Iterator[Found]:
    """A sign-out by WS-Federation (wa=wsignout1.0, wsignoutcleanup1.0)."""
    action = exchange.query.get("wa") or exchange.form.get("wa") or ""
    if action.startswith("wsignout"):
        yield sent("wsfed.signout.requested", action=action, realm=exchange.query.get("wtrealm"))


RULES = (token_posted, signed_out)
