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
from dissect.signin import authentication

_URI = re.compile(r"sips?:([^<>\s]++)", re.I)
_BEHIND = re.compile(r"[;?]")
_CONTACT_EXPIRES = re.compile(r";\s*expires\s*=\s*\"?([0-9]{1,10})\b", re.I)
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
        self.forgotten = 0  # requests beyond LIMIT, whose answers say less
        self._requests: dict[tuple[str, str], _Asked] = {}
        # Of each INVITE: whether it was inside a call, and the status that its ACK is for.
        self._invites: dict[tuple[str, str], _Invite] = {}

    def knows(self, message: SipMessage) -> bool:
        """Whether what a message belongs to was seen to begin; a request begins something."""
        key = _key(message)
        if message.method in ("INVITE", "ACK") and (message.kind, message.method) != (
            "request",
            "INVITE",
        ):
            return (key[0], key[1].partition(" ")[0]) in self._invites
        return message.kind == "request" or key in self._requests

    def events(self, message: SipMessage) -> Iterator[FoundSip]:
        """The events of a message; nothing for a retransmission."""
        if message.retransmission:
            return
        key = _key(message)
        facts = self._call(message, key[0], key[1].partition(" ")[0])
        if message.kind == "request":
            if len(self._requests) >= self.LIMIT:
                self._requests.pop(next(iter(self._requests)))
                self.forgotten += 1
            self._requests[key] = _Asked(_leg(message), _expires(message) == 0)
            yield from _request(message, facts)
        else:
            yield from _response(message, self._requests.get(key), facts)

    def _call(self, message: SipMessage, call_id: str, number: str) -> dict[str, Fact]:
        """What an INVITE, its answers and its ACK have in common (RFC 3261 §14, §17.1.1.3)."""
        invite = self._invites.get((call_id, number))
        if message.kind == "request" and message.method == "INVITE":
            if len(self._invites) >= self.LIMIT:
                self._invites.pop(next(iter(self._invites)))
                self.forgotten += 1
            invite = _Invite("tag=" in (message.header("to") or "").lower())
            self._invites[call_id, number] = invite
        elif message.kind == "response" and invite is not None and message.method == "INVITE":
            invite.status = message.status or 0
        if invite is None or message.method not in ("INVITE", "ACK"):
            return {}
        facts: dict[str, Fact] = {"inside": True} if invite.inside else {}
        called = None if invite.inside else _account(message.header("to"))
        if called:  # inside of a call, From is who asks for a change, and not who called
            facts["callee"] = called
        if message.method == "ACK" and invite.status:
            facts["acknowledges"] = invite.status
        direction = _DIRECTION.search(message.body.text[:65536])
        if direction:
            facts["media_direction"] = direction.group(1)
        return facts


def _key(message: SipMessage) -> tuple[str, str]:
    return message.header("call-id") or "", message.header("cseq") or ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What counts of a request when it is answered: its leg, and whether it ends a binding."""

    leg: str
    ends: bool


@dataclass(slots=True)
class _Invite:
    inside: bool
    status: int = 0


# RFC 8866 §6.7; a session without any is sendrecv.
_DIRECTION = re.compile(r"^a=(sendonly|recvonly|inactive|sendrecv)\r?$", re.M)


def _request(message: SipMessage, about: Mapping[str, Fact]) -> Iterator[FoundSip]:
    facts = {**_common(message), **about}
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
    sent = _credentials(message, "authorization", "proxy-authorization")
    if not sent:
        return "open"
    return "handshake" if any(item.parameters.get("gssapi-data") for item in sent) else "signed"


def _credentials(message: SipMessage, *names: str) -> list[authentication.Credentials]:
    values = [value for name in names for value in message.header_all(name)]
    return [item for value in values for item in authentication.parse(value)]


_CHALLENGES = ("www-authenticate", "proxy-authenticate")


def _stale(message: SipMessage) -> bool:
    """Whether only the nonce had expired: credentials that are right come again with a fresh
    one (RFC 2617 §3.2.1)."""
    return any(
        item.parameters.get("stale", "").lower() == "true"
        for item in _credentials(message, *_CHALLENGES)
    )


def _response(
    message: SipMessage, request: _Asked | None, about: Mapping[str, Fact]
) -> Iterator[FoundSip]:
    facts = {**_common(message), **about}
    status = message.status or 0
    facts["status"] = status
    if message.reason:
        facts["reason"] = message.reason
    facts.update(diagnostics(message))
    if message.method != "REGISTER":
        facts["method"] = message.method
        if status in (401, 407):
            facts["schemes"] = challenge_schemes(message)
        yield FoundSip("sip.response.sent", facts)
        return
    leg = request.leg if request is not None else "unknown"
    facts["leg"] = leg
    if message.tls_dsk:
        facts["handshake"] = message.tls_dsk
    schemes = challenge_schemes(message)
    if schemes:
        facts["schemes"] = schemes
    if request is not None and request.ends:
        yield FoundSip("sip.unregister.answered", facts)
    elif status < 200:
        yield FoundSip("sip.register.progress", facts)
    elif status < 300:
        yield FoundSip("sip.register.accepted", facts)
    elif status in (401, 407) and _stale(message):
        yield FoundSip("sip.register.challenged", {**facts, "stale": True})
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
    found = _credentials(message, *_CHALLENGES, "authorization", "proxy-authorization")
    return tuple(dict.fromkeys(item.scheme for item in found))


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
    quoted = re.search(r'(?<!\\)"((?:[^"\\]|\\.)*+)"', warning) if warning else None
    return {"text": quoted.group(1)} if quoted else {}


def _common(message: SipMessage) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name, fact in (("call-id", "call_id"), ("cseq", "cseq")):
        value = message.header(name)
        if value:
            facts[fact] = value.strip()
    sender = message.header("from") or ""
    user = _account(sender)
    if user:
        facts["user"] = user
    epid = _EPID.search(sender)
    if epid:
        facts["epid"] = epid.group(1).lower()
    if message.transport == "ws":
        facts["transport"] = "ws"
    agent = message.header("user-agent")
    if agent and message.kind == "request":
        facts["user_agent"] = agent
    return facts


def _account(value: str | None) -> str | None:
    """User and host of the SIP URI in a From or To field, or the host alone, in lower case. Up to
    the @ all is of the user part, semicolons and question marks, too (RFC 3261 §25.1)."""
    uri = _URI.search(value or "")
    if uri is None:
        return None
    user, at, host = uri[1].partition("@")
    if not at:
        user, host = "", user
    host, *parameters = _BEHIND.split(host)
    if "gr" in parameters:  # a temporary GRUU, whose user part hides the user (RFC 5627 §3.1.2)
        user = at = ""
    return (user + at + host).lower() or None


def _expires(message: SipMessage) -> int | None:
    """The lifetime asked for: each contact's own, else that of the Expires field (RFC 3261
    §10.2.1.1); None where there is neither."""
    own = _CONTACT_EXPIRES.findall(", ".join(message.header_all("contact")))
    value = max(own, key=int) if own else (message.header("expires") or "").strip()
    # Delta-seconds of RFC 3261 §25.1 have ten digits at most; `int` refuses thousands of them.
    return int(value) if value.isdecimal() and len(value) <= 10 else None
