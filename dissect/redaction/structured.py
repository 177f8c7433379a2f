"""Header fields of members and parameters (RFC 9110 §5.6), of which only the known are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import UNKNOWN, Secret
from dissect.redaction import field_names
from dissect.redaction.judge import Judge, Part
from dissect.redaction.plain import plain

PARAMETER = re.compile(
    r"(?<![\w.-])([\w.-]{1,100})\s{0,8}=\s{0,8}(?:\"((?:[^\"\\]|\\.)*+)\"?|([^\s,;\"]*+))"
)
_PIECE = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|\([^()]*+\)?|[^\",;(]++|[,;]")


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
