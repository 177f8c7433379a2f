"""Of a DNS message: which of its bytes are understood (RFC 1035, 2782, 6891, 9460).

That is more than what a sign-in's story needs: header, names, addresses, numbers of every
section. What stands behind the records, and values that nobody here understands, is not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dissect.model import Direction, Ranges
from dissect.protocols.track import Track

_HEADER = 12
_RECORD = struct.Struct("!HHIH")
_PAIR = struct.Struct("!HH")
_MAX_NAME = 255
# Records that begin with so many bytes and then have so many names.
_NAMED = {2: (0, 1), 5: (0, 1), 6: (0, 2), 12: (0, 1), 15: (2, 1), 33: (6, 1), 39: (0, 1)}
_ADDRESSES = {1: 4, 28: 16}
_SOA, _TXT, _OPT, _SERVICES = 6, 16, 41, (64, 65)
_SOA_NUMBERS = 20
_SVCB_KEYS = 7  # the keys from mandatory to ipv6hint

Span = tuple[int, int]


class _Short(Exception):
    """The message ends, or is damaged; what was read before stays."""


def ranges(data: bytes, direction: Direction, at: int, lead: int = 0) -> Ranges:
    """Those of the message `data`, which begins at offset `at`, behind `lead` bytes of its
    length. `fields` are the strings of TXT records, which may hold anything."""
    track, texts = Track(), list[int]()
    track.add(at, lead)
    for start, stop in _understood(data, texts):
        track.add(at + lead + start, stop - start)
    for number in range(0, len(texts), 2):
        texts[number] += at + lead
    whole = ((direction, at, lead + len(data)),)
    return Ranges(whole, fields=tuple(texts), understood=track.ranges(direction))


def _understood(data: bytes, texts: list[int]) -> Iterator[Span]:
    yield 0, _HEADER
    try:
        asked, *counts = struct.unpack_from("!4H", data, 4)
        at = _HEADER
        for _ in range(asked):
            end = _within(_behind_name(data, at) + 4, len(data))
            yield at, end
            at = end
        for _ in range(sum(counts)):
            head = _behind_name(data, at)
            kind, _, _, length = _RECORD.unpack_from(data, head)
            start = head + _RECORD.size
            stop = _within(start + length, len(data))
            yield at, start
            if kind == _TXT:
                texts += (start, length)
            else:
                yield from _data(kind, data, start, stop)
            at = stop
    except (struct.error, _Short):
        return  # nothing behind it was read


def _within(end: int, size: int) -> int:
    if end > size:
        raise _Short
    return end


def _behind_name(data: bytes, at: int) -> int:
    """Where a name ends; what its compression points to is another's."""
    size = 0
    while at < len(data):
        length = data[at]
        if length >= 0xC0:
            return at + 2
        size += length + 1
        if length > 63 or size > _MAX_NAME:
            break
        at += 1 + length
        if not length:
            return at
    raise _Short


def _data(kind: int, data: bytes, start: int, stop: int) -> Iterator[Span]:
    if _ADDRESSES.get(kind) == stop - start:
        yield start, stop
    elif kind in _NAMED:
        lead, names = _NAMED[kind]
        end = start + lead
        for _ in range(names):
            end = _behind_name(data, end)
        end += _SOA_NUMBERS if kind == _SOA else 0
        yield start, min(end, stop)
    elif kind == _OPT:
        yield from _pairs(data, start, stop, 0)
    elif kind in _SERVICES:
        end = min(_behind_name(data, start + 2), stop)
        yield start, end
        yield from _pairs(data, end, stop, _SVCB_KEYS)


def _pairs(data: bytes, at: int, stop: int, known: int) -> Iterator[Span]:
    """Key and length of each parameter (RFC 6891 §6.1.2, RFC 9460 §2.2), and the value of
    those below `known`."""
    while at + 4 <= stop:
        key, size = _PAIR.unpack_from(data, at)
        if at + 4 + size > stop:
            return
        yield at, at + 4 + (size if key < known else 0)
        at += 4 + size
