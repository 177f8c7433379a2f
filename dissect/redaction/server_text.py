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

# Letters that are written as numbers: nobody who explains something does that.
_CODED = (
    r"(?:\\{1,8}u[0-9a-f]{4}|\\{1,8}x[0-9a-f]{2}|&(?:amp;)?#?[a-z0-9]{1,8};|=[0-9a-f]{2}"
    r"|%[0-9a-f]{2}){3}"
)
# What opens markup or JSON; their quotation marks may be escaped.
_OPENS = r"<[a-z/?!]|[{\[]\s{0,4}+(?:\\{0,8}[\"']|[{\[])"
_WORD = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>]++)"
    rf"|(?P<opens>{_OPENS})"
    r"|(?P<name>[A-Za-z][\w.-]{0,60})(?P<is>(?:\\?[\"'])?\s{0,2}[=:]\s{0,2}(?:\\?[\"'])?)"
    rf"(?P<value>(?={_OPENS}|&|=).|[^\s,;&\"'<>]{{1,4096}})"
    rf"|(?P<coded>{_CODED}\S{{0,4096}})"
    r"|(?P<word>[A-Za-z0-9+/=_.~!*%-]{8,}+)",
    re.I | re.S,
)
_OPENING = re.compile(_OPENS, re.I)
_CODED_WORD = re.compile(_CODED, re.I)
# The value of a secret goes on over blanks, until the sentence does.
_MORE = re.compile(
    r"(?:&#?\w{1,8};|[^\s,;&\"'<>]){0,4096}+"
    r"(?:\s(?!(?:was|is|are|were|has|had|does|did|do|not|for|from|in|on|at|of|to|by|with|and|or|the"
    r"|that|because|but|invalid|wrong|failed|expired|incorrect|ist|war|nicht|und|f\u00fcr)\b)"
    r"[^\s,;&\"'<>=:]{1,64}(?![^\s,;&\"'<>=:])(?!\s{0,2}[=:])){0,16}",
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
    while match := _WORD.search(value, end):
        if match.start() > end:
            yield value[end : match.start()]
        end = match.end()
        if match["opens"] or (match["value"] and _OPENING.match(value, match.start("value"))):
            # JSON or markup in a text is no sentence, and nobody knows where it ends.
            start = match.start("value") if match["value"] else match.start()
            yield value[match.start() : start]
            yield Secret(_kind(match["name"] or "") or UNKNOWN, value[start:])
            return
        if match["url"]:
            yield from judge.inner_url(match["url"], match["url"], "", depth)
        elif match["coded"]:
            yield Secret(UNKNOWN, match["coded"])
        elif match["name"] and forms.looks_like_token(match["name"]):
            yield Secret("opaque_value", match[0])  # base64 and its padding
        elif match["name"] and (place := forms.user_info(match[0])) and match["is"] == ":":
            yield match[0][: place[0]]
            yield Secret("basic_credentials", match[0][slice(*place)])
            yield match[0][place[1] :]
        elif match["name"]:
            start = match.start("value")
            yield value[match.start() : start]
            prose = ":" in match["is"] and match["name"].lower() in _PROSE
            name = "" if prose else match["name"]
            if "=" in match["is"] and _kind(name):
                more = _MORE.match(value, start)
                end = max(end, more.end() if more else end)
            elif match["value"] in ("&", "="):
                end = start  # of something encoded, maybe
                continue
            yield from _shown_text(judge, name, value[start:end], depth)
        else:
            yield word(judge, match["word"], depth)
    if end < len(value):
        yield value[end:]


def _kind(name: str) -> str | None:
    """The kind of secret that a name in a sentence speaks of."""
    lower = name.lower()
    kind, flags = known("text", lower)
    if kind is None and not flags & HARMLESS:
        kind = kind_by_words(name)
    return kind


def _shown_text(judge: Judging, name: str, value: str, depth: int) -> Iterator[Part]:
    """A value that a sentence names: hidden if its name is a secret's."""
    if forms.is_url(value):
        yield from judge.inner_url(value, value, "", depth)
        return
    lower = name.lower()
    kind = _kind(name)
    if kind is None and lower in judge.shown_names:
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
    if _CODED_WORD.search(text):
        return Secret(UNKNOWN, text)
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
