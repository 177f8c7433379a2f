"""Skype for Business: pairing service, autodiscover, web ticket, certificate ([MS-OCDISCWS],
[MS-OCAUTHWS]; the pairing service is known from phone logs only)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import Fact, Secret
from dissect.redaction import markup
from dissect.redaction.book import secret
from dissect.redaction.cuts import cut
from dissect.signin import authentication, jwt, pin
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_CONFIG_KEYS = ("AadEndpointUrl", "DevicePairingWebsiteUrl", "AutoDiscoverUrl")


def device_configuration(exchange: Exchange) -> Iterator[Found]:
    """A phone's configuration from the Device Pairing Service, known by path and JSON keys."""
    answer = exchange.response_json
    known = sum(key in answer for key in _CONFIG_KEYS)
    if exchange.method != "GET" or not (known >= 2 or "/deviceconfig/" in exchange.path):
        return
    yield sent("pairing.config.requested")
    if exchange.response is None:
        return
    if known < 2:
        yield got("pairing.config.failed", status=exchange.status)
        return
    facts: dict[str, Fact] = {}
    for key, name in (
        ("ClientId", "client_id"),
        ("DevicePairingWebsiteUrl", "website"),
        ("AutoDiscoverUrl", "autodiscover"),
        ("AadEndpointUrl", "authority"),
    ):
        if isinstance(answer.get(key), str):
            facts[name] = answer[key]
    website = markup.host_of(answer.get("DevicePairingWebsiteUrl"))
    if website:
        facts["website_host"] = website
    yield got("pairing.config.received", **facts)


def autodiscover(exchange: Exchange) -> Iterator[Found]:
    """Lync autodiscover; its 401s distinguished ([MS-OCDISCWS] 3.1.5.3): fact `why`."""
    name = (exchange.host or "").partition(".")[0]
    if "/autodiscover/autodiscoverservice.svc" not in exchange.path and not (
        name in ("lyncdiscover", "lyncdiscoverinternal") and exchange.method == "GET"
    ):
        return
    credentials = _credentials(exchange)
    yield sent("autodiscover.requested", with_token=bool(credentials), **credentials)
    if exchange.response is None:
        return
    ticket_url = exchange.response_header("x-ms-webticketurl")
    ticket_host = markup.host_of(ticket_url)
    if exchange.status == 401 and not credentials:
        yield got(
            "autodiscover.challenged",
            ticket_host=ticket_host,
            why="no ticket yet" if ticket_url else "no ticket yet, and no word of where to get one",
            **_modern(exchange),
        )
    elif exchange.status == 200:
        yield got("autodiscover.answered", **_links(exchange))
    elif 300 <= exchange.status < 400:
        yield got("autodiscover.redirected", to_host=markup.host_of(exchange.location))
    else:
        yield got(
            "autodiscover.failed",
            status=exchange.status,
            ticket_host=ticket_host,
            **{
                **({"why": "the user's home is not known here"} if exchange.status == 404 else {}),
                **_refused_token(exchange, credentials),
                **diagnostics(exchange),
            },
        )


def _modern(exchange: Exchange) -> dict[str, Fact]:
    """Where a server with modern authentication sends its clients for a token: the Bearer
    challenge of Skype for Business Server in a hybrid (authorization_uri, trusted_issuers)."""
    fields = exchange.response.headers.all("www-authenticate") if exchange.response else ()
    for item in (item for value in fields for item in authentication.parse(value)):
        if item.scheme.lower() == "bearer":
            host = markup.host_of(item.parameters.get("authorization_uri"))
            issuers = item.parameters.get("trusted_issuers")
            found = {"token_host": host, "trusted_issuers": cut(issuers, 200) if issuers else None}
            return {name: value for name, value in found.items() if value}
    return {}


