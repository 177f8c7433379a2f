"""Packets in, streams out: the loop that every packet of a capture runs through.

Ethernet or Linux cooked v1 with IPv4 or IPv6 and TCP is read with one precompiled struct
at fixed offsets, and a segment that is next in its stream goes to the parser as a view of
the capture's buffer. A pure acknowledgment costs the look-up of its flow. Everything else
(tags, options, fragments, tunnels, out of order) takes the way through `headers`, `ip`
and `tcp.Flow.segment`, with the same results.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable

from dissect.errors import PASSED, ProtocolError
from dissect.model import Anomaly, Connection, Span, StreamParser
from dissect.transport import tunnels
from dissect.transport.decapsulation import Decapsulator
from dissect.transport.delivery import Emit, endpoint
from dissect.transport.ip import TCP, UDP, IpPacket
from dissect.transport.ordering import Segment
from dissect.transport.streams import Streams, Totals
from dissect.transport.tcp import ACK, FIN, LINGER_NS, RST, SYN, Flow
from dissect.transport.tcp_direction import HALF_RANGE, MASK
from dissect.transport.trail import LENGTH, Windows
from dissect.transport.udp import MAX_OPEN, UdpPair

Packet = tuple[int, int, int, bytes, int, int, int]
"""(frame, time in ns, link type, buffer, start, captured length, length on the wire)"""

# From the ethertype on: type, IP version and header length, total length, fragment, protocol,
# addresses and ports, sequence and acknowledgment number, offset and flags.
_FAST4 = struct.Struct(">HBxHxxHxBxx12sIIH").unpack_from
_FAST6 = struct.Struct(">HBxxxHBx36sIIH").unpack_from
_FAST_SIZE = 36
_FAST6_SIZE = 56
_TCP_HEAD = struct.Struct(">IIH").unpack_from
_ETHERTYPE_AT = {1: 12, 113: 14}

MAX_LINGERING = 1024
_HALF_TRAIL = LENGTH // 2


class Assembler(Decapsulator):
    """Joins the packets of one capture to streams and runs a parser on each.

    `open_tcp` and `open_udp` give the parser of a connection when its first bytes come.
    `emit` gets the parsers' messages, the anomalies, and at the end a `TcpConnection`
    for every TCP stream in order of their numbers.

    `skipped` counts frames without TCP or UDP by reason; `links` are the link types seen;
    `first_ns` and `last_ns` the earliest and latest time; `backwards` counts frames with a
    time before that of a frame before them; `cut` those not captured whole. All are complete
    after `feed`; fragments without their rest are added to `skipped` by `finish`.
    """

    def __init__(
        self,
        capture_index: int,
        open_tcp: Callable[[Connection], StreamParser],
        open_udp: Callable[[Connection], StreamParser],
        emit: Emit,
    ) -> None:
        super().__init__()
        self.capture = capture_index
        self.links: dict[int, None] = {}
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.frames = 0
        self.backwards = 0
        self._emit = emit
        self._streams = Streams(capture_index, open_tcp, open_udp, emit)
        self._windows = Windows()
        self._lingering: deque[tuple[int, Flow]] = deque()
        self._talking: dict[int, UdpPair] = {}
        self._snaplen_reported = False

    @property
    def flows(self) -> list[Flow]:
        """The TCP connections in order of their numbers, but for those forgotten."""
        return [flow for _, flow in sorted(self._streams.flows.items())]

    @property
    def pairs(self) -> list[UdpPair]:
        """The UDP pairs in order of their numbers, but for those forgotten."""
        return [pair for _, pair in sorted(self._streams.pairs.items())]

    @property
    def totals(self) -> Totals:
        """What all TCP connections came to; complete after `finish`."""
        return self._streams.totals

    @property
    def stream_counts(self) -> tuple[int, int]:
        """TCP connections and UDP pairs seen."""
        return self._streams.tcp_count, self._streams.udp_count

    @property
    def copies(self) -> int:
        """Frames that the capture holds twice though they were sent once."""
        streams = self._streams
        datagrams = streams.copies + sum(pair.copies for pair in streams.pairs.values())
        return streams.totals.copies + self._fragments.copies + datagrams

    # -------------------------------------------------------------- the loop

    def feed(self, packets: Iterable[Packet]) -> None:
        """Take packets in; may be called again with more of the same capture."""
        states = self._streams.states.get
        emit = self._emit
        fast4, fast6 = _FAST4, _FAST6
        new_span = tuple.__new__  # half the cost of a named tuple's own
        frame = self.frames
        first = self.first_ns if self.first_ns is not None else 1 << 80
        last = self.last_ns if self.last_ns is not None else -1
        link, at = -2, -1
        windows = self._windows.view
        back = self.backwards
        viewed = b""
        view = windows(viewed)
        try:
            for frame, ns, kind, buf, start, caplen, length in packets:
                if ns > last:
                    last = ns
                elif ns < last:
                    back += 1
                if ns < first:
                    first = ns
                if kind != link:
                    link = kind
                    at = _ETHERTYPE_AT.get(kind, -1)
                    self.links[kind] = None
                off = start + at
                if at < 0 or caplen < at + _FAST_SIZE:
                    self._packet(frame, ns, kind, buf, start, caplen, length)
                    continue
                ethertype, head, total, part, protocol, key, seq, ack, bits = fast4(buf, off)
                if ethertype == 0x8100 and caplen >= at + _FAST_SIZE + 4:
                    off += 4
                    ethertype, head, total, part, protocol, key, seq, ack, bits = fast4(buf, off)
                if ethertype == 0x0800 and head == 0x45 and protocol == 6 and not part & 0x3FFF:
                    body = off + 22 + (bits >> 10 & 0x3C)
                    after = off + 2 + total
                elif ethertype == 0x86DD and start + caplen >= off + _FAST6_SIZE:
                    _, head, total, protocol, key, seq, ack, bits = fast6(buf, off)
                    if protocol != 6 or not total:
                        self._packet(frame, ns, kind, buf, start, caplen, length)
                        continue
                    body = off + 42 + (bits >> 10 & 0x3C)
                    after = off + 42 + total
                else:
                    self._packet(frame, ns, kind, buf, start, caplen, length)
                    continue
                state = states(key)
                # Only segments with ACK and without SYN, FIN, RST; whole; of a known flow.
                if state is None or bits & 0x17 != 0x10 or after > start + caplen or body > after:
                    self._packet(frame, ns, kind, buf, start, caplen, length)
                    continue
                state.frames += 1
                state.last_frame = frame
                state.last_ns = ns
                known = state.peer.next
                if ack == known or (ack - known) & MASK >= HALF_RANGE:
                    if body == after:
                        continue
                    if buf is not viewed:
                        viewed = buf
                        view = windows(buf)
                    if seq == state.expect:
                        trail = state.trail
                        offset = state.offset
                        trail.append((offset, view, body, after, ns))
                        if len(trail) > LENGTH:
                            del trail[:_HALF_TRAIL]
                        state.expect = state.next = (seq + after - body) & MASK
                        state.offset = offset + after - body
                        state.payload += after - body
                        try:
                            span = new_span(Span, (frame, ns, frame, ns, 0, False, offset))
                            for message in state.data(state.direction, view[body:after], span):
                                emit(message)
                        except ProtocolError as error:
                            state.flow.broken(error, frame)
                        except PASSED:
                            raise
                        except Exception as error:
                            state.flow.failed(error, frame)
                        continue
                head = body - (bits >> 10 & 0x3C)
                segment = Segment(windows(buf), head, body, after, 0, frame, ns, ack)
                state.flow.segment(state, seq, bits & 0x3F, segment)
        finally:
            self.frames = frame
            self.backwards = back
            if last >= first:
                self.first_ns, self.last_ns = first, last

    def finish(self) -> None:
        """The capture has ended: end all that is open, report every TCP stream."""
        self._lingering.clear()
        for flow in self.flows:
            flow.finish()
        for pair in self.pairs:
            pair.finish()
        unfinished = self._fragments.finish()
        if unfinished:
            self.skipped["IP fragment without its rest"] = unfinished
        for flow in self.flows:
            self._streams.report(flow)

    def _quoted(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        """The stream of a packet that an ICMP error quotes is numbered, nothing more."""
        start, addresses = packet.start, packet.addresses
        if packet.protocol == UDP and start + 8 <= captured:
            self._streams.pair(addresses + buf[start : start + 4])
        elif packet.protocol == TCP and start + 16 <= captured:
            key = addresses + buf[start : start + 4]
            if key not in self._streams.states:
                seq, _, bits = _TCP_HEAD(buf, start + 4)
                # Not as an acknowledgment: the quoted sender is all that was seen.
                self._streams.state(key, (frame, ns), seq, 0, bits & ~ACK)

    def _unreachable(self, frame: int, ns: int, key: bytes, what: str, addresses: bytes) -> None:
        pair, direction = self._streams.pair(key)
        by = endpoint(addresses[: len(addresses) // 2], 0).address
        pair.unreachable(direction, Span(frame, ns, frame, ns), what, by)

    # -------------------------------------------------------------- TCP

    def _tcp(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        start = packet.start
        if start + 16 > captured:
            self._skip("TCP header cut short")
            return
        key = packet.addresses + buf[start : start + 4]
        seq, ack, bits = _TCP_HEAD(buf, start + 4)
        state = self._streams.state(key, (frame, ns), seq, ack, bits)
        state.frames += 1
        state.last_frame, state.last_ns = frame, ns
        body = start + (bits >> 10 & 0x3C)
        if body < start + 20 or body > packet.end:
            self._emit(
                Anomaly(
                    "tcp.header",
                    "a TCP header whose length is impossible",
                    self.capture,
                    frame,
                    state.flow.stream,
                )
            )
            return
        missing = packet.end - max(body, captured)
        if missing and not self._snaplen_reported:
            self._cut(frame, state.flow.stream)
        flow = state.flow
        acks = ack if bits & ACK else None
        end = max(body, captured)
        view = self._windows.view(buf)
        segment = Segment(view, start, body, end, missing, frame, ns, acks)
        flow.segment(state, seq, bits & 0x3F, segment)
        if bits & (SYN | FIN | RST):
            self._linger(ns, flow)

    def _linger(self, ns: int, flow: Flow) -> None:
        """Finish the flows whose reset is long past; `flow` may have just been reset."""
        queue = self._lingering
        if flow.lingers():
            queue.append((ns, flow))
        while queue and (ns - queue[0][0] > LINGER_NS or len(queue) > MAX_LINGERING):
            queue.popleft()[1].expire()

    def _cut(self, frame: int, stream: int) -> None:
        self._snaplen_reported = True
        captured, length = self._sizes
        self._emit(
            Anomaly(
                "capture.snaplen",
                f"cut at {captured} bytes a packet (frame {frame} had {length}), so payload is "
                "missing: capture with unlimited packet size (tcpdump -s 0)",
                self.capture,
                frame,
                stream,
            )
        )

    # -------------------------------------------------------------- UDP

    def _udp(
        self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int, depth: int
    ) -> None:
        start = packet.start
        if start + 8 > captured:
            self._skip("UDP header cut short")
            return
        key = packet.addresses + buf[start : start + 4]
        pair, direction = self._streams.pair(key)
        # Length 0 is a jumbogram's; a length beyond the packet is the sender's mistake.
        size = int.from_bytes(buf[start + 4 : start + 6])
        end = min(packet.end, start + size) if size >= 8 else packet.end
        pair.last_frame, pair.last_ns = frame, ns
        if pair.tunnel and depth < tunnels.MAX_DEPTH:
            found = tunnels.in_udp(pair.tunnel, buf, start + 8, min(end, captured))
            self._inside(frame, ns, found, buf, min(end, captured), end, depth)
            return
        view = memoryview(buf)[start + 8 : min(end, captured)]
        missing = max(0, end - max(captured, start + 8))
        if missing and not self._snaplen_reported:
            self._cut(frame, pair.connection.stream)
        stream = pair.connection.stream
        self._talking.pop(stream, None)
        self._talking[stream] = pair
        if len(self._talking) > MAX_OPEN:
            silent = self._talking.pop(next(iter(self._talking)))
            silent.finish()
            silent.given_up = True
        if pair.given_up:  # it was thought to be over, as most of DNS are
            self._streams.say("open at a time over UDP", MAX_OPEN, frame)
        pair.datagram(direction, frame, ns, view, missing)
