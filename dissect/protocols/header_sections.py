"""Header sections as HTTP/1 and SIP write them (RFC 9112 §5, RFC 3261 §7.3).

One rule for framing and for reading, so that both see the same lines: a line ends with LF,
a CR before it is dropped; a line that begins with a blank continues the one before; the
section ends with an empty line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dissect.model import Direction, Range

# The end of a header section, LF-only or CRLF; what precedes it is the section.
HEAD_END = re.compile(rb"\r?\n\r?\n")
MAX_HEAD = 256 * 1024
MAX_FIELDS = 4096

MAX_NAME = 100  # of a field's name that is taken for one

Field = tuple[bytes, bytes]
Index = dict[bytes, list[bytes]]

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Section(NamedTuple):
    """A header section: `fields` in wire order, names as sent, and the number of lines that are
    `malformed`: none. `places` has offset and length of each value, one after the other; `unread`
    where lines begin and end that are no fields, or whose name is no token (RFC 9110 §5.6.2)."""

    fields: list[Field]
    malformed: int
    places: list[int]
    unread: list[tuple[int, int]]


_SEEN: set[bytes] = set()  # names that are tokens, the first that were met
_MAX_SEEN = 1024


def _is_name(name: bytes) -> bool:
    good = not name.translate(None, _TOKEN) and len(name) <= MAX_NAME
    if good and len(_SEEN) < _MAX_SEEN:
        _SEEN.add(name)
    return good


def split_lines(section: bytes) -> list[bytes]:
    """The lines of a header section without their ends."""
    return [line[:-1] if line.endswith(b"\r") else line for line in section.split(b"\n")]


def parse_fields(lines: list[bytes]) -> tuple[list[Field], int]:
    """The fields in some lines, and the number of lines that are none."""
    found = read_section(b"\n".join(lines), 0)
    return found.fields, found.malformed


def read_section(section: bytes, at: int) -> Section:
    """The fields of a header section without its empty line, which begins at offset `at`.

    Blanks around the colon are taken (RFC 3261 allows them; in HTTP an observer has to
    report what was sent). Only the first MAX_FIELDS fields are kept, the rest is counted
    as malformed.
    """
    fields: list[Field] = []
    places: list[int] = []
    unread: list[tuple[int, int]] = []
    malformed = 0
    known = False  # the line that a folded one goes on
    for line in section.split(b"\n"):
        start = at
        at += len(line) + 1
        if line[:1] in (b" ", b"\t"):
            bare = line.strip()
            if fields:
                name, value = fields[-1]
                fields[-1] = (name, (value + b" " + bare).strip())
                places[-1] = start + len(line.rstrip()) - places[-2]
            elif bare:
                malformed += 1
            if bare and not known:
                unread.append((start, start + len(line.rstrip())))
            continue
        name, colon, value = line.partition(b":")
        name = name.strip()
        if not colon or not name or len(fields) >= MAX_FIELDS:
            known = False
            if line not in (b"", b"\r"):
                malformed += 1
                unread.append((start, start + len(line.rstrip(b"\r"))))
            continue
        known = name in _SEEN or _is_name(name)
        if not known:
            unread.append((start, start + len(line.rstrip(b"\r"))))
        bare = value.strip()
        fields.append((name, bare))
        places.append(at - 1 - len(value.lstrip()))
        places.append(len(bare))
    return Section(fields, malformed, places, unread)


def between(
    direction: Direction, start: int, stop: int, unread: list[tuple[int, int]]
) -> tuple[Range, ...]:
    """What is from `start` to `stop` and not `unread` (in order)."""
    if not unread:
        return ((direction, start, stop - start),)
    found: list[Range] = []
    for first, last in unread:
        if first > start:
            found.append((direction, start, first - start))
        start = last
    if stop > start:
        found.append((direction, start, stop - start))
    return tuple(found)


def index(fields: list[Field]) -> Index:
    """The values of each field by its name in lower case, in wire order."""
    found: Index = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    return found


def values(fields: Index, name: bytes, compact: bytes = b"") -> list[bytes]:
    """Every value of `name` (lower case) or of its one-letter form."""
    found = fields.get(name, [])
    return found + fields.get(compact, []) if compact else found


def tokens(fields: Index, name: bytes, compact: bytes = b"") -> list[str]:
    """The members of a list-valued field, lower case, parameters cut off."""
    found = values(fields, name, compact)
    if not found:
        return []
    text = b",".join(found).decode("latin-1").lower()
    members = (item.split(";", 1)[0].strip() for item in text.split(","))
    return [member for member in members if member]


def content_lengths(found: list[bytes]) -> tuple[int | None, str | None]:
    """(length, problem) of the Content-Length values of one message.

    Equal repeats are one value (RFC 9110 §8.6); of different ones the first counts and
    the problem says so. None for a length that is absent, or that is no number.
    """
    numbers = [part.strip() for value in found for part in value.split(b",")]
    if not numbers:
        return None, None
    if not all(number.isdigit() and len(number) < 19 for number in numbers):
        return None, "Content-Length is not a number"
    lengths = [int(number) for number in numbers]
    if len(set(lengths)) > 1:
        return lengths[0], f"{len(set(lengths))} different Content-Length values, first one used"
    return lengths[0], None


def tail_of_start(data: bytes | bytearray) -> int:
    """Where a start line that `data` cuts may begin, for a search that found none.

    A start line has three words: nothing before the third last word can belong to it.
    """
    words = data.rsplit(None, 3)
    return len(words[0]) if len(words) == 4 else 0


def host_of(authority: str) -> str:
    """An authority without user information, which is no part of Host (RFC 9110 §7.2), nor of the
    target of CONNECT or an :authority, and is sent all the same."""
    return authority.rpartition("@")[2]
