"""What a SIP request brings: its leg of signing in, its user, its lifetime (RFC 3261 §10, §22)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dissect.model import Fact, SipMessage
from dissect.signin import authentication, digest
from dissect.signin.sip_history import History
from dissect.signin.sip_words import Request

_URI = re.compile(r"sips?:([^<>\s]++)", re.I)
_BEHIND = re.compile(r"[;?]")
_CONTACT_EXPIRES = re.compile(r";\s*expires\s*=\s*\"?([0-9]{1,10})\b", re.I)
_EPID = re.compile(r";\s*epid=([0-9a-fA-F]+)", re.I)
CHALLENGES = {401: "www-authenticate", 407: "proxy-authenticate"}
ANSWERS = {401: "authorization", 407: "proxy-authorization"}


@dataclass(slots=True)
class Asked:
    """What counts of a request when it is answered: its leg for each status that may ask for
    another, its scheme, whether it ends a binding, what it has that its challenge contradicts."""

    leg: str
    scheme: str
    by_status: Mapping[int, tuple[str, str]]
    ends: bool
    wants: Request
    realms: frozenset[str] = frozenset()
    was_challenged: bool = False
    aka: bool = False
    contradiction: str = ""


def credentials(message: SipMessage, *names: str) -> list[authentication.Credentials]:
    values = [value for name in names for value in message.header_all(name)]
    return [item for value in values for item in authentication.parse(value)]


def asked(message: SipMessage, history: History) -> Asked:
    by_status = {status: _leg(credentials(message, name)) for status, name in ANSWERS.items()}
    every = credentials(message, *ANSWERS.values())
    leg, scheme = _leg(every)
    answers = [item for item in digest.only(every) if digest.proves(item)]
    found = (history.contradiction(item) for item in answers)
    lifetime = expires(message)
    return Asked(
        leg,
        scheme,
        by_status,
        lifetime == 0,
        Request(message, lifetime),
        frozenset(item.parameters.get("realm", "") for item in answers),
        history.was_challenged,
        any(map(digest.is_aka, answers)),
        next(filter(None, found), ""),
    )


_RANK = ("open", "negotiate", "signed", "authenticate", "handshake")


def _leg(sent: list[authentication.Credentials]) -> tuple[str, str]:
    """What a request brings, and by which scheme: nothing that proves anything (`open`), NTLM's
    wish for a challenge (`negotiate`), NTLM's answer or Kerberos's ticket (`authenticate`), the
    bytes of TLS-DSK's `handshake`, or a digest, token or signature (`signed`)."""
    legs = [(_leg_of(item), item.scheme) for item in sent]
    return max(legs, key=lambda leg: _RANK.index(leg[0]), default=("open", ""))


def _leg_of(item: authentication.Credentials) -> str:
    scheme, data = item.scheme.lower(), item.parameters.get("gssapi-data")
    if scheme == "digest":
        return "signed" if digest.proves(item) else "open"
    if scheme in ("ntlm", "kerberos", "negotiate") and not item.parameters.get("response"):
        return "authenticate" if data or item.token else "negotiate"
    if data:
        return "handshake"
    return "signed"


def common(message: SipMessage) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name, fact in (("call-id", "call_id"), ("cseq", "cseq")):
        value = message.header(name)
        if value:
            facts[fact] = value.strip()
    sender = message.header("from") or ""
    user = account(sender)
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


def account(value: str | None) -> str | None:
    """User and host of the SIP URI in a From or To field, or the host alone, which is in lower
    case. Up to the @ all is of the user part, semicolons and question marks, too (RFC 3261
    §25.1), and capitals count (§19.1.4)."""
    uri = _URI.search(value or "")
    if uri is None:
        return None
    user, at, host = uri[1].partition("@")
    if not at:
        user, host = "", user
    host, *parameters = _BEHIND.split(host)
    if "gr" in parameters:  # a temporary GRUU, whose user part hides the user (RFC 5627 §3.1.2)
        user = at = ""
    return (user + at + host.lower()) or None


def expires(message: SipMessage) -> int | None:
    """The lifetime asked for: each contact's own, else that of the Expires field (RFC 3261
    §10.2.1.1); None where there is neither."""
    own = _CONTACT_EXPIRES.findall(", ".join(message.header_all("contact")))
    value = max(own, key=int) if own else (message.header("expires") or "").strip()
    # Delta-seconds of RFC 3261 §25.1 have ten digits at most; `int` refuses thousands of them.
    return int(value) if value.isdecimal() and len(value) <= 10 else None
