"""The tables of TCP connections and UDP pairs, numbered as Wireshark does.

A pair of endpoints is a stream, in order of first sight, whatever the VLAN or the tunnel,
also if it was only seen in the packet that an ICMP error quotes. A SYN whose sequence
number is not that of the stream's SYN begins a new stream; nothing else does (found out
by asking tshark 4.0 with crafted captures; a test repeats them).

Both tables are bounded. What was silent the longest is ended, reported and forgotten when
they are full; should it speak again, it is a new stream, and that is reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from dissect.model import (
    Anomaly,
    Connection,
    Direction,
    Endpoint,
    StreamParser,
)
from dissect.transport import tunnels
from dissect.transport.delivery import Emit, endpoint
from dissect.transport.tcp import ACK, SYN, Flow, FlowDirection
from dissect.transport.tcp_direction import MASK
from dissect.transport.udp import SERVER_PORTS, UdpPair, swapped

MAX_FLOWS = 1 << 16
"""TCP connections remembered, open or ended. An ended one was measured to take 2.3 KB."""

MAX_PARSERS = 1 << 13
"""TCP connections whose parser is kept; the one silent the longest gives its up."""

MAX_PAIRS = 1 << 16
"""UDP pairs remembered."""

LOOKS = 16
"""Streams looked at to find the one that is silent the longest; the others are looked at
again only after all that came later, so that what talks is kept."""


@dataclass(slots=True)
class Totals:
    """What the segments of all TCP connections reported so far came to.

    Counts of segments but for `payload` and `lost`, which count bytes. `resent` were sent
    again, `late` captured after segments that follow them, `copies` captured twice.
    """

    segments: int = 0
    payload: int = 0
    lost: int = 0
    resent: int = 0
    late: int = 0
    copies: int = 0


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
        self.flows: dict[int, Flow] = {}
        self.pairs: dict[int, UdpPair] = {}
        self.states: dict[bytes, FlowDirection] = {}
        self.tcp_count = 0
        self.udp_count = 0
        self.totals = Totals()
        self.copies = 0  # of datagrams, of pairs that are forgotten
        self._ends: dict[bytes, tuple[UdpPair, Direction]] = {}
        self._open: deque[Flow] = deque()
        self._capture = capture
        self._open_tcp = open_tcp
        self._open_udp = open_udp
        self._emit = emit
        self._reported: set[str] = set()

    # -------------------------------------------------------------- TCP

    def state(
        self, key: bytes, at: tuple[int, int], seq: int, ack: int, bits: int
    ) -> FlowDirection:
        """The direction that a segment belongs to, by Wireshark's rules for new streams."""
        state = self.states.get(key)
        if state is None:
            state = self._new_flow(key, at, bits)
        elif bits & (SYN | ACK) == SYN and state.base is not None and state.base != seq:
            state.flow.finish()
            state = self._new_flow(key, at, bits)
        if bits & (SYN | ACK) == SYN | ACK:
            state.base = seq
        elif state.base is None:
            state.base = seq if bits & SYN else seq - 1 & MASK
        if bits & ACK and state.peer.base is None:
            state.peer.base = ack - 1 & MASK
        return state

    def _new_flow(self, key: bytes, at: tuple[int, int], bits: int) -> FlowDirection:
        if len(self.flows) >= MAX_FLOWS:
            self._forget_flow(at[0])
        sender, receiver, back = _ends_of(key)
        client = not bits & ACK if bits & SYN else sender.port >= receiver.port
        state = FlowDirection(sender, 0 if client else 1, key)
        peer = FlowDirection(receiver, 1 if client else 0, back)
        number = self.tcp_count
        self.tcp_count += 1
        self.flows[number] = Flow(
            self._capture, number, (state, peer), at, self._open_parser, self._emit
        )
        self.states[back] = peer
        self.states[key] = state
        return state

    def _open_parser(self, connection: Connection) -> StreamParser:
        """The parser of a connection whose first bytes have come; one more may be too many."""
        waiting = self._open
        if len(waiting) >= MAX_PARSERS:
            looked = [waiting.popleft() for _ in range(min(LOOKS, len(waiting)))]
            silent = min(looked, key=Flow.activity)
            waiting.extend(flow for flow in looked if flow is not silent and not flow.dead)
            if not silent.dead:
                self.say("open at a time", MAX_PARSERS, silent.first[0])
                silent.finish()
        flow = self.flows.get(connection.stream)
        if flow is not None:
            waiting.append(flow)
        return self._open_tcp(connection)

    def _forget_flow(self, frame: int) -> None:
        self.say("in one capture", MAX_FLOWS, frame)
        looked = list(islice(self.flows.items(), LOOKS))
        number, flow = min(looked, key=lambda item: item[1].activity())
        flow.finish()
        self.report(flow)
        for other, _ in looked:
            self.flows[other] = self.flows.pop(other)
        del self.flows[number]
        for state in flow.states:
            if self.states.get(state.key) is state:
                del self.states[state.key]

    def report(self, flow: Flow) -> None:
        """Hand out the row of a connection that is over, and count it in."""
        totals = self.totals
        for state in flow.states:
            totals.segments += state.frames
            totals.payload += state.payload
            totals.lost += state.lost
            totals.resent += state.resent
            totals.late += state.late
            totals.copies += state.copies
        self._emit(flow.row())

    def say(self, what: str, bound: int, frame: int) -> None:
        """Report, once a kind, that a bound was reached."""
        if what not in self._reported:
            self._reported.add(what)
            self._emit(
                Anomaly(
                    "capture.too_many_streams",
                    f"more than {bound} connections {what}: those silent the longest are ended, "
                    "and what they send later is not read or numbered as a new stream; split "
                    "the capture",
                    self._capture,
                    frame,
                )
            )

    # -------------------------------------------------------------- UDP

    def pair(self, key: bytes) -> tuple[UdpPair, Direction]:
        """The UDP pair of a datagram with `key`, and the direction in which it goes."""
        found = self._ends.get(key)
        if found is not None:
            return found
        if len(self.pairs) >= MAX_PAIRS:
            self._forget_pair()
        sender, receiver, back = _ends_of(key)
        ports = (receiver.port, sender.port)
        tunnel = next((port for port in ports if port in tunnels.PORTS), 0)
        if not SERVER_PORTS.isdisjoint(ports):
            tunnel = 0  # a client that happens to have a tunnel's port
        direction: Direction = 1 if swapped(sender, receiver) else 0
        client, server = (receiver, sender) if direction else (sender, receiver)
        connection = Connection(self._capture, "udp", self.udp_count, client, server)
        pair = UdpPair(connection, self._open_udp, self._emit, tunnel, (key, back))
        self.pairs[self.udp_count] = pair
        self.udp_count += 1
        self._ends[back] = (pair, 0 if direction else 1)
        self._ends[key] = (pair, direction)
        return pair, direction

    def _forget_pair(self) -> None:
        looked = list(islice(self.pairs.items(), LOOKS))
        number, pair = min(looked, key=lambda item: item[1].last_frame)
        self.say("over UDP in one capture", MAX_PAIRS, pair.last_frame)
        pair.finish()
        self.copies += pair.copies
        for other, _ in looked:
            self.pairs[other] = self.pairs.pop(other)
        del self.pairs[number]
        for key in pair.keys:
            self._ends.pop(key, None)


def _ends_of(key: bytes) -> tuple[Endpoint, Endpoint, bytes]:
    """Sender, receiver, and the key of the other direction."""
    size = len(key) // 2 - 2
    source, target, sport, dport = key[:size], key[size:-4], key[-4:-2], key[-2:]
    return (
        endpoint(source, int.from_bytes(sport)),
        endpoint(target, int.from_bytes(dport)),
        target + source + dport + sport,
    )
