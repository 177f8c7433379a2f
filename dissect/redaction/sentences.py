"""The server's own words: error descriptions, reasons, warnings, fault strings.

They stay readable; URLs in them are taken apart, values that they name as secrets and words that
look like tokens are wrapped. What the book knows is masked in them when they are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from dissect.model import UNKNOWN, Secret
from dissect.redaction import forms
from dissect.redaction.harmless import HARMLESS, known, no_secret
from dissect.redaction.judging import Judging, Part
from dissect.redaction.kinds import kind_by_words
from dissect.redaction.plain import plain

_WORD = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>]++)"
    r"|(?P<name>[A-Za-z][\w.-]{0,60})(?P<is>(?:\\?[\"'])?\s{0,2}[=:]\s{0,2}(?:\\?[\"'])?)(?P<value>[^\s,;&\"'<>]{1,4096})"
    r"|(?P<word>[A-Za-z0-9+/=_.~!*%-]{8,}+)",
    re.I,
)
# "Error code: 50126" and "Invalid token: expired" are sentences, "code=0.AX…" a parameter.
_PROSE = frozenset(
    {
        "code", "state", "response", "opaque", "sid", "nonce", "ctx", "token", "ticket", "key",
        "session", "signature", "credential", "credentials", "auth", "authorization", "assertion",
        "cookie",
    }
)  # fmt: skip
_CONTAINERS = ("{", "[", "<")
# What a pairing page shows a user to type: letters and digits in capitals, no word.
_USER_CODE = re.compile(
    r"(?=[A-Z0-9-]{0,8}\d)(?=[A-Z0-9-]{0,8}[A-Z])(?:[A-Z0-9]{8,9}|[A-Z0-9]{4}-[A-Z0-9]{4})"
)
# Numbers of errors, by the products that have them (ADFS, its libraries, Azure AD, B2C, HTTP).
_ERROR_NUMBER = re.compile(r"(?:MSIS|IDX|AADSTS|AADB2C|ID|SQL|ORA|ADAL|MSAL|WS|TF|JBAS|E)\d{3,7}")
# A server's name, such as ms-diagnostics has; tokens with dots have longer parts.
_SERVER = re.compile(r"(?:[A-Za-z0-9-]{1,24}\.){2,6}[A-Za-z]{2,12}")


def words(judge: Judging, value: str, depth: int = 0) -> Iterator[Part]:
    """The parts of a text for people, put together the text itself."""
    if forms.is_pem_key(value):
        yield Secret("private_key", value)
        return
    if value.lstrip()[:1] in _CONTAINERS:
        yield Secret(UNKNOWN, value)  # JSON or markup in a text is no sentence
        return
    end = 0
    for match in _WORD.finditer(value):
        if match.start() > end:
            yield value[end : match.start()]
        end = match.end()
        if match["url"]:
            yield from judge.inner_url(match["url"], match["url"], "", depth)
        elif match["name"] and forms.looks_like_token(match["name"]):
            yield Secret("opaque_value", match[0])  # base64 and its padding
        elif match["name"] and (place := forms.user_info(match[0])) and match["is"] == ":":
            yield match[0][: place[0]]
            yield Secret("basic_credentials", match[0][slice(*place)])
            yield match[0][place[1] :]
        elif match["name"]:
            yield match["name"] + match["is"]
            prose = ":" in match["is"] and match["name"].lower() in _PROSE
            yield from _said(judge, "" if prose else match["name"], match["value"], depth)
        else:
            yield word(judge, match["word"], depth)
    if end < len(value):
        yield value[end:]


def _said(judge: Judging, name: str, value: str, depth: int) -> Iterator[Part]:
    """A value that a sentence names: hidden if its name is a secret's."""
    if forms.is_url(value):
        yield from judge.inner_url(value, value, "", depth)
        return
    lower = name.lower()
    kind, flags = known("text", lower)
    if kind is None and not flags & HARMLESS:
        kind = kind_by_words(name)
    if kind is None and lower in judge.opened:
        yield value
    elif kind is None or _plain(kind, lower, name, value):
        inner = list(plain(value)) if "=" in value or ":" in value else []
        yield from inner if len(inner) > 1 else (word(judge, value, depth),)
    else:
        yield Secret(kind, value)


def _plain(kind: str, lower: str, name: str, value: str) -> bool:
    return (
        no_secret(kind, lower, value, "text", typed=False)
        or value.lower() in forms.BOOLEANS
        or (kind != "password" and (forms.by_last_word(name, value) or forms.host(value)))
    )


def word(judge: Judging, text: str, depth: int = 0) -> Part:
    """A word of a sentence."""
    if _USER_CODE.fullmatch(text) and not _ERROR_NUMBER.fullmatch(text):
        return Secret("user_code", text)
    if len(text) < 8 or _SERVER.fullmatch(text) or forms.host(text.lower()):
        return text
    if forms.looks_like_token(text):
        return Secret("opaque_value", text)
    if "%" in text:
        if forms.looks_like_token(unquote(text)):
            return Secret("opaque_value", text)
        if judge.inside(text, depth):
            return Secret(UNKNOWN, text)
    return text
