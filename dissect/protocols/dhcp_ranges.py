"""Of a DHCP message: which of its bytes are understood (RFC 2131 §2, RFC 2132).

Not: values of unknown options, and what was left behind the names in its fixed fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dissect.errors import ProtocolError
from dissect.model import Direction, Ranges
from dissect.protocols.domain_names import read_name
from dissect.protocols.track import Track

COOKIE = b"\x63\x82\x53\x63"
FIXED = 236  # bytes before the cookie
FILE, SERVER_NAME = (108, 236), (44, 108)

_HARDWARE = 28
_CLIENT, _SEARCH, _SIP_SERVERS, _TFTP_ADDRESSES = 61, 119, 120, 150
# Addresses, times, names and numbers (RFC 2132, 3361, 3397, 3442), and what phones are reported.
_KNOWN = frozenset(
    {1, 3, 4, 6, 12, 15, 28, 42, 43, 50, 51, 52, 53, 54, 55, 57, 58, 59, 60, 61, 66, 67, 116, 119,
     120, 121, 150, 156, 159, 160, 161, 242}
)  # fmt: skip
_TEXTS = frozenset({12, 43, 60, 66, 67, 150, 156, 159, 160, 161, 242})
_ADDRESS_LISTS = frozenset({1, 3, 4, 6, 28, 42, 50, 54})
BLANKS = b"\0 \t\r\n"


class Option(NamedTuple):
    """An option's code, and where its value begins and ends in the message."""

    code: int
    start: int
    stop: int


class Area(NamedTuple):
    """Options in a part of the message: those that are whole, whether an end mark at `end`
    closes them, and whether there are `more` than were to be read."""

    options: list[Option]
    end: int
    closed: bool
    more: bool = False


class Value(NamedTuple):
    """What options of one code say, and where; `start` is None where it was put together from
    several (RFC 3396)."""

    data: bytes
    start: int | None

    def trimmed(self) -> Value:
        """Without blanks and NULs around it."""
        data = self.data.lstrip(BLANKS)
        start = None if self.start is None else self.start + len(self.data) - len(data)
        return Value(data.rstrip(BLANKS), start)

    def part(self, start: int, stop: int) -> Value:
        return Value(self.data[start:stop], None if self.start is None else self.start + start)


def options(data: bytes, start: int, stop: int, limit: int) -> Area:
    """The options from `start` on up to the end mark, a damaged one, or `limit` of them."""
    at = start
    found: list[Option] = []
    while at < stop:
        code = data[at]
        if code == 255:
            return Area(found, at, True)
        if code == 0:
            at += 1
            continue
        if at + 2 > stop or at + 2 + data[at + 1] > stop:
            break
        if len(found) >= limit:
            return Area(found, at, False, True)
        found.append(Option(code, at + 2, at + 2 + data[at + 1]))
        at += 2 + data[at + 1]
    return Area(found, at, False)


def ranges(
    data: bytes,
    direction: Direction,
    at: int,
    areas: Sequence[Area],
    texts: Sequence[tuple[int, int]],
    values: Iterable[Value],
) -> Ranges:
    """Those of a message at offset `at`, with options in some areas and names in fixed fields.
    `values` are those of `fields`, in their order."""
    track = Track()
    joined = _joined(areas)
    parts = [(0, _HARDWARE + min(data[2], SERVER_NAME[0] - _HARDWARE)), *texts]
    parts.append((FIXED, FIXED + len(COOKIE)))
    for area in areas:
        for option in area.options:
            known = option.code in _KNOWN and option.code not in joined
            known = known and _is_of_its_kind(option.code, data[option.start : option.stop])
            parts.append((option.start - 2, option.stop if known else option.start))
        if area.closed:
            parts.append((area.end, area.end + 1))
    for start, stop in sorted(parts):
        track.add(at + start, stop - start)
    places = [(at + (v.start or 0), 0 if v.start is None else len(v.data)) for v in values]
    whole = ((direction, at, len(data)),)
    fields = tuple(number for place in places for number in place)
    return Ranges(whole, fields=fields, understood=track.ranges(direction))


def _joined(areas: Sequence[Area]) -> set[int]:
    """The codes of options that hold text and come more than once: no part says what the whole
    is."""
    seen: set[int] = set()
    twice: set[int] = set()
    for area in areas:
        for option in area.options:
            (twice if option.code in seen else seen).add(option.code)
    return twice & _TEXTS


def _is_of_its_kind(code: int, value: bytes) -> bool:
    """Whether an option holds what its number says: a hardware address, addresses, names."""
    if code == _CLIENT:
        return len(value) == 7 and value[0] == 1
    if code == _TFTP_ADDRESSES:
        return len(value) % 4 == 0 or is_text(value)  # which is judged as such
    if code in _ADDRESS_LISTS:
        return len(value) % 4 == 0 and not is_text(value)
    if code == _SIP_SERVERS and value[:1] == b"\x01":
        return len(value) % 4 == 1
    if code in (_SIP_SERVERS, _SEARCH):
        try:
            at = 1 if code == _SIP_SERVERS else 0
            while at < len(value):
                at = read_name(value, at)[1]
        except ProtocolError:
            return False
    return True


def is_text(value: bytes) -> bool:
    """Whether what should be addresses is text, as some servers send it: one address may by
    chance be of printable bytes, but not of digits alone, and several may not."""
    printable = all(0x20 <= byte < 0x7F for byte in value)
    return printable and (len(value) > 4 or value.isdigit())
