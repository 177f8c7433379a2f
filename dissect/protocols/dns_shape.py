"""Telling DNS messages by their bytes on ports of their own: strict, since any bytes come here.

A whole question with a host-like name, a known type and class IN, and a header without a
contradiction: nothing else was found to look like that.
"""

from __future__ import annotations

_HEADER = 12
_TYPES = frozenset((1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 64, 65, 255))
_CLASS_IN = 1
_MAX_NAME = 255
_MAX_RECORDS = 64
_MAX_SIZE = 4096
_LETTERS = frozenset(
    b"-_*" + bytes(range(0x30, 0x3A)) + bytes(range(0x41, 0x5B)) + bytes(range(0x61, 0x7B))
)
_IMPOSSIBLE = 0x7840  # OPCODE other than QUERY, Z
_REPLY, _ONLY_IN_REPLIES = 0x8000, 0x048F  # QR; AA, RA and RCODE


def prefixed(data: bytes) -> bool | None:
    """Whether a stream begins with a DNS message after its length (RFC 1035 §4.2.2).

    None as long as more bytes have to tell.
    """
    if len(data) < 2:
        return None if data[:1] < bytes((_MAX_SIZE >> 8,)) else False
    size = int.from_bytes(data[:2], "big")
    return _message(data[2 : 2 + size], size)


def is_message(data: bytes) -> bool:
    """Whether a datagram is a DNS message whose question is there whole (RFC 1035 §4.1)."""
    return bool(_message(data, len(data)))


def _message(data: bytes, size: int) -> bool | None:
    """Whether `data`, the start of `size` bytes, is a message; None if it is too short to tell."""
    if not _HEADER + 5 < size <= _MAX_SIZE:
        return False
    cut = None if len(data) < size else False
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)]
    if not _plausible(words[1:6]):
        return False
    if len(data) < _HEADER:
        return cut
    end = _question_end(data, cut)
    if not isinstance(end, int) or isinstance(end, bool):
        return end
    return end < size if any(words[3:6]) else end == size


def _plausible(words: list[int]) -> bool:
    """Whether the header's words after the first, as many as are here, can be those of DNS."""
    if not words:
        return True
    flags, counts = words[0], words[1:]
    if flags & _IMPOSSIBLE or flags & 15 > 10 or counts[:1] not in ([], [1]):
        return False
    if any(count > _MAX_RECORDS for count in counts):
        return False
    if flags & _REPLY:
        return True
    return not (flags & _ONLY_IN_REPLIES or any(counts[1:3]) or any(n > 2 for n in counts[3:]))


def _question_end(data: bytes, cut: bool | None) -> int | bool | None:
    """The offset after the first question; False if it is none, `cut` if it is not whole."""
    at = _HEADER
    while at < len(data) and data[at]:
        length = data[at]
        label = data[at + 1 : at + 1 + length]
        if length > 63 or not _LETTERS.issuperset(label) or at - _HEADER > _MAX_NAME:
            return False
        if len(label) < length:
            return cut
        at += 1 + length
    kind, class_ = data[at + 1 : at + 3], data[at + 3 : at + 5]
    if len(class_) < 2:
        return cut
    known = int.from_bytes(kind, "big") in _TYPES and int.from_bytes(class_, "big") == _CLASS_IN
    return at + 5 if known and at > _HEADER else False
