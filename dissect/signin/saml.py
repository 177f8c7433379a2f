"""SAML 2.0 messages and bindings, and what an assertion of SAML 1.1 or 2.0 says.

Redirect binding: raw DEFLATE, then base64; POST binding: base64 with line breaks allowed;
artifact binding: a reference only (SAML bindings 3.4, 3.5, 3.6). Nothing is verified.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dissect.model import Fact, Secret
from dissect.signin import markup
from dissect.signin.azuread import error_facts
from dissect.signin.exchange import Exchange
from dissect.signin.redaction import pairs, secret
from dissect.signin.rule import Found, got, sent

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

MESSAGE_LIMIT = 1 << 20  # of an inflated message; a bomb is cut there
SKEW_S = 300

_STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
_USER_CLAIMS = ("upn", "emailaddress", "mail", "userprincipalname", "name")


def decode(value: str, deflated: bool | None = None) -> str | None:
    """The XML of a SAMLRequest or SAMLResponse; None where it is neither base64 nor XML.

    `deflated` None tries both: senders mix the bindings up.
    """
    compact = re.sub(r"\s+", "", value)
    if not compact or len(compact) > 2 * MESSAGE_LIMIT:
        return None
    try:
        raw = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    if deflated is not False:
        try:
            # 15 bits of window, no zlib header: RFC 1951, as the redirect binding demands.
            inflated = zlib.decompressobj(-15).decompress(raw, MESSAGE_LIMIT)
        except zlib.error:
            inflated = b""
        if inflated.lstrip()[:1] == b"<":
            return inflated.decode("utf-8", "replace")
    return (
        raw.decode("utf-8", "replace") if raw.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<" else None
    )


def message_facts(text: str, at_ns: int) -> dict[str, Fact]:
    """Issuer, status, assertion and the like of a SAML protocol message; empty if none."""
    root = markup.xml(text)
    if root is None:
        return {}
    facts: dict[str, Fact] = {"message": markup.local(root)}
    issuer = markup.child_text(root, "Issuer")
    _put(facts, "issuer", issuer)
    _put(facts, "destination", root.get("Destination"))
    _put(facts, "consumer", root.get("AssertionConsumerServiceURL"))
    _put(facts, "binding_wanted", _tail(root.get("ProtocolBinding")))
    policy = markup.find(root, "NameIDPolicy")
    if policy is not None:
        _put(facts, "name_id_format", _tail(policy.get("Format")))
    contexts = tuple(_tail(t) for t in markup.texts(root, "AuthnContextClassRef"))
    if contexts:
        facts["authn_context"] = contexts
    for name in ("ForceAuthn", "IsPassive"):
        if root.get(name) in ("true", "1"):
            facts[name.lower()] = True
    codes = [
        (item.get("Value") or "").removeprefix(_STATUS)
        for item in root.iter()
        if markup.local(item) == "StatusCode"
    ]
    if codes:
        facts["status_code"] = codes[0][:200]
        if len(codes) > 1:
            facts["substatus"] = codes[1][:200]
        _put(facts, "text", " ".join(markup.text_of(root, "StatusMessage").split())[:300])
    if markup.local(root) in ("AuthnRequest", "LogoutRequest"):
        facts.update(_signed(root))
    facts.update(assertion_facts(root, at_ns))
    return facts


def assertion_facts(root: Element, at_ns: int) -> dict[str, Fact]:
    """What the first assertion below `root` says: issuer, audience, subject's format, user,
    conditions against `at_ns` (ns UTC), signature. An encrypted one is named as such."""
    facts: dict[str, Fact] = {}
    assertion = markup.find(root, "Assertion")
    if assertion is None:
        if markup.find(root, "EncryptedAssertion") is not None:
            facts["encrypted"] = True
        return facts
    _put(facts, "issuer", assertion.get("Issuer") or markup.child_text(assertion, "Issuer"))
    audiences = tuple(dict.fromkeys(markup.texts(assertion, "Audience")))
    if audiences:
        facts["audience"] = audiences[0] if len(audiences) == 1 else audiences
    facts["saml"] = "1.1" if assertion.get("MajorVersion") == "1" else "2.0"
    subject = markup.find(assertion, "NameID")
    if subject is None:
        subject = markup.find(assertion, "NameIdentifier")
    if subject is not None:
        _put(facts, "name_id_format", _tail(subject.get("Format")))
    elif markup.find(assertion, "EncryptedID") is not None:
        facts["name_id_format"] = "encrypted"
    facts.update(_signed(root))
    facts.update(conditions(assertion, at_ns))
    _put(facts, "authn_method", _tail(_authn_method(assertion)))
    user = _user(assertion, subject)
    if user:
        facts["user"] = user.lower()
    return facts


def _authn_method(assertion: Element) -> str | None:
    statement = markup.find(assertion, "AuthenticationStatement")
    if statement is not None:
        return statement.get("AuthenticationMethod")
    return markup.text_of(assertion, "AuthnContextClassRef") or None


def _user(assertion: Element, subject: Element | None) -> str:
    named: dict[str, str] = {}
    for attribute in assertion.iter():
        if markup.local(attribute) == "Attribute":
            name = attribute.get("AttributeName") or attribute.get("Name") or ""
            named.setdefault(
                name.rpartition("/")[2].lower(), markup.text_of(attribute, "AttributeValue")
            )
    for claim in _USER_CLAIMS:
        if named.get(claim):
            return named[claim]
    written = (subject.text or "").strip() if subject is not None else ""
    return written if "@" in written else ""


def conditions(assertion: Element, at_ns: int) -> dict[str, Fact]:
    """NotBefore and NotOnOrAfter, and whether the moment of the capture lies between them.

    `validity` is "valid", "expired" or "not_yet_valid"; `off_by` the seconds beyond the
    limit. Five minutes of difference between clocks are allowed.
    """
    found = markup.find(assertion, "Conditions")
    if found is None:
        return {}
    facts: dict[str, Fact] = {}
    since, until = found.get("NotBefore"), found.get("NotOnOrAfter")
    _put(facts, "not_before", since)
    _put(facts, "not_on_or_after", until)
    now = at_ns / 1e9
    begins, ends = _moment(since), _moment(until)
    if begins is None and ends is None:
        return facts
    facts["validity"] = "valid"
    if ends is not None and now >= ends + SKEW_S:
        facts["validity"] = "expired"
        facts["off_by"] = round(now - ends)
    elif begins is not None and now < begins - SKEW_S:
        facts["validity"] = "not_yet_valid"
        facts["off_by"] = round(begins - now)
    return facts


def _moment(text: str | None) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None  # no xs:dateTime: the text is shown, nothing is concluded
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _signed(root: Element) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for element, name in (("SignatureMethod", "signature"), ("DigestMethod", "digest")):
        found = markup.find(root, element)
        if found is not None:
            _put(facts, name, _tail(found.get("Algorithm")))
    return facts


def _tail(uri: str | None) -> str:
    """The last part of a URI or URN: what people call the algorithm, format or method."""
    return re.split(r"[/#:]", uri.strip())[-1][:100] if uri else ""


def _put(facts: dict[str, Fact], name: str, value: str | None) -> None:
    if value:
        facts[name] = value[:300]


# ------------------------------------------------------------------ rules


def browser(exchange: Exchange) -> Iterator[Found]:
    """SAML messages that a browser carries: in a query, in a form that it posts."""
    fields, binding = (
        (exchange.form, "post")
        if "samlrequest" in exchange.form or "samlresponse" in exchange.form
        else (exchange.query, "redirect")
    )
    artifact = fields.get("samlart") or exchange.form.get("samlart")
    if artifact:
        facts: dict[str, Fact] = {
            "binding": "artifact",
            "artifact": Secret("saml_artifact", artifact),
        }
        yield sent("saml.artifact.sent", **facts)
        if exchange.response is not None:
            yield from _outcome(exchange, {"binding": "artifact"})
        return
    at_ns = exchange.place.span.first_ns
    for name in ("samlrequest", "samlresponse"):
        value = fields.get(name)
        if value is None:
            continue
        facts = read(name, value, binding, at_ns)
        signature = fields.get("sigalg")
        if signature:
            facts["signature"] = _tail(signature)
        if name == "samlrequest":
            yield sent("saml.request.sent", **facts)
        else:
            yield sent("saml.response.posted", **facts)
            if exchange.response is not None:
                yield from _outcome(exchange, facts)


def issued(exchange: Exchange) -> Iterator[Found]:
    """SAML messages in what a server answers: a redirect, or a form that posts itself."""
    if exchange.response is None:
        return
    at_ns = exchange.response.place.span.first_ns
    location = exchange.location
    if location and 300 <= exchange.status < 400:
        query = {name.lower(): value for name, value in pairs(location.partition("?")[2])}
        for name in ("samlrequest", "samlresponse"):
            if name in query:
                facts = read(name, query[name], "redirect", at_ns)
                yield got(_issued_name(name), to_host=markup.host_of(location), **facts)
    html = exchange.response_text
    lower = html.lower() if "saml" in html or "SAML" in html else ""
    if "samlrequest" not in lower and "samlresponse" not in lower:
        return
    for form in exchange.forms:
        for name in ("samlrequest", "samlresponse"):
            if form.fields.get(name):
                facts = read(name, form.fields[name], "post", at_ns)
                yield got(_issued_name(name), to_host=markup.host_of(form.action), **facts)


def _issued_name(name: str) -> str:
    return "saml.request.issued" if name == "samlrequest" else "saml.response.issued"


def read(name: str, value: str, binding: str, at_ns: int) -> dict[str, Fact]:
    """The facts of a SAMLRequest or SAMLResponse parameter, the value itself as a secret."""
    kind = "saml_request" if name == "samlrequest" else "saml_response"
    facts: dict[str, Fact] = {kind: secret(kind, value), "binding": binding}
    text = decode(value)
    if text is None:
        facts["problem"] = "not base64 of a SAML message"
        return facts
    content = message_facts(text, at_ns)
    if not content:
        facts["problem"] = "no well-formed XML"
    return {**content, **facts}


def _outcome(exchange: Exchange, facts: dict[str, Fact]) -> Iterator[Found]:
    """What the service provider made of a response."""
    user: dict[str, Fact] = {"user": facts["user"]} if "user" in facts else {}
    problem = error_facts(exchange.response_text)
    failed = facts.get("status_code") not in (None, "Success")
    if (problem and not problem["interrupt"]) or exchange.status >= 400:
        code = problem.get("code", str(exchange.status))
        yield got("saml.response.refused", **{**user, **problem, "code": code})
    elif not failed and (exchange.status < 400):
        yield got("saml.response.accepted", **user)


def artifact_resolution(exchange: Exchange) -> Iterator[Found]:
    """The back channel of the artifact binding: ArtifactResolve by SOAP, and its answer."""
    if exchange.method != "POST" or exchange.request is None:
        return
    asked = exchange.request.body.text
    if "ArtifactResolve" not in asked[:65536]:
        return
    root = markup.xml(asked)
    artifact = markup.text_of(root, "Artifact")
    if markup.find(root, "ArtifactResolve") is None:
        return
    yield sent(
        "saml.artifact.resolve.requested",
        artifact=Secret("saml_artifact", artifact) if artifact else None,
    )
    answer = markup.xml(exchange.response_text) if exchange.response is not None else None
    if exchange.response is None:
        return
    inner = markup.find(answer, "Response")
    if exchange.status == 200 and inner is not None:
        facts = assertion_facts(inner, exchange.response.place.span.first_ns)
        yield got("saml.artifact.resolved", **facts)
    else:
        yield got("saml.artifact.refused", status=exchange.status)


RULES = (browser, issued, artifact_resolution)
