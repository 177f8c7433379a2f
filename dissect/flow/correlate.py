"""Which events belong to one sign-in.

1. Every event that fits an arrow of the definition is a *candidate*.
2. Candidates are tied by equal values of the definition's key facts and by sharing a
   connection (one device is at its end) or a log: union-find, so their order is nothing.
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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dissect.flow.definition import HIDDEN, HIDDEN_EVENT, TROUBLE, ArrowDef, Definition, StepDef
from dissect.flow.roles import Roles
from dissect.model import Event, Secret

# A group this far outside an instance's time is no part of it, whoever its client is.
NEAR_NS = 15 * 60 * 1_000_000_000
# What ends this long before an instance begins may have led to it.
LEADS_NS = 2 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event and the arrow that it is; `index` is its place in the list of all events."""

    index: int
    event: Event
    step: StepDef
    arrow: ArrowDef


@dataclass(slots=True, eq=False)
class Group:
    """Candidates that are tied, with what is known of them together."""

    members: list[Candidate] = field(default_factory=list)
    clients: set[tuple[str, str]] = field(default_factory=set)  # (actor, address)
    clues: set[tuple[str, str]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def start(self) -> int:
        return min(item.event.time_ns for item in self.members)

    @property
    def end(self) -> int:
        return max(item.event.time_ns for item in self.members)

    def absorb(self, other: Group) -> None:
        self.members += other.members
        self.clients |= other.clients
        self.clues |= other.clues
        self.notes += other.notes


def candidates(definition: Definition, events: Sequence[Event], roles: Roles) -> list[Candidate]:
    """Events that fit an arrow; each is the first arrow that it fits."""
    by_name: dict[str, list[tuple[StepDef, ArrowDef]]] = defaultdict(list)
    for step, arrow in definition.arrows:
        by_name[arrow.event].append((step, arrow))
    found = []
    for index, event in enumerate(events):
        if event.name == HIDDEN_EVENT:
            shut = _hidden(definition, event, roles)
            if shut is not None:
                found.append(Candidate(index, event, *shut))
            continue
        wrong = _trouble(definition, event, roles)
        if wrong is not None:
            found.append(Candidate(index, event, *wrong))
            continue
        for step, arrow in by_name.get(event.name, ()):
            if arrow.matches(event) and (not arrow.at or roles.is_server(arrow.at, event)):
                found.append(Candidate(index, event, step, arrow))
                break
    return found


def _hidden(definition: Definition, event: Event, roles: Roles) -> tuple[StepDef, ArrowDef] | None:
    """A shut connection as an arrow of the first step between its ends, if there is one."""
    client = roles.shut_client(event)
    for step in definition.step:
        if len(step.between) > 1 and step.between[0] == client:
            server = roles.server_of(event, step.between[1:])
            if server is not None:
                key = HIDDEN + server
                return step, ArrowDef(HIDDEN_EVENT, client, server, "", id=key)
    return None


def _trouble(definition: Definition, event: Event, roles: Roles) -> tuple[StepDef, ArrowDef] | None:
    """Something that went wrong below the protocols, as an arrow of the first step between
    its ends."""
    trouble = next((item for item in definition.trouble if item.matches(event)), None)
    if trouble is None:
        return None
    client = roles.shut_client(event)
    for step in definition.step:
        if len(step.between) > 1 and step.between[0] == client:
            server = roles.server_of(event, step.between[1:])
            if server is not None:
                return step, ArrowDef(
                    event.name, client, server, trouble.label, id=TROUBLE + server
                )
    return None


def instances(
    definition: Definition, items: Sequence[Candidate], roles: Roles
) -> tuple[list[Group], list[str]]:
    """The sign-ins among the candidates, by start; and what could not be placed, in words."""
    groups = sorted(_tied(definition, items, roles), key=lambda g: (g.start, g.members[0].index))
    anchored = [group for group in groups if _has(group, definition.instance.anchors)]
    found = _join_tries(anchored, definition.instance.anchors)
    loose = _place([group for group in groups if group not in anchored], found)
    # What fits no sign-in may be one that came to nothing, or can't be read.
    while True:
        lone = [g for g in loose if not any(_by_address(g, other) for other in found)]
        begun = next(
            (g for key in definition.instance.fallback for g in lone if _has(g, (key,))), None
        )
        if begun is None:
            break
        loose.remove(begun)
        more = [begun]
        loose = _place(loose, more)
        found += more
    for group in found:
        group.members.sort(key=lambda item: (item.event.order_ns, item.index))
    left_out = [
        f"{_who(group)}: {len(group.members)} events fit no sign-in, or several; they are left out"
        for group in loose
    ]
    return found, left_out if found else []


def _has(group: Group, keys: tuple[str, ...]) -> bool:
    return any(item.arrow.key in keys for item in group.members)


def _tied(definition: Definition, items: Sequence[Candidate], roles: Roles) -> list[Group]:
    parent = list(range(len(items)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[object, int] = {}
    for position, item in enumerate(items):
        for tie in _ties(definition, item.event):
            other = first.setdefault(tie, position)
            parent[root(position)] = root(other)
    groups: dict[int, Group] = defaultdict(Group)
    for position, item in enumerate(items):
        group = groups[root(position)]
        group.members.append(item)
        client = roles.client_of(item.event, item.arrow)
        if client is not None:
            group.clients.add(client)
        for name in definition.instance.clues:
            value = item.event.facts.get(name)
            if value:
                group.clues.add((name, value.value if isinstance(value, Secret) else str(value)))
    return list(groups.values())


def _ties(definition: Definition, event: Event) -> Iterable[object]:
    source = event.source
    if source.stream is not None:
        yield ("stream", source.capture, source.transport, source.stream)
    elif source.line is not None:
        yield ("log", source.capture)
    for name in definition.instance.keys:
        value = event.facts.get(name)
        if value:
            yield (name, value.value if isinstance(value, Secret) else str(value))


def _join_tries(anchored: list[Group], anchors: tuple[str, ...]) -> list[Group]:
    """Tries of one device, one after the other, are one story; so are groups of one client
    and one user that have different anchors, the parts of it."""
    found: list[Group] = []
    for group in anchored:
        same = [
            other
            for other in found
            if other.clients & group.clients
            and (other.end <= group.start or _parts_of_one(group, other, anchors))
        ]
        if len(same) == 1:
            same[0].absorb(group)
        else:
            found.append(group)
    return found


def _parts_of_one(group: Group, other: Group, anchors: tuple[str, ...]) -> bool:
    own, theirs = (
        {item.arrow.key for item in each.members if item.arrow.key in anchors}
        for each in (group, other)
    )
    return bool(group.clues & other.clues) and not own & theirs


def _place(loose: list[Group], found: list[Group]) -> list[Group]:
    """Give each loose group to the instance it belongs to, the surest first; returns the rest."""
    waiting = loose
    while waiting:
        # What joins by address or clue brings clues for the next; only when these are at
        # an end may time decide, for one group, and then they get their turn again.
        left = [
            g for g in waiting if not (_join(g, found, _by_address) or _join(g, found, _by_clue))
        ]
        if len(left) == len(waiting):
            guessed = next((group for group in left if _join(group, found, _by_time)), None)
            if guessed is None:
                break
            left.remove(guessed)
        waiting = left
    return waiting


def _join(group: Group, found: list[Group], test: Callable[[Group, Group], bool]) -> bool:
    """Let the only instance that passes the test absorb the group."""
    options = _nearest(group, [instance for instance in found if test(group, instance)])
    if len(options) != 1:
        return False
    if test is _by_time:
        options[0].notes.append(
            f"{_who(group)} is tied to this sign-in by time alone: "
            "no shared code, user or address was seen"
        )
    options[0].absorb(group)
    return True


def _by_address(group: Group, instance: Group) -> bool:
    return bool(group.clients & instance.clients) and _near(group, instance)


def _by_clue(group: Group, instance: Group) -> bool:
    """The same user, say, and nobody else in the same part: one user may have two phones."""
    shared = bool(group.clues & instance.clues)
    return shared and not _rival(group, instance) and _near(group, instance)


def _by_time(group: Group, instance: Group) -> bool:
    """Nothing speaks against it: no other user, no other address for the same actor."""
    rival = _rival(group, instance)
    return not _differ(group, instance) and not rival and _near(group, instance)


def _rival(group: Group, instance: Group) -> bool:
    """Both have a client that plays the same actor, at different addresses."""
    actors = {actor for actor, _ in instance.clients}
    return (
        any(actor in actors for actor, _ in group.clients) and not group.clients & instance.clients
    )


def _near(group: Group, instance: Group) -> bool:
    return group.start <= instance.end + NEAR_NS and group.end >= instance.start - NEAR_NS


def _nearest(group: Group, options: list[Group]) -> list[Group]:
    """Of several that fit: those that share a clue, then the one that it led to, then
    those whose time spans the group's start."""
    if len(options) < 2:
        return options
    options = [option for option in options if group.clues & option.clues] or options
    led = [option for option in options if 0 <= option.start - group.end <= LEADS_NS]
    if led:
        return [min(led, key=lambda option: option.start)]
    if any(_differ(group, option) for option in options):
        options = [option for option in options if not _differ(group, option)]
    return [o for o in options if o.start <= group.start <= o.end] or options


def _differ(group: Group, instance: Group) -> bool:
    """Both name a user (or another clue), and not the same one."""
    known = {name for name, _ in instance.clues}
    return any(name in known for name, _ in group.clues) and not group.clues & instance.clues


def _who(group: Group) -> str:
    names = sorted({f"{actor} {address}" for actor, address in group.clients})
    return ", ".join(names) or group.members[0].event.source.capture
