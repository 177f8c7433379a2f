"""Small captures with known contents, written with scapy."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CLIENT, SERVER = "10.1.0.2", "10.1.0.9"


def tcp_capture(path: Path, parts: Iterable[tuple[bool, bytes]], port: int = 80) -> str:
    """A connection with handshake; `parts` are (from the client?, payload of one segment)."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    sequence = {True: 1000, False: 7000}
    packets: list[Any] = []

    def send(client: bool, flags: str, payload: bytes = b"") -> None:
        ports = (40000, port) if client else (port, 40000)
        ends = (CLIENT, SERVER) if client else (SERVER, CLIENT)
        segment = TCP(
            sport=ports[0],
            dport=ports[1],
            flags=flags,
            seq=sequence[client],
            ack=sequence[not client] if flags != "S" else 0,
        )
        packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        packet = packet / IP(src=ends[0], dst=ends[1]) / segment / payload
        packet.time = 1_700_000_000 + len(packets) / 8
        packets.append(packet)
        sequence[client] += len(payload) + (flags in ("S", "SA", "FA"))

    for client, flags in ((True, "S"), (False, "SA"), (True, "A")):
        send(client, flags)
    for client, payload in parts:
        send(client, "PA", payload)
    for client in (True, False):
        send(client, "FA")
    wrpcap(str(path), packets)
    return str(path)


def rewritten(source: str, path: Path, frames: Callable[[int], int], snaplen: int = 262144) -> str:
    """A capture with each frame written `frames(number)` times, cut to `snaplen` bytes."""
    from dissect.capture import open_capture

    header = struct.Struct("<IIII")
    with open_capture(source) as capture, path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for number, ns, _, buffer, start, caplen, length in capture.packets():
            data = bytes(buffer[start : start + min(caplen, snaplen)])
            for _ in range(frames(number)):
                out.write(header.pack(ns // 10**9, ns % 10**9, len(data), length) + data)
    return str(path)
