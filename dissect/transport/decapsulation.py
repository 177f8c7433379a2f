"""From a frame to the TCP segment or UDP datagram in it: links, IP, fragments, tunnels.

The way of all packets that the assembler's loop does not read itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from dissect.transport import tunnels
from dissect.transport.fragments import Fragments
from dissect.transport.ip import (
    AUTHENTICATION,
    TCP,
    UDP,
    IpPacket,
    beyond,
    ipv4,
    ipv6,
    protocol_name,
)
from dissect.transport.link_headers import IPV4, IPV6
from dissect.transport.links import network

# ICMP's codes of "destination unreachable" (RFC 792, RFC 1812 §5.2.7.1; RFC 4443 §3.1), by the
# number of the IP protocol; what is no refusal (a packet too big) is left out.
_NO_WAY = {1: 3, 58: 1}
_UNREACHABLE = {
    1: {
        0: "network unreachable",
        1: "host unreachable",
        2: "protocol unreachable",
        3: "port unreachable",
        6: "network unknown",
        7: "host unknown",
        9: "network administratively prohibited",
        10: "host administratively prohibited",
        13: "administratively prohibited",
    },
    58: {
        0: "no route",
        1: "administratively prohibited",
        3: "address unreachable",
        4: "port unreachable",
        5: "refused by a policy for the source address",
        6: "route refused",
    },
}


class Decapsulator(ABC):
    """Finds what `_tcp`, `_udp` and `_quoted` of a subclass want; counts the rest.

    `skipped` counts frames without TCP or UDP by reason, `cut` those that hold less than
    was on the wire.
    """

    def __init__(self) -> None:
        self.skipped: dict[str, int] = {}
        self.cut = 0
        self._fragments = Fragments()
        self._sizes = (0, 0)  # of the frame at hand: captured, on the wire

    @abstractmethod
    def _tcp(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        """Take a segment: the payload of `packet`, captured up to `captured`."""

    @abstractmethod
    def _udp(
        self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int, depth: int
    ) -> None:
        """Take a datagram; `depth` counts the tunnels around it."""

    @abstractmethod
    def _quoted(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        """Take the beginning of a packet that an ICMP error is about."""

    @abstractmethod
    def _unreachable(self, frame: int, ns: int, key: bytes, what: str, addresses: bytes) -> None:
        """An ICMP error says that a datagram with `key` did not arrive, and why."""

    def _packet(
        self, frame: int, ns: int, link: int, buf: bytes, start: int, caplen: int, length: int
    ) -> None:
        end = start + caplen
        self._sizes = caplen, length
        self.cut += caplen < length
        found = network(link, buf, start, end)
        if isinstance(found, str):
            self._skip(found)
        else:
            self._ip(frame, ns, found, buf, end, start + max(length, caplen), 0)

    def _skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def _ip(
        self,
        frame: int,
        ns: int,
        found: tuple[int, int],
        buf: bytes,
        captured: int,
        wire: int,
        depth: int,
    ) -> None:
        ethertype, off = found
        packet = (ipv4 if ethertype == IPV4 else ipv6)(buf, off, captured, wire)
        if isinstance(packet, str):
            self._skip(packet)
            return
        captured = min(captured, packet.end)
        if packet.fragment is not None:
            ident, offset, more = packet.fragment
            if captured < packet.end:
                self._skip("IP fragment cut short")
                return
            key = (packet.addresses, packet.protocol, ident)
            data = self._fragments.add(key, offset, buf[packet.start : captured], more, ns)
            if data is None:
                return
            buf, captured = data, len(data)
            packet = packet._replace(start=0, end=captured, fragment=None)
            if ethertype == IPV6 or packet.protocol == AUTHENTICATION:
                packet = beyond(packet, buf, captured)
                if isinstance(packet, str) or packet.fragment:
                    self._skip(packet if isinstance(packet, str) else "fragment in a fragment")
                    return
        self._payload(frame, ns, packet, buf, captured, depth)

    def _payload(
        self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int, depth: int
    ) -> None:
        protocol = packet.protocol
        if protocol == TCP:
            self._tcp(frame, ns, packet, buf, captured)
        elif protocol == UDP:
            self._udp(frame, ns, packet, buf, captured, depth)
        elif protocol in (4, 41, 47) and depth < tunnels.MAX_DEPTH:
            if protocol == 47:
                found = tunnels.gre(buf, packet.start, captured)
            else:
                found = (IPV4 if protocol == 4 else IPV6, packet.start)
            self._inside(frame, ns, found, buf, captured, packet.end, depth)
        elif protocol in (1, 58):
            self._skip(protocol_name(protocol))
            self._icmp(frame, ns, packet, buf, captured)
        else:
            self._skip(protocol_name(protocol))

    def _inside(
        self,
        frame: int,
        ns: int,
        found: tuple[int, int] | str,
        buf: bytes,
        captured: int,
        wire: int,
        depth: int,
    ) -> None:
        """What a tunnel carries."""
        if isinstance(found, str):
            self._skip(found)
        else:
            self._ip(frame, ns, found, buf, captured, wire, depth + 1)

    def _icmp(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        """An error quotes the packet it is about."""
        if packet.start + 8 > captured:
            return
        kind = buf[packet.start]
        off = packet.start + 8
        if packet.protocol == 1 and kind in (3, 4, 5, 11, 12):
            quoted = ipv4(buf, off, captured, 1 << 40)
        elif packet.protocol == 58 and 1 <= kind <= 4:
            quoted = ipv6(buf, off, captured, 1 << 40)
        else:
            return
        if not isinstance(quoted, str) and not (quoted.fragment and quoted.fragment[1]):
            self._quoted(frame, ns, quoted, buf, captured)
            known = _UNREACHABLE[packet.protocol] if kind == _NO_WAY[packet.protocol] else {}
            what = known.get(buf[packet.start + 1])
            if what is not None and quoted.protocol == UDP and quoted.start + 8 <= captured:
                key = quoted.addresses + buf[quoted.start : quoted.start + 4]
                self._unreachable(frame, ns, key, what, packet.addresses)
