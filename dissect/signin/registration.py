"""SIP registration with Skype for Business: which leg of TLS-DSK a message is ([MS-SIPAE]).

Up to three 401s are normal: the list of schemes, the TLS handshake's legs, and only then
a signed REGISTER. A 401 to a signed request, or a fresh list of schemes in the middle of
a handshake, is a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dissect.model import Fact, SipMessage

_SCHEME = re.compile(r"^\s*([A-Za-z][A-Za-z0-9-]*)")
_URI = re.compile(r"sips?:([^;>\s?]+)", re.I)
_EPID = re.compile(r";\s*epid=([0-9a-fA-F]+)", re.I)
_REASON = re.compile(r'reason="((?:[^"\\]|\\.)*)"', re.I)


@dataclass(frozen=True, slots=True)
class FoundSip:
    """An event of one SIP message."""

    name: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


class Transactions:
    """Remembers the request of each open transaction (RFC 3261 §17), bounded."""

    LIMIT = 4096

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str], SipMessage] = {}

    def events(self, message: SipMessage) -> Iterator[FoundSip]:
        """The events of a message; nothing for a retransmission."""
        if message.retransmission:
            return
        key = (message.header("call-id") or "", message.header("cseq") or "")
        if message.kind == "request":
            if len(self._requests) >= self.LIMIT:
                self._requests.pop(next(iter(self._requests)))
            self._requests[key] = message
            yield from _request(message)
        else:
            yield from _response(message, self._requests.get(key))


def _request(message: SipMessage) -> Iterator[FoundSip]:
    facts = _common(message)
    if message.method == "REGISTER":
        leg = _leg(message)
        facts["leg"] = leg
        if message.tls_dsk:
            facts["handshake"] = message.tls_dsk
        if _expires(message) == 0:
            yield FoundSip("sip.unregister.sent", facts)
        else:
            yield FoundSip("sip.register.sent", facts)
    else:
        facts["method"] = message.method
        yield FoundSip("sip.request.sent", facts)


def _leg(message: SipMessage) -> str:
    """What a REGISTER brings: nothing yet, a handshake's bytes, or a signature."""
    header = message.header("authorization") or message.header("proxy-authorization")
    if header is None:
        return "open"
    if "gssapi-data=" in header.replace(" ", "").lower() and 'gssapi-data=""' not in header.lower():
        return "handshake"
    return "signed"


def _response(message: SipMessage, request: SipMessage | None) -> Iterator[FoundSip]:
    facts = _common(message)
    status = message.status or 0
    facts["status"] = status
    if message.reason:
        facts["reason"] = message.reason
    facts.update(diagnostics(message))
    if message.method != "REGISTER":
        facts["method"] = message.method
        yield FoundSip("sip.response.sent", facts)
        return
    leg = _leg(request) if request is not None else "unknown"
    facts["leg"] = leg
    if message.tls_dsk:
        facts["handshake"] = message.tls_dsk
    schemes = challenge_schemes(message)
    if schemes:
        facts["schemes"] = schemes
    if status < 200:
        yield FoundSip("sip.register.progress", facts)
    elif status < 300:
        yield FoundSip("sip.register.accepted", facts)
    elif status in (401, 407) and leg != "signed" and not (leg == "handshake" and len(schemes) > 1):
        yield FoundSip("sip.register.challenged", facts)
    elif status in (401, 407):
        facts["code"] = "tls_dsk_loop" if leg == "handshake" else str(status)
        yield FoundSip("sip.register.refused", facts)
    elif 300 <= status < 400:
        yield FoundSip("sip.register.redirected", facts)
    else:
        facts["code"] = str(status)
        yield FoundSip("sip.register.refused", facts)


def challenge_schemes(message: SipMessage) -> tuple[str, ...]:
    """Authentication schemes that a message offers or uses, in wire order."""
    found: list[str] = []
    for name in ("www-authenticate", "proxy-authenticate", "authorization", "proxy-authorization"):
        for value in message.header_all(name):
            match = _SCHEME.match(value)
            if match and match.group(1) not in found:
                found.append(match.group(1))
    return tuple(found)


def diagnostics(message: SipMessage) -> dict[str, Fact]:
    """ms-diagnostics (or its public form, or Warning) as error id and reason."""
    for name in ("ms-diagnostics", "ms-diagnostics-public"):
        header = message.header(name)
        if header:
            reason = _REASON.search(header)
            facts: dict[str, Fact] = {"ms_error": header.partition(";")[0].strip()}
            if reason:
                facts["text"] = reason.group(1)
            return facts
    warning = message.header("warning")
    quoted = re.search(r'"((?:[^"\\]|\\.)*)"', warning) if warning else None
    return {"text": quoted.group(1)} if quoted else {}


def _common(message: SipMessage) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name, fact in (("call-id", "call_id"), ("cseq", "cseq")):
        value = message.header(name)
        if value:
            facts[fact] = value.strip()
    sender = message.header("from") or ""
    uri = _URI.search(sender)
    if uri:
        facts["user"] = uri.group(1).lower()
    epid = _EPID.search(sender)
    if epid:
        facts["epid"] = epid.group(1).lower()
    agent = message.header("user-agent")
    if agent and message.kind == "request":
        facts["user_agent"] = agent
    return facts


def _expires(message: SipMessage) -> int | None:
    value = (message.header("expires") or "").strip()
    return int(value) if value.isdecimal() else None
