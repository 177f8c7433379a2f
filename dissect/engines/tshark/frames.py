"""What tshark says of each frame, and from it the connections.

Client and server, streams and sequence numbers are tshark's; how a connection ended is
inferred from its flags here, by the words of `model.TcpConnection`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

from dissect.engines.duplicates import Fingerprint, SequenceRange
from dissect.engines.tshark.names import FRAME_FIELDS
from dissect.model import Connection, Direction, Endpoint, Place, Span, TcpConnection
from dissect.transport.udp import swapped

FIN, SYN, RST, ACK = 1, 2, 4, 16
MAX_RANGES = 4096  # ranges of sequence numbers kept of one direction; more are joined

_MASK = 0xFFFFFFFF
_NAMES = {"icmp": "ICMP", "icmpv6": "ICMPv6", "arp": "ARP", "igmp": "IGMP"}

T = TypeVar("T", bound=Hashable)
Transport = Literal["tcp", "udp"]
StreamKey = tuple[Transport, int]


class Frame(NamedTuple):
    """A frame that belongs to a stream. `segments` are the frames that tshark joined here."""

    number: int
    time_ns: int
    key: StreamKey
    source: Endpoint
    target: Endpoint
    protocols: tuple[str, ...]
    segments: tuple[int, ...]


def nanoseconds(text: str) -> int:
    """`1795565053.110506485` without a float in between."""
    seconds, _, fraction = text.partition(".")
    whole = int(seconds) * 1_000_000_000
    part = int(fraction[:9].ljust(9, "0")) if fraction else 0
    return whole - part if seconds.startswith("-") else whole + part


class _Ranges:
    """The bytes of a direction that were captured, as ranges of relative sequence numbers."""

    def __init__(self) -> None:
        self.items: list[tuple[int, int]] = []
        self.base: int | None = None  # the raw sequence number of the relative number zero
        self.syn: int | None = None
        self._start: int | None = None
        self._end = 0

    def add(self, start: int, end: int, captured: int) -> None:
        """A segment of which the bytes up to `captured` are in the capture."""
        self._start = start if self._start is None else min(start, self._start)
        self._end = max(end, self._end)
        items = self.items
        if captured <= start:
            return
        if not items or start > items[-1][1]:
            items.append((start, captured))
        elif start >= items[-1][0]:
            items[-1] = (items[-1][0], max(captured, items[-1][1]))
        else:
            self._insert(start, captured)
        if len(items) > MAX_RANGES:
            items[0:2] = [(items[0][0], items[1][1])]

    def acknowledged(self, number: int) -> None:
        """The peer has got all before `number`; one more is a FIN that was not captured."""
        if self._start is None and self.syn is not None and number > 2:
            self._start = self._end = 1  # the first byte after the SYN
        if self._start is not None and number > self._end + 1:
            self._end = number

    def _insert(self, start: int, end: int) -> None:
        joined: list[tuple[int, int]] = []
        for first, last in sorted([*self.items, (start, end)]):
            if joined and first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
            else:
                joined.append((first, last))
        self.items = joined

    def side(self) -> SequenceRange:
        """What a connection is recognised by in another capture."""
        start = self._start if self._start is not None else 1
        length = self._end - start if self._start is not None else 0
        return SequenceRange(self.syn, ((self.base or 0) + start) & _MASK, length)

    def count(self) -> tuple[int, int]:
        """Bytes captured, and bytes missing between the first and the last of them."""
        seen = sum(end - start for start, end in self.items)
        return seen, self._end - self._start - seen if self._start is not None else 0


@dataclass(slots=True)
class Talk:
    """A TCP connection or a UDP pair while its frames come."""

    key: StreamKey
    first: Frame
    last: Frame
    client: Endpoint | None = None
    frames: int = 0
    syn_count: int = 0
    synack: bool = False
    fin: bool = False
    reset_by: Endpoint | None = None
    cut: bool = False
    senders: set[Endpoint] = field(default_factory=set)
    ranges: dict[Endpoint, _Ranges] = field(default_factory=dict)

    def ends(self) -> tuple[Endpoint, Endpoint]:
        """Client and server, as `model.Connection` tells them."""
        one, other = self.first.source, self.first.target
        if self.client is not None:
            return (one, other) if self.client == one else (other, one)
        return (one, other) if one.port >= other.port else (other, one)


class FrameTable:
    """All frames of a capture that belong to a stream, and its streams."""

    def __init__(self, capture: int, offset_ns: int = 0) -> None:
        self._capture = capture
        self._offset_ns = offset_ns
        self.count = 0
        self.skipped: Counter[str] = Counter()  # frames without TCP or UDP, by protocol
        self._values: dict[Hashable, Hashable] = {}
        self._time_ns = 0
        self.frames: dict[int, Frame] = {}
        self.talks: dict[StreamKey, Talk] = {}
        self._connections: dict[StreamKey, Connection] = {}

    def read(self, rows: Iterable[list[list[str]]]) -> Iterator[tuple[Frame, list[list[str]]]]:
        """Take rows of `FRAME_FIELDS` and what follows them; gives what follows, a frame."""
        width = len(FRAME_FIELDS)
        for row in rows:
            self.count += 1
            cells = dict(zip(FRAME_FIELDS, row, strict=False))
            if cells["frame.time_epoch"]:  # a pcapng Simple Packet Block has no time
                self._time_ns = nanoseconds(cells["frame.time_epoch"][0])
            frame = self._frame(cells)
            if frame is not None:
                # A bare acknowledgment is part of no message.
                if cells["tcp.len"][-1:] != ["0"] or frame.protocols[-1] != "tcp":
                    self.frames[frame.number] = frame
                self._talk(frame, cells)
                yield frame, row[width:]

    def _frame(self, cells: dict[str, list[str]]) -> Frame | None:
        protocols = tuple(":".join(cells["frame.protocols"]).split(":"))
        transports = [name for name in protocols if name in ("tcp", "udp")]
        # An ICMP error quotes a packet; its stream is numbered, its bytes are no new ones.
        if not transports or cells["icmp.type"] or cells["icmpv6.type"]:
            self.skipped[_name(protocols)] += 1
            return None
        transport: Transport = "tcp" if transports[-1] == "tcp" else "udp"
        streams = cells[f"{transport}.stream"]
        ends = addresses(protocols, cells)
        ports = cells[f"{transport}.srcport"], cells[f"{transport}.dstport"]
        if not streams or ends is None or not (ports[0] and ports[1]):
            return None
        return Frame(
            int(cells["frame.number"][0]),
            self._time_ns + self._offset_ns,
            self._one((transport, int(streams[-1]))),
            self._one(Endpoint(ends[0], int(ports[0][-1]))),
            self._one(Endpoint(ends[1], int(ports[1][-1]))),
            self._one(protocols),
            tuple(int(word) for word in cells["tcp.segment"]),
        )

    def _one(self, value: T) -> T:
        """The first of all equal values: most frames have theirs in common."""
        return self._values.setdefault(value, value)  # type: ignore[return-value]

    def _talk(self, frame: Frame, cells: dict[str, list[str]]) -> None:
        talk = self.talks.get(frame.key)
        if talk is None:
            talk = self.talks[frame.key] = Talk(frame.key, frame, frame)
        talk.last = frame
        talk.frames += 1
        talk.senders.add(frame.source)
        if frame.key[0] == "udp":
            if talk.client is None:
                # No question of reading packets but of naming: both engines do it alike.
                first = talk.first
                swap = swapped(first.source, first.target)
                talk.client = first.target if swap else first.source
            return
        flags = int(cells["tcp.flags"][-1], 16) if cells["tcp.flags"] else 0
        if flags & SYN and talk.client is None:
            talk.client = frame.target if flags & ACK else frame.source
        talk.syn_count += flags & (SYN | ACK) == SYN
        talk.synack |= flags & (SYN | ACK) == SYN | ACK
        talk.fin |= bool(flags & FIN)
        if flags & RST and talk.reset_by is None:
            talk.reset_by = frame.source
        if not flags & RST:
            _count(talk, frame, flags, cells)

    # ------------------------------------------------------------ results

    def connection(self, key: StreamKey) -> Connection:
        found = self._connections.get(key)
        if found is None:
            client, server = self.talks[key].ends()
            found = Connection(self._capture, key[0], key[1], client, server)
            self._connections[key] = found
        return found

    def place(self, first: int, last: Frame, encrypted: bool) -> Place:
        """The place of a message from frame `first` to `last`, in the direction of `last`."""
        connection = self.connection(last.key)
        begin = self.frames.get(first, last)
        direction: Direction = 0 if last.source == connection.client else 1
        span = Span(begin.number, begin.time_ns, last.number, last.time_ns)
        return Place(connection, direction, span, encrypted)

    def lost(self, key: StreamKey) -> tuple[int, bool]:
        """Bytes of a TCP connection that are not in the capture; whether packets were cut."""
        talk = self.talks[key]
        return sum(ranges.count()[1] for ranges in talk.ranges.values()), talk.cut

    def fingerprints(self) -> list[Fingerprint]:
        """The connections as `engines.duplicates` compares them between captures."""
        found = []
        for key, talk in self.talks.items():
            ends = frozenset((talk.first.source, talk.first.target))
            place = (self._capture, *key)
            if key[0] == "udp":
                found.append(Fingerprint(place, ends, talk.last.time_ns))
                continue
            directions = {end: ranges.side() for end, ranges in talk.ranges.items()}
            lost = sum(ranges.count()[1] for ranges in talk.ranges.values())
            found.append(Fingerprint(place, ends, talk.first.time_ns, directions, lost))
        return found

    def rows(self) -> Iterator[TcpConnection]:
        """How each TCP connection began and ended."""
        for key, talk in self.talks.items():
            if key[0] == "tcp":
                yield self._row(talk)

    def _row(self, talk: Talk) -> TcpConnection:
        connection = self.connection(talk.key)
        client, server = connection.client, connection.server
        counts = [talk.ranges.get(end, _Ranges()).count() for end in (client, server)]
        outcome: Literal["open", "closed", "refused", "reset", "timeout"] = "open"
        reset_by: Direction | None = None
        if talk.fin:
            outcome = "closed"
        elif talk.reset_by is not None:
            reset_by = 0 if talk.reset_by == client else 1
            refused = reset_by == 1 and talk.syn_count and not talk.synack and not counts[1][0]
            outcome = "refused" if refused else "reset"
        elif talk.syn_count > 1 and server not in talk.senders:
            outcome = "timeout"
        first, last = talk.first, talk.last
        return TcpConnection(
            Place(connection, 0, Span(first.number, first.time_ns, last.number, last.time_ns)),
            outcome,
            frames=talk.frames,
            payload=(counts[0][0], counts[1][0]),
            lost=(counts[0][1], counts[1][1]),
            syn_count=talk.syn_count,
            handshake_seen=bool(talk.syn_count) and talk.synack,
            reset_by=reset_by,
        )


def _count(talk: Talk, frame: Frame, flags: int, cells: dict[str, list[str]]) -> None:
    """Enter a segment's bytes, and those that it acknowledges."""
    if flags & ACK and cells["tcp.ack"] and frame.target in talk.ranges:
        talk.ranges[frame.target].acknowledged(int(cells["tcp.ack"][-1]))
    length = int(cells["tcp.len"][-1]) if cells["tcp.len"] else 0
    if not cells["tcp.seq"] or not (length or flags & SYN):
        return
    ranges = talk.ranges.setdefault(frame.source, _Ranges())
    number, raw = int(cells["tcp.seq"][-1]), int((cells["tcp.seq_raw"] or ["0"])[-1])
    if ranges.base is None:
        ranges.base = (raw - number) & _MASK
    if flags & SYN:
        ranges.syn = raw
    if length:
        start = number + bool(flags & SYN)
        cut = int(cells["frame.len"][0]) - int(cells["frame.cap_len"][0])
        talk.cut |= cut > 0
        ranges.add(start, start + length, start + max(0, length - max(0, cut)))


def _name(protocols: tuple[str, ...]) -> str:
    """What a frame without a stream is, in the words of the embedded engine."""
    for name, word in _NAMES.items():
        if name in protocols:
            return word
    return next((name.upper() for name in reversed(protocols) if name != "data"), "not IP")


def addresses(protocols: tuple[str, ...], cells: dict[str, list[str]]) -> tuple[str, str] | None:
    """The innermost addresses: those of the IP header before the last transport."""
    for name in reversed(protocols):
        if name in ("ip", "ipv6"):
            source, target = cells[f"{name}.src"], cells[f"{name}.dst"]
            return (source[-1], target[-1]) if source and target else None
    return None
