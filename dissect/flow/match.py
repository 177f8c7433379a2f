"""Definitions against events: every sign-in found, as charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dissect.flow.chart import draw
from dissect.flow.correlate import Candidate, Group, candidates, instances
from dissect.flow.definition import Definition, Trouble
from dissect.flow.roles import Roles
from dissect.flow.verdict import Show, judge
from dissect.model import Event, SequenceChart

_Found = tuple[int, int, frozenset[int], SequenceChart]


def match(
    definitions: Sequence[Definition],
    events: Sequence[Event],
    show: Show,
    roles: Mapping[str, str] | None = None,
) -> list[SequenceChart]:
    """The charts of all sign-ins, most specific first, then by start.

    `events` may come in any order; `show` turns a fact into text without secrets; `roles` are
    actors that the user set for addresses. A sign-in
    whose events lie wholly inside a more specific one is not listed.
    """
    events = sorted(events, key=_order)
    found: list[_Found] = []
    for definition in sorted(definitions, key=lambda item: -item.specificity):
        for indexes, start, chart in _charts(definition, events, show, roles or {}):
            inside = any(
                indexes <= other for rank, _, other, _ in found if -rank > definition.specificity
            )
            if not inside:
                found.append((-definition.specificity, start, indexes, chart))
    found.sort(key=lambda item: (item[0], item[1]))
    return [chart for _, _, _, chart in found]


def _order(event: Event) -> tuple[int, str, int, str]:
    source = event.source
    return event.time_ns, source.capture, source.first_frame or source.line or 0, event.name


def _charts(
    definition: Definition, events: Sequence[Event], show: Show, given: Mapping[str, str]
) -> list[tuple[frozenset[int], int, SequenceChart]]:
    roles = Roles(definition, events, given)
    items = candidates(definition, events, roles)
    groups, notes = instances(definition, items, roles)
    charts = []
    for group in groups:
        members: list[Candidate] = group.members
        verdict = judge(definition, members, _troubles(definition, events, group, roles), show)
        chart = draw(definition, verdict, members, show, [*group.notes, *notes])
        charts.append((frozenset(item.index for item in members), group.start, chart))
    return charts


def _troubles(
    definition: Definition, events: Sequence[Event], group: Group, roles: Roles
) -> list[tuple[Trouble, Event, str, str]]:
    """Failures of the network between this sign-in's clients and the flow's servers."""
    servers = [actor.id for actor in definition.actor if actor.kind == "server"]
    addresses = {address: actor for actor, address in group.clients}
    found = []
    for event in events:
        trouble = next((item for item in definition.trouble if item.matches(event)), None)
        if trouble is None:
            continue
        client = addresses.get(event.client.address) if event.client else None
        server = roles.server_of(event, servers)
        if client is not None and server is not None:
            found.append((trouble, event, client, server))
    return found
