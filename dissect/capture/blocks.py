"""Structure of pcapng blocks (draft-ietf-opsawg-pcapng): options, interfaces, secrets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from dissect.capture.linktypes import NATIVE, NO_LINK, link_name
from dissect.capture.source import Source, refill
from dissect.capture.tally import MAX_KEY_LOG, SecretsText
from dissect.model import Opaque

SECTION = 0x0A0D0D0A
INTERFACE = 1
OLD_PACKET = 2
SIMPLE_PACKET = 3
NAMES = 4
STATISTICS = 5
ENHANCED_PACKET = 6
JOURNAL = 9
SECRETS = 10
CUSTOM = 0x00000BAD
CUSTOM_UNCOPIED = 0x40000BAD

BLOCK_NAMES = {
    SECTION: "section header",
    INTERFACE: "interface description",
    OLD_PACKET: "packet",
    SIMPLE_PACKET: "simple packet",
    NAMES: "name resolution",
    STATISTICS: "interface statistics",
    ENHANCED_PACKET: "enhanced packet",
    SECRETS: "decryption secrets",
    CUSTOM: "custom",
    CUSTOM_UNCOPIED: "custom",
}

NUMBERED = frozenset({JOURNAL, CUSTOM, CUSTOM_UNCOPIED, 0x204, 0x208, 0x216, 0x21F, 0x221})
"""Blocks without a packet that Wireshark gives a frame number (journal, custom, Sysdig)."""

MAX_SECRETS_BLOCKS = 4096  # of one file
TOO_MANY_SECRETS = (
    f"more than {MAX_SECRETS_BLOCKS} secrets blocks, or than {MAX_KEY_LOG >> 20} MB in them: "
    "from this one on they are left out"
)

SHORTEST_BLOCK = 12
LONGEST_BLOCK = 64 << 20
BYTE_ORDER_MAGIC = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
TLS_KEY_LOG = 0x544C534B

IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_TSOFFSET = 2, 3, 9, 14
ISB_IFDROP, ISB_OSDROP = 5, 7
IPV4_NAME, IPV6_NAME = 1, 2

NS = 1_000_000_000


def options(body: bytes, start: int, end: int, order: str) -> Iterator[tuple[int, bytes]]:
    """(code, value) of the options in `body[start:end]`; the end-of-options is optional.

    An option that reaches over the end is left out, and with it all that would follow.
    """
    head = struct.Struct(order + "HH")
    while start + 4 <= end:
        code, length = head.unpack_from(body, start)
        start += 4
        if code == 0 or start + length > end:
            return
        yield code, body[start : start + length]
        start += length + (-length & 3)


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of a section. Time of a stamp `ts` in ns: `ts * NS // units + offset`;
    `scale` is NS // units where that is whole, else 0."""

    link: int
    snaplen: int
    units: int
    scale: int
    offset: int
    native: bool
    title: str


NOWHERE = Interface(NO_LINK, 0, 1, 0, 0, False, "")
"""Stands for an interface before the first packet."""


def interface(body: bytes, order: str) -> Interface:
    """The interface description in the body of its block (8 bytes at least)."""
    link, snaplen = struct.unpack_from(order + "H2xI", body)
    units, offset, name, description = 1_000_000, 0, "", ""
    for code, value in options(body, 8, len(body), order):
        if code == IF_TSRESOL and len(value) == 1:
            exponent = value[0] & 0x7F
            units = 1 << exponent if value[0] & 0x80 else 10**exponent
        elif code == IF_TSOFFSET and len(value) == 8:
            offset = struct.unpack(order + "q", value)[0] * NS
        elif code == IF_NAME:
            name = value.rstrip(b"\0").decode("utf-8", "replace")
        elif code == IF_DESCRIPTION:
            description = value.rstrip(b"\0").decode("utf-8", "replace")
    title = description if not name else f"{name} ({description})" if description else name
    return Interface(
        link,
        snaplen,
        units,
        NS // units if NS % units == 0 else 0,
        offset,
        link in NATIVE,
        f"{title or 'unnamed'}, {link_name(link)}",
    )


def dropped(body: bytes, order: str) -> tuple[int, int] | None:
    """(interface, packets that it and the system dropped) of a statistics block, if it says."""
    if len(body) < 12:
        return None
    (number,) = struct.unpack_from(order + "I", body)
    drops = [
        struct.unpack(order + "Q", value)[0]
        for code, value in options(body, 12, len(body), order)
        if code in (ISB_IFDROP, ISB_OSDROP) and len(value) == 8
    ]
    return (number, sum(drops)) if drops else None


def names(body: bytes, order: str) -> Iterator[tuple[str, str]]:
    """(address, first name) of each record of a name resolution block."""
    for code, value in options(body, 0, len(body), order):
        size = {IPV4_NAME: 4, IPV6_NAME: 16}.get(code)
        if size is None or len(value) <= size:
            continue
        family = socket.AF_INET if size == 4 else socket.AF_INET6
        name = value[size:].split(b"\0", 1)[0].decode("utf-8", "replace")
        if name:
            yield socket.inet_ntop(family, value[:size]), name


def key_log(body: bytes, order: str) -> Opaque | None:
    """The TLS key log in the body of a secrets block; None for other kinds of secrets."""
    if len(body) < 8:
        return None
    kind, length = struct.unpack_from(order + "II", body)
    return Opaque(body[8 : 8 + length]) if kind == TLS_KEY_LOG else None


def scan_secrets(source: Source, name: str) -> list[SecretsText]:
    """All TLS key logs of a pcapng, by walking block headers only. Stops at damage.

    A block's secrets count even when they stand after the packets: RFC-wise they SHOULD
    come first, but programs that learn the keys at the end write them there.
    """
    found: list[SecretsText] = []
    room = MAX_KEY_LOG
    buf = refill(source, b"", SHORTEST_BLOCK)
    off, order, number = 0, "<", 0
    head = struct.Struct("<II").unpack_from
    while True:
        after = off
        while off + SHORTEST_BLOCK <= len(buf):
            kind, length = head(buf, off)
            if kind == SECTION:
                order = BYTE_ORDER_MAGIC.get(buf[off + 8 : off + 12], "")
                if not order:
                    return found
                head = struct.Struct(order + "II").unpack_from
                kind, length = head(buf, off)
            if not SHORTEST_BLOCK <= length <= LONGEST_BLOCK:
                return found
            after = off + length + (-length & 3)
            if after > len(buf):
                break
            if kind == SECRETS:
                text = key_log(buf[off + 8 : after - 4], order)
                if text is not None:
                    number += 1
                    room -= len(text)
                    if room < 0 or number > MAX_SECRETS_BLOCKS:
                        empty = Opaque(b"")
                        found.append(SecretsText(empty, f"{name} DSB {number}", TOO_MANY_SECRETS))
                        return found
                    found.append(SecretsText(text, f"{name} DSB {number}"))
            off = after
        left = len(buf) - off
        buf = refill(source, buf[off:], after - off)
        off = 0
        if len(buf) == left:
            return found
