"""Link layers, IP, fragments and tunnels: packets built by scapy give up their payload."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, fragment
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    fragment6,
)
from scapy.layers.l2 import (
    ARP,
    GRE,
    LLC,
    SNAP,
    CookedLinux,
    CookedLinuxV2,
    Dot1AD,
    Dot1Q,
    Dot3,
    Ether,
)
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet

from dissect.model import Unreachable
from dissect.transport.udp import MAX_ERRORS
from tests.capture.containers import pcap

from .segments import Result, assemble

DATA = b"the payload of a datagram"
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
UDP4 = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=4000, dport=4001) / DATA
UDP6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=4000, dport=4001) / DATA
TCP4 = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=4000, dport=80, flags="PA", seq=1) / DATA
TCP6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(sport=4000, dport=80, seq=1) / DATA
OPTIONS = IP(src="10.0.0.1", dst="10.0.0.2", options=[IPOption_NOP()] * 4) / UDP4[UDP]
OUTER = IP(src="192.0.2.1", dst="192.0.2.2")

NULL_BIG = b"\0\0\0\x02"


def nflog(packet: Packet) -> bytes:
    """Family, version, resource; a packet header attribute; the payload attribute (9)."""
    data = bytes(packet)
    header = bytes.fromhex("02000000" + "08000100" + "08000300")
    return header + (len(data) + 4).to_bytes(2, "little") + b"\x09\0" + data


MAC = b"\x02\0\0\0\0\x01"
CDP = b"\x01\x00\x0c\x00\x00\x00"


def juniper(*, extension: bytes = b"", no_link: bool = False) -> bytes:
    """Magic, flags (incoming; extensions; link header left out), extensions."""
    flags = 0x01 | (0x80 if extension else 0) | (0x02 if no_link else 0)
    return b"MGC" + bytes([flags]) + (len(extension).to_bytes(2) + extension if extension else b"")


WAN: dict[str, tuple[int, bytes]] = {
    "Cisco HDLC": (104, b"\x0f\x00\x08\x00" + bytes(UDP4)),
    "Cisco HDLC, IPv6": (104, b"\x0f\x00\x86\xdd" + bytes(UDP6)),
    "Cisco HDLC with direction": (205, b"\x01\x0f\x00\x08\x00" + bytes(UDP4)),
    "frame relay": (107, b"\x18\x41\x03\xcc" + bytes(UDP4)),
    "frame relay, IPv6": (107, b"\x18\x41\x03\x8e" + bytes(UDP6)),
    "frame relay, SNAP": (107, b"\x18\x41\x03\x00\x80\0\0\0\x08\x00" + bytes(UDP4)),
    "frame relay of Cisco": (107, b"\x18\x41\x08\x00" + bytes(UDP4)),
    "frame relay with direction": (206, b"\x00\x18\x41\x03\xcc" + bytes(UDP4)),
    "PPP with direction": (204, b"\x01\xff\x03\x00\x21" + bytes(UDP4)),
    "pppd": (166, b"\x01\xff\x03\x00\x21" + bytes(UDP4)),
    "PF log": (117, b"\x3d\x02\0\0eth0" + bytes(56) + bytes(UDP4)),
    "encapsulating interface": (109, b"\x02\0\0\0" + bytes(8) + bytes(UDP4)),
    "ATM, RFC 2684": (100, b"\xaa\xaa\x03\0\0\0\x08\x00" + bytes(UDP4)),
    "FDDI": (10, b"\x50" + MAC + MAC + b"\xaa\xaa\x03\0\0\0\x08\x00" + bytes(UDP4)),
    "FireWire": (138, bytes(16) + b"\x08\x00" + bytes(UDP4)),
    "TrustSec": (1, MAC + MAC + b"\x89\x09\x01\x01\x00\x01\x00\x05\x08\x00" + bytes(UDP4)),
    "VN tag": (1, MAC + MAC + b"\x89\x26\0\0\0\x01\x08\x00" + bytes(UDP4)),
    "FabricPath": (1, MAC + MAC + b"\x89\x03\x00\x60" + bytes(ETHER / TCP4)),
    "802.1ah": (1, MAC + MAC + b"\x88\xe7\0\0\0\x07" + bytes(ETHER / UDP4)),
    "ISL": (1, CDP[:5] + MAC + b"\0" * 15 + bytes(ETHER / UDP4)),
    "Juniper Ethernet": (178, juniper() + bytes(ETHER / TCP4)),
    "Juniper Ethernet, extensions": (
        178,
        juniper(extension=b"\x01\x02\0\0\x03\x01\x04") + bytes(ETHER / TCP4),
    ),
    "Juniper without link header": (178, juniper(no_link=True) + b"\x02\0\0\0" + bytes(UDP4)),
    "Juniper PPP": (179, juniper() + b"\xff\x03\x00\x21" + bytes(UDP4)),
    "Juniper frame relay": (180, juniper() + b"\x18\x41\x03\xcc" + bytes(UDP4)),
    "Juniper HDLC": (181, juniper() + b"\x0f\x00\x08\x00" + bytes(UDP4)),
    "Juniper PPPoE": (167, juniper() + bytes(ETHER / PPPoE(sessionid=1) / PPP() / TCP4)),
    "Juniper PPPoE over ATM": (168, juniper() + b"\x88\x64" + bytes(PPPoE() / PPP() / TCP4)),
    "Juniper ATM 1": (137, juniper() + bytes(4) + b"\xaa\xaa\x03\0\0\0\x08\x00" + bytes(UDP4)),
    "Juniper ATM 2": (135, juniper() + bytes(8) + b"\xfe\xfe\x03\xcc" + bytes(UDP4)),
    "Juniper ATM 2, PPP": (135, juniper() + bytes(8) + b"\x00\x21" + bytes(UDP4)),
    "Juniper ATM 2, IP alone": (135, juniper() + bytes(8) + bytes(UDP4)),
    "Juniper MLPPP": (130, juniper() + bytes(2) + b"\x00\x21" + bytes(UDP4)),
    "Juniper voice": (183, juniper() + bytes(18) + bytes(UDP4)),
}

LINKS: dict[str, tuple[int, bytes | Packet]] = {
    **WAN,
    "Ethernet": (1, ETHER / UDP4),
    "Ethernet, IPv6": (1, ETHER / UDP6),
    "Ethernet, TCP": (1, ETHER / TCP4),
    "Ethernet, TCP over IPv6": (1, ETHER / TCP6),
    "padding after the packet": (1, bytes(ETHER / UDP4) + bytes(18)),
    "IPv4 options": (1, ETHER / OPTIONS),
    "802.1Q": (1, ETHER / Dot1Q(vlan=7) / TCP4),
    "802.1ad": (1, ETHER / Dot1AD(vlan=7) / Dot1Q(vlan=8) / UDP6),
    "four tags": (1, ETHER / Dot1Q() / Dot1Q() / Dot1Q() / Dot1Q() / UDP4),
    "MPLS": (1, ETHER / MPLS(label=5, s=0) / MPLS(label=6, s=1) / UDP4),
    "PPPoE": (1, ETHER / PPPoE(sessionid=1) / PPP() / TCP4),
    "802.3 with SNAP": (1, Dot3(src=ETHER.src, dst=ETHER.dst) / LLC() / SNAP() / UDP4),
    "null, little-endian": (0, b"\x02\0\0\0" + bytes(UDP4)),
    "null, big-endian": (0, NULL_BIG + bytes(UDP4)),
    "null, IPv6 of Darwin": (0, b"\x1e\0\0\0" + bytes(UDP6)),
    "loop": (108, NULL_BIG + bytes(UDP4)),
    "raw": (101, UDP4),
    "raw, IPv6": (101, UDP6),
    "raw, 12": (12, UDP4),
    "raw, 14": (14, UDP6),
    "IPv4": (228, TCP4),
    "IPv6": (229, TCP6),
    "Linux cooked": (113, CookedLinux(proto=0x0800) / TCP4),
    "Linux cooked, IPv6": (113, CookedLinux(proto=0x86DD) / TCP6),
    "Linux cooked, tagged": (113, CookedLinux(proto=0x8100) / Dot1Q(vlan=3) / UDP4),
    "Linux cooked 2": (276, CookedLinuxV2(proto=0x0800) / TCP4),
    "Linux cooked 2, IPv6": (276, CookedLinuxV2(proto=0x86DD) / UDP6),
    "PPP": (9, PPP() / UDP4),
    "PPP with address and control": (50, b"\xff\x03\x00\x57" + bytes(UDP6)),
    "PPP, compressed protocol": (9, b"\x21" + bytes(UDP4)),
    "PPPoE alone": (51, PPPoE(sessionid=1) / PPP() / UDP4),
    "NFLOG": (239, nflog(UDP4)),
    "IPv6 extension headers": (
        101,
        IPv6(src="2001:db8::1", dst="2001:db8::2")
        / IPv6ExtHdrHopByHop()
        / IPv6ExtHdrRouting(addresses=["2001:db8::3"])
        / IPv6ExtHdrDestOpt()
        / UDP6[UDP],
    ),
    "authentication header": (
        101,
        IP(src="10.0.0.1", dst="10.0.0.2", proto=51) / bytes([17, 1, *bytes(10)]) / UDP4[UDP],
    ),
    "atomic fragment": (
        101,
        IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrFragment(id=3) / UDP6[UDP],
    ),
    "IP in IP": (101, OUTER / UDP4),
    "IPv6 in IP": (101, OUTER / UDP6),
    "IP in IPv6": (101, IPv6(src="2001:db8::8", dst="2001:db8::9") / UDP4),
    "GRE": (101, OUTER / GRE() / UDP4),
    "GRE with key, checksum, sequence": (
        101,
        OUTER / GRE(key_present=1, chksum_present=1, seqnum_present=1) / UDP6,
    ),
    "GRE of Ethernet": (101, OUTER / GRE(proto=0x6558) / ETHER / TCP4),
    "ERSPAN I": (101, OUTER / GRE(proto=0x88BE) / bytes(ETHER / TCP4)),
    "ERSPAN II": (
        101,
        OUTER / GRE(seqnum_present=1, proto=0x88BE) / ERSPAN_II() / ETHER / TCP4,
    ),
    "ERSPAN III": (
        101,
        OUTER / GRE(seqnum_present=1, proto=0x22EB) / ERSPAN_III() / ETHER / UDP4,
    ),
    "VXLAN": (101, OUTER / UDP(sport=9, dport=4789) / VXLAN(vni=5) / ETHER / TCP4),
    "GENEVE": (
        101,
        OUTER / UDP(sport=9, dport=6081) / GENEVE(proto=0x6558, vni=5) / ETHER / TCP4,
    ),
    "GTP-U": (101, OUTER / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1) / UDP4),
    "GTP-U with sequence": (
        101,
        OUTER / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1, S=1, seq=3) / UDP4,
    ),
    "VXLAN in GRE in IPv6": (
        101,
        IPv6(src="2001:db8::8", dst="2001:db8::9")
        / GRE()
        / OUTER
        / UDP(sport=9, dport=4789)
        / VXLAN(vni=5)
        / ETHER
        / Dot1Q(vlan=4)
        / TCP4,
    ),
}


UNKNOWN_TO_TSHARK = {166, 168, 205, 206}
"""Link types that tshark 4.0 has no reader for; the registry of the tcpdump group is followed."""


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("link", sorted({link for link, _ in LINKS.values()} - UNKNOWN_TO_TSHARK))
def test_tshark_finds_the_same(link: int, tmp_path: Path) -> None:
    """One capture a link type: tshark's innermost protocol has the same data at its end."""
    names = [name for name, (kind, _) in LINKS.items() if kind == link]
    path = tmp_path / "crafted.pcap"
    path.write_bytes(pcap([(n, bytes(LINKS[name][1])) for n, name in enumerate(names)], link=link))
    fields = ["-T", "fields", "-e", "udp.srcport", "-e", "tcp.srcport"]
    command = ["tshark", "-n", "-r", str(path), "-o", "ip.defragment:FALSE", *fields]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    theirs = {
        name
        for name, row in zip(names, rows, strict=True)
        if "4000" in row.replace(",", "\t").split("\t")
    }
    assert theirs == set(names)


