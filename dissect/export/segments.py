"""Where the bytes of each stream stand in the frames.

Nothing is reassembled: TCP payload is placed by its sequence numbers (RFC 9293 §3.4), a
datagram behind the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dissect.capture import Packet
from dissect.export.frames import account
from dissect.export.headers import Heads, options
from dissect.export.locate import Locator, Side, Stream
from dissect.transport.half import ahead
from dissect.transport.headers import IPV4
from dissect.transport.ip import TCP, UDP, IpPacket, ipv4, ipv6
from dissect.transport.tcp import SYN

MAX_TEXT = 32 << 20  # bytes of one direction that are kept and looked at
MAX_WAITING = 2048  # fragments whose datagram is not whole yet


@dataclass(frozen=True, slots=True)
class Segment:
    """Payload in a frame. Offsets count from the first byte of the frame.

    `position` is that of the first byte of payload in its direction.
    """

    frame: int
    side: Side
    position: int
    start: int
    end: int


@dataclass(slots=True)
class Piece:
    """A frame of which some bytes are payload in no place of their own, and why. `start` is
    the first byte behind the headers."""

    frame: int
    stream: Stream
    start: int
    reason: str


@dataclass(slots=True)
class Text:
    """The bytes of one direction by position from `base` on, up to `MAX_TEXT`; `long`: there
    are more. Of bytes that came twice and differ the first are kept, as in reading; the
    segments with the others are `stale`, and `conflicts` says where that is in `data`.
    `torn` are the positions of bytes that came in IP fragments. `far`: sequence numbers are too
    far apart for one text."""

    segments: list[Segment] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    base: int = 0
    far: bool = False
    long: bool = False
    stale: set[int] = field(default_factory=set)
    conflicts: list[tuple[int, int]] = field(default_factory=list)
    torn: list[tuple[int, int]] = field(default_factory=list)


class Segments(Locator):
    """Walks packets, and notes where payload stands: `texts` by direction, `pieces`, and of
    each frame the headers that were walked: `heads`."""

    def __init__(self, capture: int) -> None:
        super().__init__(capture, frozenset())
        self.texts: dict[Side, Text] = {}
        self.pieces: list[Piece] = []
        self.heads: dict[int, Heads] = {}
        self._first: dict[Side, int] = {}
        self._filled: dict[Side, list[tuple[int, bytes, int]]] = {}
        self._walked = False  # an IP header was met in the frame at hand
        self._at = (b"", 0, 0)  # the buffer of the frame at hand, its start and end
        self._waiting: list[tuple[int, int]] = []  # fragments: frame, start of their payload

    def feed(self, packets: Iterable[Packet]) -> None:
        for frame, ns, link, buf, start, caplen, length in packets:
            self._noted.frame = frame
            self._noted.joined = ()
            self._at = buf, start, start + caplen
            self.heads[frame] = Heads(link)
            self._walked = False
            self._packet(frame, ns, link, buf, start, caplen, length)
            if not self._walked:
                account(self.heads[frame], bytes(buf[start : start + caplen]))
        for side, pieces in self._filled.items():
            self._fill(self.texts[side], pieces)
        self._filled.clear()

    def _fill(self, text: Text, pieces: list[tuple[int, bytes, int]]) -> None:
        text.base = min(position for position, _, _ in pieces)
        size = max(position + len(data) for position, data, _ in pieces) - text.base
        if size > 2 * MAX_TEXT:
            text.far = True
            return
        text.data = bytearray(size)
        filled = bytearray(size)
        for position, data, frame in pieces:
            place = slice(position - text.base, position - text.base + len(data))
            if any(filled[place]):
                known = bytes(text.data[place])
                there = bytes(filled[place])
                pairs = list(zip(known, there, data, strict=True))
                if any(have and old != new for old, have, new in pairs):
                    text.stale.add(frame)
                    if len(data) > 1:  # one byte is that of a keep-alive (RFC 9293 §3.8.4)
                        text.conflicts.append((place.start, place.stop))
                data = bytes(old if have else new for old, have, new in pairs)
            text.data[place] = data
            filled[place] = b"\1" * len(data)

    def _note(
        self, side: Side, position: int, packet: IpPacket, buf: bytes, start: int, end: int,
        stop: int,
    ) -> None:  # fmt: skip
        """Payload `buf[start:end]`, which on the wire went up to `stop`."""
        frame = self._noted.frame
        whole_buffer, first, _ = self._at
        joined = buf is not whole_buffer  # put together from fragments
        if not joined:
            heads = self.heads[frame]
            heads.protocol, heads.addresses = packet.protocol, packet.addresses
            heads.header, heads.end = packet.start - first, max(start, end) - first
            heads.whole = end == stop
        if start >= end:
            return
        text = self.texts.setdefault(side, Text())
        pieces = self._filled.setdefault(side, [])
        if pieces and position - pieces[0][0] > MAX_TEXT:
            text.long = True
        else:
            pieces.append((position, bytes(buf[start:end]), frame))
        if joined:
            text.torn.append((position, position + end - start))
            self.pieces += [
                Piece(part, side[0], place, "it came in IP fragments")
                for part, place in self._waiting
                if part in self._noted.joined
            ]
            return
        text.segments.append(Segment(frame, side, position, start - first, end - first))

    def _ip(
        self, frame: int, ns: int, found: tuple[int, int], buf: bytes, captured: int, wire: int,
        depth: int,
    ) -> None:  # fmt: skip
        packet = (ipv4 if found[0] == IPV4 else ipv6)(buf, found[1], captured, wire)
        whole_buffer, first, _ = self._at
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

    def _segment(
        self,
        frame: int,
        packet: IpPacket,
        buf: bytes,
        captured: int,
        side: Side,
        seq: int,
        bits: int,
    ) -> None:
        seq += 1 if bits & SYN else 0
        position = ahead(seq, self._first.setdefault(side, seq))
        size = (buf[packet.start + 12] >> 4) * 4
        start = packet.start + size
        if size < 20 or start > packet.end:
            return  # a header of an impossible length: the frame ends before it
        if buf is self._at[0]:
            first = self._at[1]
            heads = self.heads[frame]
            heads.cut = None
            heads.zeros += options(buf, packet.start + 20, min(start, captured), first, TCP)
        self._note(side, position, packet, buf, start, captured, packet.end)

    def _udp(
        self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int, depth: int
    ) -> None:
        start = packet.start
        if start + 8 > captured:
            return
        key = packet.addresses + buf[start : start + 4]
        pair, _ = self._streams.pair(key)
        if pair.tunnel:
            if buf is self._at[0]:
                self.heads[frame].outer.append(start - self._at[1])
            super()._udp(frame, ns, packet, buf, captured, depth)
            return
        if buf is self._at[0]:
            self.heads[frame].cut = None
        side: Side = (("udp", pair.connection.stream), key)
        position = self._first.get(side, 0)
        size = int.from_bytes(buf[start + 4 : start + 6])
        # As in reading: length 0 is a jumbogram's.
        stop = min(packet.end, start + size) if size >= 8 else packet.end
        end = min(captured, stop)
        self._first[side] = position + max(0, end - start - 8) + 1  # a byte between two datagrams
        self._note(side, position, packet, buf, start + 8, end, stop)

    def _icmp(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        """What is behind the header is nobody's but for the head of a packet that is quoted."""
        if buf is self._at[0] and packet.start + 8 <= captured:
            heads, first = self.heads[frame], self._at[1]
            heads.cut = packet.start + 8 - first
            heads.zeros.append((packet.start + 2 - first, packet.start + 4 - first))
        super()._icmp(frame, ns, packet, buf, captured)

    def _quoted(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        start, addresses = packet.start, packet.addresses
        if packet.protocol == UDP and start + 8 <= captured:
            self._streams.pair(addresses + buf[start : start + 4])
            kept, checksum = 8, 6
        elif packet.protocol == TCP and start + 16 <= captured:
            super()._quoted(frame, ns, packet, buf, captured)
            kept, checksum = 20, 16
        else:
            return
        whole_buffer, first, _ = self._at
        if buf is whole_buffer:
            heads = self.heads[frame]
            heads.cut = start + kept - first
            # The checksum would tell of the payload.
            heads.zeros.append((start + checksum - first, start + checksum + 2 - first))
