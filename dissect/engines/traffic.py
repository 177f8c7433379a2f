"""What the packets of a capture came to, below all messages: for `dissect info`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dissect.transport import Assembler


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts of one capture. `segments`, `resent`, `late` and `copies` are packets, `payload`
    and `lost` bytes of TCP; `cut` frames not captured whole; `backwards` frames whose time is
    before that of a frame before them. `one_way` are TCP connections of which only one
    direction was captured, `joined_late` those that had begun before the capture. `addresses`
    counts streams by IP address; `ports` are those of either end."""

    capture: int
    tcp: int = 0
    udp: int = 0
    segments: int = 0
    resent: int = 0
    late: int = 0
    copies: int = 0
    payload: int = 0
    lost: int = 0
    cut: int = 0
    backwards: int = 0
    one_way: int = 0
    joined_late: int = 0
    addresses: Mapping[str, int] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()


MAX_ADDRESSES = 1000
"""Addresses kept, those with the most streams."""


def traffic(assembler: Assembler) -> Traffic:
    """Of a capture that was read to its end."""
    totals = assembler.totals
    addresses: Counter[str] = Counter()
    for flow in assembler.flows:
        addresses.update(state.sender.address for state in flow.states)
    for pair in assembler.pairs:
        addresses.update((pair.connection.client.address, pair.connection.server.address))
    one_way = joined_late = 0
    for flow in assembler.flows:
        first, second = flow.states
        payload = first.payload + second.payload
        one_way += payload > 0 and not (first.frames and second.frames)
        joined_late += payload > 0 and not (first.syn or second.syn)
    ports = {state.sender.port for flow in assembler.flows for state in flow.states}
    for pair in assembler.pairs:
        ports |= {pair.connection.client.port, pair.connection.server.port}
    tcp, udp = assembler.stream_counts
    return Traffic(
        capture=assembler.capture,
        tcp=tcp,
        udp=udp,
        segments=totals.segments,
        resent=totals.resent,
        late=totals.late,
        copies=assembler.copies,
        payload=totals.payload,
        lost=totals.lost,
        cut=assembler.cut,
        backwards=assembler.backwards,
        one_way=one_way,
        joined_late=joined_late,
        addresses=dict(addresses.most_common(MAX_ADDRESSES)),
        ports=frozenset(ports),
    )
