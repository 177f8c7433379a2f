"""IPv4 (RFC 791) and IPv6 (RFC 8200) headers by offset."""

from __future__ import annotations

import struct
from typing import NamedTuple

TCP = 6
UDP = 17

_V4 = struct.Struct(">BxHHHxB2x8s").unpack_from
_V6 = struct.Struct(">BxxxHBx32s").unpack_from

AUTHENTICATION = 51
_HOP_BY_HOP, _ROUTING, _FRAGMENT = 0, 43, 44
_DESTINATION, _MOBILITY, _HIP, _SHIM6 = 60, 135, 139, 140
_EXTENSIONS = frozenset(
    {
        _HOP_BY_HOP,
        _ROUTING,
        _FRAGMENT,
        AUTHENTICATION,
        _DESTINATION,
        _MOBILITY,
        _HIP,
        _SHIM6,
    }
)
MAX_EXTENSIONS = 16


class IpPacket(NamedTuple):
    """An IP packet's payload. `end` is where it ends by the header, or by the packet's
    length on the wire if that is less; captured bytes may end before.

    `fragment` is None, or (identification, offset in bytes, more fragments follow).
    """

    protocol: int
    addresses: bytes
    start: int
    end: int
    fragment: tuple[int, int, bool] | None


def ipv4(buf: bytes, off: int, captured: int, wire: int) -> IpPacket | str:
    """The IPv4 header at `off`; `captured` and `wire` are where the packet ends."""
    if off + 20 > captured:
        return "header cut short"
    head, total, ident, where, protocol, addresses = _V4(buf, off)
    size = (head & 15) * 4
    if head >> 4 != 4 or size < 20:
        return "malformed IPv4"
    # Total length 0: segmentation offload, the packet is as long as it was seen.
    end = min(off + total, wire) if total else wire
    if end < off + size:
        return "malformed IPv4"
    fragment = None
    if where & 0x3FFF:
        fragment = (ident, (where & 0x1FFF) * 8, bool(where & 0x2000))
    packet = IpPacket(protocol, addresses, off + size, end, fragment)
    if protocol == AUTHENTICATION and fragment is None:
        return beyond(packet, buf, captured)
    return packet


def ipv6(buf: bytes, off: int, captured: int, wire: int) -> IpPacket | str:
    """The IPv6 header at `off` and its extension headers."""
    if off + 40 > captured:
        return "header cut short"
    head, length, protocol, addresses = _V6(buf, off)
    if head >> 4 != 6:
        return "malformed IPv6"
    # Payload length 0: a jumbogram (RFC 2675) or segmentation offload.
    end = min(off + 40 + length, wire) if length else wire
    return beyond(IpPacket(protocol, addresses, off + 40, end, None), buf, captured)


def beyond(packet: IpPacket, buf: bytes, captured: int) -> IpPacket | str:
    """The packet past its extension headers, and past the authentication header of either
    version (RFC 4302); up to a fragment header if there is one."""
    protocol, off = packet.protocol, packet.start
    for _ in range(MAX_EXTENSIONS):
        if protocol not in _EXTENSIONS:
            break
        if off + 8 > captured:
            return "header cut short"
        following, size = buf[off], (buf[off + 1] + 1) * 8
        if protocol == AUTHENTICATION:
            size = (buf[off + 1] + 2) * 4
        elif protocol == _FRAGMENT:
            size = 8
            where, ident = struct.unpack_from(">HI", buf, off + 2)
            if where & 0xFFF9:
                fragment = (ident, where & 0xFFF8, bool(where & 1))
                start, end = off + 8, max(packet.end, off + 8)
                return IpPacket(following, packet.addresses, start, end, fragment)
        protocol, off = following, off + size
    if off > packet.end:
        return "malformed IPv6" if len(packet.addresses) > 8 else "malformed IPv4"
    return packet._replace(protocol=protocol, start=off)


PROTOCOL_NAMES = {
    1: "ICMP",
    2: "IGMP",
    4: "IPv4 in IP",
    41: "IPv6 in IP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    59: "no next header",
    88: "EIGRP",
    89: "OSPF",
    103: "PIM",
    112: "VRRP",
    132: "SCTP",
    136: "UDP-Lite",
}


def protocol_name(protocol: int) -> str:
    """For the table of skipped frames."""
    return PROTOCOL_NAMES.get(protocol, f"IP protocol {protocol}")
