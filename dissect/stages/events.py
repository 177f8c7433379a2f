"""Packets and logs → events, on the captures' clock; and what flows ask of tshark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dissect.flow.definition import Definition, built_in
from dissect.model import Event
from dissect.plugins import Registry
from dissect.redaction.policy import Policy
from dissect.signin import skew
from dissect.signin.built_in import BUILT_IN
from dissect.signin.catalogue import EVENTS
from dissect.stages.logs import Log, log_events
from dissect.stages.notes import Notes
from dissect.stages.packets import Packets
from dissect.stages.run_options import RunOptions, bind_key_logs


def events(
    options: RunOptions,
    policy: Policy,
    registry: Registry,
    definitions: Sequence[Definition],
    packets: Packets,
    logs: Sequence[Log],
) -> tuple[list[Event], Notes]:
    """The events of captures and logs in order, and what is odd about the flows looked for.

    Raises UsageError where a flow that was asked for needs tshark and can't have it,
    DefinitionError for a filter or field that tshark does not know.
    """
    notes = Notes(tuple(_lint(options, registry, definitions)))
    found = list(packets.events)
    from_frames, reported = _frame_events(options, policy, definitions, packets)
    from_logs: list[Event] = []
    for log in logs:
        more, statement = log_events(log, options, policy, registry, packets.events)
        from_logs += more
        notes += statement
    merged = [*found, *from_frames, *from_logs]
    merged.sort(key=lambda event: event.order)
    warnings = Notes(tuple(skew.warnings(merged)))
    return skew.blamed(merged), notes + reported + warnings


def _lint(options: RunOptions, registry: Registry, definitions: Sequence[Definition]) -> list[str]:
    """What in users' flows can't be meant; tests look at those that ship. A plugin's rules may
    give events of any name."""
    shipped = built_in()
    users = [item for item in definitions if shipped.get(item.name) is not item]
    if not users:
        return []
    from dissect.flow.definition_lint import lint

    known = None if len(registry.rules) > len(BUILT_IN) else EVENTS
    if known is None or not options.flows:
        return [reported for item in users for reported in lint(item, known)]
    from dissect.signin.fact_catalogue import flow_facts  # 5 ms: for flows that somebody names

    facts = flow_facts()
    return [reported for item in users for reported in lint(item, known, facts)]


def _frame_events(
    options: RunOptions, policy: Policy, definitions: Sequence[Definition], packets: Packets
) -> tuple[list[Event], Notes]:
    """What the wanted flows ask of tshark: frames of any protocol."""
    wanted = [definition for definition in definitions if definition.matched]
    if not options.flows and packets.reading.traffic:
        # Nobody asked: only for what speaks on their ports, and else at no cost.
        seen = frozenset[int]().union(*(item.ports for item in packets.reading.traffic))
        wanted = [definition for definition in wanted if definition.ports & seen]
    if not wanted or not options.captures:
        return [], Notes()
    from dissect.engines.tshark.arrows import TsharkArrows

    inputs, names = bind_key_logs(options), options.captures
    arrows = TsharkArrows(inputs, packets.name_of, options.decode_as, packets.hints)
    found = arrows.read(wanted, packets.reading, asked=bool(options.flows))
    index = {name: number for number, name in enumerate(names)}
    moves = packets.moves
    found = [
        replace(event, time_ns=event.time_ns + moves.get(index[event.source.capture], 0))
        for event in found
    ]
    for event in found:
        for fact in event.facts.values():
            frame = event.source.first_frame or 0
            policy.book.learn_fact(fact, index[event.source.capture], frame)
    return found, Notes(tuple(arrows.warnings))
