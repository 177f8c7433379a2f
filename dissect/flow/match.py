"""Definitions against events: every sign-in found, as charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from dissect.flow.assignment import could_join
from dissect.flow.candidates import Candidate, CandidateGroup, acts, unread, who
from dissect.flow.chart import draw
from dissect.flow.correlate import candidates, instances
from dissect.flow.definition import Definition
from dissect.flow.missing_steps import Spans, point_out
from dissect.flow.roles import Roles
from dissect.flow.states import Show
from dissect.flow.verdict import judge
from dissect.model import Event, SequenceChart

NAMED = 5  # servers by name in a sentence


class _FoundChart(NamedTuple):
    """A sign-in: the events it is made of, and those that its flow found no place for."""

    rank: int
    start: int
    indexes: frozenset[int]
    loose: Sequence[CandidateGroup]
    chart: SequenceChart


def match(
    definitions: Sequence[Definition],
    events: Sequence[Event],
    show: Show,
    roles: Mapping[str, str] | None = None,
    spans: Spans | None = None,
    named: bool = False,
) -> list[SequenceChart]:
    """The charts of all sign-ins, most specific first, then by start.

    `events` may come in any order; `show` turns a fact into text without secrets; `roles` are
    actors that the user set for addresses; `spans` tell when each capture begins and ends;
    `named` are definitions that the user asked for: undecrypted traffic is charted as theirs.
    A sign-in whose events lie wholly inside a more specific one is not listed.
    """
    events = sorted(events, key=_order)
    found: list[_FoundChart] = []
    taken: dict[int, set[int]] = {}  # specificity → events of its flows, and what it can't place
    for definition in sorted(definitions, key=lambda item: -item.specificity):
        if definition.last_resort and found and not named:
            continue
        charts, unplaced = _charts(definition, events, show, roles or {}, spans or {}, named)
        above = {i for rank, seen in taken.items() if rank > definition.specificity for i in seen}
        for item in charts:
            # Its events may lie in two of them: what they share is still theirs.
            if not item.indexes <= above and not (definition.yields and item.indexes & above):
                found.append(item)
            taken.setdefault(definition.specificity, set()).update(item.indexes)
        taken.setdefault(definition.specificity, set()).update(unplaced)
    found.sort(key=lambda item: (item.rank, item.start))
    listed = frozenset[int]().union(*(item.indexes for item in found))
    return [_with_left_out(item, listed) for item in found]


def _with_left_out(found: _FoundChart, listed: Collection[int]) -> SequenceChart:
    """The chart, saying which events of its flow no listed chart shows."""
    chart = found.chart
    proven = {(actor.ident, address) for actor in chart.actors for address in actor.addresses}
    counts: Counter[str] = Counter()
    for group in found.loose:
        missed = sum(item.index not in listed for item in group.members)
        if missed:
            counts[who(group, proven)] += missed
    notes = (
        f"{name}: {count} events fit no sign-in, or several; they are left out"
        if count > 1
        else f"{name}: an event fits no sign-in, or several; it is left out"
        for name, count in counts.items()
    )
    return replace(chart, diagnostics=(*chart.diagnostics, *notes))


def _grounds(members: Sequence[Candidate], show: Show) -> str:
    """Why undecrypted traffic is taken for this sign-in."""
    undecrypted = [item for item in members if unread(item)]
    whom = list(
        dict.fromkeys(
            show(item.event.host or item.event.facts.get("name") or str(item.event.server))
            for item in undecrypted
        )
    )
    named = ", ".join(whom[:NAMED]) + (f" and {len(whom) - NAMED} more" if whom[NAMED:] else "")
    polls = (
        " and by the shape of its polls" if any(item.arrow.inferred for item in undecrypted) else ""
    )
    return (
        "nothing that could be read says which sign-in this is: it is told by the names and "
        f"ports that the client asked for ({named}){polls}"
    )


def _order(event: Event) -> tuple[tuple[int, bool, str, int], str]:
    return event.order, event.name


def _charts(
    definition: Definition,
    events: Sequence[Event],
    show: Show,
    given: Mapping[str, str],
    spans: Spans,
    named: bool,
) -> tuple[list[_FoundChart], set[int]]:
    """Each sign-in with the events it is made of; and the events of the same clients that
    fit more than one of them."""
    roles = Roles(definition, events, given)
    items = candidates(definition, events, roles)
    groups, loose = instances(definition, items, roles, named)
    acting = [acts(group) for group in groups]
    shared = Counter(ident for idents in acting for ident in idents)
    charts = []
    for group, idents in zip(groups, acting, strict=True):
        members: list[Candidate] = group.members
        elsewhere = {ident for ident, times in shared.items() if times > (ident in idents)}
        verdict = judge(definition, members, show, spans, elsewhere)
        if any(state.status == "missing" for state in verdict.states):
            near = [other for other in loose if could_join(other, group)]
            point_out(verdict.states, [item for other in near for item in other.members])
        grounds = [_grounds(members, show)] if group.guessed else []
        if definition.last_resort:
            grounds.append("if you know which sign-in it was, `--flow NAME` charts it as that")
        chart = draw(definition, verdict, members, show, [*grounds, *group.notes])
        indexes = frozenset(item.index for item in members)
        charts.append(_FoundChart(-definition.specificity, group.start, indexes, loose, chart))
    clients = {client for group in groups for client in group.clients}
    placed = {item.index for group in groups for item in group.members}
    unplaced = {
        item.index
        for item in items
        if item.index not in placed and roles.client_of(item.event, item.arrow) in clients
    }
    return charts, unplaced
