"""The tables of TCP connections and UDP pairs, numbered as Wireshark does.

A pair of endpoints is a stream, in order of first sight, whatever the VLAN or the tunnel,
also if it was only seen in the packet that an ICMP error quotes. A SYN whose sequence
number is not that of the stream's SYN begins a new stream; nothing else does (found out
by asking tshark 4.0 with crafted captures; a test repeats them).
"""

from __future__ import annotations

from collections.abc import Callable

from dissect.model import (
    Connection,
    Direction,
    Endpoint,
    StreamParser,
)
from dissect.transport import tunnels
from dissect.transport.delivery import Emit, endpoint
from dissect.transport.half import MASK, Half
from dissect.transport.tcp import ACK, SYN, Flow
from dissect.transport.udp import Pair, swapped


class Streams:
    """Looks up and creates. Keys are addresses and ports of sender and receiver as they
    stand in the headers, so that the two directions of a stream have a key each."""

    def __init__(
        self,
        capture: int,
        open_tcp: Callable[[Connection], StreamParser],
        open_udp: Callable[[Connection], StreamParser],
        emit: Emit,
    ) -> None:
        self.flows: list[Flow] = []
        self.pairs: list[Pair] = []
        self.halves: dict[bytes, Half] = {}
        self._ends: dict[bytes, tuple[Pair, Direction]] = {}
        self._capture = capture
        self._open_tcp = open_tcp
        self._open_udp = open_udp
        self._emit = emit

    def half(self, key: bytes, at: tuple[int, int], seq: int, ack: int, bits: int) -> Half:
        """The direction that a segment belongs to, by Wireshark's rules for new streams."""
        half = self.halves.get(key)
        if half is None:
            half = self._new_flow(key, at, bits)
        elif bits & (SYN | ACK) == SYN and half.base is not None and half.base != seq:
            half.flow.finish()
            half = self._new_flow(key, at, bits)
        if bits & (SYN | ACK) == SYN | ACK:
            half.base = seq
        elif half.base is None:
            half.base = seq if bits & SYN else seq - 1 & MASK
        if bits & ACK and half.peer.base is None:
            half.peer.base = ack - 1 & MASK
        return half

    def _new_flow(self, key: bytes, at: tuple[int, int], bits: int) -> Half:
        sender, receiver, back = _ends_of(key)
        client = not bits & ACK if bits & SYN else sender.port >= receiver.port
        half = Half(sender, 0 if client else 1)
        peer = Half(receiver, 1 if client else 0)
        number = len(self.flows)
        self.flows.append(Flow(self._capture, number, (half, peer), at, self._open_tcp, self._emit))
        self.halves[back] = peer
        self.halves[key] = half
        return half

    def pair(self, key: bytes) -> tuple[Pair, Direction]:
        """The UDP pair of a datagram with `key`, and the direction in which it goes."""
        found = self._ends.get(key)
        if found is not None:
            return found
        sender, receiver, back = _ends_of(key)
        tunnel = next((p for p in (receiver.port, sender.port) if p in tunnels.PORTS), 0)
        direction: Direction = 1 if swapped(sender, receiver) else 0
        client, server = (receiver, sender) if direction else (sender, receiver)
        connection = Connection(self._capture, "udp", len(self.pairs), client, server)
        pair = Pair(connection, self._open_udp, self._emit, tunnel)
        self.pairs.append(pair)
        self._ends[back] = (pair, 0 if direction else 1)
        self._ends[key] = (pair, direction)
        return pair, direction


def _ends_of(key: bytes) -> tuple[Endpoint, Endpoint, bytes]:
    """Sender, receiver, and the key of the other direction."""
    size = len(key) // 2 - 2
    source, target, sport, dport = key[:size], key[size:-4], key[-4:-2], key[-2:]
    return (
        endpoint(source, int.from_bytes(sport)),
        endpoint(target, int.from_bytes(dport)),
        target + source + dport + sport,
    )
