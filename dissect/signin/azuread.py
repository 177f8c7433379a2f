"""Azure AD (Entra) sign-in pages: home realm discovery, password, code entry, error pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from dissect.model import Fact, Secret
from dissect.redaction import markup
from dissect.redaction.cuts import cut
from dissect.redaction.judge import pairs
from dissect.signin import azuread_errors
from dissect.signin.azuread_errors import error_facts, plain
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent
from dissect.signin.user_codes import user_code

MAX_QUOTED = 3  # elements of a page

# How pages name the application: in the question before and the sentence after a device's sign-in.
_CONFIRM = re.compile(r"are you trying to sign in to ([^?]{1,100})\?", re.I)
_SIGNED_IN_TO = re.compile(r"you have signed in to the (.{1,100}?) application\b", re.I)


def home_realm(exchange: Exchange) -> Iterator[Found]:
    """Home realm discovery: GetCredentialType, userrealm, GetUserRealm.srf (JSON or XML)."""
    path = exchange.path
    if path.endswith("/getcredentialtype"):
        asked = exchange.request_json.get("username")
        facts = _credential_type(exchange.response_json)
    elif "/userrealm/" in path or path.endswith("/getuserrealm.srf"):
        asked = (
            exchange.query.get("login") or exchange.query.get("user") or exchange.form.get("login")
        )
        asked = asked or unquote(path.rpartition("/userrealm/")[2])
        facts = _user_realm(exchange.response_json or _realm_xml(exchange.response_text))
    else:
        return
    user = str(asked or "").lower()
    yield sent("hrd.requested", user=user)
    if exchange.response is None:
        return
    if exchange.status == 200 and facts:
        yield got("hrd.answered", user=user, **facts)
    else:
        yield got(
            "hrd.failed", user=user, status=exchange.status, **error_facts(exchange.response_text)
        )


# GetCredentialType's IfExistsResult; 5 and 6 are variants with a personal account.
_EXISTS = {0: "yes", 1: "no", 5: "yes", 6: "yes", -1: "unknown", 4: "throttled"}


def _credential_type(answer: Mapping[str, object]) -> dict[str, Fact]:
    if not answer:
        return {}
    credentials, properties = answer.get("Credentials"), answer.get("EstsProperties")
    redirect = credentials.get("FederationRedirectUrl") if isinstance(credentials, dict) else None
    domain_type = properties.get("DomainType") if isinstance(properties, dict) else None
    exists = answer.get("IfExistsResult")
    if redirect or domain_type == 4:
        space = "federated"
    elif domain_type == 3 or exists in (0, 5, 6):
        space = "managed"
    else:
        space = "unknown"
    facts: dict[str, Fact] = {"namespace": space}
    host = markup.host_of(redirect)
    if host:
        facts["idp_host"] = host
    if isinstance(exists, int) and exists in _EXISTS:
        facts["exists"] = _EXISTS[exists]
    if answer.get("ThrottleStatus") == 1:
        facts["throttled"] = True
    return facts


def _user_realm(answer: Mapping[str, object]) -> dict[str, Fact]:
    if not answer:
        return {}
    space = str(answer.get("NameSpaceType") or answer.get("account_type") or "unknown").lower()
    facts: dict[str, Fact] = {"namespace": space}
    active = answer.get("STSAuthURL") or answer.get("federation_active_auth_url")
    metadata = answer.get("MEXURL") or answer.get("federation_metadata_url")
    for name, url in (
        ("idp_host", answer.get("AuthURL") or active),
        ("active_host", active),
        ("metadata_host", metadata),
    ):
        host = markup.host_of(url)
        if host:
            facts[name] = host
    for key, name in (
        ("federation_protocol", "federation_protocol"),
        ("DomainName", "domain"),
        ("FederationBrandName", "brand"),
        ("cloud_instance_name", "cloud"),
        ("CloudInstanceName", "cloud"),
    ):
        value = answer.get(key)
        if isinstance(value, str) and value:
            facts[name] = cut(value, 200)
    return facts


def _realm_xml(text: str) -> dict[str, object]:
    """RealmInfo, as GetUserRealm.srf gives it with xml=1, in the names of the JSON form."""
    if "RealmInfo" not in text[:4096]:
        return {}
    root = markup.xml(text)
    return (
        {markup.local(item): (item.text or "").strip() for item in root} if root is not None else {}
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
        yield got("azuread.signin.refused", user=user, interrupt=False)


def device_authorisation(exchange: Exchange) -> Iterator[Found]:
    """The page that asks for the code of a device (RFC 8628 §3.3), and its answer."""
    path = exchange.path
    name = "otc" if exchange.form.get("otc") else "user_code"
    code = exchange.form.get(name)
    if code is None:
        if path.endswith("/deviceauth") and exchange.method == "GET":
            yield sent("deviceauth.page.requested")
            if exchange.status == 200:
                yield got("deviceauth.page.shown")
        return
    entered = user_code(code)
    yield sent("deviceauth.code.entered", user_code=entered)
    if exchange.response is None:
        return
    facts = error_facts(exchange.response_text)
    if facts and not facts["interrupt"]:
        yield got("deviceauth.code.refused", user_code=entered, **facts)
    elif exchange.status < 400 and not any(name in form.asked for form in exchange.forms):
        yield got("deviceauth.code.accepted", user_code=entered)
    elif exchange.status < 400:  # the page asks for it again
        reported = markup.statements(exchange.response_text, markup.is_error_text)
        text = cut("” “".join(reported[:MAX_QUOTED]), 300) if reported else None
        yield got("deviceauth.code.refused", user_code=entered, text=text)
    else:
        yield got("deviceauth.code.refused", user_code=entered)


_SIGNED_IN = re.compile(r"you have signed in(?: to)?\b", re.I)


def pages(exchange: Exchange) -> Iterator[Found]:
    """Error pages (HTTP 200 as often as not), the question whether the user means to sign in to
    this application, and the page that ends a device sign-in."""
    if exchange.response is None or exchange.response_type not in ("text/html", ""):
        return
    text = exchange.response_text
    if not text:
        return
    form = exchange.form
    if "passwd" in form or "otc" in form or "wresult" in form:
        answered_elsewhere = bool(azuread_errors.NUMBER.search(text))
        if answered_elsewhere:
            return
    facts = error_facts(text)
    if facts and not facts["interrupt"]:
        # What it refuses is recognised by its request: it may be the code, not the sign-in.
        asked = exchange.request is not None
        yield got("azuread.signin.refused" if asked else "azuread.error.shown", **facts)
        return
    seen = markup.visible_text(text) if _CONFIRM.search(text) or _SIGNED_IN.search(text) else ""
    asked_for = _CONFIRM.search(seen)
    if asked_for:
        yield got("azuread.confirmation.shown", app_name=plain(asked_for.group(1)))
    elif _SIGNED_IN.search(seen):
        named = _SIGNED_IN_TO.search(seen)
        yield got("deviceauth.completed", app_name=plain(named.group(1)) if named else None)


def redirects(exchange: Exchange) -> Iterator[Found]:
    """Any redirect of a browser: where to, host only; secrets stay in the exchange."""
    location = exchange.location
    if location is None or not 300 <= exchange.status < 400:
        return
    facts: dict[str, Fact] = {"status": exchange.status}
    host = markup.host_of(location)
    if host:
        facts["to_host"] = host
    query = {name.lower(): value for name, value in pairs(location.partition("?")[2])}
    if exchange.host is None:
        yield got("web.redirected", **facts)  # who sends it on is not known
    elif query.get("wa") == "wsignin1.0" and host in (None, exchange.host):
        yield got("wsfed.moved", **facts)  # ADFS sends Windows clients to its /wia page
    elif query.get("wa") == "wsignin1.0":
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


RULES = (home_realm, password, device_authorisation, pages, redirects)
