"""Captures by hand: a TCP conversation as packets, for what nobody recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MTU_PAYLOAD = 1400


def conversation(
    path: Path,
    reported: Sequence[tuple[bool, bytes]],
    server_port: int = 80,
    handshake: bool = True,
) -> str:
    """Write a capture of one connection; `reported` is (by the client, bytes) in order.

    The addresses are for documentation (RFC 5737), and the MAC addresses are given: without
    them scapy would ask the network for the receiver's.
    """
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    ends = {True: ("192.0.2.1", "192.0.2.2"), False: ("192.0.2.2", "192.0.2.1")}
    ports = {True: (40000, server_port), False: (server_port, 40000)}
    sent = {True: 1000, False: 5000}
    packets = []

    def segment(client: bool, flags: str, payload: bytes = b"") -> None:
        (source, target), (sport, dport) = ends[client], ports[client]
        ack = sent[not client] if "A" in flags else 0
        head = TCP(sport=sport, dport=dport, seq=sent[client], ack=ack, flags=flags)
        packets.append(frame / IP(src=source, dst=target) / head / payload)
        sent[client] += len(payload) + ("S" in flags)

    if handshake:
        segment(True, "S")
        segment(False, "SA")
    for by_client, content in reported:
        for start in range(0, len(content), MTU_PAYLOAD):
            segment(by_client, "PA", content[start : start + MTU_PAYLOAD])
    wrpcap(str(path), packets)
    return str(path)
