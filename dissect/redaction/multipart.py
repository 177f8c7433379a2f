"""The parts of a multipart body (RFC 2046 §5.1), as SIP carries several descriptions."""

from __future__ import annotations

import re
from itertools import takewhile

MAX_PARTS = 64

_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;]{1,70}))', re.IGNORECASE)
_TYPE = re.compile(r"^content-type[ \t]*:[ \t]*(.+)$", re.IGNORECASE | re.MULTILINE)


def parts(content_type: str | None, body: str) -> list[tuple[str, str]]:
    """Content-Type and content of each part, bounded; empty where it is no multipart body.

    A part that names no type is text/plain (RFC 2046 §5.2). Never raises.
    """
    found = []
    for head, inner in _pieces(content_type, body):
        named = _TYPE.search(head)
        found.append((named[1].strip() if named else "text/plain", inner))
    return found


def more(content_type: str | None, body: str) -> bool:
    """Whether a body has more than `MAX_PARTS` parts."""
    return len(_split(content_type, body)) > MAX_PARTS


def _split(content_type: str | None, body: str) -> list[str]:
    """The parts as they stand between the delimiters, and one more if there are too many."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    match = _BOUNDARY.search(content_type or "") if kind.startswith("multipart/") else None
    if match is None:
        return []
    pieces = body.split("--" + (match[1] or match[2]), MAX_PARTS + 2)[1:]
    return list(takewhile(lambda piece: not piece.startswith("--"), pieces))[: MAX_PARTS + 1]


def _pieces(content_type: str | None, body: str) -> list[tuple[str, str]]:
    """Header section and content of each part."""
    found: list[tuple[str, str]] = []
    for piece in _split(content_type, body)[:MAX_PARTS]:
        content = piece.replace("\r\n", "\n").removeprefix("\n")
        # The line end before the next delimiter belongs to that.
        head, _, inner = ("\n" + content).partition("\n\n")
        found.append((head, inner.removesuffix("\n")))
    return found


_FIELD_NAME = re.compile(
    r"^content-disposition[ \t]*:[^\n]{0,400}?;\s{0,4}name="
    r"(?:\"([^\"\n]{1,200})\"|([^\s;]{1,200}))",
    re.IGNORECASE | re.MULTILINE,
)


def fields(content_type: str | None, body: str) -> list[tuple[str, str]]:
    """Name and value of each field of multipart/form-data (RFC 7578), bounded; empty for others."""
    if not (content_type or "").strip().lower().startswith("multipart/form-data"):
        return []
    found = []
    for head, inner in _pieces(content_type, body):
        named = _FIELD_NAME.search(head)
        found.append(((named[1] or named[2]) if named else "", inner))
    return found