def payload(result: Result) -> bytes:
    (parser,) = [parser for parser in result.parsers if parser.calls]
    return parser.sent(0)


@pytest.mark.parametrize("name", LINKS)
def test_the_payload_is_found(name: str) -> None:
    link, packet = LINKS[name]
    result = assemble([bytes(packet)], link=link)
    assert payload(result) == DATA
    assert result.assembler.skipped == {}
    assert result.anomalies == []


@pytest.mark.parametrize("name", LINKS)
def test_cut_anywhere_nothing_is_invented(name: str) -> None:
    link, packet = LINKS[name]
    data = bytes(packet)
    for size in range(len(data)):
        result = assemble([(data, size)], link=link)
        for parser in result.parsers:
            sent = parser.sent(0)
            assert DATA.startswith(sent)
            assert len(sent) + sum(parser.gaps(0)) in (0, len(DATA))


SKIPPED: dict[str, tuple[int, bytes | Packet]] = {
    "ARP": (1, ETHER / ARP()),
    "ICMP": (101, IP(src="10.0.0.1", dst="10.0.0.2") / ICMP()),
    "ethertype 0x1234": (1, bytes(12) + b"\x12\x34" + bytes(40)),
    "IEEE 802.2 LLC": (1, bytes(12) + b"\0\x26\x42\x42\x03" + bytes(40)),
    "link type 147": (147, b"anything"),
    "no packet in the block": (-1, b"anything"),
    "OSPF": (101, IP(src="10.0.0.1", dst="10.0.0.2", proto=89) / b"ospf"),
    "IP protocol 200": (101, IP(src="10.0.0.1", dst="10.0.0.2", proto=200) / b"?"),
    "header cut short": (1, bytes(13)),
    "malformed IPv4": (101, b"\x42" + bytes(40)),
    "malformed IPv6": (229, IPv6(plen=4, nh=0) / bytes([17, 0, *bytes(6)])),
    "not IP": (101, b"\x90" + bytes(40)),
    "PPP control": (9, b"\xc0\x21\x01\x01\0\4"),
    "VXLAN without an identifier": (101, OUTER / UDP(sport=9, dport=4789) / bytes(40)),
    "GTP signalling": (101, OUTER / UDP(sport=2152, dport=2152) / b"\x32\x01\0\4\0\0\0\0\0\0\0\0"),
}


