"""HTTP and SIP authentication fields (RFC 9110 §11, RFC 3261 §22, [MS-SIPAE], RFC 4559).

Which scheme a field offers or uses, and which leg of it: a list of schemes, the first token
of a handshake, its challenge, its answer, a signature. Values never leave this module.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dissect.model import Connection, Headers
from dissect.redaction.fields import is_scheme

MAX_FIELD = 64 * 1024  # bytes of one field that are read

_CHALLENGES = ("www-authenticate", "proxy-authenticate")
_CREDENTIALS = ("authorization", "proxy-authorization")
_FIELDS = (*_CHALLENGES, *_CREDENTIALS)

_SCHEME = re.compile(r"[\s,]*([A-Za-z][A-Za-z0-9._~+-]{0,39})(?=[\s,]|\Z)")
_PARAMETER = re.compile(
    r"[\s,]*([A-Za-z0-9_.*-]{1,64})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^\s,\"]*)(?=[\s,]|\Z))"
)
_TOKEN68 = re.compile(r"[ \t]+([A-Za-z0-9._~+/-]+=*)[ \t]*(?=,|\Z)")

UNKNOWN_SCHEME = "unknown"  # in place of a word that is no scheme's name: it may be the secret

_NTLMSSP = b"NTLMSSP\0"
_NTLM_LEGS = {1: "negotiate", 2: "challenge", 3: "authenticate"}
# Object identifiers as DER writes them (RFC 4178, RFC 4121, [MS-SPNG]).
_SPNEGO = bytes.fromhex("06062b0601050502")
_KERBEROS = (bytes.fromhex("06092a864886f712010202"), bytes.fromhex("06092a864882f712010202"))
_NTLM_OID = bytes.fromhex("060a2b06010401823702020a")
_KERBEROS_LEGS = {b"\x01\0": "authenticate", b"\x02\0": "accepted", b"\x03\0": "error"}
_GSS_TOKEN, _NEG_RESPONSE = 0x60, 0xA1


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """One challenge or one set of credentials; its parameters by name in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def __repr__(self) -> str:
        return f"‹{self.scheme} credentials›"


@dataclass(frozen=True, slots=True)
class Leg:
    """One step of a scheme: `offer`, `negotiate`, `challenge`, `authenticate`, `signature` …

    `mechanism` is what a Negotiate token carries inside (`NTLM`, `Kerberos`), else "".
    """

    scheme: str
    step: str
    mechanism: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.scheme, self.mechanism, self.step)))


def parse(value: str) -> list[Credentials]:
    """The challenges or credentials of one field, in wire order; never raises.

    A word that is followed by `=` is a parameter of the scheme before it (RFC 9110 §11.6.1).
    """
    value = value[:MAX_FIELD]
    found: list[Credentials] = []
    at = 0
    while match := _SCHEME.match(value, at):
        at = match.end()
        parameters: dict[str, str] = {}
        token = ""
        if opaque := _TOKEN68.match(value, at):
            token, at = opaque[1], opaque.end()
        else:
            while parameter := _PARAMETER.match(value, at):
                quoted, bare = parameter[2], parameter[3]
                parameters.setdefault(parameter[1].lower(), quoted if bare is None else bare)
                at = parameter.end()
        found.append(Credentials(match[1], parameters, token))
    return found


def legs(headers: Headers, tls_dsk: tuple[str, ...] = ()) -> tuple[Leg, ...]:
    """Every leg that a message's fields show, in wire order.

    `tls_dsk` are the TLS messages that the message's gssapi-data holds.
    """
    found: list[Leg] = []
    for name in _FIELDS:
        for value in headers.all(name):
            found += [leg(item, name in _CHALLENGES, tls_dsk) for item in parse(value)]
    return tuple(found)


def schemes(found: Iterable[Leg]) -> list[str]:
    """The schemes of some legs, each once, as they were spelt first."""
    spelt: dict[str, str] = {}
    for item in found:
        spelt.setdefault(item.scheme.lower(), item.scheme)
    return list(spelt.values())


def leg(item: Credentials, challenge: bool, tls_dsk: tuple[str, ...] = ()) -> Leg:
    """What one challenge (or set of credentials) is a step of."""
    scheme = item.scheme.lower()
    if not is_scheme(scheme, challenge):
        # Credentials that stand there without a scheme, or behind one that nobody knows.
        return Leg(UNKNOWN_SCHEME, "offer" if challenge else "credentials")
    data = _decoded(item.token or item.parameters.get("gssapi-data", ""))
    if scheme in ("ntlm", "negotiate", "kerberos") and data:
        mechanism, step = _gss(data)
        return Leg(item.scheme, step, "" if mechanism.lower() == scheme else mechanism)
    if scheme == "tls-dsk" and item.parameters.get("gssapi-data"):
        return Leg(item.scheme, f"handshake ({', '.join(tls_dsk)})" if tls_dsk else "handshake")
    if challenge:
        stale = item.parameters.get("stale", "").lower() == "true"
        return Leg(item.scheme, "offer (stale nonce)" if stale else "offer")
    if item.parameters.get("response"):
        return Leg(item.scheme, "response" if scheme == "digest" else "signature")
    return Leg(item.scheme, "credentials" if item.token else "open")


def ntlm_message(item: Credentials) -> bytes:
    """The NTLM message inside a token of NTLM or Negotiate; empty if there is none."""
    data = _decoded(item.token)
    at = data.find(_NTLMSSP)
    return data[at:] if at >= 0 else b""


def _decoded(text: str) -> bytes:
    try:
        # Some clients leave the padding out.
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""  # the caller then tells the leg by the field's name alone


def _gss(data: bytes) -> tuple[str, str]:
    """(mechanism, step) of a GSS-API or NTLM token."""
    at = data.find(_NTLMSSP)
    if at >= 0:
        number = int.from_bytes(data[at + 8 : at + 12], "little")
        return "NTLM", _NTLM_LEGS.get(number, "token")
    for oid in _KERBEROS:
        # SPNEGO lists mechanisms first; the token of its choice is the last that is named.
        at = data.rfind(oid)
        if at >= 0:
            step = _KERBEROS_LEGS.get(data[at + len(oid) : at + len(oid) + 2])
            return "Kerberos", step or "negotiate"
    if data[0] == _NEG_RESPONSE:
        return "", "challenge"
    if data[0] == _GSS_TOKEN and _SPNEGO in data[:16]:
        return ("NTLM" if _NTLM_OID in data else ""), "negotiate"
    return "", "token"


class SignedIn:
    """Connections that NTLM or Negotiate signed in: their later requests say nothing of it.

    Both schemes authenticate the connection, not the request (RFC 4559 §6).
    """

    def __init__(self) -> None:
        self._by: dict[Connection, str] = {}

    def exchange(
        self, connection: Connection, asked: tuple[Leg, ...], status: int
    ) -> Iterator[Leg]:
        """The leg `by connection` of a request without credentials; learns from the others."""
        used = [item for item in asked if item.scheme.lower() in ("ntlm", "negotiate")]
        if used:
            if status in (401, 407):
                self._by.pop(connection, None)
            elif status and used[0].step == "authenticate":
                self._by[connection] = used[0].scheme
        elif not asked and connection in self._by:
            if status == 401:
                del self._by[connection]
            else:
                yield Leg(self._by[connection], "by connection")
