"""Windows sign-in over HTTP: NTLM, Kerberos and Negotiate ([MS-NTHT], RFC 4559).

`authentication` tells which leg a field is; here the name that the client gives is read
([MS-NLMP] 2.2.1.3). The credentials stay secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from dissect.signin import authentication
from dissect.signin.exchange import Exchange

_SCHEMES = ("ntlm", "negotiate", "kerberos")


@dataclass(frozen=True, slots=True)
class RequestCredentials:
    """A request's credentials: the scheme (as found inside Negotiate), whether it is the last
    leg, and the name in it ("domain\\user", lower case; empty where it is not readable)."""

    scheme: str
    final: bool
    user: str = ""


def sent(exchange: Exchange) -> RequestCredentials | None:
    """The leg that a request brings in its Authorization field; None without one of these."""
    found = authentication.parse(exchange.request_header("authorization") or "")
    item = next((one for one in found if one.scheme.lower() in _SCHEMES), None)
    if item is None:
        return None
    leg = authentication.leg(item, challenge=False)
    if item.scheme.lower() == "ntlm" or leg.mechanism == "NTLM":
        message = authentication.ntlm_message(item)
        final = leg.step == "authenticate"
        return RequestCredentials("NTLM", final, _user(message) if final else "")
    # SPNEGO or a Kerberos AP-REQ: the first message is the only one of the client.
    return RequestCredentials("Kerberos", bool(item.token))


def challenge_leg(exchange: Exchange) -> str | None:
    """Of a 401: "offer" lists schemes, "challenge" carries a server's blob; else None."""
    if exchange.response is None or exchange.status != 401:
        return None
    fields = exchange.response.headers.all("www-authenticate")
    found = [item for value in fields for item in authentication.parse(value)]
    found = [item for item in found if item.scheme.lower() in ("ntlm", "negotiate")]
    if any(item.token for item in found):
        return "challenge"
    return "offer" if found else None


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