@pytest.mark.parametrize("reason", SKIPPED)
def test_frames_without_a_segment_are_counted_by_reason(reason: str) -> None:
    link, packet = SKIPPED[reason]
    result = assemble([bytes(packet)] * 2, link=link)
    assert result.assembler.skipped == {reason: 2}
    assert result.messages == []


def fragments(version: int) -> list[bytes]:
    body = bytes(range(256)) * 8
    if version == 4:
        whole: Any = IP(src="10.0.0.1", dst="10.0.0.2", id=77) / UDP(sport=4, dport=5) / body
        return [bytes(part) for part in fragment(whole, 512)]
    whole = (
        IPv6(src="2001:db8::1", dst="2001:db8::2")
        / IPv6ExtHdrFragment(id=77)
        / UDP(sport=4, dport=5)
        / body
    )
    return [bytes(part) for part in fragment6(whole, 512)]


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_in_any_order_and_doubled(version: int) -> None:
    parts = fragments(version)
    assert len(parts) >= 4
    for order in itertools.islice(itertools.permutations(parts), 0, None, 7):
        result = assemble([order[0], *order], link=101)
        (parser,) = result.parsers
        assert parser.sent(0) == bytes(range(256)) * 8
        # The datagram is of the frame that completed it.
        assert parser.spans[0].last_frame == len(parts) + 1


