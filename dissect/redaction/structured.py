"""Header fields of members and parameters (RFC 9110 §5.6), of which only the known are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import UNKNOWN, Secret
from dissect.redaction import field_names, field_values, field_words, forms
from dissect.redaction.harmless import NAMES
from dissect.redaction.judge import Judge, Part

PARAMETER = re.compile(
    r"(?<![\w.-])([\w.-]{1,100})\s{0,8}=\s{0,8}(?:\"((?:[^\"\\]|\\.)*+)\"?|([^\s,;\"]*+))"
)
_FIELD_LISTS = frozenset({"private", "no-cache"})  # RFC 9111 §5.2.2.4, §5.2.2.7
# RFC 9110 §7.6.3: version, host; and what NetScaler writes there.
_VIA = re.compile(r"(?:[A-Z]{1,10}/)?[12](?:\.[01])?\s{1,4}([A-Za-z0-9._:\[\]-]{1,200})")
_NETSCALER = re.compile(r"NS-CACHE-\d{1,2}\.\d{1,2}:\s{0,4}\d{1,3}")
_GREASE = re.compile(r"(?:not_?)?(?:a_?)?brand|not_a_brand|not_a")  # "Not/A)Brand"
_BOUNDARY = re.compile(
    r"-{2,40}(?:WebKitFormBoundary[A-Za-z0-9]{16}|[0-9]{8,40}|geckoformboundary[0-9a-f]{8,64})"
    r"|(?:uuid:)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?:[+;]id=\d{1,6})?"
)
_CHARSET = re.compile(r"(?:windows-125|iso-8859-1?|cp125|koi8-|utf-?)[0-9ru]{1,2}", re.I)
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,9}){0,4}")
_ALTERNATIVE = re.compile(r"(?:[A-Za-z0-9.-]{1,200}|\[[0-9a-fA-F:.]{2,45}\])?:\d{1,5}")
_PIECE = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|\([^()]*+\)?|[^\",;(]++|[,;]")


def structured(judge: Judge, field: str, value: str) -> Iterator[Part]:
    """Members and parameters of a field (in lower case) whose grammar is known: what of them is no
    word of the standards is judged by its form."""
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
            yield from _quoted(judge, field, name, piece)
        elif equals and piece[0] != '"':
            start = piece.find("=") + 1
            yield piece[:start]
            name = key.strip().lower()
            inner = piece[start:].strip()
            if inner:
                at = piece.find(inner, start)
                yield piece[start:at]
                yield from _parameter(judge, field, name, inner)
                yield piece[at + len(inner) :]
            else:
                yield piece[start:]
        elif after == ";":
            yield judge.flag(piece)
        else:
            # Two pieces without a separator are no member: a quotation mark stands in a value.
            yield from _member(judge, field, piece) if after == "," else [Secret(UNKNOWN, piece)]


def _quoted(judge: Judge, field: str, name: str, piece: str) -> Iterator[Part]:
    closed = len(piece) > 1 and piece[-1] == '"'
    inner = piece[1:-1] if closed else piece[1:]
    yield '"'
    yield from _parameter(judge, field, name, inner) if inner else ()
    yield '"' if closed else ""


def _member(judge: Judge, field: str, piece: str) -> Iterator[Part]:
    """A member without a value."""
    bare = piece.strip()
    start = piece.find(bare)
    yield piece[:start]
    if bare.lower() in field_words.MEMBERS.get(field, ()) or _is_member(field, bare):
        yield bare
    else:
        yield from judge.value("field", "", bare)  # by its form alone
    yield piece[start + len(bare) :]


def _is_member(field: str, bare: str) -> bool:
    if field == "via":
        if _NETSCALER.fullmatch(bare):
            return True
        found = _VIA.fullmatch(bare)
        return found is not None and field_values.is_authority(found[1])
    if field == "sec-ch-ua":
        brand = re.sub(r"[^a-z0-9]+", "_", bare.lower()).strip("_")
        return brand in field_words.BRANDS or _GREASE.fullmatch(brand) is not None
    if field == "accept":
        return bare.endswith("/*") and forms.harmless(bare)
    return False


def _parameter(judge: Judge, field: str, name: str, content: str) -> Iterator[Part]:
    standard = name in field_names.STRUCTURED_PARAMETERS or name in field_words.PARAMETERS
    if name in _FIELD_LISTS:
        yield from field_values.fields(content)
    elif (
        content.lower() in field_words.PARAMETERS.get(name, ())
        or (field == "alt-svc" and _ALTERNATIVE.fullmatch(content))
        or (name in field_names.STRUCTURED_PARAMETERS and _is_parameter(name, content))
    ):
        yield content
    else:
        yield from judge.value("field", "" if standard else name, content)


def _is_parameter(name: str, content: str) -> bool:
    """Whether a parameter of the standards has the form that they give it."""
    if name in ("for", "by", "host"):
        return field_values.is_authority(content)
    if name == "boundary":
        return _BOUNDARY.fullmatch(content) is not None
    if name in ("filename", "filename*"):
        return forms.is_device_file(content)
    if name == "name":
        return content.lower() in NAMES["form"]
    if name == "charset":
        return _CHARSET.fullmatch(content) is not None
    return _NUMBER.fullmatch(content) is not None


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
