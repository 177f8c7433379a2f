"""Events while messages are still being read: what each came from, and what it waits for.

An event stands as soon as its message is read. Three things are known only at the end: which
messages another capture holds as well (`without`), by how much a capture's clock is moved
(`moves`), and the server's names, which a connection's row tells when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from dissect.errors import PASSED
from dissect.model import Connection, Event, Message, Place

Stream = tuple[int, str, int]
"""(capture, transport, stream)"""

Position = tuple[int, bool, int, int]
"""Where a message stands on the time line, by its capture's own clock."""

# What an event stands for: a message or exchange that is complete; then, at the end, exchanges
# that lack a half, how connections ended, and likenesses.
READ, HALF, ENDED, LIKENESS = range(4)


def stream_of(connection: Connection) -> Stream:
    return connection.capture, connection.transport, connection.stream


def position(place: Place) -> Position:
    """By time, then capture and frame; what acknowledgments prove to be later stands later."""
    span = place.span
    corrected = span.after_ns >= span.first_ns
    at_ns = max(span.first_ns, span.after_ns)
    return at_ns, corrected, place.connection.capture, span.first_frame


class Origin(NamedTuple):
    """What made an event: sorts as the messages do that completed it. `serial` is the number
    of the message as it was read, `number` that of the event."""

    rank: int
    position: Position | tuple[()]
    serial: int = 0
    number: int = 0

    @classmethod
    def of(cls, message: Message, serial: int) -> Origin:
        return cls(READ, position(message.place), serial)


class Draft(NamedTuple):
    """An event to be: `make` gives it on a clock that is moved by so many ns, or None if there
    is none then. `serial` is that of the message it stands for."""

    origin: Origin
    connection: Connection
    serial: int
    make: Callable[[int], Event | None]
    place: Place


class Drafts:
    """Events and what may become one, in any order."""

    def __init__(self) -> None:
        self._ready: list[tuple[Origin, Connection, int, Event]] = []
        self._waiting: list[Draft] = []
        self._servers: dict[Stream, tuple[Origin, str]] = {}
        self._nameless: set[Stream] = set()
        self._names: dict[str, dict[tuple[int, str], Origin]] = {}
        self._number = 0

    def add(self, origin: Origin, connection: Connection, serial: int, event: Event) -> None:
        """An event that depends on no clock."""
        if event.host is None:
            self._nameless.add(stream_of(connection))
        self._number += 1
        self._ready.append((origin._replace(number=self._number), connection, serial, event))

    def wait(self, draft: Draft) -> None:
        """What may become an event once the clock is known."""
        self._nameless.add(stream_of(draft.connection))
        self._number += 1
        self._waiting.append(draft._replace(origin=draft.origin._replace(number=self._number)))

    def addressed(self, change: Callable[[Event], Event]) -> None:
        """Change the latest event that was added."""
        origin, connection, serial, event = self._ready[-1]
        self._ready[-1] = origin, connection, serial, change(event)

    # ------------------------------------------------------------------ names

    def server(self, connection: Connection, name: str, origin: Origin, always: bool) -> None:
        """The server name of a connection, which is reported when it ends; the first one counts. If
        not `always`, it is kept only where an event of the connection lacks one."""
        key = stream_of(connection)
        if not always and key not in self._nameless:
            return
        known = self._servers.get(key)
        if known is None or origin < known[0]:
            self._servers[key] = origin, name

    def answer(self, address: str, name: str, capture: int, origin: Origin) -> None:
        """The name that an address was found by."""
        there = self._names.setdefault(address, {})
        known = there.get((capture, name))
        if known is None or origin < known:
            there[capture, name] = origin

    def names(self, moves: Mapping[int, int], without: Container[int]) -> dict[str, str]:
        """Address → the name that was asked for when it first came back."""
        found = {}
        for address, there in self._names.items():
            reported = [
                (_moved(origin.position, moves.get(capture, 0)), origin.serial, name)
                for (capture, name), origin in there.items()
                if origin.serial not in without
            ]
            if reported:
                found[address] = min(reported)[2]
        return found

    # ------------------------------------------------------------------ events

    def events(
        self,
        moves: Mapping[int, int],
        without: Container[int],
        failed: Callable[[Exception, Place], None],
    ) -> list[Event]:
        """The events on the clocks as moved, in order. What a draft raises goes to `failed`."""
        made = [
            (event.order, origin, event)
            for origin, connection, serial, event in self._all(moves, failed, without)
            for event in (self._served(event, origin, connection, moves, without),)
        ]
        made.sort(key=lambda item: item[:2])
        return [event for _, _, event in made]

    def _all(
        self,
        moves: Mapping[int, int],
        failed: Callable[[Exception, Place], None],
        without: Container[int],
    ) -> Iterator[tuple[Origin, Connection, int, Event]]:
        for item in self._ready:
            if item[2] not in without:
                yield item
        for draft in self._waiting:
            if draft.serial in without:
                continue
            try:
                event = draft.make(moves.get(draft.connection.capture, 0))
            except PASSED:
                raise
            except Exception as error:
                failed(error, draft.place)
                continue
            if event is not None:
                yield draft.origin, draft.connection, draft.serial, event

    def _served(
        self,
        event: Event,
        origin: Origin,
        connection: Connection,
        moves: Mapping[int, int],
        without: Container[int],
    ) -> Event:
        """With the server's name where its connection was reported it, on the moved clock."""
        host, shift = event.host, moves.get(connection.capture, 0)
        if host is None:
            known = self._servers.get(stream_of(connection))
            if known is not None and known[0] <= origin and known[0].serial not in without:
                host = known[1]
        if host is event.host and not shift:
            return event
        after_ns = event.after_ns + shift if event.after_ns else 0
        return replace(event, host=host, time_ns=event.time_ns + shift, after_ns=after_ns)


def _moved(where: Position | tuple[()], shift_ns: int) -> Position | tuple[()]:
    return (where[0] + shift_ns, *where[1:]) if where else where
