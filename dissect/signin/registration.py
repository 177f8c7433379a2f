"""SIP registration (RFC 3261 §10, §22): what each REGISTER brings, and what its answer means.

With Skype for Business up to three 401s are normal ([MS-SIPAE]): the list of schemes, the legs of
the handshake (TLS-DSK) or the server's challenge (NTLM), and only then a signed REGISTER. A 401 to
what was to prove something, or a fresh list of schemes in the middle of a handshake, is a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from dissect.model import Fact, Place, SipMessage
from dissect.signin import digest, sip_words
from dissect.signin.sip_history import History
from dissect.signin.sip_requests import (
    ANSWERS,
    CHALLENGES,
    Asked,
    account,
    asked,
    common,
    credentials,
    expires,
)

# RFC 8866 §6.7; a session without any is sendrecv.
_DIRECTION = re.compile(r"^a=(sendonly|recvonly|inactive|sendrecv)\r?$", re.M)


@dataclass(frozen=True, slots=True)
class FoundSip:
    """An event of one SIP message."""

    name: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(slots=True)
class _Invite:
    inside: bool
    status: int = 0


class Transactions:
    """Remembers the request of each open transaction (RFC 3261 §17), bounded."""

    LIMIT = 4096

    def __init__(self) -> None:
        self.forgotten = 0  # requests beyond LIMIT, whose answers say less
        self._requests: dict[tuple[str, str], Asked] = {}
        self._histories: dict[str, History] = {}
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
        key = _key(message)
        history = self._history(key[0]) if message.method == "REGISTER" else History()
        if message.kind == "request":
            if expires(message) != 0:
                history.sent(message)
        else:
            history.answered()
        if message.retransmission:
            return
        facts = self._call(message, key[0], key[1].partition(" ")[0])
        if message.kind == "request":
            if len(self._requests) >= self.LIMIT:
                self._requests.pop(next(iter(self._requests)))
                self.forgotten += 1
            self._requests[key] = request = asked(message, history)
            yield from _request(message, request, facts)
        else:
            yield from _response(message, self._requests.get(key), history, facts)

    def unanswered(self) -> Iterator[tuple[str, FoundSip, Place]]:
        """Registrations whose last request nobody answered, by Call-ID, when all is read."""
        for call_id, history in self._histories.items():
            silent = history.silence()
            if silent is not None:
                place, message, facts = silent
                found = FoundSip("sip.register.unanswered", {**common(message), **facts})
                yield call_id, found, place

    def answered(self, call_id: str) -> bool:
        """Whether a registration is known here, and its last request was answered."""
        history = self._histories.get(call_id)
        return history is not None and not history.waits

    def _history(self, call_id: str) -> History:
        history = self._histories.get(call_id)
        if history is None:
            if len(self._histories) >= self.LIMIT:
                self._histories.pop(next(iter(self._histories)))
            self._histories[call_id] = history = History()
        return history

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
        called = None if invite.inside else account(message.header("to"))
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


def _request(message: SipMessage, request: Asked, about: Mapping[str, Fact]) -> Iterator[FoundSip]:
    facts = {**common(message), **about}
    if message.method != "REGISTER":
        facts["method"] = message.method
        yield FoundSip("sip.request.sent", facts)
        return
    facts["leg"] = request.leg
    if request.scheme:
        facts["scheme"] = request.scheme
    if message.tls_dsk:
        facts["handshake"] = message.tls_dsk
    yield FoundSip("sip.unregister.sent" if request.ends else "sip.register.sent", facts)


def _response(
    message: SipMessage, request: Asked | None, history: History, about: Mapping[str, Fact]
) -> Iterator[FoundSip]:
    facts = {**common(message), **about}
    status = message.status or 0
    facts["status"] = status
    if message.reason:
        facts["reason"] = message.reason
    facts.update(sip_words.diagnostics(message))
    if message.method != "REGISTER":
        facts["method"] = message.method
        if status in CHALLENGES:
            facts["schemes"] = challenge_schemes(message)
        yield FoundSip("sip.response.sent", facts)
        return
    leg, scheme = (
        request.by_status.get(status, (request.leg, request.scheme))
        if request
        else (
            "unknown",
            "",
        )
    )
    facts["leg"] = leg
    if scheme:
        facts["scheme"] = scheme
    if message.tls_dsk:
        facts["handshake"] = message.tls_dsk
    schemes = challenge_schemes(message)
    if schemes:
        facts["schemes"] = schemes
    if status >= 300:
        words = sip_words.own_words(message)
        if words:
            facts["words"] = words
    yield from _outcome(message, request, history, facts)


def _outcome(
    message: SipMessage, request: Asked | None, history: History, facts: dict[str, Fact]
) -> Iterator[FoundSip]:
    status, at = message.status or 0, message.place.span.first_ns
    if status < 200:
        name = "sip.unregister.answered" if request and request.ends else "sip.register.progress"
        yield FoundSip(name, facts)
        return
    if status not in CHALLENGES:
        history.settled()
    if request is not None and request.ends:
        yield FoundSip("sip.unregister.answered", facts)
        if status in CHALLENGES:
            history.challenged(credentials(message, *CHALLENGES.values()))
        loop = history.released(at) if status < 300 else {}
        if loop:
            yield FoundSip("sip.register.looped", {**facts, **loop, "code": "unregister_loop"})
    elif status < 300:
        history.bound(at)
        yield FoundSip("sip.register.accepted", facts)
    elif status < 400:
        to = sip_words.contacts(message)
        yield FoundSip("sip.register.redirected", {**facts, **({"contacts": to} if to else {})})
    elif status in CHALLENGES:
        yield _challenge(message, request, history, facts)
    else:
        objection = sip_words.demands(message, request.wants if request else None)
        why = (request.contradiction if request and status in (400, 403) else "") or objection
        more: dict[str, Fact] = {"contradiction": why} if why else {}
        yield FoundSip("sip.register.refused", {**facts, **more, "code": str(status)})


def _challenge(
    message: SipMessage, request: Asked | None, history: History, facts: dict[str, Fact]
) -> FoundSip:
    """A 401 or 407: a leg of signing in, or the refusal of what was brought (RFC 3261 §22)."""
    status = message.status or 0
    leg = str(facts["leg"])
    items = credentials(message, CHALLENGES[status])
    offers = items or credentials(message, *CHALLENGES.values())
    realms = {item.parameters.get("realm", "") for item in digest.only(offers)}
    known = history.asked_in(realms)
    history.challenged(offers)
    if digest.is_stale(offers):
        loop = history.stale(message.place.span.first_ns) if leg == "signed" else {}
        if not loop:
            return FoundSip("sip.register.challenged", {**facts, "stale": True})
        code: dict[str, Fact] = {"code": "stale_loop", "stale": True}
        return FoundSip("sip.register.refused", {**facts, **loop, **code})
    history.settled()
    data = any(item.parameters.get("gssapi-data") for item in offers)
    if not offers:
        why = f"the answer has no {_TITLES[status]}: nothing says what the client is to bring"
        reported: dict[str, Fact] = {"contradiction": why, "code": str(status)}
        return FoundSip("sip.register.refused", {**facts, **reported})
    if leg == "handshake" and (not data or len(challenge_schemes(message)) > 1):
        return FoundSip("sip.register.refused", {**facts, "code": "tls_dsk_loop"})
    if leg in ("open", "unknown", "handshake") or (leg == "negotiate" and data):
        return FoundSip("sip.register.challenged", facts)
    others = request is not None and realms and not realms & request.realms
    if leg == "signed" and others and not known:
        # Another realm asks for the first time (RFC 3261 §22.3).
        return FoundSip("sip.register.challenged", facts)
    refused: dict[str, Fact] = {"code": str(status)}
    if request is not None and request.contradiction:
        refused["contradiction"] = request.contradiction
    refused["proof"] = _proof(str(facts.get("scheme", "")), request)
    return FoundSip("sip.register.refused", {**facts, **refused})


_TITLES = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}


def _proof(scheme: str, request: Asked | None) -> str:
    """What was refused: which entry of the catalogue explains it."""
    name = scheme.lower()
    if name != "digest":
        return name if name in ("tls-dsk", "ntlm", "kerberos", "negotiate", "bearer") else "other"
    if request is not None and request.aka:
        return "aka"
    if request is not None and request.contradiction:
        return "contradiction"
    known = request is not None and request.was_challenged
    return "digest_refused" if known else "digest_alone"


def challenge_schemes(message: SipMessage) -> tuple[str, ...]:
    """Authentication schemes that a message offers or uses, in wire order."""
    found = credentials(message, *CHALLENGES.values(), *ANSWERS.values())
    return tuple(dict.fromkeys(item.scheme for item in found))


def unanswered(captures: Collection[Transactions]) -> Iterator[tuple[FoundSip, Place]]:
    """The registrations of some captures that were answered in none of them, when all is read."""
    for transactions in captures:
        for call_id, found, place in transactions.unanswered():
            if not any(other.answered(call_id) for other in captures):
                yield found, place
