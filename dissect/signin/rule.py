"""What a sign-in rule is: a pure function from an exchange to the events in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from dissect.model import Fact
from dissect.signin.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Found:
    """An event before it knows its place: its name, which message of the exchange it is,
    and what that message says. `of_response` events run from server to client."""

    name: str
    of_response: bool
    facts: Mapping[str, Fact] = field(default_factory=dict)


Rule = Callable[[Exchange], Iterator[Found]]


def sent(name: str, **facts: Fact | None) -> Found:
    """An event of the request; facts that are None or empty text are left out."""
    return Found(name, False, _known(facts))


def got(name: str, **facts: Fact | None) -> Found:
    """An event of the response."""
    return Found(name, True, _known(facts))


def _known(facts: Mapping[str, Fact | None]) -> dict[str, Fact]:
    return {key: value for key, value in facts.items() if value is not None and value != ""}
