"""Definitions against events: every sign-in found, as charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from dissect.flow.chart import draw
from dissect.flow.correlate import candidates, instances
from dissect.flow.definition import Definition
from dissect.flow.groups import Candidate, acts, who
from dissect.flow.lacking import Spans, point_out
from dissect.flow.placing import could_join
from dissect.flow.roles import Roles
from dissect.flow.states import Show
from dissect.flow.verdict import judge
from dissect.model import Event, SequenceChart

_Found = tuple[int, int, SequenceChart]


def match(
    definitions: Sequence[Definition],
    events: Sequence[Event],
    show: Show,
    roles: Mapping[str, str] | None = None,
    spans: Spans | None = None,
) -> list[SequenceChart]:
    """The charts of all sign-ins, most specific first, then by start.

    `events` may come in any order; `show` turns a fact into text without secrets; `roles` are
    actors that the user set for addresses; `spans` tell when each capture begins and ends.
    A sign-in whose events lie wholly inside a more specific one is not listed.
    """
    events = sorted(events, key=_order)
    found: list[_Found] = []
    taken: dict[int, set[int]] = {}  # specificity → events of its flows, and what it can't place
    for definition in sorted(definitions, key=lambda item: -item.specificity):
        charts, unplaced = _charts(definition, events, show, roles or {}, spans or {})
        above = {i for rank, seen in taken.items() if rank > definition.specificity for i in seen}
        for indexes, start, chart in charts:
            # Its events may lie in two of them: what they share is still theirs.
            if not indexes <= above:
                found.append((-definition.specificity, start, chart))
            taken.setdefault(definition.specificity, set()).update(indexes)
        taken.setdefault(definition.specificity, set()).update(unplaced)
    found.sort(key=lambda item: (item[0], item[1]))
    return [chart for _, _, chart in found]


def _order(event: Event) -> tuple[tuple[int, bool, str, int], str]:
    return event.order, event.name


def _charts(
    definition: Definition,
    events: Sequence[Event],
    show: Show,
    given: Mapping[str, str],
    spans: Spans,
) -> tuple[list[tuple[frozenset[int], int, SequenceChart]], set[int]]:
    """Each sign-in with the events it is made of; and the events of the same clients that
    fit more than one of them."""
    roles = Roles(definition, events, given)
    items = candidates(definition, events, roles)
    groups, loose = instances(definition, items, roles)
    notes = [
        f"{who(group)}: {len(group.members)} events fit no sign-in, or several; they are left out"
        for group in loose
    ]
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
        chart = draw(definition, verdict, members, show, [*group.notes, *notes])
        charts.append((frozenset(item.index for item in members), group.start, chart))
    clients = {client for group in groups for client in group.clients}
    placed = {item.index for group in groups for item in group.members}
    unplaced = {
        item.index
        for item in items
        if item.index not in placed and roles.client_of(item.event, item.arrow) in clients
    }
    return charts, unplaced