def _refused_token(exchange: Exchange, credentials: dict[str, Fact]) -> dict[str, Fact]:
    """Why a service of Skype for Business did not take a token, as far as the token tells.
    A fault with status 500 may have other reasons: it alone refuses no token."""
    if exchange.status not in (401, 403, 500) or not credentials:
        return {}
    refused = exchange.status != 500
    value = credentials.get("access_token")
    if not isinstance(value, Secret):
        return {"why": "the web ticket was refused"} if refused else {}
    facts: dict[str, Fact] = {"why": "the access token was refused"} if refused else {}
    audience = jwt.facts(value.value).get("aud")
    if audience:
        facts["aud"] = audience
        hosts = [markup.host_of(item) for item in _each(audience)]
        own = exchange.host or ""
        if not any(host and _domain(host) == _domain(own) for host in hosts):
            text = "was refused: it is" if refused else "is"
            facts["why"] = f"the access token {text} for another audience"
    return facts


def _each(fact: Fact) -> tuple[str, ...]:
    return fact if isinstance(fact, tuple) else (str(fact),)


def _domain(host: str) -> str:
    return ".".join(host.lower().split(".")[-2:])


def web_ticket(exchange: Exchange) -> Iterator[Found]:
    """The web ticket service: RequestSecurityToken to saml:Assertion or a fault."""
    if "/webticket/webticketservice.svc" not in exchange.path or exchange.path.endswith("/mex"):
        return
    credentials = _credentials(exchange)
    asked = markup.xml(exchange.request.body.text) if exchange.request else None
    user = next(
        (v for v in _values(asked, "Value") if v.lower().startswith("sip:")), ""
    ).removeprefix("sip:")
    facts: dict[str, Fact] = {"user": user.lower()} if user else {}
    facts.update(pin.asked(exchange, asked))
    handed = markup.find(asked, "Assertion")
    if handed is not None:
        credentials = {**credentials, "assertion": secret("assertion", markup.serialised(handed))}
    yield sent("webticket.requested", **{**credentials, **facts})
    if exchange.response is None:
        return
    root = markup.xml(exchange.response_text)
    assertion = markup.find(root, "Assertion")
    if exchange.status == 200 and assertion is not None:
        ticket = assertion.get("AssertionID") or assertion.get("ID") or ""
        yield got("webticket.issued", web_ticket=Secret("web_ticket", ticket), **facts)
    elif exchange.status == 200 and root is not None and markup.find(root, "Fault") is None:
        yield got("webticket.issued", **facts)
    else:
        yield got(
            "webticket.refused",
            status=exchange.status,
            **{
                **credentials,
                **facts,
                **_refused_token(exchange, credentials),
                **_fault(root),
                **diagnostics(exchange),
                **pin.problem(exchange.response_text),
            },
        )


def certificate(exchange: Exchange) -> Iterator[Found]:
    """GetAndPublishCert; an ErrorInfo inside a 200 is a failure ([MS-OCAUTHWS] 3.1.4.1)."""
    if "/certprov/certprovisioningservice.svc" not in exchange.path or exchange.path.endswith(
        "/mex"
    ):
        return
    asked = exchange.request.body.text if exchange.request else ""
    action = exchange.request_header("soapaction") or ""
    if "getrootcertchains" in (action + asked[:65536]).lower():
        yield sent("certprov.chains.requested")
        if exchange.response is not None:
            yield got("certprov.chains.answered", status=exchange.status)
        return
    if "getandpublishcert" not in (action + asked[:65536]).lower():
        return
    root = markup.xml(asked)
    request = markup.find(root, "GetAndPublishCert")
    user = (request.get("Entity") or "").removeprefix("sip:").lower() if request is not None else ""
    facts: dict[str, Fact] = {"user": user} if user else {}
    yield sent("certprov.requested", **facts)
    if exchange.response is None:
        return
    answer = markup.xml(exchange.response_text)
    error = markup.find(answer, "ErrorInfo")
    token = markup.text_of(answer, "BinarySecurityToken")
    if exchange.status == 200 and error is None and token:
        yield got("certprov.issued", certificate=Secret("binary_security_token", token), **facts)
        return
    text = " ".join(" ".join(str(p) for p in error.itertext()).split()) if error is not None else ""
    yield got(
        "certprov.refused",
        status=exchange.status,
        code="error_info" if error is not None else str(exchange.status),
        **{
            **_fault(answer),
            **diagnostics(exchange),
            **({"text": cut(text, 300)} if text else {}),
            **facts,
        },
    )


