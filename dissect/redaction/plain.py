"""Text shown as it is, but for what no grammar has there and programs write all the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import Secret
from dissect.redaction import forms
from dissect.redaction.judging import Part
from dissect.redaction.kinds import kind_by_words

# Words that may have user information, and a name with its sign, in a comment of a product, say.
_AT = re.compile(r"[^\s,;()<>\"']++")
_NAMED = re.compile(r"(?<![\w.-])([A-Za-z][\w.-]{0,60}+)\s?[=:]\s?\"?")
_NAMED_VALUE = re.compile(r"[^\s,;()<>\"]{1,400}+")
# In a comment (RFC 9110 §5.6.5) a password goes on over blanks, to the comment's next sign.
_IN_COMMENT = re.compile(r"[^,;()<>\"]{1,400}+(?=[;)])")


def plain(value: str) -> Iterator[Part]:
    """Text as it is, but for a token, and for what is called a secret in it or stands as one before
    a host: the grammars of these fields have neither, and programs write both."""
    if ("eyJ" in value or forms.PEM in value) and forms.has_jwt(value):
        yield Secret("opaque_value", value)
        return
    end = 0
    for start, stop, kind in _spots(value):
        if start >= end:
            yield from (value[end:start], Secret(kind, value[start:stop]))
            end = stop
    yield value[end:]


def _harmless(kind: str, value: str) -> bool:
    """Whether a value says what is the matter with a secret, and is none; a password may have any
    form."""
    return value.lower() in forms.BOOLEANS if kind == "password" else forms.harmless(value)


def _spots(value: str) -> list[tuple[int, int, str]]:
    """Where secrets stand in a text that is no sentence, and of what kind."""
    found: list[tuple[int, int, str]] = []
    for match in _AT.finditer(value) if "@" in value else ():
        place = forms.user_info(match[0])
        if place is not None:
            start, stop = place
            found.append((match.start() + start, match.start() + stop, "basic_credentials"))
    for match in _NAMED.finditer(value) if "=" in value or ":" in value else ():
        kind = kind_by_words(match[1])
        inner = _NAMED_VALUE.match(value, match.end()) if kind is not None else None
        if kind == "password":
            inner = _IN_COMMENT.match(value, match.end()) or inner
        if kind is not None and inner is not None and not _harmless(kind, inner[0]):
            found.append((inner.start(), inner.end(), kind))
    return sorted(found)
