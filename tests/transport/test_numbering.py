"""Stream numbers of crafted captures, asked of tshark each time."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from .segments import CLIENT, SERVER, assemble, handshake, segment

OTHER = (7000, 9000)


def syn(isn: int, port: int = 40000) -> bytes:
    return segment(0, flags="S", isn=(isn, 0), ports=(port, 80))


def synack(isn: int, ack: int, port: int = 40000) -> bytes:
    return segment(1, flags="SA", isn=(ack - 1, isn), ports=(port, 80))


def tagged(frame: bytes, vlan: int) -> bytes:
    return bytes(Ether(frame[:12] + b"\x08\x00") / Dot1Q(vlan=vlan) / frame[14:])


def ip(frame: bytes) -> IP:
    return IP(frame[14:])


ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
QUOTE = IP(src="10.0.0.9", dst=CLIENT) / ICMP(type=3, code=1)

CASES: dict[str, list[bytes]] = {
    "a SYN again": [syn(100), syn(100), synack(500, 101), syn(100)],
    "a SYN with another number": [syn(100), syn(200), synack(500, 101), synack(600, 201)],
    "the same SYN after FIN": [syn(100), synack(500, 101), segment(0, flags="FA"), syn(100)],
    "the same SYN after RST": [syn(100), segment(1, -1, flags="RA"), syn(100)],
    "SYN/ACKs with other numbers": [syn(100), synack(500, 101), synack(501, 101), syn(100)],
    "a SYN from the server with its SYN/ACK's number": [
        syn(100),
        synack(600, 101),
        segment(1, flags="S", isn=(0, 600)),
        segment(1, flags="S", isn=(0, 601)),
    ],
    "a SYN after data that fits": [segment(0, 0), segment(0, flags="S")],
    "a SYN after data that does not fit": [segment(0, 5), segment(0, flags="S")],
    "a SYN that an ACK before it confirms": [segment(1, 0), segment(0, flags="S")],
    "a SYN that an ACK before it denies": [segment(1, 0, ack=9), segment(0, flags="S")],
    "the old connection goes on after the new SYN": [
        *handshake(),
        *handshake(isn=OTHER),
        segment(0, 0, b"old"),
        segment(0, 0, b"new", isn=OTHER),
        segment(0, flags="S", ports=(41000, 80)),
    ],
    "VLANs are not told apart": [tagged(syn(1), 5), tagged(synack(9, 2), 6), syn(1)],
    "ICMP quotes a TCP packet": [
        syn(100),
        bytes(ETHER / QUOTE / IP(src=CLIENT, dst="10.0.0.3") / TCP(sport=5, dport=6, flags="S")),
        syn(100, 41000),
        bytes(ETHER / QUOTE / ip(syn(100))),
    ],
    "ICMP quotes only eight bytes": [
        bytes(ETHER / QUOTE / IP(bytes(IP(src=CLIENT, dst="10.0.0.3", len=40) / TCP())[:28])),
        syn(100),
    ],
    "ICMP quotes a UDP packet": [
        bytes(ETHER / QUOTE / IP(src=CLIENT, dst="10.0.0.3") / UDP(sport=5, dport=6)),
        bytes(ETHER / IP(src=CLIENT, dst=SERVER) / UDP(sport=7, dport=8) / b"x"),
        bytes(ETHER / IP(src="10.0.0.3", dst=CLIENT) / UDP(sport=6, dport=5) / b"x"),
    ],
    "ICMPv6 quotes": [
        bytes(
            ETHER
            / IPv6(src="2001:db8::9", dst="2001:db8::1")
            / ICMPv6DestUnreach()
            / IPv6(src="2001:db8::1", dst="2001:db8::2")
            / TCP(sport=5, dport=6, flags="S")
        ),
        syn(100),
    ],
    "an impossible header": [
        bytes(ETHER / IP(src=CLIENT, dst=SERVER) / TCP(sport=1, dport=2, dataofs=2)),
        bytes(ETHER / IP(src=CLIENT, dst=SERVER, proto=6) / bytes(12)),
        bytes(ETHER / IP(src=CLIENT, dst=SERVER, proto=6) / (b"\0\7\0\x08" + bytes(12))),
        syn(100),
    ],
    "an endpoint that talks to itself": [
        bytes(ETHER / IP(src=CLIENT, dst=CLIENT) / TCP(sport=80, dport=80, flags="S")),
        bytes(ETHER / IP(src=CLIENT, dst=CLIENT) / TCP(sport=80, dport=80, flags="A", seq=1)),
        syn(100),
    ],
    "tunnels count outside and inside": [
        bytes(ETHER / IP(src="1.1.1.1", dst="2.2.2.2") / UDP(dport=4789) / VXLAN() / syn(100)),
        bytes(ETHER / IP(src="1.1.1.1", dst="2.2.2.2") / GRE() / ip(synack(500, 101))),
        bytes(ETHER / IP(src=CLIENT, dst=SERVER) / UDP(sport=7, dport=8) / b"x"),
    ],
}


def by_tshark(frames: list[bytes], path: Path) -> list[list[set[int]]]:
    """For each frame its tcp.stream and udp.stream values."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    for number, frame in enumerate(frames):
        data += struct.pack("<IIII", 1_700_000_000, number, len(frame), len(frame)) + frame
    path.write_bytes(data)
    fields = ["-T", "fields", "-e", "tcp.stream", "-e", "udp.stream"]
    output = subprocess.run(
        ["tshark", "-n", "-r", str(path), *fields], capture_output=True, text=True, check=True
    ).stdout
    return [
        [{int(word) for word in cell.split(",") if word} for cell in line.split("\t")]
        for line in output.splitlines()
    ]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("case", CASES)
def test_stream_numbers(case: str, tmp_path: Path) -> None:
    frames = CASES[case]
    theirs = by_tshark(frames, tmp_path / "crafted.pcap")
    known: list[set[int]] = [set(), set()]
    for count, cells in enumerate(theirs, 1):
        # The streams known after so many frames, and in whose rows the last frame is.
        result = assemble(frames[:count], finish=False)
        for seen, cell in zip(known, cells, strict=True):
            seen |= cell
        assert len(result.assembler.flows) == len(known[0]), count
        assert len(result.assembler.pairs) == len(known[1]), count
        for flow in result.assembler.flows:
            if any(state.last_frame == count for state in flow.states):
                assert flow.stream in cells[0]
