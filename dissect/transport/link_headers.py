"""From an ethertype, a PPP header or LLC to the IP header: offsets only, nothing is copied.

Each function answers with the ethertype and the offset of what is inside, or with the
words under which the frame is counted as skipped.
"""

from __future__ import annotations

import struct

IPV4 = 0x0800
IPV6 = 0x86DD
VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
MPLS = frozenset({0x8847, 0x8848})
PPPOE_SESSION = 0x8864
PPP_TYPE = 0x880B
CISCO_METADATA = 0x8909
VN_TAG = 0x8926
TAGS = VLAN_TAGS | {CISCO_METADATA, VN_TAG}
"""802.1Q and 802.1ad; TrustSec's options; interface numbers of Cisco and IEEE 802.1BR."""

FRAMES = {0x6558: 0, 0x8903: 2, 0x88E7: 4}
"""A whole Ethernet frame follows after so many bytes: bridged, Cisco FabricPath, 802.1ah."""

ISL = (b"\x01\x00\x0c\x00\x00", b"\x03\x00\x0c\x00\x00")
"""How a destination begins that is Cisco's inter-switch link: 26 bytes before the frame."""

MAX_FRAMES = 16

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

PayloadStart = tuple[int, int] | str
"""(ethertype IPV4 or IPV6, offset of the IP header), or why there is none."""

_U16 = struct.Struct(">H").unpack_from
CUT = "header cut short"


def typed(ethertype: int, buf: bytes, off: int, end: int, depth: int = 0) -> PayloadStart:
    """What an ethertype leads to: through tags, MPLS and PPPoE to IP.

    `depth` counts the Ethernet and SNAP headers around it.
    """
    while ethertype in TAGS:
        if off + 6 > end:
            return CUT
        if ethertype in VLAN_TAGS:
            off += 2
        elif ethertype == VN_TAG:
            off += 4
        else:
            off += 2 + 4 * buf[off + 1]
            if off + 2 > end:
                return CUT
        (ethertype,) = _U16(buf, off)
        off += 2
    if ethertype in (IPV4, IPV6):
        return ethertype, off
    if ethertype in MPLS:
        return _mpls(buf, off, end)
    if ethertype == PPPOE_SESSION:
        return ppp(buf, off + 6, end)
    if ethertype == PPP_TYPE:
        return ppp(buf, off, end)
    if ethertype in FRAMES:
        return ethernet(buf, off + FRAMES[ethertype], end, depth + 1)
    if ethertype < 0x600:
        return llc(buf, off, end, depth + 1)
    return SKIP_NAMES.get(ethertype, f"ethertype {ethertype:#06x}")


def ethernet(buf: bytes, off: int, end: int, depth: int = 0) -> PayloadStart:
    """Ethernet II, or IEEE 802.3 with LLC/SNAP."""
    if off + 14 > end:
        return CUT
    if depth > MAX_FRAMES:
        return "too many frames in frames"
    if buf[off : off + 5] in ISL and off + 40 <= end:
        off += 26
    return typed(_U16(buf, off + 12)[0], buf, off + 14, end, depth)


def by_version(buf: bytes, off: int, end: int) -> PayloadStart:
    """IP without a type before it: the version nibble tells (RFC 791, RFC 8200)."""
    if off >= end:
        return CUT
    version = buf[off] >> 4
    if version == 4:
        return IPV4, off
    if version == 6:
        return IPV6, off
    return "not IP"


def llc(buf: bytes, off: int, end: int, depth: int = 0) -> PayloadStart:
    """IEEE 802.2 with the type in its SNAP extension."""
    if off + 8 > end:
        return CUT
    if depth > MAX_FRAMES:
        return "too many frames in frames"
    if buf[off : off + 3] == b"\xaa\xaa\x03":
        return typed(_U16(buf, off + 6)[0], buf, off + 8, end, depth)
    return "IEEE 802.2 LLC"


def _mpls(buf: bytes, off: int, end: int) -> PayloadStart:
    """Labels down to the bottom of the stack (RFC 3032), then IP by its version."""
    while off + 4 <= end:
        bottom = buf[off + 2] & 1
        off += 4
        if bottom:
            return by_version(buf, off, end)
    return CUT


def ppp(buf: bytes, off: int, end: int) -> PayloadStart:
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
