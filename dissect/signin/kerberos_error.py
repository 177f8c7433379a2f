"""The Kerberos error inside a server's Negotiate token (RFC 4121 §4.1, RFC 4120 §5.9.1): it is the
server that says it, and no domain controller."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from dissect.model import Fact
from dissect.signin.authentication import Credentials

# RFC 4120 §7.5.9: what a service, and not the KDC, answers.
NAMES = {
    31: "KRB_AP_ERR_BAD_INTEGRITY",
    32: "KRB_AP_ERR_TKT_EXPIRED",
    33: "KRB_AP_ERR_TKT_NYV",
    34: "KRB_AP_ERR_REPEAT",
    35: "KRB_AP_ERR_NOT_US",
    36: "KRB_AP_ERR_BADMATCH",
    37: "KRB_AP_ERR_SKEW",
    38: "KRB_AP_ERR_BADADDR",
    39: "KRB_AP_ERR_BADVERSION",
    40: "KRB_AP_ERR_MSG_TYPE",
    41: "KRB_AP_ERR_MODIFIED",
    42: "KRB_AP_ERR_BADORDER",
    44: "KRB_AP_ERR_BADKEYVER",
    45: "KRB_AP_ERR_NOKEY",
    46: "KRB_AP_ERR_MUT_FAIL",
    47: "KRB_AP_ERR_BADDIRECTION",
    48: "KRB_AP_ERR_METHOD",
    49: "KRB_AP_ERR_BADSEQ",
    50: "KRB_AP_ERR_INAPP_CKSUM",
    51: "KRB_AP_PATH_NOT_ACCEPTED",
    60: "KRB_ERR_GENERIC",
}
_ERROR = 0x7E  # [APPLICATION 30]
_SEQUENCE, _CODE = 0x30, 0xA6
MAX_TOKEN = 64 * 1024


def of(offers: Iterable[Credentials]) -> dict[str, Fact]:
    """`krb_error` by name, where a challenge's token holds a KRB-ERROR; else nothing."""
    for item in offers:
        if item.scheme.lower() in ("negotiate", "kerberos") and item.token:
            code = _code(_decoded(item.token))
            if code is not None:
                return {"krb_error": NAMES.get(code, f"error {code}")}
    return {}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text[:MAX_TOKEN] + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""  # no token that could hold an error


def _code(token: bytes) -> int | None:
    """The error-code of the first KRB-ERROR in a token, whatever wraps it (GSS-API, SPNEGO)."""
    at = token.find(_ERROR.to_bytes())
    while at >= 0:
        inside = _value(token, at, _ERROR)
        fields = _value(inside, 0, _SEQUENCE) if inside is not None else None
        if fields is not None:
            code = _field(fields)
            if code is not None:
                return code
        at = token.find(_ERROR.to_bytes(), at + 1)
    return None


def _field(fields: bytes) -> int | None:
    at = 0
    while at + 2 <= len(fields):
        value = _value(fields, at, fields[at])
        if value is None:
            return None
        if fields[at] == _CODE and len(value) >= 3 and value[0] == 2 and value[1] == len(value) - 2:
            return int.from_bytes(value[2:], signed=True)
        at = _end(fields, at)
    return None


def _value(data: bytes, at: int, tag: int) -> bytes | None:
    """The content of a DER value with this tag at `at`; None if it is not all there."""
    head = _head(data, at)
    if head is None or data[at] != tag or head[1] > len(data):
        return None
    return data[head[0] : head[1]]


def _head(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the content of a DER value begins and ends."""
    if at + 2 > len(data):
        return None
    length, start = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or start + size > len(data):
            return None
        length, start = int.from_bytes(data[start : start + size]), start + size
    return start, start + length


def _end(data: bytes, at: int) -> int:
    head = _head(data, at)
    return head[1] if head is not None else len(data)
