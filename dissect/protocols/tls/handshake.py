"""The handshake messages of TLS; their forms are in `structures`, loaded with the first one.

Each `parse_…` takes a message's body (without its type and length) and raises
ProtocolError("tls.handshake", …) that names the message and the field, never its value.

RFC 8446 §4, RFC 5246 §7.4, RFC 6066 (SNI), RFC 7301 (ALPN), RFC 5077 (tickets),
RFC 8879 (compressed certificates), RFC 6101 E.2 (version 2 client hello).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

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


@cache  # an import statement, too, costs what a small structure does
def _reader(structure: str) -> Callable[[bytes, str], Any]:
    from dissect.protocols.tls import structures

    return partial(structures.parse, getattr(structures, structure))


def _parse(structure: str, data: bytes, what: str) -> Any:
    return _reader(structure)(data, what)


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
        entry = _parse("SERVER_NAME", data, "server name extension")
        if entry.type != 0:
            return None
        name = _parse("NAME", entry.name, "server name extension")
        return str(name.decode("ascii", "backslashreplace")) or None

    @property
    def protocols(self) -> tuple[str, ...]:
        return _protocols(self.extensions)

    @property
    def versions(self) -> tuple[int, ...]:
        data = self.extensions.get(SUPPORTED_VERSIONS)
        return tuple(_parse("VERSIONS", data, "supported versions")) if data else ()

    @property
    def tickets(self) -> tuple[bytes, ...]:
        """The session tickets offered: that of RFC 5077 or the PSK identities of 1.3."""
        if data := self.extensions.get(PRE_SHARED_KEY):
            return _identities(data)
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
    names = _parse("PROTOCOLS", data, "ALPN extension")
    return tuple(name.decode("ascii", "backslashreplace") for name in names)


def _identities(data: bytes) -> tuple[bytes, ...]:
    """The PSK identities of RFC 8446 §4.2.11 without their ages, as far as they are whole."""
    entries = data[2 : 2 + int.from_bytes(data[:2])]
    found: list[bytes] = []
    at = 0
    while at + 2 <= len(entries):
        start = at + 2
        stop = start + int.from_bytes(entries[at:start])
        at = stop + 4
        if at > len(entries):
            break
        found.append(entries[start:stop])
    return tuple(found)


def parse_client_hello(body: bytes) -> ClientHello:
    hello = _parse("CLIENT_HELLO", body, "client hello")
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
    hello = _parse("VERSION2_HELLO", body, "version 2 client hello")
    kinds = (int.from_bytes(hello.suites[at : at + 3]) for at in range(0, len(hello.suites), 3))
    suites = tuple(kind for kind in kinds if kind < 0x10000)
    random = hello.challenge[-32:].rjust(32, b"\0")
    return ClientHello(hello.version, random, hello.session_id, suites)


def parse_server_hello(body: bytes) -> ServerHello:
    hello = _parse("SERVER_HELLO", body, "server hello")
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
    extensions = _parse("EXTENSIONS", body, "encrypted extensions")
    return next(iter(_protocols(extensions)), None), EARLY_DATA in extensions


def parse_certificates(body: bytes) -> tuple[bytes, ...]:
    """The chain (DER) of a Certificate message up to TLS 1.2."""
    return tuple(_parse("CERTIFICATES", body, "certificate message"))


def parse_certificates13(body: bytes) -> tuple[bytes, ...]:
    """The chain (DER) of a Certificate message of TLS 1.3."""
    return tuple(_parse("CERTIFICATES13", body, "certificate message").entries[::2])


def parse_compressed_certificate(
    body: bytes, decompress: Callable[[int, bytes, int], bytes]
) -> tuple[bytes, ...]:
    """The chain of a CompressedCertificate; `decompress` takes algorithm, data, length."""
    packed = _parse("COMPRESSED_CERTIFICATE", body, "compressed certificate")
    return parse_certificates13(decompress(packed.algorithm, packed.data, packed.length))


def parse_ticket(body: bytes, tls13: bool) -> bytes:
    """The ticket of a NewSessionTicket."""
    return bytes(_parse("TICKET13" if tls13 else "TICKET", body, "session ticket").ticket)
