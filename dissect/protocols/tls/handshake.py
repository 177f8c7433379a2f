"""The handshake messages of TLS, written down once in `construct`.

Each `parse_…` takes a message's body (without its type and length) and raises
ProtocolError("tls.handshake", …) that names the message and the field, never its value.
Loaded by the first connection that has a handshake: `construct` takes a while to import.

RFC 8446 §4, RFC 5246 §7.4, RFC 6066 (SNI), RFC 7301 (ALPN), RFC 5077 (tickets),
RFC 8879 (compressed certificates), RFC 6101 E.2 (version 2 client hello).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from construct import (
    Bytes,
    Construct,
    ConstructError,
    GreedyBytes,
    GreedyRange,
    Int8ub,
    Int16ub,
    Int24ub,
    Int32ub,
    Prefixed,
    StreamError,
    Struct,
    stream_read,
    stream_read_entire,
)

from dissect.errors import ProtocolError

# Extension numbers (IANA TLS ExtensionType values).
SERVER_NAME = 0
ALPN = 16
ENCRYPT_THEN_MAC = 22
EXTENDED_MASTER_SECRET = 23
SESSION_TICKET = 35
PRE_SHARED_KEY = 41
EARLY_DATA = 42
SUPPORTED_VERSIONS = 43
KEY_SHARE = 51
ENCRYPTED_CLIENT_HELLO = 0xFE0D

# A ServerHello with this random is a HelloRetryRequest (RFC 8446 §4.1.3).
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

Extensions = Mapping[int, bytes]
_PAIR = struct.Struct("!HH")


class _Extensions(Construct):  # type: ignore[misc]
    """A vector of extensions as a mapping; absent altogether in old hellos.

    A loop of its own, because a GreedyRange of Structs takes five times as long.
    """

    def _parse(self, stream: Any, context: Any, path: str) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        data = stream_read_entire(stream, path)
        if not data:
            return found
        if len(data) < 2:
            raise StreamError("extensions are cut", path=path)
        end = 2 + int.from_bytes(data[:2])
        if end > len(data):
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

    def _build(self, obj: Mapping[int, bytes], stream: Any, context: Any, path: str) -> Any:
        raise StreamError("hellos are only read", path=path)


class _Numbers(Construct):  # type: ignore[misc]
    """A vector of 16-bit numbers with a 16-bit length, such as cipher suites."""

    def _parse(self, stream: Any, context: Any, path: str) -> tuple[int, ...]:
        length = int.from_bytes(stream_read(stream, 2, path))
        if length % 2:
            raise StreamError("a vector of pairs has an odd length", path=path)
        return struct.unpack(f"!{length // 2}H", stream_read(stream, length, path))

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        raise StreamError("hellos are only read", path=path)


class _Vector(Construct):  # type: ignore[misc]
    """A vector of opaque strings, such as protocol names: the width in bytes of its own
    length, and of that of each string, in turn. As fast as `_Extensions`, for its reason."""

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

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        raise StreamError("hellos are only read", path=path)


_Opaque8 = Prefixed(Int8ub, GreedyBytes)
_Opaque16 = Prefixed(Int16ub, GreedyBytes)
_Opaque24 = Prefixed(Int24ub, GreedyBytes)

_ClientHello = Struct(
    "version" / Int16ub,
    "random" / Bytes(32),
    "session_id" / _Opaque8,
    "suites" / _Numbers(),
    "compressions" / _Opaque8,
    "extensions" / _Extensions(),
)
_ServerHello = Struct(
    "version" / Int16ub,
    "random" / Bytes(32),
    "session_id" / _Opaque8,
    "suite" / Int16ub,
    "compression" / Int8ub,
    "extensions" / _Extensions(),
)
_Version2Hello = Struct(
    "version" / Int16ub,
    "suites_length" / Int16ub,
    "session_length" / Int16ub,
    "challenge_length" / Int16ub,
    "suites" / Bytes(lambda this: this.suites_length),
    "session_id" / Bytes(lambda this: this.session_length),
    "challenge" / Bytes(lambda this: this.challenge_length),
)
# A list by its form, but there is one type of name, and one name of it (RFC 6066 §3).
_ServerName = Struct("length" / Int16ub, "type" / Int8ub, "name" / _Opaque16)
_Protocols = _Vector(2, 1)
_Identities = Prefixed(Int16ub, GreedyRange(Struct("ticket" / _Opaque16, "age" / Int32ub)))
_Versions = Prefixed(Int8ub, GreedyRange(Int16ub))
_Certificates = _Vector(3, 3)
_Certificates13 = Struct(
    "context" / _Opaque8,
    "entries" / _Vector(3, 3, 2),  # certificate, its extensions, certificate …
)
_CompressedCertificate = Struct("algorithm" / Int16ub, "length" / Int24ub, "data" / _Opaque24)
_Ticket = Struct("lifetime" / Int32ub, "ticket" / _Opaque16)
_Ticket13 = Struct("lifetime_and_age" / Bytes(8), "nonce" / _Opaque8, "ticket" / _Opaque16)


def _parse(structure: Any, data: bytes, what: str) -> Any:
    try:
        return structure.parse(data)
    except ConstructError as error:
        where = (error.path or "").removeprefix("(parsing)").strip(" ->")
        place = f" at {where}" if where else ""
        raise ProtocolError("tls.handshake", f"the {what} is malformed{place}") from None


@dataclass(frozen=True, slots=True, repr=False)
class ClientHello:
    """A client hello; `suites` with GREASE and signalling values, as sent."""

    version: int
    random: bytes
    session_id: bytes
    suites: tuple[int, ...]
    extensions: Extensions = field(default_factory=dict)

    @property
    def server_name(self) -> str | None:
        """The host name of SNI; bytes that are not ASCII are shown escaped."""
        data = self.extensions.get(SERVER_NAME)
        if not data:
            return None
        entry = _parse(_ServerName, data, "server name extension")
        if entry.type != 0:
            return None
        return str(entry.name.decode("ascii", "backslashreplace")) or None

    @property
    def protocols(self) -> tuple[str, ...]:
        return _protocols(self.extensions)

    @property
    def versions(self) -> tuple[int, ...]:
        data = self.extensions.get(SUPPORTED_VERSIONS)
        return tuple(_parse(_Versions, data, "supported versions")) if data else ()

    @property
    def tickets(self) -> tuple[bytes, ...]:
        """The session tickets offered: that of RFC 5077 or the PSK identities of 1.3."""
        if data := self.extensions.get(PRE_SHARED_KEY):
            return tuple(bytes(one.ticket) for one in _parse(_Identities, data, "PSK identities"))
        data = self.extensions.get(SESSION_TICKET)
        return (data,) if data else ()

    @property
    def early_data(self) -> bool:
        return EARLY_DATA in self.extensions

    @property
    def ech(self) -> bool:
        """Whether it is the outer hello of Encrypted Client Hello, or pretends to be: whoever
        can't open the inner one can't tell (RFC 9849 §6.2)."""
        return self.extensions.get(ENCRYPTED_CLIENT_HELLO, b"")[:1] == b"\0"


@dataclass(frozen=True, slots=True, repr=False)
class ServerHello:
    """A server hello, or a HelloRetryRequest (`retry`)."""

    legacy_version: int
    random: bytes
    session_id: bytes
    suite: int
    compression: int
    extensions: Extensions = field(default_factory=dict)

    @property
    def retry(self) -> bool:
        return self.random == RETRY_RANDOM

    @property
    def version(self) -> int:
        """The version that was chosen (RFC 8446 §4.2.1)."""
        data = self.extensions.get(SUPPORTED_VERSIONS)
        return int.from_bytes(data) if data and len(data) == 2 else self.legacy_version

    @property
    def protocol(self) -> str | None:
        return next(iter(_protocols(self.extensions)), None)


def _protocols(extensions: Extensions) -> tuple[str, ...]:
    data = extensions.get(ALPN)
    if not data:
        return ()
    names = _parse(_Protocols, data, "ALPN extension")
    return tuple(name.decode("ascii", "backslashreplace") for name in names)


def parse_client_hello(body: bytes) -> ClientHello:
    hello = _parse(_ClientHello, body, "client hello")
    return ClientHello(
        hello.version, hello.random, hello.session_id, hello.suites, hello.extensions
    )


def parse_cut_client_hello(body: bytes) -> ClientHello | None:
    """What is left of a client hello of which the end was lost, if its random is there.

    Extensions that are whole are given, so the server name may be among them.
    """
    if len(body) < 34:
        return None
    session_id = body[35 : 35 + body[34]] if len(body) > 34 else b""
    extensions: dict[int, bytes] = {}
    at = 35 + len(session_id)
    for width in (2, 1):  # cipher suites, compression methods
        at += width + int.from_bytes(body[at : at + width])
    at += 2
    while at + 4 <= len(body):
        number, length = _PAIR.unpack_from(body, at)
        at += 4
        if at + length > len(body):
            break
        extensions.setdefault(number, body[at : at + length])
        at += length
    return ClientHello(int.from_bytes(body[:2]), body[2:34], session_id, (), extensions)


def parse_version2_hello(body: bytes) -> ClientHello:
    """The client hello in the format of SSL 2.0 (RFC 5246 E.2); body after its type."""
    hello = _parse(_Version2Hello, body, "version 2 client hello")
    kinds = (int.from_bytes(hello.suites[at : at + 3]) for at in range(0, len(hello.suites), 3))
    suites = tuple(kind for kind in kinds if kind < 0x10000)
    random = hello.challenge[-32:].rjust(32, b"\0")
    return ClientHello(hello.version, random, hello.session_id, suites)


def parse_server_hello(body: bytes) -> ServerHello:
    hello = _parse(_ServerHello, body, "server hello")
    return ServerHello(
        hello.version,
        hello.random,
        hello.session_id,
        hello.suite,
        hello.compression,
        hello.extensions,
    )


def parse_encrypted_extensions(body: bytes) -> tuple[str | None, bool]:
    """The protocol of ALPN and whether early data was accepted."""
    extensions = _parse(_Extensions(), body, "encrypted extensions")
    return next(iter(_protocols(extensions)), None), EARLY_DATA in extensions


def parse_certificates(body: bytes) -> tuple[bytes, ...]:
    """The chain (DER) of a Certificate message up to TLS 1.2."""
    return tuple(_parse(_Certificates, body, "certificate message"))


def parse_certificates13(body: bytes) -> tuple[bytes, ...]:
    """The chain (DER) of a Certificate message of TLS 1.3."""
    return tuple(_parse(_Certificates13, body, "certificate message").entries[::2])


def parse_compressed_certificate(
    body: bytes, decompress: Callable[[int, bytes, int], bytes]
) -> tuple[bytes, ...]:
    """The chain of a CompressedCertificate; `decompress` takes algorithm, data, length."""
    packed = _parse(_CompressedCertificate, body, "compressed certificate")
    return parse_certificates13(decompress(packed.algorithm, packed.data, packed.length))


def parse_ticket(body: bytes, tls13: bool) -> bytes:
    """The ticket of a NewSessionTicket."""
    return bytes(_parse(_Ticket13 if tls13 else _Ticket, body, "session ticket").ticket)
