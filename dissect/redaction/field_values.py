"""Values of header fields whose names are harmless: each part has to be what the field is for.

A field of words is shown as far as its words are documented (`field_words`), one of numbers,
dates, hosts or ids as far as it has their form. Names of programs and machines are free (RFC 9110
§10.1.5, §10.2.4), but hold no token and nothing encoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dissect.model import UNKNOWN, Secret
from dissect.redaction import encodings, field_names, field_words, forms
from dissect.redaction.judge import Part
from dissect.redaction.plain import plain

_PIECE = re.compile(r"[^,;\s]++|[,;\s]++")
_NUMBERS = re.compile(r"-?\d{1,20}(?:[./-]\d{1,20}){0,3}")
_RANGE = re.compile(r"bytes=[\d,\s-]{1,80}|bytes\s[\d*]{1,20}(?:-\d{1,20})?/[\d*]{1,20}")
_TIMER = re.compile(r"S\d{1,16}(?:\.\d{1,9})?|V[SE]\d{1,10}")
_LABEL = re.compile(r"[\w.:/()+@|'*!\[\]#~?-]{1,200}", re.ASCII)
_ENCODED = re.compile(r"&#?\w{1,8};?|=[0-9A-Fa-f]{2}")
_ROBOTS = re.compile(r"max-(?:snippet|image-preview|video-preview):-?\w{1,10}")
_HEX = re.compile(r"\{?(?=[^}]{0,64}\d)[0-9A-Fa-f]{1,64}(?:[-:.][0-9A-Fa-f]{1,64}){0,8}\}?")
_ID = re.compile(
    r"(?=[^0-9]{0,127}[0-9][^0-9]{0,127}[0-9])[A-Za-z0-9_+/|~-]{1,128}={0,2}"
    r"(?:[.:;][A-Za-z0-9_+/|~-]{1,128}={0,2}){0,6}"
)
_REFERENCE = re.compile(r"Ref A: [0-9A-F]{32} Ref B: [A-Z0-9]{4,20} Ref C: [0-9T:Z-]{20}")
# Ids whose form their makers document.
_EXACT = {
    "x-amz-cf-id": re.compile(r"[A-Za-z0-9_-]{54}=="),
    "x-amz-request-id": re.compile(r"[0-9A-Z]{16}"),
    "x-amz-cf-pop": re.compile(r"[A-Z]{3}\d{1,3}-[CP]\d{1,3}"),
    "cf-ray": re.compile(r"[0-9a-f]{16}(?:-[A-Z]{3})?"),
    "traceparent": re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    "x-amzn-trace-id": re.compile(
        r"(?:(?:Root|Self|Parent|Sampled|Lineage)=[0-9a-f:.-]{1,80};?){1,5}"
    ),
    "x-ms-edge-ref": _REFERENCE,
    "x-msedge-ref": _REFERENCE,
    "x-ms-clitelem": re.compile(r"\d{1,2}(?:,[\d.A-Z]{0,12}){1,6}"),
}
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])?(?::\d{1,5})?")
_SMALLEST = 16  # characters; a shorter word may be base64 of something by chance


def value(field: str, content: str) -> Iterator[Part]:
    """The parts of a field of `field_names.PLAIN` (in lower case)."""
    bare = content.strip()
    exact = _EXACT.get(field)
    if exact is not None:
        yield content if exact.fullmatch(bare) else Secret(UNKNOWN, content)
    elif field in field_names.PRODUCTS:
        # A grammar for what a product may be called there is none: what is named a secret is one.
        for part in plain(content):
            yield from (part,) if isinstance(part, Secret) else _each(part, is_label)
    elif field in field_names.IDS:
        yield content if is_id(bare) else Secret(UNKNOWN, content)
    elif forms.harmless(bare) or _RANGE.fullmatch(bare):
        yield content
    elif field in field_names.HOSTS:
        yield from _each(content, is_authority)
    elif field in field_names.LISTS:
        yield from _each(content, is_word)
    else:
        yield from _each(content, lambda piece: is_word(piece) or _is_number(piece))


def _each(content: str, shown: Callable[[str], bool]) -> Iterator[Part]:
    """Members between commas, semicolons and blanks."""
    for match in _PIECE.finditer(content):
        piece = match[0]
        separator = not piece.strip(",; \t\r\n")
        yield piece if separator or shown(piece.strip('"')) else Secret(UNKNOWN, piece)


def is_word(piece: str) -> bool:
    """A word that the standards have, or the name of a field that is known."""
    lower = piece.lower()
    return lower in field_words.VOCABULARY or is_field(lower) or forms.harmless(piece)


def is_field(name: str) -> bool:
    """Whether a name in lower case is one of a header field that somebody documents."""
    return name in field_words.FIELDS or name in field_names.KNOWN


def fields(content: str) -> Iterator[Part]:
    """Names of header fields in a list."""
    yield from _each(content, lambda piece: is_field(piece.lower()))


def _is_number(piece: str) -> bool:
    found = _NUMBERS.fullmatch(piece) or _TIMER.fullmatch(piece) or _ROBOTS.fullmatch(piece)
    return found is not None


def is_label(piece: str) -> bool:
    """A word of a program's or machine's name: no token, nothing encoded."""
    if not piece or forms.is_address(piece):
        return True
    if not _LABEL.fullmatch(piece) or _ENCODED.search(piece) or forms.has_jwt(piece):
        return False
    return not (len(piece) >= _SMALLEST and encodings.holds_text(piece))


def is_id(bare: str) -> bool:
    """An id: hexadecimal, or letters with digits among them; neither encodes a text."""
    if forms.GUID.fullmatch(bare) or not bare:
        return True
    found = _HEX.fullmatch(bare) or (_ID.fullmatch(bare) and not forms.has_jwt(bare))
    return bool(found) and not encodings.holds_text(bare)


def is_authority(piece: str) -> bool:
    """A host name, also of one label, or an address, each with a port or without."""
    piece = piece.removeprefix("mailto:")  # some programs write one in From (RFC 9110 §10.1.2)
    if forms.harmless(piece) or forms.host(piece.rpartition(":")[0].lower() or piece.lower()):
        return True
    return _AUTHORITY.fullmatch(piece) is not None and not forms.looks_like_token(piece)
