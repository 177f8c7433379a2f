"""Which events belong to one sign-in.

1. Every event that fits an arrow of the definition is a *candidate*.
2. Candidates are tied by equal values of the definition's key facts and by sharing a
   connection (one device is at its end) or a log: union-find, so their order is nothing.
   Over one connection a client may sign in several times: where events say by an identity
   (a Call-ID, say) which is theirs, those between are of the one that spoke last.
3. A group with an anchor is an *instance*. Groups with one client whose times don't
   overlap are tries of the same device: one instance. Overlapping ones are two devices
   behind one address, unless they are the same user's and have different anchors.
4. A group without anchor joins the instance that shares its client's address or its
   clues (a user name, say), or the only one there is; what is ambiguous joins none, and
   a diagnostic says so. A group that fits none and has a fallback anchor is an instance
   of its own: a sign-in that came to nothing, or one that can't be read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from dissect.flow.assignment import assign, by_address, could_join
from dissect.flow.candidates import (
    NEAR_NS,
    Candidate,
    CandidateGroup,
    differ,
    for_others,
    has,
    unread,
)
from dissect.flow.definition import HIDDEN, HIDDEN_EVENT, TROUBLE, ArrowDef, Definition, StepDef
from dissect.flow.roles import Roles
from dissect.model import Event, Secret, Text


def candidates(definition: Definition, events: Sequence[Event], roles: Roles) -> list[Candidate]:
    """Events that fit an arrow; each is the first arrow that it fits."""
    by_name: dict[str, list[tuple[StepDef, ArrowDef]]] = defaultdict(list)
    for step, arrow in definition.arrows:
        by_name[arrow.event].append((step, arrow))
    found = []
    for index, event in enumerate(events):
        if event.name == HIDDEN_EVENT:
            undecrypted = _hidden(definition, event, roles)
            if undecrypted is not None:
                found.append(Candidate(index, event, *undecrypted))
            continue
        wrong = _trouble(definition, event, roles)
        if wrong is not None:
            found.append(Candidate(index, event, *wrong))
            continue
        for step, arrow in by_name.get(event.name, ()):
            if (
                arrow.matches(event)
                and (not arrow.at or roles.is_server(arrow.at, event))
                and (not arrow.inferred or roles.undecrypted_client(event) == arrow.from_)
            ):
                found.append(Candidate(index, event, step, arrow))
                break
    return found


def _hidden(definition: Definition, event: Event, roles: Roles) -> tuple[StepDef, ArrowDef] | None:
    """An undecrypted connection as an arrow of the first step between its ends, if there is one."""
    return _between(definition, event, roles, HIDDEN, "")


def _trouble(definition: Definition, event: Event, roles: Roles) -> tuple[StepDef, ArrowDef] | None:
    """Something that went wrong below the protocols, as such an arrow."""
    trouble = next((item for item in definition.trouble if item.matches(event)), None)
    if trouble is None:
        return None
    return _between(definition, event, roles, TROUBLE, trouble.label)


def _between(
    definition: Definition, event: Event, roles: Roles, prefix: str, label: str
) -> tuple[StepDef, ArrowDef] | None:
    client = roles.undecrypted_client(event)
    for step in definition.step:
        if client is not None and step.between[:1] == (client,):
            server = roles.server_of(event, step.between[1:])
            if server is not None:
                return step, ArrowDef(client, server, label, event.name, id=prefix + server)
    return None


def instances(
    definition: Definition, items: Sequence[Candidate], roles: Roles, named: bool = False
) -> tuple[list[CandidateGroup], list[CandidateGroup]]:
    """The sign-ins among the candidates, by start; and what could not be placed. Where the
    user `named` the flow, undecrypted traffic between its actors is enough to be one."""
    groups = sorted(_grouped(definition, items, roles), key=lambda g: (g.start, g.members[0].index))
    anchored = [group for group in groups if has(group, definition.instance.anchors)]
    found = _join_tries(anchored, groups, definition)
    fallback = definition.instance.fallback
    if named:
        servers = dict.fromkeys(ident for step in definition.step for ident in step.between[1:])
        fallback += tuple(prefix + ident for prefix in (HIDDEN, TROUBLE) for ident in servers)
    loose = assign([group for group in groups if group not in anchored], found, definition.instance)
    # What fits no sign-in may be one that came to nothing, or can't be read.
    lone = {id(g): g for g in loose if not any(_may_be(g, other) for other in found)}
    for key in fallback:
        for begun in [group for group in lone.values() if _begins(group, key, roles)]:
            if id(begun) not in lone:
                continue  # it could be a part of one that was begun just now
            loose.remove(begun)
            begun.guessed = all(map(unread, begun.members))
            loose = assign(loose, [begun], definition.instance)
            found.append(begun)
            left = {id(group) for group in loose}
            lone = {i: g for i, g in lone.items() if i in left and not _may_be(g, begun)}
    for group in found:
        group.members.sort(key=lambda item: (item.event.order_ns, item.index))
    return found, loose if found else []


def _begins(group: CandidateGroup, key: str, roles: Roles) -> bool:
    """Whether a group may be a sign-in by an arrow of it. That the same host serves another
    sign-in, too, is no reason to take what is undecrypted for this one."""
    return any(
        item.arrow.key == key
        and (not key.startswith((HIDDEN, TROUBLE)) or roles.is_known(item.arrow.to, item.event))
        for item in group.members
    )


def _may_be(group: CandidateGroup, instance: CandidateGroup) -> bool:
    """Whether a group could be a part of a sign-in that is known, so that it is none itself."""
    if all(map(unread, group.members)):
        return could_join(group, instance)
    return by_address(group, instance)


def _grouped(
    definition: Definition, items: Sequence[Candidate], roles: Roles
) -> list[CandidateGroup]:
    parent = list(range(len(items)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[object, int] = {}
    spoken = _identities(definition, items)
    for position, item in enumerate(items):
        for tie in _values_in_common(definition, item.event, spoken[position]):
            other = first.setdefault(tie, position)
            parent[root(position)] = root(other)
    groups: dict[int, CandidateGroup] = defaultdict(CandidateGroup)
    for position, item in enumerate(items):
        group = groups[root(position)]
        group.members.append(item)
        if item.event.source.line is not None:
            group.logs.add(item.event.source.capture)
        client = roles.client_of(item.event, item.arrow)
        if client is not None:
            group.clients.add(client)
        for name in definition.instance.clues:
            for value in _values(item.event, name):
                group.clues.add((name, value.casefold()))
        for name in definition.instance.party:
            group.parties.update((name, value) for value in _values(item.event, name))
    return list(groups.values())


Identity = tuple[tuple[str, str], ...]


def _identities(definition: Definition, items: Sequence[Candidate]) -> list[Identity]:
    """Which sign-in each event of a connection is of: its own identity, else the last that was
    spoken of there, else the first."""
    names = definition.instance.identity
    found: list[Identity] = [()] * len(items)
    if not names:
        return found
    streams: dict[object, list[int]] = defaultdict(list)
    for position, item in enumerate(items):
        source = item.event.source
        found[position] = tuple((n, v) for n in names for v in _values(item.event, n))
        if source.stream is not None:
            streams[source.capture, source.transport, source.stream].append(position)
    for positions in streams.values():
        positions.sort(key=lambda at: (items[at].event.order_ns, items[at].index))
        last = next((found[at] for at in positions if found[at]), ())
        for at in positions:
            last = found[at] = found[at] or last
    return found


def _values_in_common(definition: Definition, event: Event, identity: Identity) -> Iterable[object]:
    source = event.source
    if source.stream is not None:
        stream = ("stream", source.capture, source.transport, source.stream)
        yield from ((*stream, *value) for value in identity) if identity else (stream,)
    elif source.line is not None:
        yield ("log", source.capture, event.facts.get("log_part"))
    for name in definition.instance.keys:
        for value in _values(event, name):
            yield (name, value)


def _values(event: Event, name: str) -> Iterable[str]:
    """What ties by a fact: each item of a list. A number may be 0."""
    fact = event.facts.get(name)
    for item in fact if isinstance(fact, tuple) else (fact,):
        parts = item.parts if isinstance(item, Text) else (item,)
        text = "".join(part.value if isinstance(part, Secret) else str(part) for part in parts)
        if text and item is not None and item is not False:
            yield text


def _join_tries(
    anchored: list[CandidateGroup], groups: Sequence[CandidateGroup], definition: Definition
) -> list[CandidateGroup]:
    """Tries of one device, soon after one another, are one story, unless they are for different
    users or the one before had come to its end; so are groups of one client and one user that
    have different anchors, its parts."""
    anchors, retries = definition.instance.anchors, definition.instance.retries
    last = definition.step[-1]
    settling = {*last.settled_by, *(keys[0] for keys in last.done_when if len(keys) == 1)}
    ends = [
        (item.event.order_ns, group)
        for group in groups
        for item in group.members
        if item.arrow.key in settling
    ]

    def ended(one: CandidateGroup, before: CandidateGroup) -> bool:
        """The end may be in a group that is not placed yet."""
        return any(
            one.start <= at <= before.start
            and (by is one or (by.device & one.device and not differ(by, one)))
            for at, by in ends
        )

    found: list[CandidateGroup] = []
    for group in anchored:
        same = [
            other
            for other in found
            if other.device & group.device
            and not differ(group, other)
            and not for_others(group, other)
            and (
                (retries and 0 <= group.start - other.end <= NEAR_NS and not ended(other, group))
                or _parts_of_one(group, other, anchors)
            )
        ]
        if len(same) == 1:
            same[0].absorb(group)
        else:
            found.append(group)
    return found


def _parts_of_one(group: CandidateGroup, other: CandidateGroup, anchors: tuple[str, ...]) -> bool:
    own, theirs = (
        {item.arrow.key for item in each.members if item.arrow.key in anchors}
        for each in (group, other)
    )
    return bool(group.clues & other.clues) and not own & theirs
