"""ADFS: its sign-in page and what surrounds it (forms, Windows and certificate sign-in, MSIS
errors, loop detection, proxies, device registration); [MS-ADFSPIP] for the proxy's calls.

Pages of another identity provider that speaks WS-Federation, SAML or OAuth give the same events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dissect.model import Fact, Secret
from dissect.redaction import markup
from dissect.redaction.cuts import cut
from dissect.redaction.fields import set_cookie
from dissect.signin import ntlm, saml
from dissect.signin.exchange import Exchange
from dissect.signin.rule import FactValue, Found, got, sent

# Where ADFS sends a user whose password has expired, if its update page is enabled.
_PASSWORD_PAGE = re.compile(r"/adfs/portal/updatepassword", re.I)
_MSIS = re.compile(r"\bMSIS(\d{4,5})\b")
_ACTIVITY = re.compile(
    r"Activity ID(?:[\s:]|&nbsp;|<[^<>]{0,120}>)*+([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    re.I,
)
_PARTY = re.compile(r"Relying party(?:[\s:]|&nbsp;|<[^<>]{0,120}>)*+([^<>\r\n]{1,200})", re.I)
CERTIFICATE_PORT = 49443  # where ADFS before 2016 asks for a client certificate


def sign_in(exchange: Exchange) -> Iterator[Found]:
    """The browser at the identity provider: the sign-in request, credentials, the answer."""
    form = exchange.form
    query = exchange.query
    asked = query.get("wa") == "wsignin1.0" and "wresult" not in form
    given = "password" in form and "username" in form and form.get("grant_type") is None
    answer = ntlm.sent(exchange) if asked or "/adfs/" in exchange.path else None
    windows = answer is not None and answer.final
    # The same page serves whoever asks by SAML or OAuth.
    other_page = (
        "samlrequest" in query
        or "samlrequest" in form
        or ("client_id" in query and "response_type" in query)
    )
    if not asked and not given and not windows and not other_page:
        yield from _unasked(exchange)
        return
    facts: dict[str, FactValue] = {}
    if query.get("wtrealm"):
        facts["realm"] = query["wtrealm"]
    facts.update(_around(exchange))
    if "samlrequest" in query:
        # The page's address names the request that the credentials are for.
        ident = saml.read("samlrequest", query["samlrequest"], "redirect", 0).get("request_id")
        facts.update({"request_id": ident} if ident else {})
    if given:
        facts["user"] = form["username"].lower()
        yield sent(
            "adfs.credentials.sent",
            password=Secret("password", form["password"]),
            auth_method=form.get("authmethod") or form.get("auth_method"),
            **facts,
        )
    elif answer is not None and windows:
        if answer.user:
            facts["user"] = answer.user
        yield sent("adfs.credentials.sent", auth_method=answer.scheme, **facts)
    else:
        if query.get("username"):
            facts["user"] = query["username"].lower()
        if asked:
            yield sent("wsfed.signin.requested", **facts, **_wish(query))
    if exchange.response is not None:
        yield from _answer(exchange, given, windows, facts)


def _wish(query: dict[str, str]) -> dict[str, Fact]:
    """How the relying party wants the user to sign in."""
    facts: dict[str, Fact] = {}
    for name, fact in (("wauth", "auth_wanted"), ("wfresh", "fresh_within"), ("whr", "home_realm")):
        if query.get(name):
            facts[fact] = cut(query[name], 200)
    return facts


def _unasked(exchange: Exchange) -> Iterator[Found]:
    """A page of ADFS that was asked for without wa=: its errors still count. What stands in the
    JSON of an OAuth endpoint (RFC 6749 §5.2) no user sees."""
    if exchange.path.startswith("/adfs/") and not exchange.response_json:
        problem = _MSIS.search(exchange.response_text)
        if problem:
            yield got("adfs.error", **_problem(exchange.response_text), **_around(exchange))


def _answer(
    exchange: Exchange, given: bool, windows: bool, facts: Mapping[str, FactValue]
) -> Iterator[Found]:
    html = exchange.response_text
    pages = exchange.forms
    result = next((form for form in pages if "wresult" in form.fields), None)
    posts_saml = any("samlresponse" in form.fields for form in pages)
    asks = any("password" in form.fields for form in pages)
    cookies = _cookies(exchange)
    signed_in = any(name.lower().startswith("msisauth") for name in cookies)
    if "msisloopdetectioncookie" in {name.lower() for name in cookies}:
        facts = {**facts, "loop_detection": True}
    if result is not None:
        moment = exchange.response.place.span.first_ns if exchange.response else 0
        yield got(
            "wsfed.token.issued",
            to_host=markup.host_of(result.action),
            **{**facts, **saml.token_facts(result.fields["wresult"], moment)},
        )
    elif posts_saml and (given or windows):
        yield got("adfs.credentials.accepted", **facts)
    elif _MSIS.search(html):
        yield got("adfs.error", **{**facts, **_problem(html)})
    elif exchange.status >= 500:
        yield got("adfs.unavailable", status=exchange.status, **facts)
    elif given and asks and not signed_in:
        yield got("adfs.credentials.rejected", text=_error_text(html), **facts)
    elif windows and exchange.status == 401:
        # A 401 to the last leg: the name or password of the Windows session was refused.
        leg = ntlm.sent(exchange)
        scheme = leg.scheme if leg is not None else None
        yield got("adfs.credentials.rejected", auth_method=scheme, **facts)
    elif given and not signed_in and _PASSWORD_PAGE.search(exchange.location or ""):
        yield got("adfs.password.expired", **facts)
    elif (given or windows) and (signed_in or 300 <= exchange.status < 400):
        yield got("adfs.credentials.accepted", **facts)
    elif exchange.status == 401:
        yield got(
            "adfs.credentials.asked",
            scheme=(exchange.response_header("www-authenticate") or "").partition(" ")[0],
            leg=ntlm.challenge_leg(exchange),
            **facts,
        )
    elif asks:
        yield got("adfs.form.shown", **facts)


def _problem(html: str) -> dict[str, Fact]:
    """An error page's number, activity id and relying party."""
    found = _MSIS.search(html)
    facts: dict[str, Fact] = {"code": "MSIS" + found.group(1)} if found else {}
    activity, party = _ACTIVITY.search(html), _PARTY.search(html)
    if activity:
        facts["activity_id"] = activity.group(1)
    if party and party.group(1).strip():
        facts["relying_party"] = " ".join(party.group(1).split())
    return facts


