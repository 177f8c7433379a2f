"""Captures as lists of packets, to be changed packet by packet; written anew as pcap.

A reader of its own, so that a fault of dissect's can't hide what it does not read.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from tests.fuzz import mutate

MAX_PACKETS = 3000


class Packet(NamedTuple):
    link: int
    ns: int
    data: bytes


def packets(data: bytes) -> list[Packet]:
    """The packets of a pcap or pcapng; none where it is neither. Stops at the first damage."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return []
    try:
        return _pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else _pcap(data)
    except (struct.error, IndexError, OverflowError):
        return []


def _pcap(data: bytes) -> list[Packet]:
    magic = data[:4]
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<"}.get(magic, ">")
    if magic not in (
        b"\xd4\xc3\xb2\xa1",
        b"\x4d\x3c\xb2\xa1",
        b"\xa1\xb2\xc3\xd4",
        b"\xa1\xb2\x3c\x4d",
    ):
        return []
    unit = 1 if magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1000
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    found: list[Packet] = []
    at = 24
    while at + 16 <= len(data) and len(found) < MAX_PACKETS:
        seconds, part, size, _ = struct.unpack_from(order + "4I", data, at)
        found.append(Packet(link, seconds * 10**9 + part * unit, data[at + 16 : at + 16 + size]))
        at += 16 + size
    return found


def _pcapng(data: bytes) -> list[Packet]:
    found: list[Packet] = []
    links: list[int] = []
    order = "<"
    at = 0
    while at + 12 <= len(data) and len(found) < MAX_PACKETS:
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < 12:
            break
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, at + 8)[0])
        elif kind == 6:
            number, high, low, length = struct.unpack_from(order + "4I", data, at + 8)
            link = links[number] if number < len(links) else 1
            found.append(Packet(link, (high << 32 | low) * 1000, data[at + 28 : at + 28 + length]))
        elif kind == 3 and links:
            found.append(Packet(links[0], 0, data[at + 12 : at + size - 4]))
        at += size
    return found


def pcap(found: Sequence[Packet]) -> bytes:
    """A pcap of nanoseconds; packets of another link type than the first are left out."""
    link = found[0].link if found else 1
    out = bytearray(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link))
    for packet in found:
        if packet.link == link:
            seconds, ns = divmod(packet.ns % (1 << 61), 10**9)
            size = len(packet.data)
            out += struct.pack("<4I", seconds & 0xFFFFFFFF, ns, size, size) + packet.data
    return bytes(out)


def rearranged(data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Packets doubled, dropped, swapped, delayed, and another capture's between: no byte inside
    a packet is changed."""
    found = packets(data)
    if not found:
        return mutate.plain(data, dice, others, words)
    for _ in range(dice.choice((1, 2, 3, 10))):
        if not found:
            break
        at, kind = dice.randrange(len(found)), dice.randrange(7)
        if kind == 0:
            found[at:at] = [found[at]] * dice.choice((1, 2, 5))
        elif kind == 1:
            del found[at : at + dice.choice((1, 1, 3, 20))]
        elif kind == 2:
            other = min(len(found) - 1, at + dice.choice((1, 1, 2, 30)))
            found[at], found[other] = found[other], found[at]
        elif kind == 3:
            packet = found.pop(at)
            found.insert(dice.randrange(len(found) + 1), packet)
        elif kind == 4:
            shift = dice.choice((-(10**9), 10**6, 3 * 10**9, 10**14))
            found[at] = found[at]._replace(ns=max(0, found[at].ns + shift))
        elif kind == 5:
            del found[at:]
        elif others:
            strange = packets(dice.choice(others))
            start = dice.randrange(len(strange) + 1)
            found[at:at] = strange[start : start + dice.choice((1, 5, 40))]
    return pcap(found)


def mutated(data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """The container's own bytes, its packets' order, or the bytes of some packets."""
    kind = dice.random()
    if kind < 0.25:
        return mutate.plain(data, dice, others, words)
    if kind < 0.5:
        return rearranged(data, dice, others, words)
    found = packets(data)
    if not found:
        return mutate.plain(data, dice, others, words)
    for _ in range(dice.choice((1, 1, 2, 5, 30))):
        at = dice.randrange(len(found))
        content = found[at].data
        # Most of what matters stands in headers, near the beginning, or anywhere behind them.
        cut = dice.choice((0, 0, 14, 34, 54, 66))
        changed = mutate.plain(content[cut:], dice, (), words)
        found[at] = found[at]._replace(data=(content[:cut] + changed)[:0xFFFF])
    return pcap(found)
