"""Where the bytes of each stream stand in the frames, and how to write others in their place.

Nothing is reassembled: TCP payload is placed by its sequence numbers (RFC 9293 §3.4), a
datagram behind the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from dissect.capture import Packet
from dissect.export.locate import Locator, Side, Stream
from dissect.transport.half import ahead
from dissect.transport.headers import IPV4
from dissect.transport.ip import TCP, UDP, IpPacket, ipv4, ipv6
from dissect.transport.tcp import SYN

MAX_TEXT = 32 << 20  # bytes of one direction that are kept and looked at


@dataclass(frozen=True, slots=True)
class Segment:
    """Payload in a frame. Offsets count from the first byte of the frame.

    `position` is that of the first byte of payload in its direction. `whole` says that the
    checksum at `header` can be calculated: neither cut nor a fragment. `outer` are the
    headers of UDP datagrams that the frame tunnels this one in.
    """

    frame: int
    side: Side
    position: int
    header: int
    start: int
    end: int
    protocol: int
    addresses: bytes
    whole: bool
    outer: tuple[int, ...] = ()


@dataclass(slots=True)
class Piece:
    """A frame of which some bytes are payload in no place of their own: a fragment, or the
    quotation in an ICMP error. `start` is the first byte behind the headers."""

    frame: int
    stream: Stream
    start: int


@dataclass(slots=True)
class Text:
    """The bytes of one direction by position, up to `MAX_TEXT`; `long`: there are more.
    `conflict`: a frame told other bytes for a position than one before it, or bytes have no
    position (fragments, sequence numbers far apart)."""

    segments: list[Segment] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    base: int = 0
    conflict: bool = False
    long: bool = False


class Segments(Locator):
    """Walks packets, and notes where payload stands: `texts` by direction, and `pieces`."""

    def __init__(self, capture: int) -> None:
        super().__init__(capture, frozenset())
        self.texts: dict[Side, Text] = {}
        self.pieces: list[Piece] = []
        self._first: dict[Side, int] = {}
        self._filled: dict[Side, list[tuple[int, bytes]]] = {}
        self._at = (b"", 0, 0)  # the buffer of the frame at hand, its start and end
        self._outer: list[int] = []
        self._waiting: list[tuple[int, int]] = []  # fragments: frame, start of their payload

    def feed(self, packets: Iterable[Packet]) -> None:
        for frame, ns, link, buf, start, caplen, length in packets:
            self._noted.frame = frame
            self._noted.joined = ()
            self._at = buf, start, start + caplen
            self._outer.clear()
            self._packet(frame, ns, link, buf, start, caplen, length)
        for side, pieces in self._filled.items():
            self._fill(self.texts[side], pieces)

    def _fill(self, text: Text, pieces: list[tuple[int, bytes]]) -> None:
        text.base = min(position for position, _ in pieces)
        size = max(position + len(data) for position, data in pieces) - text.base
        if size > 2 * MAX_TEXT:
            text.conflict = True
            return
        text.data = bytearray(size)
        filled = bytearray(size)
        for position, data in pieces:
            place = slice(position - text.base, position - text.base + len(data))
            if any(filled[place]) and text.data[place] != data:
                known = zip(text.data[place], filled[place], data, strict=True)
                text.conflict |= any(there and old != new for old, there, new in known)
            text.data[place] = data
            filled[place] = b"\1" * len(data)

    def _note(
        self, side: Side, position: int, packet: IpPacket, buf: bytes, start: int, end: int
    ) -> None:
        frame = self._noted.frame
        if start >= end:
            return
        whole_buffer, first, _ = self._at
        text = self.texts.setdefault(side, Text())
        pieces = self._filled.setdefault(side, [])
        if pieces and position - pieces[0][0] > MAX_TEXT:
            text.long = True
        else:
            pieces.append((position, bytes(buf[start:end])))
        if buf is not whole_buffer:  # put together from fragments
            text.conflict = True
            self.pieces += [
                Piece(part, side[0], place)
                for part, place in self._waiting
                if part in self._noted.joined
            ]
            return
        text.segments.append(
            Segment(
                frame, side, position, packet.start - first, start - first, end - first,
                packet.protocol, packet.addresses, end == packet.end,
                tuple(place - first for place in self._outer),
            )
        )  # fmt: skip

    def _ip(
        self, frame: int, ns: int, found: tuple[int, int], buf: bytes, captured: int, wire: int,
        depth: int,
    ) -> None:  # fmt: skip
        packet = (ipv4 if found[0] == IPV4 else ipv6)(buf, found[1], captured, wire)
        whole_buffer, first, _ = self._at
        if not isinstance(packet, str) and packet.fragment and buf is whole_buffer:
            self._waiting.append((frame, packet.start - first))
            del self._waiting[:-2048]
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
        self._note(side, position, packet, buf, packet.start + size, captured)

    def _udp(
        self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int, depth: int
    ) -> None:
        start = packet.start
        if start + 8 > captured:
            return
        key = packet.addresses + buf[start : start + 4]
        pair, _ = self._streams.pair(key)
        if pair.tunnel:
            self._outer.append(start)
            super()._udp(frame, ns, packet, buf, captured, depth)
            return
        side: Side = (("udp", pair.connection.stream), key)
        position = self._first.get(side, 0)
        end = min(captured, start + max(8, int.from_bytes(buf[start + 4 : start + 6])))
        self._first[side] = position + end - start - 7  # one byte between two datagrams
        self._note(side, position, packet, buf, start + 8, end)

    def _quoted(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        start, addresses = packet.start, packet.addresses
        if packet.protocol == UDP and start + 8 <= captured:
            pair, _ = self._streams.pair(addresses + buf[start : start + 4])
            stream: Stream = ("udp", pair.connection.stream)
        elif packet.protocol == TCP and start + 16 <= captured:
            super()._quoted(frame, ns, packet, buf, captured)
            half = self._streams.halves[addresses + buf[start : start + 4]]
            stream = ("tcp", half.flow.stream)
        else:
            return
        behind = start + (8 if packet.protocol == UDP else 20)
        whole_buffer, first, _ = self._at
        if buf is whole_buffer and behind < captured:
            self.pieces.append(Piece(frame, stream, behind - first))


def rewritten(
    data: bytes, segment: Segment, changes: Iterable[tuple[int, bytes]], whole: bool
) -> bytes:
    """A frame with other payload at some offsets, its checksums made right.

    Where a checksum can't be calculated (`whole` says whether the frame was captured to its
    end) it becomes 0: the old one would tell of the bytes that were there.
    """
    frame = bytearray(data)
    for offset, value in changes:
        frame[offset : offset + len(value)] = value
    place = segment.header + (16 if segment.protocol == TCP else 6)
    had_none = segment.protocol == UDP and not any(frame[place : place + 2])
    frame[place : place + 2] = b"\0\0"
    if segment.whole and whole and not had_none:
        body = bytes(frame[segment.header : segment.end])
        total = _checksum(
            segment.addresses + segment.protocol.to_bytes(2) + len(body).to_bytes(4) + body
        )
        if segment.protocol == UDP and not total:
            total = 0xFFFF  # 0 means that there is none (RFC 768)
        frame[place : place + 2] = total.to_bytes(2)
    for outer in segment.outer:
        frame[outer + 6 : outer + 8] = b"\0\0"  # allowed in tunnels (RFC 768, RFC 6935)
    return bytes(frame)


def _checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    if len(data) & 1:
        data += b"\0"
    total = sum(memoryview(data).cast("H")) if data else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    # The sum is the same in either byte order but for the order of its own bytes.
    return int.from_bytes((~total & 0xFFFF).to_bytes(2, _NATIVE))


_NATIVE: Literal["little", "big"] = "little" if memoryview(b"\1\0").cast("H")[0] == 1 else "big"