def diagnostics(exchange: Exchange) -> dict[str, Fact]:
    """The X-Ms-diagnostics header: errorId;"source";"reason";"fault", named or by position."""
    header = exchange.response_header("x-ms-diagnostics")
    if not header:
        return {}
    number, *rest = _parts(header)
    fields = {
        name: value.strip('" ') for name, _, value in (item.strip().partition("=") for item in rest)
    }
    plain = [item.strip().strip('"') for item in rest]
    facts: dict[str, Fact] = {"ms_error": number.strip()}
    reason = fields.get("reason") or (plain[1] if len(plain) > 1 and "=" not in plain[1] else "")
    if reason:
        facts["text"] = reason
    return facts


def _parts(header: str) -> list[str]:
    """A field's parts between semicolons that are in no quotation marks."""
    pieces = header.split('"')
    last = len(pieces) - 1
    # A line end can't be in a field: it marks where to divide. Marks are counted from the end.
    divided = (
        piece if (last - number) % 2 else piece.replace(";", "\n")
        for number, piece in enumerate(pieces)
    )
    return '"'.join(divided).split("\n")


def _fault(root: Element | None) -> dict[str, Fact]:
    if markup.find(root, "Fault") is None:
        return {}
    facts: dict[str, Fact] = {}
    for element, name in (("ErrorId", "ms_error"), ("Reason", "text"), ("faultstring", "fault")):
        value = " ".join(markup.text_of(root, element).split())
        if value:
            facts[name] = cut(value, 300)
    return facts


def _credentials(exchange: Exchange) -> dict[str, Fact]:
    """The token that a request carries: an OAuth bearer, or a web ticket."""
    header = exchange.request_header("authorization") or ""
    scheme, _, value = header.partition(" ")
    facts: dict[str, Fact] = {}
    if scheme.lower() == "bearer" and value:
        facts["access_token"] = Secret("access_token", value.strip())
        user = jwt.facts(value.strip()).get("user")
        if user:
            facts["user"] = user
    ticket = exchange.request_header("x-ms-webticket")
    if ticket:
        facts["web_ticket"] = Secret("web_ticket", ticket)
    return facts


def _links(exchange: Exchange) -> dict[str, Fact]:
    """Which links an answer holds, as JSON or XML; the hosts are where the phone goes next."""
    text = exchange.response_text
    tokens: list[str] = []
    hosts: list[str] = []
    root = markup.xml(text) if text.lstrip()[:1] == "<" else None
    if root is not None:
        links = [
            (e.get("token") or "", e.get("href") or "")
            for e in root.iter()
            if markup.local(e) == "Link"
        ]
    else:
        links = re.findall(r'"([A-Za-z/_-]+)"\s*:\s*\{\s*"href"\s*:\s*"([^"]+)"', text)
    if root is not None:
        for item in root.iter():
            server = item.get("fqdn")
            if server and markup.local(item).startswith("Sip"):
                links.append((markup.local(item), f"sip://{server}:{item.get('port') or ''}"))
    for token, href in links:
        tokens.append(token)
        host = markup.host_of(href)
        if host and host not in hosts:
            hosts.append(host)
    facts: dict[str, Fact] = {}
    where = root.get("AccessLocation") if root is not None else None
    if where:
        facts["access_location"] = where
    if tokens:
        facts["links"] = tuple(tokens)
        if {token.lower() for token in tokens} <= {"redirect", "self"} and hosts:
            facts["redirected"] = True  # the user's home is in another pool
    if hosts:
        facts["hosts"] = tuple(hosts)
    return facts


def _values(root: Element | None, name: str) -> Iterator[str]:
    if root is not None:
        for element in root.iter():
            if markup.local(element) == name:
                yield (element.text or "").strip()


RULES = (device_configuration, autodiscover, web_ticket, certificate)
