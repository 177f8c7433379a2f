"""The same packets in two captures: each message is reported once.

Phone and proxy, two mirror ports, both ends of a line: captures often share connections.
Two TCP connections are the same if they join the same endpoints and have the same initial
sequence numbers, or, where a SYN was not captured, bytes with the same sequence numbers.
MAC addresses, TTL, tags, tunnels and clocks don't matter. Of such duplicates the one that tells
most is kept (decrypted before undecrypted, whole before broken, then the first capture), and of
the others only messages that it lacks. Address translation makes another connection: the
two sides of it are no duplicates.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from dissect.model import Endpoint, Message, TcpConnection, TlsConnection
from dissect.transport import Assembler

_MASK = 0xFFFFFFFF
_HALF_RANGE = 1 << 31

ConnectionKey = tuple[int, str, int]
"""(capture, transport, stream)"""


class SequenceRange(NamedTuple):
    """One direction: sequence number of its SYN if captured, of its first byte, length."""

    syn: int | None
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a connection is known by; `sides` is empty for UDP."""

    key: ConnectionKey
    ends: frozenset[Endpoint]
    first_ns: int
    directions: dict[Endpoint, SequenceRange] = field(default_factory=dict)
    lost: int = 0

    @property
    def length(self) -> int:
        return sum(side.length for side in self.directions.values())


def fingerprints(assembler: Assembler) -> list[Fingerprint]:
    """Those of a capture that was read."""
    capture = assembler.capture
    found = []
    for flow in assembler.flows:
        directions = {
            state.sender: SequenceRange(
                state.base if state.syn else None, (state.next - state.offset) & _MASK, state.offset
            )
            for state in flow.states
            if state.started or state.syn
        }
        lost = sum(state.lost for state in flow.states)
        ends = frozenset(state.sender for state in flow.states)
        found.append(
            Fingerprint((capture, "tcp", flow.stream), ends, flow.first[1], directions, lost)
        )
    for pair in assembler.pairs:
        where = pair.connection
        ends = frozenset((where.client, where.server))
        found.append(Fingerprint((capture, "udp", where.stream), ends, pair.last_ns))
    return found


def same(first: Fingerprint, second: Fingerprint) -> bool:
    """Whether two connections of different captures are one."""
    if first.key[1] == "udp":
        return True  # the endpoints are equal; its messages are compared one by one
    proof = False
    for end, mine in first.directions.items():
        theirs = second.directions.get(end)
        if theirs is None:
            continue
        if mine.syn is not None and theirs.syn is not None:
            if mine.syn != theirs.syn:
                return False
            proof = True
        elif mine.length and theirs.length:
            ahead = (theirs.start - mine.start + _HALF_RANGE & _MASK) - _HALF_RANGE
            proof = proof or -theirs.length < ahead < mine.length
    return proof


def covers(whole: Fingerprint, part: Fingerprint) -> bool:
    """Whether all bytes of `part` are in `whole`, and none are lacking there."""
    if whole.lost:
        return False
    for end, side in part.directions.items():
        if not side.length:
            continue
        mine = whole.directions.get(end)
        if mine is None:
            return False
        ahead = (side.start - mine.start + _HALF_RANGE & _MASK) - _HALF_RANGE
        if ahead < 0 or ahead + side.length > mine.length:
            return False
    return bool(whole.directions)


@dataclass(frozen=True, slots=True)
class Shared:
    """What capture `capture` has in common with `other`: connections, messages left out, and
    by how many ns its clock is ahead (None if no connection's beginning is in both)."""

    capture: int
    other: int
    connections: int
    messages: int
    ahead_ns: int | None


class _HeldMessage(NamedTuple):
    """What is compared of a message: its serial number, what it says, whether it is a
    connection's row, and how much of TLS stayed undecrypted (None: it is no row of TLS)."""

    serial: int
    content: int
    row: bool
    undecrypted: int | None


