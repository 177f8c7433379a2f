"""WS-Federation passive requestor profile, and ADFS's pages around it ([MS-MWBF], C.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import Fact, Secret
from dissect.signin import markup
from dissect.signin.azuread import error_facts
from dissect.signin.exchange import Exchange
from dissect.signin.redaction import secret, set_cookie
from dissect.signin.rule import Found, got, sent

_MSIS = re.compile(r"\bMSIS(\d{4,5})\b")
_ACTIVITY = re.compile(r"Activity ID:?\s*([0-9a-fA-F-]{36})", re.I)


def sign_in(exchange: Exchange) -> Iterator[Found]:
    """The browser at the identity provider: the sign-in request, credentials, the answer."""
    form = exchange.form
    query = exchange.query
    asked = query.get("wa") == "wsignin1.0" and "wresult" not in form
    given = "password" in form and "username" in form
    if not asked and not given:
        return
    facts: dict[str, Fact] = {}
    if query.get("wtrealm"):
        facts["realm"] = query["wtrealm"]
    if given:
        facts["user"] = form["username"].lower()
        yield sent("adfs.credentials.sent", password=Secret("password", form["password"]), **facts)
    else:
        if query.get("username"):
            facts["user"] = query["username"].lower()
        yield sent("wsfed.signin.requested", **facts)
    if exchange.response is not None:
        yield from _answer(exchange, given, facts)


def _answer(exchange: Exchange, given: bool, facts: dict[str, Fact]) -> Iterator[Found]:
    html = exchange.response_text
    problem = _MSIS.search(html)
    pages = markup.forms(html)
    result = next((form for form in pages if "wresult" in form.fields), None)
    asks = any("password" in form.fields for form in pages)
    cookies = {named[0] for named in map(set_cookie, _set_cookies(exchange)) if named}
    signed_in = any(name.lower().startswith("msisauth") for name in cookies)
    if result is not None:
        yield got("wsfed.token.issued", **{**facts, **token_facts(result.fields["wresult"])})
    elif problem is not None:
        activity = _ACTIVITY.search(html)
        yield got(
            "adfs.error",
            code="MSIS" + problem.group(1),
            activity_id=activity.group(1) if activity else None,
            **facts,
        )
    elif exchange.status >= 500:
        yield got("adfs.unavailable", status=exchange.status, **facts)
    elif given and asks and not signed_in:
        yield got("adfs.credentials.rejected", text=_error_text(html), **facts)
    elif given and (signed_in or 300 <= exchange.status < 400):
        yield got("adfs.credentials.accepted", **facts)
    elif exchange.status == 401:
        yield got("adfs.credentials.asked", scheme=_scheme(exchange), **facts)
    elif asks:
        yield got("adfs.form.shown", **facts)


def token_posted(exchange: Exchange) -> Iterator[Found]:
    """The claims token on its way to the relying party (wresult), and whether it was taken."""
    result = exchange.form.get("wresult")
    if exchange.method != "POST" or result is None:
        return
    facts = token_facts(result)
    yield sent("wsfed.token.posted", **facts)
    if exchange.response is None:
        return
    problem = error_facts(exchange.response_text)
    if (problem and not problem["interrupt"]) or exchange.status >= 400:
        code = problem.get("code", str(exchange.status))
        yield got("wsfed.token.refused", **{**problem, "code": code})
    else:
        user = {"user": facts["user"]} if "user" in facts else {}
        yield got("wsfed.token.accepted", **user)


def token_facts(wresult: str) -> dict[str, Fact]:
    """Issuer, audience, user and validity of a RequestSecurityTokenResponse's assertion."""
    facts: dict[str, Fact] = {"wresult": secret("wresult", wresult)}
    root = markup.xml(wresult)
    if root is None:
        return facts
    if markup.find(root, "EncryptedAssertion") is not None:
        facts["encrypted"] = True
        return facts
    assertion = markup.find(root, "Assertion")
    if assertion is None:
        return facts
    issuer = assertion.get("Issuer") or markup.text_of(assertion, "Issuer")
    audience = markup.text_of(assertion, "Audience")
    if issuer:
        facts["issuer"] = issuer
    if audience:
        facts["audience"] = audience
    conditions = markup.find(assertion, "Conditions")
    if conditions is not None and conditions.get("NotOnOrAfter"):
        facts["not_on_or_after"] = str(conditions.get("NotOnOrAfter"))
    for attribute in assertion.iter():
        if markup.local(attribute) == "Attribute":
            name = (attribute.get("AttributeName") or attribute.get("Name") or "").rpartition("/")[
                2
            ]
            if name.lower() == "upn":
                facts["user"] = markup.text_of(attribute, "AttributeValue").lower()
    return facts


def _set_cookies(exchange: Exchange) -> list[str]:
    return list(exchange.response.headers.all("set-cookie")) if exchange.response else []


def _scheme(exchange: Exchange) -> str:
    return (exchange.response_header("www-authenticate") or "").partition(" ")[0]


def _error_text(html: str) -> str:
    """ADFS puts its sentence into an element with an id of errorText or the like."""
    found = re.search(r'id="?(?:errorText|error)"?[^>]*>([^<]{1,200})<', html)
    return " ".join(found.group(1).split()) if found else ""


RULES = (sign_in, token_posted)
