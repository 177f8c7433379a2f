"""WS-Trust: the active way to a token, user name and password in a SOAP message (ADFS's
/adfs/services/trust/…, Azure AD's RST2.srf, other providers' …/active), and /mex."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from dissect.model import Fact, Secret
from dissect.redaction import markup
from dissect.redaction.book import secret
from dissect.redaction.cuts import cut
from dissect.signin import saml
from dissect.signin.azuread_errors import error_facts
from dissect.signin.exchange import Exchange
from dissect.signin.rule import FactValue, Found, got, sent

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_ADFS = re.compile(r"/adfs/services/trust/(2005|13)/([a-z0-9]+)$")
_ACTIVE = frozenset({"wsfed", "trust", "sso"})
_SEGMENT = re.compile(r"[\w-]+")
_KINDS = {
    "usernamemixed": "password",
    "windowstransport": "windows",
    "windowsmixed": "windows",
    "kerberosmixed": "windows",
    "certificatemixed": "certificate",
    "certificatetransport": "certificate",
    "issuedtokenmixedasymmetricbasic256": "token",
    "issuedtokenmixedsymmetricbasic256": "token",
}


def issue(exchange: Exchange) -> Iterator[Found]:
    """A RequestSecurityToken at an active endpoint, and the token or fault that answers it."""
    if exchange.method != "POST" or exchange.request is None:
        return
    endpoint = _endpoint(exchange.path)
    if endpoint is None:
        return
    root = markup.xml(exchange.request.body.text)
    facts: dict[str, Fact] = {"endpoint": endpoint, "credential": _credential(exchange.path, root)}
    user = markup.text_of(root, "Username")
    if user:
        facts["user"] = user.lower()
    audience = markup.text_of(markup.find(root, "AppliesTo"), "Address")
    if audience:
        facts["audience"] = cut(audience, 300)
    asked: dict[str, FactValue] = dict(facts)
    password = markup.text_of(root, "Password")
    if password:
        asked["password"] = Secret("password", password)
    assertion = markup.find(root, "Assertion") if facts["credential"] == "token" else None
    if root is not None and assertion is not None:
        content = saml.assertion_facts(root, exchange.place.span.first_ns)
        asked.update({k: v for k, v in content.items() if k in ("issuer", "user", "validity")})
    yield sent("wstrust.requested", **asked)
    if exchange.response is None:
        return
    at_ns = exchange.response.place.span.first_ns
    answer = markup.xml(exchange.response_text)
    given = markup.find(answer, "RequestedSecurityToken")
    if exchange.status == 200 and given is not None and len(given):
        token = markup.serialised(given[0])
        content = saml.assertion_facts(given, at_ns)
        yield got("wstrust.issued", **{**facts, **content, "assertion": secret("assertion", token)})
    else:
        yield got("wstrust.refused", **{**facts, **_fault(exchange, answer)})


def _endpoint(path: str) -> str | None:
    adfs = _ADFS.search(path)
    if adfs:
        return f"{adfs.group(2)} ({'WS-Trust 1.3' if adfs.group(1) == '13' else 'WS-Trust 2005'})"
    if path.endswith(("/rst2.srf", "/rst.srf", "/extsts.srf")):
        return path.rpartition("/")[2]
    *above, last = path.split("/")[1:] or [""]
    plain = takewhile(_SEGMENT.fullmatch, reversed(above))
    return "active" if last == "active" and any(part in _ACTIVE for part in plain) else None


def _credential(path: str, root: Element | None) -> str:
    adfs = _ADFS.search(path)
    if adfs and adfs.group(2) in _KINDS:
        return _KINDS[adfs.group(2)]
    if markup.find(root, "Password") is not None:
        return "password"
    return "token" if markup.find(root, "Assertion") is not None else "unknown"


def _fault(exchange: Exchange, root: Element | None) -> dict[str, Fact]:
    """The fault of SOAP 1.1 or 1.2, with the AADSTS number or psf code where there is one."""
    facts: dict[str, Fact] = {"status": exchange.status}
    if root is not None:
        fault = markup.find(root, "Fault")
        text = (
            markup.text_of(fault, "faultstring")
            or markup.text_of(fault, "Text")
            or markup.text_of(root, "reason")
        )
        if text:
            facts["text"] = cut(" ".join(text.split()), 300)
        codes = markup.texts(fault, "Value") or markup.texts(fault, "faultcode")
        if codes:
            # The innermost subcode says most: wst:FailedAuthentication, wsse:….
            facts["fault"] = codes[-1].rpartition(":")[2][:100]
        number = markup.text_of(root, "internalerror") or markup.text_of(root, "reqstatus")
        code = markup.text_of(markup.find(root, "internalerror"), "code") or number
        if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", code):
            facts["code"] = code.lower()
    found = error_facts(exchange.response_text)
    found.pop("interrupt", None)
    return {**facts, **found}


def metadata(exchange: Exchange) -> Iterator[Found]:
    """The metadata exchange (…/mex) of a service: which endpoints and policies it has."""
    if not exchange.path.rstrip("/").endswith("/mex"):
        return
    yield sent("mex.requested")
    if exchange.response is None:
        return
    root = markup.xml(exchange.response_text) if exchange.status == 200 else None
    if root is None:
        yield got("mex.failed", status=exchange.status)
        return
    # The issuer of a service's tokens stands in its policy: sp:IssuedToken/sp:Issuer/Address.
    issuer = markup.text_of(markup.find(root, "Issuer"), "Address")
    ports = tuple(item.get("name") or "" for item in root.iter() if markup.local(item) == "port")
    yield got(
        "mex.answered",
        ticket_host=markup.host_of(issuer),
        ports=tuple(name for name in ports if name)[:20] or None,
    )


RULES = (issue, metadata)
