"""Who is who: which address and which host name plays which actor of a definition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from dissect.flow.definition import ArrowDef, Definition
from dissect.model import UNREACHABLE, Event


class Roles:
    """Roles by content first: an arrow's ends are its actors. Host patterns and learnt
    names only serve where content is hidden."""

    def __init__(
        self,
        definition: Definition,
        events: Sequence[Event],
        given: Mapping[str, str] | None = None,
    ) -> None:
        self._definition = definition
        self._given = {
            address: ident
            for address, ident in (given or {}).items()
            if any(actor.id == ident for actor in definition.actor)
        }
        self._kinds = {actor.id: actor.kind for actor in definition.actor}
        self._hosts: dict[str, set[str]] = defaultdict(set)
        self._reported: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            self._by_name[event.name].append(event)
        self._learn(events)
        self._clients = self._undecrypted_clients(events)
        self._pairs = self._udp_pairs(events)

    def _learn(self, events: Sequence[Event]) -> None:
        """Host names that events give away, and hosts that arrows were exchanged with."""
        wanted = defaultdict(list)
        for actor in self._definition.actor:
            for item in actor.learn:
                name, _, fact = item.partition(":")
                wanted[name].append((actor.id, fact))
        ends = defaultdict(list)
        for _, arrow in self._definition.arrows:
            ends[arrow.event].append(arrow)
        for event in events:
            for ident, fact in wanted.get(event.name, ()):
                value = event.facts.get(fact)
                for host in value if isinstance(value, tuple) else (value,):
                    if isinstance(host, str) and host:
                        self._hosts[ident].add(host.lower())
                        self._reported[ident].add(host.lower())
            if event.host:
                for arrow in ends.get(event.name, ()):
                    if not arrow.matches(event):
                        continue
                    if arrow.at and not self.is_server(arrow.at, event):
                        continue
                    # An arrow with `at` is known by its host; it teaches none.
                    for ident in () if arrow.at else (arrow.from_, arrow.to):
                        if self._kinds[ident] == "server":
                            self._hosts[ident].add(event.host)
                    break

    def _undecrypted_clients(self, events: Sequence[Event]) -> dict[str, str]:
        """Address → actor: by the arrows it was the client of, else by its servers."""
        found = {a: i for a, i in self._given.items() if self._kinds[i] == "client"}
        named = {name for actor in self._definition.actor for name in actor.known_by}
        for _, arrow in self._definition.arrows:
            if arrow.at and arrow.key not in named:
                continue
            for event in self._by_name.get(arrow.event, ()):
                own = arrow.matches(event) and (not arrow.at or self.is_server(arrow.at, event))
                client = self.client_of(event, arrow) if own else None
                if client is not None:
                    found.setdefault(client[1], client[0])
        for actor in self._definition.actor:
            for event in events:
                address = event.client.address if event.client else None
                if (
                    address is not None
                    and address not in found
                    and any(self._talks_to(ident, event) for ident in actor.known_by)
                ):
                    found[address] = actor.id
        return found

    def _talks_to(self, known_by: str, event: Event) -> bool:
        if known_by in self._kinds:
            return self.is_server(known_by, event)
        return fnmatchcase(_host_of(event) or "", known_by)

    def is_server(self, ident: str, event: Event) -> bool:
        """Whether the event's host (or the name it asks for) is this actor's."""
        address = event.server.address if event.server else None
        if address in self._given:
            return self._given[address] == ident
        host = _host_of(event)
        if host is not None and host in self._hosts.get(ident, ()):
            return True
        if any(host in names for other, names in self._hosts.items() if other != ident):
            return False
        return self.is_known(ident, event)

    def is_known(self, ident: str, event: Event) -> bool:
        """Whether that is recognised by the user, by `hosts`, `ports` or `learn`, and not only by
        arrows between the same hosts."""
        host, actor, server = _host_of(event), self._definition.actor_def(ident), event.server
        if server is not None and self._given.get(server.address) == ident:
            return True
        if host is not None and host in self._reported.get(ident, ()):
            return True
        if host is not None and any(fnmatchcase(host, pattern) for pattern in actor.hosts):
            return True
        return server is not None and server.port in actor.ports

    def client_of(self, event: Event, arrow: ArrowDef) -> tuple[str, str] | None:
        """The client's end of an event: (actor, address)."""
        if event.client is None:
            return None
        for ident in (arrow.from_, arrow.to):
            if self._kinds[ident] == "client":
                return ident, event.client.address
        return None

    def undecrypted_client(self, event: Event) -> str | None:
        """The actor whose address an undecrypted connection comes from, if it can be determined."""
        return self._clients.get(event.client.address) if event.client else None

    def server_of(self, event: Event, idents: Sequence[str]) -> str | None:
        """Which of some actors the event's host is."""
        found = next((ident for ident in idents if self.is_server(ident, event)), None)
        if found is None and event.name == UNREACHABLE:
            found = next((i for i in self._pairs.get(_ends(event), ()) if i in idents), None)
        return found

    def _udp_pairs(self, events: Sequence[Event]) -> dict[object, list[str]]:
        """Which server the other end of a UDP pair is, where ICMP speaks of that pair."""
        lost = {_ends(event) for event in self._by_name.get(UNREACHABLE, ())}
        found: dict[object, list[str]] = {}
        if not lost:
            return found
        arrows = defaultdict(list)
        for _, arrow in self._definition.arrows:
            arrows[arrow.event].append(arrow)
        for event in events:
            ends = _ends(event)
            if ends not in lost or ends in found:
                continue
            for arrow in arrows.get(event.name, ()):
                if arrow.matches(event):
                    both = (arrow.from_, arrow.to)
                    found[ends] = [ident for ident in both if self._kinds[ident] == "server"]
                    break
        return found


def _ends(event: Event) -> object:
    return event.client, event.server


def _host_of(event: Event) -> str | None:
    """The server's name, or the name that a DNS event asks for."""
    host = event.host or event.facts.get("name")
    return host.rstrip(".").lower() if isinstance(host, str) else None
