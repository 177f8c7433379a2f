"""Azure AD (Entra) sign-in pages: home realm discovery, password, code entry, error pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from dissect.model import Fact, Secret
from dissect.signin.exchange import Exchange
from dissect.signin.markup import visible_text
from dissect.signin.redaction import pairs
from dissect.signin.rule import Found, got, sent

_AADSTS = re.compile(r"AADSTS(\d{5,7})")
_CONFIG_CODE = re.compile(
    r'"(?:strServiceExceptionCode|sErrorCode|iErrorCode)"\s*:\s*"?(\d{5,7})"?'
)
_GUID = r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
_TRACE = re.compile(r"(?:Trace ID|Request Id|traceId)[\s\"]*:[\s\"]*" + _GUID, re.I)
_CORRELATION = re.compile(
    r"Correlation I[Dd][\s\"]*:[\s\"]*" + _GUID + r"|\"correlationId\"\s*:\s*\"" + _GUID, re.I
)
_SENTENCE = re.compile(r"AADSTS\d{5,7}: ?([^\r\n<\\\"]{1,300})")

# Azure AD uses an error number where it only asks for one more thing; none of these ends
# a sign-in (names in Microsoft's list of AADSTS codes).
INTERRUPTS = frozenset(
    {"16000", "50058", "50072", "50074", "50076", "50079", "50097", "50140", "50199"}
)


def error_facts(text: str) -> dict[str, Fact]:
    """Code, sentence, trace and correlation id of an AADSTS error in JSON, HTML or text."""
    found = _AADSTS.search(text) or _CONFIG_CODE.search(text)
    if found is None:
        return {}
    facts: dict[str, Fact] = {"code": found.group(1), "interrupt": found.group(1) in INTERRUPTS}
    sentence = _SENTENCE.search(text)
    if sentence:
        facts["text"] = sentence.group(1).partition(" Trace ID")[0].strip()
    for name, pattern in (("trace_id", _TRACE), ("correlation_id", _CORRELATION)):
        match = pattern.search(text)
        if match:
            facts[name] = next(group for group in match.groups() if group)
    return facts


def home_realm(exchange: Exchange) -> Iterator[Found]:
    """Home realm discovery: GetCredentialType, userrealm, GetUserRealm.srf."""
    path = exchange.path
    if path.endswith("/getcredentialtype"):
        asked = exchange.request_json.get("username")
        answer = exchange.response_json
        credentials = answer.get("Credentials")
        properties = answer.get("EstsProperties")
        redirect = (
            credentials.get("FederationRedirectUrl") if isinstance(credentials, dict) else None
        )
        domain_type = properties.get("DomainType") if isinstance(properties, dict) else None
        if redirect or domain_type == 4:
            space = "federated"
        elif domain_type == 3 or answer.get("IfExistsResult") in (0, 5, 6):
            space = "managed"
        else:
            space = "unknown"
    elif "/userrealm/" in path or path.endswith("/getuserrealm.srf"):
        asked = (
            exchange.query.get("login") or exchange.query.get("user") or exchange.form.get("login")
        )
        asked = asked or unquote(path.rpartition("/userrealm/")[2])
        answer = exchange.response_json
        space = str(answer.get("NameSpaceType") or answer.get("account_type") or "unknown").lower()
        redirect = answer.get("AuthURL") or answer.get("federation_active_auth_url")
    else:
        return
    user = str(asked or "").lower()
    yield sent("hrd.requested", user=user)
    if exchange.response is None:
        return
    if exchange.status == 200 and answer:
        yield got("hrd.answered", user=user, namespace=space, idp_host=_host(redirect))
    else:
        yield got(
            "hrd.failed", user=user, status=exchange.status, **error_facts(exchange.response_text)
        )


def password(exchange: Exchange) -> Iterator[Found]:
    """A password posted to Azure AD itself (a managed account), and what it answered."""
    form = exchange.form
    if exchange.method != "POST" or "passwd" not in form or "login" not in form:
        return
    user = form["login"].lower()
    yield sent("azuread.password.sent", user=user, password=Secret("password", form["passwd"]))
    if exchange.response is None:
        return
    facts = error_facts(exchange.response_text)
    if facts and not facts["interrupt"]:
        yield got("azuread.signin.refused", user=user, **facts)
    elif exchange.status < 400:
        yield got("azuread.password.accepted", user=user, **facts)
    else:
        yield got("azuread.signin.refused", user=user, code=str(exchange.status), interrupt=False)


def device_authorisation(exchange: Exchange) -> Iterator[Found]:
    """The page that asks for the code of a device (RFC 8628 §3.3), and its answer."""
    path = exchange.path
    code = exchange.form.get("otc") or exchange.form.get("user_code")
    if code is None:
        if path.endswith("/deviceauth") and exchange.method == "GET":
            yield sent("deviceauth.page.requested")
            if exchange.status == 200:
                yield got("deviceauth.page.shown")
        return
    entered = Secret("user_code", code.replace("-", "").replace(" ", "").upper())
    yield sent("deviceauth.code.entered", user_code=entered)
    if exchange.response is None:
        return
    facts = error_facts(exchange.response_text)
    if facts and not facts["interrupt"]:
        yield got("deviceauth.code.refused", user_code=entered, **facts)
    elif exchange.status < 400:
        yield got("deviceauth.code.accepted", user_code=entered)
    else:
        yield got("deviceauth.code.refused", user_code=entered, code=str(exchange.status))


_SIGNED_IN = re.compile(r"you have signed in(?: to)?\b", re.I)


def pages(exchange: Exchange) -> Iterator[Found]:
    """Error pages (HTTP 200 as often as not) and the page that ends a device sign-in."""
    if exchange.response is None or exchange.response_type not in ("text/html", ""):
        return
    text = exchange.response_text
    if not text:
        return
    form = exchange.form
    if "passwd" in form or "otc" in form or "wresult" in form:
        answered_elsewhere = bool(_AADSTS.search(text))
        if answered_elsewhere:
            return
    facts = error_facts(text)
    if facts and not facts["interrupt"]:
        yield got("azuread.signin.refused", **facts)
    elif _SIGNED_IN.search(text) and _SIGNED_IN.search(visible_text(text)):
        yield got("deviceauth.completed")


def authorize(exchange: Exchange) -> Iterator[Found]:
    """The browser at the authorization endpoint (RFC 6749 §3.1), with the user's address."""
    if exchange.method != "GET" or not re.search(r"/oauth2/(?:v2\.0/)?authorize$", exchange.path):
        return
    hint = exchange.query.get("login_hint") or exchange.query.get("username") or ""
    yield sent(
        "oauth.authorize.requested", user=hint.lower(), client_id=exchange.query.get("client_id")
    )


def redirects(exchange: Exchange) -> Iterator[Found]:
    """Any redirect of a browser: where to, host only; secrets stay in the exchange."""
    location = exchange.location
    if location is None or not 300 <= exchange.status < 400:
        return
    facts: dict[str, Fact] = {"status": exchange.status}
    host = _host(location)
    if host:
        facts["to_host"] = host
    query = {name.lower(): value for name, value in pairs(location.partition("?")[2])}
    if query.get("wa") == "wsignin1.0":
        yield got(
            "wsfed.redirected",
            idp_host=host,
            realm=query.get("wtrealm"),
            user=query.get("username", "").lower(),
            **facts,
        )
    else:
        yield sent("web.page.requested")
        yield got("web.redirected", **facts)


def _host(url: object) -> str | None:
    if not isinstance(url, str):
        return None
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None  # a broken URL names no host


RULES = (home_realm, password, device_authorisation, pages, authorize, redirects)
