"""What Juniper's routers write: their own header before the frame (LINKTYPE_JUNIPER_…).

"MGC", flags, and where a flag says so a list of extensions. If the link header was left
out four bytes follow, then IP; else what the interface had, on some after a cookie whose
length depends on the card.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from dissect.transport.link_headers import CUT, PayloadStart, by_version, ethernet, llc, ppp, typed
from dissect.transport.wan import cisco_hdlc, frame_relay, nlpid

_MAGIC = b"MGC"
_EXTENSIONS, _NO_LINK_HEADER = 0x80, 0x02
_LINK_SERVICES, _ADAPTIVE_SERVICES = 0x54, 0x47
_U16 = struct.Struct(">H").unpack_from

Inside = Callable[[bytes, int, int], PayloadStart]


def _atm(buf: bytes, off: int, end: int) -> PayloadStart:
    """LLC/SNAP or NLPID (RFC 2684), PPP (RFC 2364), or IP alone."""
    head = buf[off : min(end, off + 3)]
    if head == b"\xaa\xaa\x03":
        return llc(buf, off, end)
    if head == b"\xfe\xfe\x03":
        return nlpid(buf, off + 3, end)
    if head[:1] == b"\x03":
        return nlpid(buf, off + 1, end)
    if head[:2] in (b"\x00\x21", b"\x00\x57"):
        return ppp(buf, off, end)
    return by_version(buf, off, end)


def _with_type(buf: bytes, off: int, end: int) -> PayloadStart:
    return typed(_U16(buf, off)[0], buf, off + 2, end) if off + 2 <= end else CUT


def _multilink(buf: bytes, off: int, end: int) -> PayloadStart:
    """A multilink bundle hands on PPP, or IP where a services card made it."""
    return by_version(buf, off, end) if buf[off] >> 4 in (4, 6) else ppp(buf, off, end)


def _reader(inside: Inside, cookie: int = 0) -> Inside:
    def find(buf: bytes, off: int, end: int) -> PayloadStart:
        if off + 6 > end:
            return CUT
        if buf[off : off + 3] != _MAGIC:
            return "no Juniper header"
        flags = buf[off + 3]
        off += 4
        if flags & _EXTENSIONS:
            off += 2 + _U16(buf, off)[0]
        if flags & _NO_LINK_HEADER:
            return by_version(buf, off + 4, end)
        if cookie and off < end:
            first = buf[off]
            off += 8 if first == _ADAPTIVE_SERVICES else cookie + 2 * (first == _LINK_SERVICES)
        return inside(buf, off, end) if off < end else CUT

    return find


LINKS: dict[int, Inside] = {
    130: _reader(_multilink, 2),  # MLPPP
    135: _reader(_atm, 8),  # ATM2
    137: _reader(_atm, 4),  # ATM1
    167: _reader(ethernet),  # PPPOE
    168: _reader(_with_type),  # PPPOE_ATM
    178: _reader(ethernet),  # ETHER
    179: _reader(ppp),  # PPP
    180: _reader(frame_relay),  # FRELAY
    181: _reader(cisco_hdlc),  # CHDLC
    183: _reader(lambda buf, off, end: by_version(buf, off + 18, end)),  # VP
}
