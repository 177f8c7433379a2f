"""Fingerprints of hellos: JA3 and JA4 of the client's, JA3S of the server's.

They tell TLS stacks apart, so phones of one model with two firmwares; who publishes a
method defines it: JA3 and JA3S are MD5 of decimal numbers, JA4 a readable part and SHA-256
of hexadecimal numbers, cut to 12 digits. GREASE (RFC 8701) never counts. Hellos that were
cut or came in the format of SSL 2.0 have none. JA4S is left out on purpose: unlike these
three, the licence of the JA4+ methods forbids commercial use.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from dissect.protocols.tls.handshake import (
    ALPN,
    SERVER_NAME,
    SUPPORTED_VERSIONS,
    ClientHello,
    ServerHello,
)

SUPPORTED_GROUPS = 10
POINT_FORMATS = 11
SIGNATURE_ALGORITHMS = 13
MAX_CACHED = 4096  # bytes of the extensions of a hello that is remembered
MOST = 99  # the largest number that fits the two digits of a count

Transport = Literal["t", "q"]  # TLS over TCP, QUIC

_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_NOTHING = "000000000000"
# The extensions whose contents count; of the others only that they are there.
_READ = (SUPPORTED_GROUPS, POINT_FORMATS, SIGNATURE_ALGORITHMS, ALPN, SUPPORTED_VERSIONS)


def is_grease(number: int) -> bool:
    """Whether a 16-bit number is one of 0x0A0A, 0x1A1A … 0xFAFA (RFC 8701 §2)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def without_grease(numbers: Iterable[int]) -> list[int]:
    return [number for number in numbers if not is_grease(number)]


def numbers(data: bytes | None, width: int) -> tuple[int, ...]:
    """A vector of 16-bit numbers behind a length of `width` bytes, as far as it goes."""
    if not data:
        return ()
    size = min(int.from_bytes(data[:width]), len(data) - width) // 2
    return struct.unpack_from(f"!{max(size, 0)}H", data, width) if size > 0 else ()


def of_client(hello: ClientHello, transport: Transport) -> tuple[str | None, str | None]:
    """JA3 and JA4; remembered, for the same clients come with every connection."""
    bodies = tuple(hello.extensions.get(kind) for kind in _READ)
    if sum(len(body) for body in bodies if body) > MAX_CACHED:
        return ja3(hello), ja4(hello, transport)
    return _of_client(hello.version, hello.suites, tuple(hello.extensions), bodies, transport)


@lru_cache(maxsize=256)
def _of_client(
    version: int,
    suites: tuple[int, ...],
    kinds: tuple[int, ...],
    bodies: tuple[bytes | None, ...],
    transport: Transport,
) -> tuple[str | None, str | None]:
    extensions = dict.fromkeys(kinds, b"")
    extensions |= {kind: body for kind, body in zip(_READ, bodies, strict=True) if body}
    hello = ClientHello(version, b"", b"", suites, extensions)
    return ja3(hello), ja4(hello, transport)


def ja3(hello: ClientHello) -> str | None:
    """JA3: version, suites, extensions, groups and point formats."""
    if not hello.suites:
        return None
    extensions = hello.extensions
    groups = numbers(extensions.get(SUPPORTED_GROUPS), 2)
    fields = (
        [hello.version],
        without_grease(hello.suites),
        without_grease(extensions),
        without_grease(groups),
        list((extensions.get(POINT_FORMATS) or b"")[1:]),
    )
    return _md5(fields)


def ja3s(hello: ServerHello) -> str:
    """JA3S: version, the suite chosen, extensions."""
    return _md5(([hello.legacy_version], [hello.suite], list(hello.extensions)))


def _md5(fields: Iterable[Sequence[int]]) -> str:
    text = ",".join("-".join(map(str, field)) for field in fields)
    return hashlib.md5(text.encode("ascii"), usedforsecurity=False).hexdigest()


def ja4(hello: ClientHello, transport: Transport = "t") -> str | None:
    """JA4: its lists are sorted, so that clients which shuffle extensions stay one."""
    if not hello.suites:
        return None
    suites, extensions = without_grease(hello.suites), without_grease(hello.extensions)
    offered = without_grease(numbers(hello.extensions.get(SUPPORTED_VERSIONS), 1))
    version = _VERSIONS.get(max(offered, default=hello.version), "00")
    name = "d" if SERVER_NAME in hello.extensions else "i"
    counts = f"{min(len(suites), MOST):02}{min(len(extensions), MOST):02}"
    kinds = _hex(sorted(kind for kind in extensions if kind not in (SERVER_NAME, ALPN)))
    algorithms = _hex(without_grease(numbers(hello.extensions.get(SIGNATURE_ALGORITHMS), 2)))
    rest = f"{kinds}_{algorithms}" if algorithms else kinds
    return (
        f"{transport}{version}{name}{counts}{_ends(_first_protocol(hello.extensions.get(ALPN)))}"
        f"_{_sha(_hex(sorted(suites)))}_{_sha(rest)}"
    )


def _first_protocol(data: bytes | None) -> bytes:
    return data[3 : 3 + data[2]] if data and len(data) > 3 else b""


def _ends(protocol: bytes) -> str:
    """First and last character of a protocol's name; of its hexadecimal form where one of
    them is no ASCII letter or digit."""
    if not protocol:
        return "00"
    first, last = protocol[:1], protocol[-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    return first.hex()[0] + last.hex()[1]


def _hex(values: Iterable[int]) -> str:
    return ",".join(f"{value:04x}" for value in values)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12] if text else _NOTHING