@pytest.mark.parametrize("version", [4, 6])
def test_a_fragment_that_is_missing(version: int) -> None:
    parts = fragments(version)
    for missing in range(len(parts)):
        result = assemble(parts[:missing] + parts[missing + 1 :], link=101)
        assert result.parsers == []
        assert result.assembler.skipped == {"IP fragment without its rest": len(parts) - 1}


def test_of_overlapping_fragments_the_first_bytes_are_kept() -> None:
    head = IP(src="10.0.0.1", dst="10.0.0.2", id=9, proto=17)
    body = bytes(UDP(sport=4, dport=5, len=32)) + b"a" * 24
    parts = [(0, body[:16], 1), (1, b"X" * 16, 1), (3, body[24:], 0)]
    frames = []
    for offset, data, more in parts:
        packet = head.copy()
        packet.frag, packet.flags = offset, "MF" if more else 0
        frames.append(bytes(packet / data))
    (parser,) = assemble(frames, link=101).parsers
    assert parser.sent(0) == b"a" * 8 + b"X" * 8 + b"a" * 8


def test_fragments_are_bounded() -> None:
    first = [
        bytes(IP(src="10.0.0.1", dst="10.0.0.2", id=n, flags="MF", proto=17) / bytes(1400))
        for n in range(2000)
    ]
    result = assemble(first, link=101, finish=False)
    assert len(result.assembler._fragments._sets) == 512
    result.assembler.finish()
    assert result.assembler.skipped == {"IP fragment without its rest": 2000}


def test_segmentation_offload_leaves_the_total_length_0() -> None:
    packet = bytearray(bytes(ETHER / TCP4))
    packet[16:18] = b"\0\0"
    assert payload(assemble([bytes(packet)])) == DATA


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (bytes(12) + b"\x65\x58", "too many frames in frames"),
        (bytes(12) + b"\x89\x03\0\0", "too many frames in frames"),
        (b"\0\x08\xaa\xaa\x03\0\0\0", "too many frames in frames"),
        (b"\x81\x00\0\1", "header cut short"),
    ],
)
def test_frames_in_frames_end_somewhere(head: bytes, reason: str) -> None:
    start = bytes(12) if len(head) < 12 else b""
    result = assemble([start + head * 8000])
    assert result.assembler.skipped == {reason: 1}


