"""QUIC packets as they are on the wire: long headers, and what anyone may open of them.

The Initial packets of a connection are protected with keys that follow from a connection id
in clear, so whoever sees them can read the hellos (RFC 9001 §5.2). RFC 9000 §17 and RFC
8999 (headers), RFC 9369 (version 2).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from dissect.errors import ProtocolError
from dissect.protocols.tls.key_schedule import expand_label

MAX_CID = 20  # bytes of a connection id (RFC 9000 §17.2)
TAG = 16  # bytes of an AEAD's tag
SMALLEST_SHORT = 21  # bytes of a datagram that holds a short packet (RFC 9000 §10.3)
SAMPLE = 16  # bytes that header protection is made of, 4 behind the packet number's start

INITIAL, ZERO_RTT, HANDSHAKE, RETRY, NEGOTIATION, SHORT = (
    "initial",
    "0-rtt",
    "handshake",
    "retry",
    "version negotiation",
    "1-rtt",
)
_TYPES = (INITIAL, ZERO_RTT, HANDSHAKE, RETRY)


@dataclass(frozen=True, slots=True)
class Version:
    """A version that can be read: `turn` is how far its packet types are turned against
    those of version 1, `labels` begins the names of its keys."""

    number: int
    name: str
    salt: bytes
    labels: str = "quic"
    turn: int = 0
    retry_key: bytes = b""
    retry_nonce: bytes = b""


VERSIONS = {
    version.number: version
    for version in (
        Version(
            1,
            "1",
            bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
            retry_key=bytes.fromhex("be0c690b9f66575a1d766b54e368c84e"),
            retry_nonce=bytes.fromhex("461599d35d632bf2239825bb"),
        ),
        Version(
            0x6B3343CF,
            "2",
            bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
            labels="quicv2",
            turn=1,
            retry_key=bytes.fromhex("8fb4b01b56ac48e260fbcbcead7ccc92"),
            retry_nonce=bytes.fromhex("d86969bc2d7c6d9990efb04a"),
        ),
        Version(
            0xFF00001D,
            "draft 29",
            bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"),
            retry_key=bytes.fromhex("ccce187ed09a09d05728155a6cb96be1"),
            retry_nonce=bytes.fromhex("e54930f97f2136f0530a8c1c"),
        ),
    )
}


class Packet(NamedTuple):
    """A packet of a datagram. `number_at` is where its protected packet number begins,
    `raw` the whole packet, `cut` how many of its bytes the capture lacks."""

    kind: str
    version: Version | None
    destination: bytes = b""
    source: bytes = b""
    raw: bytes = b""
    number_at: int = 0
    cut: int = 0
    versions: tuple[int, ...] = ()  # of a version negotiation


def is_quic_datagram(view: bytes | memoryview) -> bool:
    """Whether a datagram begins with a long header of a version that can be read."""
    if len(view) < 7 or not view[0] & 0x80:
        return False
    version = int.from_bytes(view[1:5])
    if version not in VERSIONS or not view[0] & 0x40:
        return False
    at = 5
    for _ in range(2):  # the connection ids
        if at >= len(view) or view[at] > MAX_CID:
            return False
        at += 1 + view[at]
    return at < len(view)


def is_short_datagram(view: bytes | memoryview) -> bool:
    """Whether a datagram has the form of a short header, of which little is in clear, and
    not that of TURN's ChannelData, which has its length in it (RFC 8656 §12.4)."""
    if len(view) < SMALLEST_SHORT or view[0] & 0xC0 != 0x40:
        return False
    padding = len(view) - 4 - int.from_bytes(view[2:4])
    return not 0 <= padding <= 3


def packets(datagram: bytes) -> Iterator[Packet]:
    """The packets that are coalesced in a datagram (RFC 9000 §12.2).

    Raises ProtocolError where a long header breaks off.
    """
    at = 0
    while at < len(datagram):
        if not datagram[at] & 0x80:
            if datagram[at] & 0x40:
                yield Packet(SHORT, None, raw=datagram[at:])
            return  # else padding, which some senders put behind the packets
        packet = _long(datagram[at:])
        yield packet
        at += len(packet.raw)


