"""SAML 2.0 messages and bindings, and what an assertion of SAML 1.1 or 2.0 says.

Redirect binding: raw DEFLATE, then base64; POST binding: base64 with line breaks allowed;
artifact binding: a reference only (SAML bindings 3.4, 3.5, 3.6). Nothing is verified.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dissect.model import Fact
from dissect.redaction import encodings, markup
from dissect.redaction.book import secret
from dissect.redaction.cuts import cut
from dissect.signin.rule import FactValue, Timed

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

SKEW_S = 300

_STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
_USER_CLAIMS = ("upn", "emailaddress", "mail", "userprincipalname", "name")


def message_facts(text: str, at_ns: int) -> dict[str, FactValue]:
    """Issuer, status, assertion and the like of a SAML protocol message; empty if none."""
    root = markup.xml(text)
    if root is None:
        return {}
    facts: dict[str, FactValue] = {"message": markup.local(root)}
    issuer = markup.child_text(root, "Issuer")
    _put(facts, "issuer", issuer)
    # One id ties request, response and whatever a service provider logs of it (SAML core 3.2).
    _put(facts, "request_id", root.get("InResponseTo") or _own_id(root))
    _put(facts, "destination", root.get("Destination"))
    _put(facts, "consumer", root.get("AssertionConsumerServiceURL"))
    _put(facts, "binding_wanted", last_part(root.get("ProtocolBinding")))
    policy = markup.find(root, "NameIDPolicy")
    if policy is not None:
        _put(facts, "name_id_format", last_part(policy.get("Format")))
    contexts = tuple(last_part(t) for t in markup.texts(root, "AuthnContextClassRef"))
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
        facts["status_code"] = cut(codes[0], 200)
        if len(codes) > 1:
            facts["substatus"] = cut(codes[1], 200)
        _put(facts, "text", cut(" ".join(markup.text_of(root, "StatusMessage").split()), 300))
    if markup.local(root) in ("AuthnRequest", "LogoutRequest"):
        facts.update(_signed(root))
    facts.update(assertion_facts(root, at_ns))
    return facts


def _own_id(root: Element) -> str | None:
    return root.get("ID") if markup.local(root) == "AuthnRequest" else None


def assertion_facts(root: Element, at_ns: int) -> dict[str, FactValue]:
    """What the first assertion below `root` says: issuer, audience, subject's format, user,
    conditions against `at_ns` (ns UTC), signature. An encrypted one is named as such."""
    facts: dict[str, FactValue] = {}
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
        _put(facts, "name_id_format", last_part(subject.get("Format")))
    elif markup.find(assertion, "EncryptedID") is not None:
        facts["name_id_format"] = "encrypted"
    facts.update(_signed(root))
    facts.update(conditions(assertion, at_ns))
    _put(facts, "authn_method", last_part(_authn_method(assertion)))
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


def conditions(assertion: Element, at_ns: int) -> dict[str, FactValue]:
    """NotBefore and NotOnOrAfter, and whether the moment of the capture lies between them.

    `validity` is "valid", "expired" or "not_yet_valid"; `off_by` the seconds beyond the
    limit. Five minutes of difference between clocks are allowed.
    """
    found = markup.find(assertion, "Conditions")
    if found is None:
        return {}
    facts: dict[str, FactValue] = {}
    since, until = found.get("NotBefore"), found.get("NotOnOrAfter")
    _put(facts, "not_before", since)
    _put(facts, "not_on_or_after", until)
    begins, ends = _moment(since), _moment(until)
    if begins is not None or ends is not None:
        facts["validity"] = Timed(at_ns, lambda ns: _validity(begins, ends, ns)[0])
        facts["off_by"] = Timed(at_ns, lambda ns: _validity(begins, ends, ns)[1])
    return facts


def _validity(begins: float | None, ends: float | None, at_ns: int) -> tuple[str, int | None]:
    now = at_ns / 1e9
    if ends is not None and now >= ends + SKEW_S:
        return "expired", round(now - ends)
    if begins is not None and now < begins - SKEW_S:
        return "not_yet_valid", round(begins - now)
    return "valid", None


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
            _put(facts, name, last_part(found.get("Algorithm")))
    return facts


def last_part(uri: str | None) -> str:
    """The last part of a URI or URN: what people call the algorithm, format or method."""
    return re.split(r"[/#:]", uri.strip())[-1][:100] if uri else ""


def _put(facts: dict[str, Any], name: str, value: str | None) -> None:
    if value:
        facts[name] = cut(value, 300)


def read(name: str, value: str, binding: str, at_ns: int) -> dict[str, FactValue]:
    """The facts of a SAMLRequest or SAMLResponse parameter, the value itself as a secret."""
    kind = "saml_request" if name == "samlrequest" else "saml_response"
    facts: dict[str, FactValue] = {kind: secret(kind, value), "binding": binding}
    text = encodings.saml(value)
    if text is None:
        facts["problem"] = "not base64 of a SAML message"
        return facts
    content = message_facts(text, at_ns)
    if not content:
        facts["problem"] = "no well-formed XML"
    return {**content, **facts}


def token_facts(wresult: str, at_ns: int) -> dict[str, FactValue]:
    """Issuer, audience, user and validity of a RequestSecurityTokenResponse's assertion.

    `at_ns` is the moment of the message: the conditions are held against it.
    """
    facts: dict[str, FactValue] = {"wresult": secret("wresult", wresult)}
    root = markup.xml(wresult)
    if root is None:
        facts["problem"] = "no well-formed XML"
        return facts
    facts.update(assertion_facts(root, at_ns))
    return facts