def _around(exchange: Exchange) -> dict[str, Fact]:
    """What stands between browser and ADFS, and by which door: proxy headers, port, cookie."""
    facts: dict[str, Fact] = {}
    proxy = exchange.request_header("x-ms-proxy")
    if proxy:
        facts["proxy"] = cut(proxy, 200)
    for name, fact in (
        ("x-ms-forwarded-client-ip", "forwarded_for"),
        ("x-ms-endpoint-absolute-path", "proxy_path"),
    ):
        value = exchange.request_header(name)
        if value:
            facts[fact] = cut(value, 200)
    if exchange.place.connection.server.port == CERTIFICATE_PORT or exchange.path.endswith(
        ("/certauth", "/certauth/")
    ):
        facts["door"] = "certificate"
    elif "/wia" in exchange.path:
        facts["door"] = "windows"
    if "MSISLoopDetectionCookie" in (exchange.request_header("cookie") or ""):
        facts["loop_detection"] = True
    return facts


def proxy(exchange: Exchange) -> Iterator[Found]:
    """Calls of a web application proxy to its federation servers ([MS-ADFSPIP] 3)."""
    path = exchange.path
    if not path.startswith(("/adfs/proxy/", "/adfs/backendproxytls")):
        return
    yield sent("adfs.proxy.requested", call=path.removeprefix("/adfs/").strip("/"))
    if exchange.response is None:
        return
    if exchange.status < 400:
        yield got("adfs.proxy.answered", status=exchange.status)
    else:
        yield got("adfs.proxy.failed", status=exchange.status)


def metadata(exchange: Exchange) -> Iterator[Found]:
    """A federation's metadata: who it says it is (FederationMetadata.xml)."""
    if not exchange.path.endswith("/federationmetadata.xml"):
        return
    yield sent("federation.metadata.requested")
    root = markup.xml(exchange.response_text) if exchange.status == 200 else None
    if exchange.response is not None:
        entity = root.get("entityID") if root is not None else None
        yield got("federation.metadata.answered", status=exchange.status, entity=entity)


def _cookies(exchange: Exchange) -> set[str]:
    """Names of the cookies that the answer sets."""
    if exchange.response is None:
        return set()
    fields = exchange.response.headers.all("set-cookie")
    return {named[0] for named in map(set_cookie, fields) if named}


def _error_text(html: str) -> str:
    """ADFS puts its sentence into an element with an id of errorText or the like."""
    return markup.text_by_id(html, "errorText") or markup.text_by_id(html, "error")


RULES = (sign_in, proxy, metadata)
