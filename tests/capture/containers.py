"""Capture files written byte by byte from the formats' specifications."""

from __future__ import annotations

import struct

ETHERNET = 1


def pcap(
    packets: list[tuple[int, bytes]],
    *,
    order: str = "<",
    nano: bool = False,
    link: int = ETHERNET,
    magic: int | None = None,
    snaplen: int = 262144,
    version: tuple[int, int] = (2, 4),
) -> bytes:
    """`packets` are (ns, data). `magic` overrides; 0xA1B2CD34 gets its longer records."""
    magic = magic or (0xA1B23C4D if nano else 0xA1B2C3D4)
    data = struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link)
    unit = 1 if magic in (0xA1B23C4D, 0x1C0001AC) else 1000
    if magic in (0x1C0001AC, 0x1C0001AB):
        data += struct.pack(order + "I", 0)
    for ns, packet in packets:
        head = (ns // 10**9, ns % 10**9 // unit, len(packet), len(packet))
        data += struct.pack(order + "4I", *head)
        if magic == 0xA1B2CD34:
            data += struct.pack(order + "IHBx", 2, 0x0800, 0)
        data += packet
    return data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


END = bytes(4)


def section(order: str = "<", length: int = -1, options: bytes = b"", minor: int = 0) -> bytes:
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, minor, length) + options
    return block(0x0A0D0D0A, body, order)


def interface(
    order: str = "<", link: int = ETHERNET, snaplen: int = 0, options: bytes = b""
) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def resolution(value: int, order: str = "<") -> bytes:
    return option(9, bytes([value]), order)


def enhanced(
    ticks: int, data: bytes, number: int = 0, order: str = "<", options: bytes = b""
) -> bytes:
    head = struct.pack(order + "5I", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def simple(data: bytes, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(data)) + data, order)


def old_packet(ticks: int, data: bytes, number: int = 0, order: str = "<") -> bytes:
    head = struct.pack(
        order + "HH4I", number, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)
    )
    return block(2, head + data, order)


def secrets(text: bytes, order: str = "<", kind: int = 0x544C534B) -> bytes:
    return block(10, struct.pack(order + "II", kind, len(text)) + text, order)


def names(*records: tuple[bytes, str], order: str = "<") -> bytes:
    body = b""
    for address, name in records:
        body += option(1 if len(address) == 4 else 2, address + name.encode() + b"\0", order)
    return block(4, body + END, order)


def statistics(number: int, dropped: int, order: str = "<") -> bytes:
    body = struct.pack(order + "III", number, 0, 0) + option(5, struct.pack(order + "Q", dropped))
    if order == ">":
        body = struct.pack(order + "III", number, 0, 0)
        body += option(5, struct.pack(order + "Q", dropped), order)
    return block(5, body + END, order)
