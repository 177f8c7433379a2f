"""Which frames belong to which stream: headers are walked, nothing is reassembled.

The streams are numbered by the same tables as in reading, and so as in Wireshark.
"""

from __future__ import annotations

from collections.abc import Iterable

from dissect.capture import Packet
from dissect.engines.again import Stream
from dissect.model import Anomaly, Connection, Message, StreamParser
from dissect.protocols.sniff import Ignore
from dissect.transport import tunnels
from dissect.transport.decapsulation import Decapsulator
from dissect.transport.fragments import FragmentKey as FragmentKey
from dissect.transport.fragments import Fragments
from dissect.transport.ip import IpPacket
from dissect.transport.streams import Streams


def _null_sink(connection: Connection) -> StreamParser:
    return Ignore()


def _ignore(output: Message | Anomaly) -> None:
    """Nobody asks for messages here."""


class Noted(Fragments):
    """Fragments that remember the frames each datagram came in."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = 0
        self.joined: tuple[int, ...] = ()
        self._frames: dict[FragmentKey, list[int]] = {}

    def add(self, key: FragmentKey, offset: int, data: bytes, more: bool, ns: int) -> bytes | None:
        frames = self._frames.setdefault(key, [])
        frames.append(self.frame)
        whole = super().add(key, offset, data, more, ns)
        if whole is not None:
            self.joined = tuple(self._frames.pop(key))
        elif len(self._frames) > 2048:
            del self._frames[next(iter(self._frames))]
        return whole


class Locator(Decapsulator):
    """Finds the frames of some streams of one capture.

    `frames` are those that carry a segment or datagram of a stream in `wanted`, also inside
    a tunnel, and the fragments that it came in.
    """

    def __init__(self, capture: int, wanted: frozenset[Stream]) -> None:
        super().__init__()
        self.frames: set[int] = set()
        self._wanted = wanted
        self._noted = self._fragments = Noted()
        self._streams = Streams(capture, _null_sink, _null_sink, _ignore)

    def feed(self, packets: Iterable[Packet]) -> None:
        """Walk the packets of the capture."""
        for frame, ns, link, buf, start, caplen, length in packets:
            self._noted.frame = frame
            self._noted.joined = ()
            self._packet(frame, ns, link, buf, start, caplen, length)

    def _take(self, frame: int, stream: Stream) -> None:
        if stream in self._wanted:
            self.frames.add(frame)
            self.frames.update(self._noted.joined)

    def _tcp(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        start = packet.start
        if start + 16 > captured:
            return
        key = packet.addresses + buf[start : start + 4]
        seq = int.from_bytes(buf[start + 4 : start + 8])
        ack = int.from_bytes(buf[start + 8 : start + 12])
        bits = int.from_bytes(buf[start + 12 : start + 14])
        state = self._streams.state(key, (frame, ns), seq, ack, bits)
        self._take(frame, ("tcp", state.flow.stream))

    def _udp(
        self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int, depth: int
    ) -> None:
        start = packet.start
        if start + 8 > captured:
            return
        pair, _ = self._streams.pair(packet.addresses + buf[start : start + 4])
        self._take(frame, ("udp", pair.connection.stream))
        if pair.tunnel and depth < tunnels.MAX_DEPTH:
            size = int.from_bytes(buf[start + 4 : start + 6])
            end = min(packet.end, start + size) if size >= 8 else packet.end
            end = min(end, captured)
            found = tunnels.in_udp(pair.tunnel, buf, start + 8, end)
            self._inside(frame, ns, found, buf, end, end, depth)

    def _unreachable(self, frame: int, ns: int, key: bytes, what: str, addresses: bytes) -> None:
        """The frame is found by what it quotes."""

    def _quoted(self, frame: int, ns: int, packet: IpPacket, buf: bytes, captured: int) -> None:
        """The stream of a quoted packet is numbered; the error is one of its frames."""
        start, addresses = packet.start, packet.addresses
        if packet.protocol == 17 and start + 8 <= captured:
            pair, _ = self._streams.pair(addresses + buf[start : start + 4])
            self._take(frame, ("udp", pair.connection.stream))
        elif packet.protocol == 6 and start + 16 <= captured:
            key = addresses + buf[start : start + 4]
            state = self._streams.states.get(key)
            if state is None:
                seq = int.from_bytes(buf[start + 4 : start + 8])
                bits = int.from_bytes(buf[start + 12 : start + 14]) & ~0x10
                state = self._streams.state(key, (frame, ns), seq, 0, bits)
            self._take(frame, ("tcp", state.flow.stream))
