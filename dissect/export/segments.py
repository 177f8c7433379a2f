"""Where the bytes of each stream stand in the frames.

The packets are reassembled as in reading, so that a byte's place is its offset in the stream,
as messages tell it (`model.Ranges`). Besides, the headers of each frame are walked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dissect.capture import Packet
from dissect.engines.again import Openers, Stream, overlapping
from dissect.export.locate import Noted
from dissect.export.other_frames import account
from dissect.export.packet_headers import Heads, options
from dissect.export.units import BLANKS, merged
from dissect.model import Anomaly, Direction, Message
from dissect.transport import Assembler
from dissect.transport.ip import TCP, UDP, IpPacket, ipv4, ipv6
from dissect.transport.link_headers import IPV4
from dissect.transport.tcp import SYN, FlowDirection
from dissect.transport.tcp_direction import ahead

MAX_TEXT = 32 << 20  # bytes of one direction that are kept and looked at
MAX_WAITING = 2048  # fragments whose datagram is not whole yet

_Key = FlowDirection | tuple[Stream, Direction]


@dataclass(frozen=True, slots=True)
class ExportedSegment:
    """Payload in a frame, from `start` to `end`, which count from the first byte of the frame.
    `position` is the offset of its first byte in the stream."""

    frame: int
    position: int
    start: int
    end: int


@dataclass(slots=True)
class SegmentPiece:
    """A frame of which some bytes are payload in no place of their own, and why. `start` is
    the first byte behind the headers."""

    frame: int
    stream: Stream
    start: int
    reason: str


@dataclass(slots=True)
class Payload:
    """The frames' parts of one direction. `text` are the bytes that were read, up to MAX_TEXT.

    `strange` are parts of segments that nobody got, from where to where in the segment: they
    came too late, or (True) others had come for them, which differ: `conflicts` says where in
    the stream. `torn` are the places of bytes that came in IP fragments. `end` is the offset
    behind all that was read."""

    text: bytearray = field(default_factory=bytearray)
    long: bool = False
    end: int = 0
    segments: list[ExportedSegment] = field(default_factory=list)
    strange: list[tuple[ExportedSegment, int, int, bool]] = field(default_factory=list)
    conflicts: list[tuple[int, int]] = field(default_factory=list)
    torn: list[tuple[int, int]] = field(default_factory=list)
    _open: list[tuple[ExportedSegment, bytes]] = field(default_factory=list)

    def put(self, segment: ExportedSegment, data: bytes) -> None:
        """A segment, when what it brought may have been read; if not, `settle` looks again."""
        self.segments.append(segment)
        if self.text[segment.position : segment.position + len(data)] != data:
            self._open.append((segment, data))

    def settle(self, holes: Sequence[tuple[int, int]]) -> None:
        """All that is read was read: what is still open nobody got."""
        for segment, data in self._open:
            at = segment.position
            stop = at + len(data)
            if self.long and stop > len(self.text):
                continue  # beyond the bound: it is cut
            end = max(at, min(stop, len(self.text))) if at >= 0 else at
            lost = [(max(a, at), min(b, end)) for a, b in overlapping(holes, at, end)]
            unread = [*lost, *([(end, stop)] if end < stop else [])]
            edges = [at, *(edge for pair in unread for edge in pair), stop]
            here = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]
            if any(self.text[a:b] != data[a - at : b - at] for a, b in here):
                self.strange.append((segment, 0, len(data), True))
                if len(data) > 1:  # one byte is that of a keep-alive (RFC 9293 §3.8.4)
                    self.conflicts.append((at, stop))
            else:
                parts = [(a - at, b - at) for a, b in unread]
                self.strange += (
                    (segment, a, b, False) for a, b in parts if data[a:b].strip(BLANKS)
                )
        self.conflicts, self.torn = merged(self.conflicts), merged(self.torn)
        self._open.clear()


class Segments(Assembler):
    """Reads packets with the parsers of `openers`, and notes where payload stands: `payloads`
    by stream and direction, `pieces`, and of each frame the headers that were walked: `heads`."""

    def __init__(
        self, capture: int, openers: Openers, emit: Callable[[Message | Anomaly], None]
    ) -> None:
        super().__init__(capture, openers.tcp, openers.udp, emit)
        self.payloads: dict[tuple[Stream, Direction], Payload] = {}
        self.pieces: list[SegmentPiece] = []
        self.heads: dict[int, Heads] = {}
        self._openers = openers
        self._noted = self._fragments = Noted()
        self._noted_payloads: dict[_Key, Payload] = {}
        self._datagrams: dict[Stream, dict[bytes, int]] = {}
        self._walked = False  # an IP header was met in the frame at hand
        self._at = (b"", 0)  # the buffer of the frame at hand, its start
        self._waiting: list[tuple[int, int]] = []  # fragments: frame, start of their payload

    def feed(self, packets: Iterable[Packet]) -> None:
        """Take all packets in; there are no more."""
        for frame, ns, link, buf, start, caplen, length in packets:
            self._noted.frame = frame
            self._noted.joined = ()
            self._at = buf, start
            self.heads[frame] = Heads(link)
            self._walked = False
            self._packet(frame, ns, link, buf, start, caplen, length)
            if not self._walked:
                account(self.heads[frame], bytes(buf[start : start + caplen]))
        self.finish()
        for key, payload in self._noted_payloads.items():
            side = (
                (("tcp", key.flow.stream), key.direction) if isinstance(key, FlowDirection) else key
            )
            self.payloads[side] = payload
            kept = self._openers.texts.get((side[0], (), side[1]))
            if kept is not None:
                payload.text, payload.long, payload.end = kept.data, kept.long, kept.end
            payload.settle(kept.holes if kept is not None else ())

    def _note(
        self, key: _Key, stream: Stream, position: int, packet: IpPacket, buf: bytes, start: int,
        end: int, stop: int,
    ) -> None:  # fmt: skip
        """Payload `buf[start:end]`, which on the wire went up to `stop`."""
        frame = self._noted.frame
        whole_buffer, first = self._at
        joined = buf is not whole_buffer  # put together from fragments
        if not joined:
            heads = self.heads[frame]
            heads.protocol, heads.addresses = packet.protocol, packet.addresses
            heads.header, heads.end = packet.start - first, max(start, end) - first
            heads.whole = end == stop
        if start >= end:
            return
        payload = self._noted_payloads.setdefault(key, Payload())
        if joined:
            payload.torn.append((position, position + end - start))
            self.pieces += [
                SegmentPiece(part, stream, place, "it came in IP fragments")
                for part, place in self._waiting
                if part in self._noted.joined
            ]
            return
        direction = key.direction if isinstance(key, FlowDirection) else key[1]
        kept = self._openers.texts.get((stream, (), direction))
        if kept is not None:
            payload.text = kept.data
        segment = ExportedSegment(frame, position, start - first, end - first)
        payload.put(segment, bytes(buf[start:end]))

    def _ip(
        self, frame: int, ns: int, found: tuple[int, int], buf: bytes, captured: int, wire: int,
        depth: int,
    ) -> None:  # fmt: skip
        packet = (ipv4 if found[0] == IPV4 else ipv6)(buf, found[1], captured, wire)
        whole_buffer, first = self._at
        if buf is whole_buffer:
            self._walked = True
            heads = self.heads[frame]
            if isinstance(packet, str):
                heads.cut = found[1] - first
            else:
                heads.network(found[0], buf, found[1], packet.start, first)
                # Until a transport is found behind it, nothing more is known of the frame.
                heads.cut = packet.start - first
                if packet.fragment is not None:
                    self._waiting.append((frame, packet.start - first))
                    del self._waiting[:-MAX_WAITING]
        super()._ip(frame, ns, found, buf, captured, wire, depth)

    def _tcp(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        super()._tcp(frame, ns, packet, buf, captured)
        if packet.start + 16 > captured:
            return
        state = self._streams.states.get(packet.addresses + buf[packet.start : packet.start + 4])
        size = (buf[packet.start + 12] >> 4) * 4
        start = packet.start + size
        if state is None or size < 20 or start > packet.end:
            return  # a header of an impossible length: the frame ends before it
        if buf is self._at[0]:
            first = self._at[1]
            heads = self.heads[frame]
            heads.cut = None
            heads.zeros += options(buf, packet.start + 20, min(start, captured), first, TCP)
        seq = int.from_bytes(buf[packet.start + 4 : packet.start + 8])
        seq += 1 if buf[packet.start + 13] & SYN else 0
        # Both count on together, so how far they are apart tells the place of any number.
        position = state.offset + ahead(seq, state.next) if state.started else -1
        stream = "tcp", state.flow.stream
        self._note(state, stream, position, packet, buf, start, captured, packet.end)

    def _udp(
        self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int, depth: int
    ) -> None:
        start = packet.start
        if start + 8 > captured:
            return
        pair, direction = self._streams.pair(packet.addresses + buf[start : start + 4])
        if pair.tunnel:
            if buf is self._at[0]:
                self.heads[frame].outer.append(start - self._at[1])
            super()._udp(frame, ns, packet, buf, captured, depth)
            return
        if buf is self._at[0]:
            self.heads[frame].cut = None
        size = int.from_bytes(buf[start + 4 : start + 6])
        # As in reading: length 0 is a jumbogram's.
        stop = min(packet.end, start + size) if size >= 8 else packet.end
        end = min(captured, stop)
        position = pair.sent[direction]
        super()._udp(frame, ns, packet, buf, captured, depth)
        stream = "udp", pair.connection.stream
        data = bytes(buf[start + 8 : end])
        known = self._datagrams.setdefault(stream, {})
        if pair.sent[direction] > position:
            known[data] = position
        else:  # a copy made by the capture, or nobody reads this pair
            position = known.get(data, -1)
        self._note((stream, direction), stream, position, packet, buf, start + 8, end, stop)

    def _icmp(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        """What is behind the header is nobody's but for the head of a packet that is quoted."""
        if buf is self._at[0] and packet.start + 8 <= captured:
            heads, first = self.heads[frame], self._at[1]
            heads.cut = packet.start + 8 - first
            heads.zeros.append((packet.start + 2 - first, packet.start + 4 - first))
        super()._icmp(frame, ns, packet, buf, captured)

    def _quoted(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        start = packet.start
        super()._quoted(frame, ns, packet, buf, captured)
        if packet.protocol == UDP and start + 8 <= captured:
            kept, checksum = 8, 6
        elif packet.protocol == TCP and start + 16 <= captured:
            kept, checksum = 20, 16
        else:
            return
        whole_buffer, first = self._at
        if buf is whole_buffer:
            heads = self.heads[frame]
            heads.cut = start + kept - first
            # The checksum would tell of the payload.
            heads.zeros.append((start + checksum - first, start + checksum + 2 - first))
