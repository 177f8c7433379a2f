"""From a link layer to the IP header: offsets only, nothing is copied.

`network()` answers with the ethertype and the offset of what is inside, or with the
words under which the frame is counted as skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

IPV4 = 0x0800
IPV6 = 0x86DD
VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
MPLS = frozenset({0x8847, 0x8848})
PPPOE_SESSION = 0x8864
ETHERNET_BRIDGED = 0x6558
PPP_TYPE = 0x880B

SKIP_NAMES = {
    0x0806: "ARP",
    0x0842: "Wake-on-LAN",
    0x8035: "RARP",
    0x8100: "VLAN tag cut short",
    0x8809: "slow protocols",
    0x8863: "PPPoE discovery",
    0x888E: "EAPOL",
    0x88CC: "LLDP",
    0x893A: "IEEE 1905",
}

IP_FAMILIES = frozenset({2, 10, 23, 24, 26, 28, 30})
"""AF_INET everywhere; AF_INET6 of Linux, Windows, the BSDs, Solaris and Darwin."""

Found = tuple[int, int] | str
"""(ethertype IPV4 or IPV6, offset of the IP header), or why there is none."""

_U16 = struct.Struct(">H").unpack_from
CUT = "header cut short"


def typed(ethertype: int, buf: bytes, off: int, end: int) -> Found:
    """What an ethertype leads to: through tags, MPLS and PPPoE to IP."""
    while ethertype in VLAN_TAGS:
        if off + 4 > end:
            return CUT
        (ethertype,) = _U16(buf, off + 2)
        off += 4
    if ethertype in (IPV4, IPV6):
        return ethertype, off
    if ethertype in MPLS:
        return _mpls(buf, off, end)
    if ethertype == PPPOE_SESSION:
        return _ppp(buf, off + 6, end)
    if ethertype == PPP_TYPE:
        return _ppp(buf, off, end)
    if ethertype == ETHERNET_BRIDGED:
        return ethernet(buf, off, end)
    if ethertype < 0x600:
        return _llc(buf, off, end)
    return SKIP_NAMES.get(ethertype, f"ethertype {ethertype:#06x}")


def ethernet(buf: bytes, off: int, end: int) -> Found:
    """Ethernet II, or IEEE 802.3 with LLC/SNAP."""
    if off + 14 > end:
        return CUT
    return typed(_U16(buf, off + 12)[0], buf, off + 14, end)


def by_version(buf: bytes, off: int, end: int) -> Found:
    """IP without a type before it: the version nibble tells (RFC 791, RFC 8200)."""
    if off >= end:
        return CUT
    version = buf[off] >> 4
    if version == 4:
        return IPV4, off
    if version == 6:
        return IPV6, off
    return "not IP"


def _llc(buf: bytes, off: int, end: int) -> Found:
    if off + 8 > end:
        return CUT
    if buf[off : off + 3] == b"\xaa\xaa\x03":
        return typed(_U16(buf, off + 6)[0], buf, off + 8, end)
    return "IEEE 802.2 LLC"


def _mpls(buf: bytes, off: int, end: int) -> Found:
    """Labels down to the bottom of the stack (RFC 3032), then IP by its version."""
    while off + 4 <= end:
        bottom = buf[off + 2] & 1
        off += 4
        if bottom:
            return by_version(buf, off, end)
    return CUT


def _ppp(buf: bytes, off: int, end: int) -> Found:
    """PPP (RFC 1661): address and control, and the protocol's first byte, may be left out."""
    if buf[off : off + 2] == b"\xff\x03":
        off += 2
    if off + 2 > end:
        return CUT
    if buf[off] & 1:
        protocol, off = buf[off], off + 1
    else:
        protocol, off = _U16(buf, off)[0], off + 2
    if protocol == 0x21:
        return IPV4, off
    if protocol == 0x57:
        return IPV6, off
    return "PPP control"


def _cooked(buf: bytes, off: int, end: int) -> Found:
    if off + 16 > end:
        return CUT
    return typed(_U16(buf, off + 14)[0], buf, off + 16, end)


def _cooked2(buf: bytes, off: int, end: int) -> Found:
    if off + 20 > end:
        return CUT
    return typed(_U16(buf, off)[0], buf, off + 20, end)


def _null(buf: bytes, off: int, end: int) -> Found:
    """The address family's number and byte order are those of the recording system: it
    must be one that some system uses for IP, then the packet's version decides."""
    if off + 4 > end:
        return CUT
    if max(buf[off : off + 2]) == 0:
        family = int.from_bytes(buf[off : off + 4], "big")
    else:
        family = int.from_bytes(buf[off : off + 4], "little")
    return by_version(buf, off + 4, end) if family in IP_FAMILIES else "not IP"


def _nflog(buf: bytes, off: int, end: int) -> Found:
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


LINKS: dict[int, Callable[[bytes, int, int], Found]] = {
    0: _null,
    1: ethernet,
    9: _ppp,
    12: by_version,
    14: by_version,
    50: _ppp,
    51: lambda buf, off, end: _ppp(buf, off + 6, end),
    101: by_version,
    108: _null,
    113: _cooked,
    228: by_version,
    229: by_version,
    239: _nflog,
    276: _cooked2,
}


def network(link: int, buf: bytes, start: int, end: int) -> Found:
    """The IP header of the packet `buf[start:end]` of LINKTYPE `link`."""
    find = LINKS.get(link)
    if find is not None:
        return find(buf, start, end)
    return "no packet in the block" if link < 0 else f"link type {link}"
