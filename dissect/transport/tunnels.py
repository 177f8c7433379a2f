"""Packets inside packets: GRE with ERSPAN, VXLAN, GENEVE, GTP-U.

IP in IP needs no header of its own and is done by the assembler.
"""

from __future__ import annotations

import struct

from dissect.transport.link_headers import CUT, PayloadStart, by_version, ethernet, typed

VXLAN_PORT = 4789
GENEVE_PORT = 6081
GTP_PORT = 2152
PORTS = frozenset({VXLAN_PORT, GENEVE_PORT, GTP_PORT})

MAX_DEPTH = 8
"""Tunnels within tunnels that are followed."""

ERSPAN_2 = 0x88BE
ERSPAN_3 = 0x22EB

_U16 = struct.Struct(">H").unpack_from


def gre(buf: bytes, off: int, end: int) -> PayloadStart:
    """GRE (RFC 2784, 2890), its version 1 of PPTP (RFC 2637), and ERSPAN in it."""
    if off + 4 > end:
        return CUT
    flags, ethertype = struct.unpack_from(">HH", buf, off)
    off += 4
    version = flags & 7
    sequence = bool(flags & 0x1000)
    off += 4 * (bool(flags & 0xC000) + bool(flags & 0x2000) + sequence)
    if version == 1:
        off += 4 * bool(flags & 0x0080)
    elif version:
        return "GRE of an unknown version"
    if off > end:
        return CUT
    if ethertype == ERSPAN_2:
        # Type I has no header at all, and no sequence number before it.
        return ethernet(buf, off + 8 if sequence else off, end)
    if ethertype == ERSPAN_3:
        if off + 12 > end:
            return CUT
        subheader = 8 if buf[off + 11] & 1 else 0
        return ethernet(buf, off + 12 + subheader, end)
    return typed(ethertype, buf, off, end)


def in_udp(port: int, buf: bytes, off: int, end: int) -> PayloadStart:
    """The packet inside a datagram to one of `PORTS`."""
    if off + 8 > end:
        return CUT
    if port == VXLAN_PORT:
        return ethernet(buf, off + 8, end) if buf[off] & 0x08 else "VXLAN without an identifier"
    if port == GENEVE_PORT:
        options = (buf[off] & 0x3F) * 4
        return typed(_U16(buf, off + 2)[0], buf, off + 8 + options, end)
    return _gtp(buf, off, end)


def _gtp(buf: bytes, off: int, end: int) -> PayloadStart:
    """GTP-U (3GPP TS 29.281 §5): only G-PDUs carry a packet."""
    flags, kind = buf[off], buf[off + 1]
    if flags >> 5 != 1 or kind != 255:
        return "GTP signalling"
    off += 8
    if flags & 7:
        if off + 4 > end:
            return CUT
        following = buf[off + 3] if flags & 4 else 0
        off += 4
        while following:
            if off >= end or not buf[off]:
                return CUT
            size = buf[off] * 4
            if off + size > end:
                return CUT
            following = buf[off + size - 1]
            off += size
    return by_version(buf, off, end)
