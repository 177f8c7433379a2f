"""Where the secrets of a SIP message are: credentials, URIs, parameters, descriptions, bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dissect.model import Secret, SipMessage, wire_text
from dissect.redaction import field_names, fields, multipart, sdp, sip
from dissect.redaction.judge import Judge, Part
from dissect.redaction.kinds import kind_of
from dissect.redaction.shown_bodies import media_type
from dissect.redaction.structured import PARAMETER

# Of credentials and challenges (RFC 7616, 3310, 8898, [MS-SIPAE]), what opens a door, or what an
# answer to it can be tried on offline.
_PARAMETERS = frozenset(
    {
        "gssapi-data", "response", "rspauth", "opaque", "crand", "srand", "nonce", "cnonce",
        "nextnonce", "token", "auts",
    }
)  # fmt: skip
# What every message has and what holds no secret of a known kind.
_QUIET = frozenset(
    {
        "via", "v", "call-id", "i", "cseq", "max-forwards", "content-length", "l", "content-type",
        "c", "user-agent", "server", "date", "allow", "supported", "k", "require", "expires",
        "accept", "proxy-require", "unsupported", "allow-events", "u", "mime-version",
        "min-expires",
    }
)  # fmt: skip
_ESCAPE = re.compile(r"\\(.)", re.S)


def credentials(message: SipMessage) -> Iterator[Secret]:
    """What the authentication fields carry: nothing in them is an ordinary word."""
    for raw_name, raw_value in message.headers:
        name = raw_name.decode("latin-1").lower()
        if name not in field_names.CREDENTIALS:
            continue
        value = wire_text(raw_value)
        found = [
            (match[1], match[2] or match[3] or "")
            for match in PARAMETER.finditer(value)
            if match[1].lower() in _PARAMETERS
        ]
        for parameter, text in found:
            kind = kind_of(parameter) or "nonce"
            yield from (Secret(kind, item) for item in _unescaped(text))
        if not found and name.endswith("authorization"):
            yield fields.authorization(value)


def _unescaped(text: str) -> Iterator[str]:
    """A quoted string as it was sent, and as it was meant (RFC 3261 §25.1)."""
    if text:
        yield text
    if "\\" in text:
        yield _ESCAPE.sub(r"\1", text)


def parts(judge: Judge, message: SipMessage) -> Iterator[Iterable[Part]]:
    """Request URI, fields and session descriptions, judged."""
    if message.kind == "request":
        yield sip.uri(judge, wire_text(message.uri))
    for raw_name, raw_value in message.headers:
        name = raw_name.decode("latin-1").lower()
        if name not in _QUIET and name not in field_names.CREDENTIALS:
            yield fields.header(judge, name, wire_text(raw_value), True).parts
    for kind, text in _all(message):
        if media_type(kind) == "application/sdp":
            yield sdp.judged(judge, text)


def bodies(message: SipMessage, limit: int) -> Iterator[tuple[str, str]]:
    """Media type and text, of at most `limit` characters, of each body that is none."""
    for kind, text in _all(message):
        if media_type(kind) != "application/sdp":
            yield kind, text[:limit]


def _all(message: SipMessage) -> list[tuple[str, str]]:
    if not message.body.data:
        return []
    kind = message.header("content-type") or ""
    return multipart.parts(kind, message.body.text) or [(kind, message.body.text)]
