"""HTTP authentication by NTLM, Kerberos and Negotiate: which leg a message is ([MS-NTHT],
RFC 4559). The credentials stay secret; only names that the client gives are read."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from dissect.signin.exchange import Exchange

_SIGNATURE = b"NTLMSSP\0"


@dataclass(frozen=True, slots=True)
class Leg:
    """A request's credentials: the scheme (as found inside Negotiate), whether it is the last
    leg, and the name in it ("domain\\user", lower case; empty where it is not readable)."""

    scheme: str
    final: bool
    user: str = ""


def sent(exchange: Exchange) -> Leg | None:
    """The leg that a request brings in its Authorization field; None without one of these."""
    scheme, _, rest = (exchange.request_header("authorization") or "").partition(" ")
    if scheme.lower() not in ("ntlm", "negotiate", "kerberos"):
        return None
    blob = _decoded(rest)
    at = blob.find(_SIGNATURE)
    if at < 0:
        # SPNEGO or a Kerberos AP-REQ: the first message is the only one of the client.
        return Leg("Kerberos" if scheme.lower() != "ntlm" else "NTLM", bool(blob))
    kind = int.from_bytes(blob[at + 8 : at + 12], "little")
    return Leg("NTLM", kind == 3, _user(blob[at:]) if kind == 3 else "")


def challenge_leg(exchange: Exchange) -> str | None:
    """Of a 401: "offer" lists schemes, "challenge" carries a server's blob; else None."""
    if exchange.response is None or exchange.status != 401:
        return None
    fields = [value.strip() for value in exchange.response.headers.all("www-authenticate")]
    schemes = [value for value in fields if value.lower().startswith(("ntlm", "negotiate"))]
    if any(" " in value for value in schemes):
        return "challenge"
    return "offer" if schemes else None


def _decoded(text: str) -> bytes:
    compact = text.strip()
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (ValueError, binascii.Error):
        return b""  # not base64: an unreadable leg has no name in it


def _user(message: bytes) -> str:
    """Domain and user of an AUTHENTICATE_MESSAGE ([MS-NLMP] 2.2.1.3)."""
    unicode = len(message) >= 64 and message[60] & 1
    domain, user = (_field(message, offset, bool(unicode)) for offset in (28, 36))
    name = f"{domain}\\{user}" if domain and user else user
    return name.lower()


def _field(message: bytes, offset: int, unicode: bool) -> str:
    length = int.from_bytes(message[offset : offset + 2], "little")
    start = int.from_bytes(message[offset + 4 : offset + 8], "little")
    raw = message[start : start + length]
    if len(raw) != length or length > 512:
        return ""
    text = raw.decode("utf-16-le" if unicode else "latin-1", "replace")
    return "".join(c for c in text if c.isprintable())
