"""Frames with a secret planted somewhere, for the tests of exports."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

scapy: Any = pytest.importorskip("scapy.all")
CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
SECRET = "hunter2secretpw"


def udp(data: bytes, port: int, own: int = 40000) -> Any:
    head = scapy.Ether() / scapy.IP(src=CLIENT, dst=SERVER)
    return head / scapy.UDP(sport=own, dport=port) / scapy.Raw(data)


def dns(answer: bytes = b"") -> bytes:
    """A query for h.test with an answer that holds these records' bytes."""
    question = b"\1h\4test\0\0\1\0\1"
    return struct.pack("!6H", 7, 0x8180, 1, bool(answer), 0, 0) + question + answer


def record(kind: int, data: bytes) -> bytes:
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def ntp(behind: bytes = b"") -> bytes:
    return b"\x23\0\6\xec" + bytes(36) + b"\xe0\0\0\0\0\0\0\1" + behind


def dhcp(options: bytes, name: bytes = b"", file: bytes = b"") -> bytes:
    fixed = struct.pack("!4BIHH4s4s4s4s", 1, 1, 6, 0, 9, 0, 0, *[bytes(4)] * 4)
    fixed += b"\2\0\0\0\0\1".ljust(16, b"\0") + name.ljust(64, b"\0") + file.ljust(128, b"\0")
    return fixed + b"\x63\x82\x53\x63" + b"\x35\1\1" + options


def tcp(
    request: bytes, response: bytes, cuts: Sequence[int] = (), order: Sequence[int] = (),
    twice: Sequence[int] = (),
) -> list[Any]:  # fmt: skip
    """A connection; the request is cut, its segments put in another order, some sent twice."""
    ends = {"sport": 40000, "dport": 80}, {"sport": 80, "dport": 40000}
    there, back = scapy.IP(src=CLIENT, dst=SERVER), scapy.IP(src=SERVER, dst=CLIENT)
    start = (1 << 32) - 40
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(request)}), len(request)]
    parts = list(pairwise(places))
    segments = [
        there
        / scapy.TCP(**ends[0], flags="PA", seq=(start + 1 + first) % (1 << 32), ack=901)
        / scapy.Raw(request[first:last])
        for first, last in parts
    ]
    chosen = [n % len(segments) for n in order]
    rest = [n for n in range(len(segments)) if n not in chosen]
    sent = list(dict.fromkeys(chosen)) + rest + [n % len(segments) for n in twice]
    ack = (start + 1 + len(request)) % (1 << 32)
    frames = [
        there / scapy.TCP(**ends[0], flags="S", seq=start),
        back / scapy.TCP(**ends[1], flags="SA", seq=900, ack=start + 1),
        *(segments[n] for n in sent),
        back / scapy.TCP(**ends[1], flags="PA", seq=901, ack=ack) / scapy.Raw(response),
    ]
    return [scapy.Ether() / frame for frame in frames]


def written(path: Any, frames: Sequence[Any]) -> Any:
    for number, frame in enumerate(frames):
        frame.time = 1.7e9 + number / 10
    scapy.wrpcap(str(path), list(frames))
    return path