def _long(data: bytes) -> Packet:
    reader = _Reader(data)
    first = reader.take(1)[0]
    number = int.from_bytes(reader.take(4))
    destination = reader.take(reader.take(1)[0])
    source = reader.take(reader.take(1)[0])
    version = VERSIONS.get(number)
    if number == 0:
        rest = data[reader.at :]
        offered = tuple(int.from_bytes(rest[at : at + 4]) for at in range(0, len(rest) - 3, 4))
        return Packet(NEGOTIATION, None, destination, source, data, versions=offered)
    if version is None:  # a version in whose packets nothing more is known
        return Packet(INITIAL, None, destination, source, data)
    kind = _TYPES[((first >> 4 & 3) - version.turn) % 4]
    if kind == RETRY:
        return Packet(RETRY, version, destination, source, data)
    if kind == INITIAL:
        reader.take(reader.number())  # the token
    length = reader.number()
    end = reader.at + length
    raw = data[:end]
    return Packet(kind, version, destination, source, raw, reader.at, end - len(raw))


class _Reader:
    """Takes fields off a header; raises ProtocolError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self.at : self.at + size]
        if len(taken) < size:
            raise ProtocolError("quic.packet", "a QUIC packet breaks off in its header")
        self.at += size
        return taken

    def number(self) -> int:
        """A variable-length integer (RFC 9000 §16)."""
        first = self.take(1)[0]
        rest = self.take((1 << (first >> 6)) - 1)
        return int.from_bytes(bytes((first & 0x3F,)) + rest)


class Protection:
    """The keys of one side's Initial packets (RFC 9001 §5)."""

    def __init__(self, version: Version, secret: bytes) -> None:
        self._version, self._secret = version, secret

    def _derive(self, name: str, size: int) -> bytes:
        return expand_label(self._secret, f"{self._version.labels} {name}", size, "sha256")

    @cached_property
    def _open(self) -> tuple[object, int]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._derive("key", 16)), int.from_bytes(self._derive("iv", 12))

    def mask(self, sample: bytes) -> bytes:
        """The mask of header protection (RFC 9001 §5.4.3)."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        key = self._derive("hp", 16)
        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(sample)

    def open(self, packet: Packet) -> bytes | None:
        """The frames of a packet, or None where its tag is wrong.

        Of its number only the bytes sent are used: those of Initials stay small.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        raw, at = packet.raw, packet.number_at
        sample = raw[at + 4 : at + 4 + SAMPLE]
        if packet.cut or len(sample) < SAMPLE:
            return None
        mask = self.mask(sample)
        first = raw[0] ^ mask[0] & 0x0F
        size = (first & 3) + 1
        number = bytes(a ^ b for a, b in zip(raw[at : at + size], mask[1:], strict=False))
        header = bytes((first,)) + raw[1:at] + number
        aead, iv = self._open
        assert isinstance(aead, AESGCM)
        try:
            return aead.decrypt(
                (iv ^ int.from_bytes(number)).to_bytes(12), raw[at + size :], header
            )
        except (InvalidTag, ValueError):
            return None


def initial_protection(version: Version, cid: bytes) -> tuple[Protection, Protection]:
    """Those of client and server; `cid` is the destination of the client's first Initial, or
    the source of a Retry (RFC 9001 §5.2)."""
    secret = hmac.digest(version.salt, cid, "sha256")
    client, server = (
        Protection(version, expand_label(secret, label, 32, "sha256"))
        for label in ("client in", "server in")
    )
    return client, server


def is_retry_of(packet: Packet, original: bytes) -> bool:
    """Whether a Retry's tag proves that it answers an Initial to the connection id `original`
    (RFC 9001 §5.8)."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    version = packet.version
    if version is None or len(packet.raw) < TAG:
        return False
    pseudo = bytes((len(original),)) + original + packet.raw[:-TAG]
    try:
        AESGCM(version.retry_key).decrypt(version.retry_nonce, packet.raw[-TAG:], pseudo)
    except (InvalidTag, ValueError):
        return False
    return True
