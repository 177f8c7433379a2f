"""The handshake messages of TLS, written down once in `construct` (RFC 8446 §3 and §4).

`parse` raises ProtocolError("tls.handshake", …) that names the message and the field, never
its value. Loaded by the first handshake: `construct` takes a while to import.
"""

from __future__ import annotations

import struct
from typing import Any

from construct import (
    Bytes,
    Construct,
    ConstructError,
    Container,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int24ub,
    Int32ub,
    StreamError,
    Struct,
    stream_read,
    stream_read_entire,
)

from dissect.errors import ProtocolError

_PAIR = struct.Struct("!HH")


class _ReadOnly(Construct):  # type: ignore[misc]
    """Readers of their own: a GreedyRange of Structs takes five times as long, a Prefixed
    GreedyBytes twice."""

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        raise StreamError("handshakes are only read", path=path)


class _Message(Struct):  # type: ignore[misc]
    """A Struct of fields that don't refer to each other. Its context would take half of the
    time, and as a cycle keep the message until the garbage collector comes."""

    def _parse(self, stream: Any, context: Any, path: str) -> Container[Any]:
        found = Container()
        for field in self.subcons:
            found[field.name] = field._parsereport(stream, context, path)
        return found


class _Extensions(_ReadOnly):
    """All that is left as a mapping; absent altogether in old hellos. Of an extension that is
    repeated the first counts."""

    def _parse(self, stream: Any, context: Any, path: str) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        data = stream_read_entire(stream, path)
        if not data:
            return found
        end = 2 + int.from_bytes(data[:2])
        if len(data) < 2 or end > len(data):
            raise StreamError("extensions are cut", path=path)
        at = 2
        while at < end:
            if end - at < 4:
                raise StreamError("an extension is cut", path=path)
            number, length = _PAIR.unpack_from(data, at)
            at += 4
            if at + length > end:
                raise StreamError("an extension is cut", path=f"{path} -> {number}")
            found.setdefault(number, data[at : at + length])
            at += length
        return found


class _Opaque(_ReadOnly):
    """Opaque bytes behind their length of `width` bytes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        length = int.from_bytes(stream_read(stream, self._width, path))
        content: bytes = stream_read(stream, length, path)
        return content


class _Numbers(_ReadOnly):
    """A vector of 16-bit numbers, such as cipher suites, behind its length of `width` bytes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width

    def _parse(self, stream: Any, context: Any, path: str) -> tuple[int, ...]:
        length = int.from_bytes(stream_read(stream, self._width, path))
        if length % 2:
            raise StreamError("a vector of pairs has an odd length", path=path)
        return struct.unpack(f"!{length // 2}H", stream_read(stream, length, path))


class _Vector(_ReadOnly):
    """A vector of opaque strings, such as protocol names: the width in bytes of its own
    length, and of that of each string, in turn."""

    def __init__(self, width: int, *item_widths: int) -> None:
        super().__init__()
        self._width, self._item_widths = width, item_widths

    def _parse(self, stream: Any, context: Any, path: str) -> tuple[bytes, ...]:
        length = int.from_bytes(stream_read(stream, self._width, path))
        data = stream_read(stream, length, path)
        widths = self._item_widths
        items: list[bytes] = []
        at = 0
        while at < length:
            start = at + widths[len(items) % len(widths)]
            at = start + int.from_bytes(data[at:start])
            if start > length or at > length:
                raise StreamError("an item is cut", path=f"{path} -> {len(items)}")
            items.append(data[start:at])
        return tuple(items)


_Opaque8, _Opaque16, _Opaque24 = _Opaque(1), _Opaque(2), _Opaque(3)

EXTENSIONS = _Extensions()
CLIENT_HELLO = _Message(
    "version" / Int16ub,
    "random" / Bytes(32),
    "session_id" / _Opaque8,
    "suites" / _Numbers(2),
    "compressions" / _Opaque8,
    "extensions" / EXTENSIONS,
)
SERVER_HELLO = _Message(
    "version" / Int16ub,
    "random" / Bytes(32),
    "session_id" / _Opaque8,
    "suite" / Int16ub,
    "compression" / Int8ub,
    "extensions" / EXTENSIONS,
)
VERSION2_HELLO = Struct(
    "version" / Int16ub,
    "suites_length" / Int16ub,
    "session_length" / Int16ub,
    "challenge_length" / Int16ub,
    "suites" / Bytes(lambda this: this.suites_length),
    "session_id" / Bytes(lambda this: this.session_length),
    "challenge" / Bytes(lambda this: this.challenge_length),
)
# A list by its form, but there is one type of name, and one name of it (RFC 6066 §3).
SERVER_NAME = _Message("length" / Int16ub, "type" / Int8ub, "name" / GreedyBytes)
NAME = _Opaque16
PROTOCOLS = "protocols" / _Vector(2, 1)
VERSIONS = "versions" / _Numbers(1)
CERTIFICATES = "certificates" / _Vector(3, 3)
CERTIFICATES13 = _Message(
    "context" / _Opaque8,
    "entries" / _Vector(3, 3, 2),  # certificate, its extensions, certificate …
)
COMPRESSED_CERTIFICATE = _Message("algorithm" / Int16ub, "length" / Int24ub, "data" / _Opaque24)
TICKET = _Message("lifetime" / Int32ub, "ticket" / _Opaque16)
TICKET13 = _Message("lifetime_and_age" / Bytes(8), "nonce" / _Opaque8, "ticket" / _Opaque16)


def parse(structure: Any, data: bytes, what: str) -> Any:
    """`data` read by a structure; `what` names the message in the error."""
    try:
        return structure.parse(data)
    except ConstructError as error:
        where = (error.path or "").removeprefix("(parsing)").strip(" ->") or "extensions"
        raise ProtocolError("tls.handshake", f"the {what} is malformed at {where}") from None
