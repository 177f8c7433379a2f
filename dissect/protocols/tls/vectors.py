"""Fields and vectors of handshake messages (RFC 8446 §3.4), taken off one after the other.

By hand, because a declarative library took a third of the time of a connection. Whatever
does not fit raises ProtocolError("tls.handshake", …) that names the message and
the field, never its value.
"""

from __future__ import annotations

import struct
from typing import NoReturn

from dissect.errors import ProtocolError

PAIR = struct.Struct("!HH")


def malformed(what: str, field: str) -> NoReturn:
    raise ProtocolError("tls.handshake", f"the {what} is malformed at {field}")


class Fields:
    """What is left of a message. Each verb takes the next field; `what` names the message."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._at = 0

    @property
    def rest(self) -> bytes:
        return self._data[self._at :]

    def take(self, size: int, field: str) -> bytes:
        """`size` bytes."""
        end = self._at + size
        taken = self._data[self._at : end]
        if len(taken) < size:
            malformed(self._what, field)
        self._at = end
        return taken

    def number(self, width: int, field: str) -> int:
        """An unsigned number of `width` bytes."""
        return int.from_bytes(self.take(width, field))

    def opaque(self, width: int, field: str) -> bytes:
        """A vector of bytes behind its length of `width` bytes."""
        return self.take(int.from_bytes(self.take(width, field)), field)

    def numbers(self, width: int, field: str) -> tuple[int, ...]:
        """A vector of 16-bit numbers, such as cipher suites."""
        data = self.opaque(width, field)
        if len(data) % 2:
            malformed(self._what, field)
        return struct.unpack(f"!{len(data) // 2}H", data)

    def items(self, width: int, field: str, *widths: int) -> tuple[bytes, ...]:
        """A vector of opaque strings: `width` bytes for its own length, and for that of each
        string those of `widths` in turn."""
        data = self.opaque(width, field)
        found: list[bytes] = []
        at, length = 0, len(data)
        while at < length:
            start = at + widths[len(found) % len(widths)]
            at = start + int.from_bytes(data[at:start])
            if start > length or at > length:
                malformed(self._what, f"{field} -> {len(found)}")
            found.append(data[start:at])
        return tuple(found)

    def extensions(self) -> dict[int, bytes]:
        """All that is left as extensions; absent altogether in old hellos. Of one that is
        repeated the first counts."""
        data, at = self._data, self._at
        found: dict[int, bytes] = {}
        if at == len(data):
            return found
        end = at + 2 + int.from_bytes(self.take(2, "extensions"))
        if end > len(data):
            malformed(self._what, "extensions")
        at += 2
        while at < end:
            if end - at < 4:
                malformed(self._what, "extensions")
            number, length = PAIR.unpack_from(data, at)
            at += 4
            if at + length > end:
                malformed(self._what, f"extensions -> {number}")
            found.setdefault(number, data[at : at + length])
            at += length
        self._at = end
        return found