def test_tunnels_in_tunnels_end_somewhere() -> None:
    packet: Any = UDP4
    for _ in range(30):
        packet = OUTER.copy() / packet
    result = assemble([bytes(packet)], link=101)
    assert result.parsers == []
    assert result.assembler.skipped == {"IPv4 in IP": 1}


def test_udp_directions() -> None:
    def datagram(source: str, target: str, sport: int, dport: int) -> bytes:
        return bytes(IP(src=source, dst=target) / UDP(sport=sport, dport=dport) / b"x")

    first = assemble([datagram("10.0.0.1", "10.0.0.2", 4000, 4001)] * 2, link=101)
    assert str(first.parsers[0].connection.client) == "10.0.0.1:4000"
    # An answer captured without its question: the port of the service tells.
    answer = assemble([datagram("10.0.0.2", "10.0.0.1", 53, 50000)], link=101)
    assert str(answer.parsers[0].connection.client) == "10.0.0.1:50000"
    assert answer.parsers[0].calls[0] == ("data", 1, b"x")
    low = assemble([datagram("10.0.0.2", "10.0.0.1", 514, 50000)], link=101)
    assert str(low.parsers[0].connection.client) == "10.0.0.1:50000"
    both = assemble([datagram("10.0.0.2", "10.0.0.1", 5060, 5060)], link=101)
    assert str(both.parsers[0].connection.client) == "10.0.0.2:5060"


@pytest.mark.parametrize("port", [2152, 4789, 6081])
def test_a_client_that_happens_to_have_a_tunnels_port(port: int) -> None:
    question = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=port, dport=53) / b"question"
    answer = IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=53, dport=port) / b"answer"
    (parser,) = assemble([bytes(question), bytes(answer)], link=101).parsers
    assert [call[2] for call in parser.calls[:2]] == [b"question", b"answer"]


def test_a_datagram_that_breaks_its_parser() -> None:
    frames = [bytes(UDP4), bytes(UDP4)]
    result = assemble(frames, link=101, fail_on=b"payload")
    assert result.anomalies == ["test.bad"]
    assert result.parsers[0].calls == []


def test_silent_udp_pairs_give_up_their_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissect.transport.assembler.MAX_OPEN", 3)
    frames = [
        bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=port, dport=53) / b"q")
        for port in (5000, 5001, 5002, 5000, 5003)
    ]
    result = assemble(frames, link=101, finish=False)
    assert [parser.calls[-1][0] for parser in result.parsers] == ["data", "end", "data", "data"]


@pytest.mark.parametrize(
    ("kind", "code", "what"),
    [(3, 3, "port unreachable"), (3, 1, "host unreachable"), (3, 13, "administratively prohibited"),
     (3, 4, None), (11, 0, None), (4, 0, None)],
)  # fmt: skip
def test_icmp_says_that_a_datagram_did_not_arrive(kind: int, code: int, what: str | None) -> None:
    """RFC 792, RFC 1812: told to its sender, with who says it; what is no refusal is not."""
    sent = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=4000, dport=5060) / b"REGISTER"
    error = IP(src="10.0.0.9", dst="10.0.0.1") / ICMP(type=kind, code=code) / bytes(sent)
    found = assemble([bytes(sent), bytes(error)], link=101)
    reported = [item for item in found.messages if isinstance(item, Unreachable)]
    assert [(item.what, item.by) for item in reported] == ([(what, "10.0.0.9")] if what else [])
    for item in reported:
        assert str(item.place.receiver) == "10.0.0.1:4000"
        assert str(item.place.sender) == "10.0.0.2:5060"
        assert item.place.span.first_frame == 2


def test_icmp_of_version_6_and_how_often_it_is_reported() -> None:
    sent = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=4000, dport=1812) / b"x"
    error = IPv6(src="2001:db8::2", dst="2001:db8::1") / ICMPv6DestUnreach(code=4) / bytes(sent)
    found = assemble([bytes(sent), *[bytes(error)] * (MAX_ERRORS + 5)], link=101)
    reported = [item for item in found.messages if isinstance(item, Unreachable)]
    assert [item.what for item in reported] == ["port unreachable"] * MAX_ERRORS


def test_icmp_about_tcp_and_a_quotation_that_is_cut() -> None:
    tcp = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=4000, dport=443)
    sent = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=4000, dport=53) / b"x"
    head = IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=3, code=3)
    frames = [bytes(head / bytes(tcp)), bytes(head / bytes(sent)[:24])]
    assert not [m for m in assemble(frames, link=101).messages if isinstance(m, Unreachable)]
