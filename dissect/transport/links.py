"""LINKTYPE_… values to the functions that find the IP header."""

from __future__ import annotations

import struct
from collections.abc import Callable

from dissect.transport import juniper, wan
from dissect.transport.link_headers import (
    CUT,
    PayloadStart,
    by_version,
    ethernet,
    llc,
    ppp,
    typed,
)

IP_FAMILIES = frozenset({2, 10, 23, 24, 26, 28, 30})
"""AF_INET everywhere; AF_INET6 of Linux, Windows, the BSDs, Solaris and Darwin."""

Find = Callable[[bytes, int, int], PayloadStart]
"""(buffer, start, end of the captured bytes)"""

_U16 = struct.Struct(">H").unpack_from


def _cooked(buf: bytes, off: int, end: int) -> PayloadStart:
    if off + 16 > end:
        return CUT
    return typed(_U16(buf, off + 14)[0], buf, off + 16, end)


def _cooked2(buf: bytes, off: int, end: int) -> PayloadStart:
    if off + 20 > end:
        return CUT
    return typed(_U16(buf, off)[0], buf, off + 20, end)


def _null(buf: bytes, off: int, end: int) -> PayloadStart:
    """The address family's number and byte order are those of the recording system: it
    must be one that some system uses for IP, then the packet's version decides."""
    if off + 4 > end:
        return CUT
    if max(buf[off : off + 2]) == 0:
        family = int.from_bytes(buf[off : off + 4], "big")
    else:
        family = int.from_bytes(buf[off : off + 4], "little")
    return by_version(buf, off + 4, end) if family in IP_FAMILIES else "not IP"


def _nflog(buf: bytes, off: int, end: int) -> PayloadStart:
    """Attributes (length, type, in the byte order of the machine) until the payload, 9."""
    off += 4
    while off + 4 <= end:
        length, kind = struct.unpack_from("<HH", buf, off)
        if kind & 0x7FFF == 9 and length >= 4:
            return by_version(buf, off + 4, end)
        if length < 4:
            length, kind = struct.unpack_from(">HH", buf, off)
            if kind & 0x7FFF == 9 and length >= 4:
                return by_version(buf, off + 4, end)
        off += max(4, length + (-length & 3))
    return CUT


def _firewire(buf: bytes, off: int, end: int) -> PayloadStart:
    if off + 18 > end:
        return CUT
    return typed(_U16(buf, off + 16)[0], buf, off + 18, end)


def _pflog(buf: bytes, off: int, end: int) -> PayloadStart:
    """The packet filter's log: a header that begins with its own length, padded to 4."""
    return by_version(buf, off + (buf[off] + 3 & ~3), end) if off < end else CUT


def _after(size: int, find: Find) -> Find:
    """For what has `size` bytes that nobody needs before it."""
    return lambda buf, off, end: find(buf, off + size, end) if off + size < end else CUT


LINKS: dict[int, Find] = {
    0: _null,
    1: ethernet,
    9: ppp,
    10: _after(13, llc),
    12: by_version,
    14: by_version,
    50: ppp,
    51: _after(6, ppp),
    100: llc,
    101: by_version,
    104: wan.cisco_hdlc,
    107: wan.frame_relay,
    108: _null,
    109: _after(12, by_version),
    113: _cooked,
    117: _pflog,
    138: _firewire,
    166: _after(1, ppp),
    204: _after(1, ppp),
    205: _after(1, wan.cisco_hdlc),
    206: _after(1, wan.frame_relay),
    228: by_version,
    229: by_version,
    239: _nflog,
    276: _cooked2,
    **juniper.LINKS,
}


def network(link: int, buf: bytes, start: int, end: int) -> PayloadStart:
    """The IP header of the packet `buf[start:end]` of LINKTYPE `link`."""
    find = LINKS.get(link)
    if find is not None:
        return find(buf, start, end)
    return "no packet in the block" if link < 0 else f"link type {link}"
