"""What a sign-in rule is: a pure function from an exchange to the events in it.

An exchange has its capture's own times, since the clocks of several captures are compared only
when all are read. A fact that depends on the time is therefore `Timed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from dissect.model import Fact
from dissect.signin.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Timed:
    """A fact that depends on when its message was: `fact` gives it for a moment (ns UTC), None
    for none. `at_ns` is that moment by the capture's own clock. It must not hold the message."""

    at_ns: int
    fact: Callable[[int], Fact | None]

    def on(self, shift_ns: int) -> Fact | None:
        """The fact, where `shift_ns` is to be added to the capture's times."""
        return self.fact(self.at_ns + shift_ns)


FactValue = Fact | Timed
"""A fact as a rule gives it."""


@dataclass(frozen=True, slots=True)
class Found:
    """An event before it knows its place: its name, which message of the exchange it is,
    and what that message says. `of_response` events run from server to client. Where the fact
    `only_with` turns out to be none there is no event."""

    name: str
    of_response: bool
    facts: Mapping[str, FactValue] = field(default_factory=dict)
    only_with: str = ""

    @property
    def needless(self) -> bool:
        """Whether there is no event by the capture's own clock."""
        fact = self.facts.get(self.only_with)
        return isinstance(fact, Timed) and fact.on(0) is None


def settled(facts: Mapping[str, FactValue], shift_ns: int = 0) -> dict[str, Fact]:
    """The facts, with those that depend on the time, of a capture whose clock is moved."""
    found: dict[str, Fact] = {}
    for name, fact in facts.items():
        value = fact.on(shift_ns) if isinstance(fact, Timed) else fact
        if value is not None:
            found[name] = value
    return found


Rule = Callable[[Exchange], Iterator[Found]]


def sent(name: str, **facts: FactValue | None) -> Found:
    """An event of the request; facts that are None or empty text are left out."""
    return Found(name, False, _known(facts))


def got(name: str, **facts: FactValue | None) -> Found:
    """An event of the response."""
    return Found(name, True, _known(facts))


def _known(facts: Mapping[str, FactValue | None]) -> dict[str, FactValue]:
    return {key: value for key, value in facts.items() if value is not None and value != ""}
