"""Events → the charts of the flows that are found in them."""

from __future__ import annotations

from collections.abc import Sequence

from dissect.flow.definition import Definition, load
from dissect.flow.match import match
from dissect.model import Event, SequenceChart
from dissect.plugins import Registry
from dissect.redaction.policy import Policy
from dissect.stages.packets import Packets
from dissect.stages.run_options import RunOptions


def definitions(options: RunOptions, registry: Registry) -> list[Definition]:
    """The flows that were asked for, or all that there are.

    Raises UsageError or DefinitionError for one that can't be read.
    """
    known = registry.definitions
    chosen = [known.get(name) or load(name) for name in options.flows]
    return chosen or list(known.values())


def charts(
    options: RunOptions,
    policy: Policy,
    wanted: Sequence[Definition],
    packets: Packets,
    events: Sequence[Event],
) -> list[SequenceChart]:
    """The flows found, the most specific first."""
    named = bool(options.flows)
    times = spans(options, packets)
    return match(wanted, events, policy.book.show, options.roles, times, named=named)


def spans(options: RunOptions, packets: Packets) -> dict[str, tuple[int, int]]:
    """When each capture begins and ends (ns), on the clock of the events."""
    found = {}
    for info in packets.reading.captures:
        if info.start_ns is not None and info.end_ns is not None:
            shift = packets.moves.get(info.index, 0) + options.clocks.get(info.name, 0)
            found[info.name] = info.start_ns + shift, info.end_ns + shift
    return found