class HeldMessages:
    """What several captures hold, noted as it is read; no message is kept."""

    def __init__(self) -> None:
        self._by_key: dict[ConnectionKey, list[_HeldMessage]] = defaultdict(list)

    def add(self, message: Message, serial: int) -> None:
        """Note a message by its number."""
        undecrypted = None
        if isinstance(message, TlsConnection) and message.inside is None:
            undecrypted = _UNDECRYPTED[message.decrypted]
        row = isinstance(message, TcpConnection | TlsConnection)
        item = _HeldMessage(serial, hash(_content(message)), row, undecrypted)
        self._by_key[_key(message)].append(item)

    def left_out(self, known: Iterable[Fingerprint]) -> tuple[dict[int, None], list[Shared]]:
        """(serial numbers of messages that another capture tells, which captures share what)."""
        groups = [group for group in _groups(known) if len(group) > 1]
        if not groups:
            return {}, []
        from statistics import median_low  # loads fractions and decimals, which no other run needs

        left_out: dict[int, None] = {}
        tally: dict[tuple[int, int], _Pair] = defaultdict(_Pair)
        for group in groups:
            best, *others = sorted(group, key=lambda item: _rank(item, self._by_key[item.key]))
            for other in others:
                gone = _repeated(best, other, self._by_key)
                if other.key[1] == "udp" and not gone:
                    continue
                left_out.update(dict.fromkeys(gone))
                pair = tally[other.key[0], best.key[0]]
                pair.connections += 1
                pair.messages += len(gone)
                if _both_began(best, other):
                    pair.ahead.append(other.first_ns - best.first_ns)
        shared = [
            Shared(
                capture,
                other,
                pair.connections,
                pair.messages,
                median_low(pair.ahead) if pair.ahead else None,
            )
            for (capture, other), pair in sorted(tally.items())
        ]
        return left_out, shared


_UNDECRYPTED = {"full": 0, "partial": 1, "none": 2}


def without_duplicates(
    messages: Sequence[Message], known: Iterable[Fingerprint]
) -> tuple[list[Message], list[Message], list[Shared]]:
    """(messages reported once, those left out, which captures share what)."""
    fingerprints = list(known)
    if not fingerprints:
        return list(messages), [], []
    held = HeldMessages()
    for serial, message in enumerate(messages):
        held.add(message, serial)
    left_out, shared = held.left_out(fingerprints)
    kept = [message for serial, message in enumerate(messages) if serial not in left_out]
    return kept, [messages[serial] for serial in left_out], shared


@dataclass(slots=True)
class _Pair:
    connections: int = 0
    messages: int = 0
    ahead: list[int] = field(default_factory=list)


def _groups(known: Iterable[Fingerprint]) -> list[list[Fingerprint]]:
    """Connections that are one, a member a capture."""
    by_ends: dict[tuple[str, frozenset[Endpoint]], list[list[Fingerprint]]] = defaultdict(list)
    for item in known:
        there = by_ends[item.key[1], item.ends]
        for group in there:
            if all(item.key[0] != other.key[0] for other in group) and same(group[0], item):
                group.append(item)
                break
        else:
            there.append([item])
    return [group for there in by_ends.values() for group in there]


def _key(message: Message) -> ConnectionKey:
    where = message.place.connection
    return where.capture, where.transport, where.stream


def _rank(item: Fingerprint, held: Sequence[_HeldMessage]) -> tuple[int, int, int, int]:
    """Orders duplicates: the one that tells most comes first."""
    undecrypted = [message.undecrypted for message in held if message.undecrypted is not None]
    return max(undecrypted, default=0), item.lost, -item.length, item.key[0]


def _both_began(first: Fingerprint, second: Fingerprint) -> bool:
    return any(
        side.syn is not None and other is not None and other.syn is not None
        for end, side in first.directions.items()
        for other in (second.directions.get(end),)
    )


def _repeated(
    best: Fingerprint, other: Fingerprint, by_key: Mapping[ConnectionKey, Sequence[_HeldMessage]]
) -> list[int]:
    """The messages of `other` that `best` has as well. Of each connection one row is reported."""
    if covers(best, other):
        return [message.serial for message in by_key[other.key]]
    there = Counter(message.content for message in by_key[best.key])
    gone = []
    for message in by_key[other.key]:
        if there[message.content] > 0 or message.row:
            there[message.content] -= 1
            gone.append(message.serial)
    return gone


_NOT_COMPARED = frozenset(
    {
        "place",
        "exchange",
        "head_frame",
        "h2_stream",
        "retransmission",
        "client_ahead_ns",
        "delay_ns",
    }
)
"""Fields that depend on where and when a message was captured."""


def _content(message: Message) -> Hashable:
    """Equal for the same message in two captures, whatever its frames and times."""
    kind, way = type(message), message.place.sender
    if isinstance(message, TcpConnection | TlsConnection):
        return kind, way, getattr(message, "inside", None)
    reported = (
        getattr(message, item.name) for item in fields(message) if item.name not in _NOT_COMPARED
    )
    return kind, way, *(tuple(sorted(v.items())) if isinstance(v, Mapping) else v for v in reported)
