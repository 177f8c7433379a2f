"""Header fields of members and parameters (RFC 9110 §5.6), of which only the known are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import UNKNOWN, Secret
from dissect.redaction import field_names, forms
from dissect.redaction.judge import Judge, Part
from dissect.redaction.kinds import kind_by_words

PARAMETER = re.compile(
    r"(?<![\w.-])([\w.-]{1,100})\s{0,8}=\s{0,8}(?:\"((?:[^\"\\]|\\.)*+)\"?|([^\s,;\"]*+))"
)
_PIECE = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|\([^()]*+\)?|[^\",;(]++|[,;]")


# Words that may have user information, and a name with its sign, in a comment of a product, say.
_AT = re.compile(r"[^\s,;()<>\"']++")
_NAMED = re.compile(r"(?<![\w.-])([A-Za-z][\w.-]{0,60}+)\s?[=:]\s?\"?")
_NAMED_VALUE = re.compile(r"[^\s,;()<>\"]{1,400}+")


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
        if kind is not None and inner is not None and not forms.harmless(inner[0]):
            found.append((inner.start(), inner.end(), kind))
    return sorted(found)


def structured(judge: Judge, value: str) -> Iterator[Part]:
    """Members and parameters of a field whose grammar is known: unknown parameters are judged."""
    name = ""  # of the parameter whose quoted value comes next
    before = ","  # the separator, or what else stands before a piece
    for match in _PIECE.finditer(value):
        piece = match[0]
        bare = piece.strip()
        key, equals, _ = bare.partition("=")
        before, after = bare[:1] or before, before
        if piece in (",", ";") or not bare:
            yield piece
            name = "" if bare else name
        elif piece[0] == "(":
            yield Secret(UNKNOWN, piece)  # a comment
        elif piece[0] == '"' and name:
            yield from _quoted(judge, name, piece)
        elif equals and piece[0] != '"':
            start = piece.find("=") + 1
            yield piece[:start]
            name = key.strip().lower()
            inner = piece[start:].strip()
            if inner:
                at = piece.find(inner, start)
                yield piece[start:at]
                yield from _member(judge, name, inner)
                yield piece[at + len(inner) :]
            else:
                yield piece[start:]
        elif after == ";":
            yield judge.flag(piece)
        else:
            # Two pieces without a separator are no member: a quotation mark stands in a value.
            yield from plain(piece) if after == "," else [Secret(UNKNOWN, piece)]


def _quoted(judge: Judge, name: str, piece: str) -> Iterator[Part]:
    closed = len(piece) > 1 and piece[-1] == '"'
    inner = piece[1:-1] if closed else piece[1:]
    yield '"'
    yield from _member(judge, name, inner) if inner else ()
    yield '"' if closed else ""


def _member(judge: Judge, name: str, content: str) -> Iterator[Part]:
    if name in field_names.STRUCTURED_PARAMETERS:
        yield from plain(content)
    else:
        yield from judge.value("query", name, content)


def diagnostics(judge: Judge, value: str) -> Iterator[Part]:
    """Number, then reasons in words, named or by position."""
    end = 0
    for match in PARAMETER.finditer(value):
        group = 2 if match[2] is not None else 3
        if not match[group]:
            continue
        yield from judge.words(value[end : match.start()])
        yield value[match.start() : match.start(group)]
        if match[1].lower() in field_names.DIAGNOSTIC_PARAMETERS:
            yield from judge.words(match[group])
        else:
            yield from judge.value("sip", match[1], match[group])
        end = match.end(group)
    yield from judge.words(value[end:])
