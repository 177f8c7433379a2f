"""Events as arrows of a definition, and groups of them that belong together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from dissect.flow.definition import HIDDEN, TROUBLE, ArrowDef, StepDef
from dissect.model import Event

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


class Claim(NamedTuple):
    """How good a claim to be an actor an address has, and from when to when it was seen."""

    weight: tuple[bool, bool]
    start: int
    end: int

    def joined(self, other: Claim) -> Claim:
        return Claim(
            max(self.weight, other.weight),
            min(self.start, other.start),
            max(self.end, other.end),
        )


@dataclass(slots=True, eq=False)
class CandidateGroup:
    """Candidates that are tied, with what is known of them together."""

    members: list[Candidate] = field(default_factory=list)
    clients: set[tuple[str, str]] = field(default_factory=set)  # (actor, address)
    logs: set[str] = field(default_factory=set)  # a log is one device's
    clues: set[tuple[str, str]] = field(default_factory=set)
    parties: set[tuple[str, str]] = field(default_factory=set)  # whom the sign-in is for
    notes: list[str] = field(default_factory=list)
    guessed: bool = False  # that it is this flow is told by names and shapes of shut traffic

    @property
    def start(self) -> int:
        return min(item.event.time_ns for item in self.members)

    @property
    def end(self) -> int:
        return max(item.event.time_ns for item in self.members)

    @property
    def device(self) -> set[object]:
        """What shows that two groups are of one device: a client's address, or its log."""
        return {*self.clients, *self.logs}

    def absorb(self, other: CandidateGroup) -> None:
        self.members += other.members
        self.clients |= other.clients
        self.logs |= other.logs
        self.clues |= other.clues
        self.parties |= other.parties
        self.notes += other.notes


def unread(item: Candidate) -> bool:
    """Shut traffic, trouble below it, and what the shape of it tells: no message says more."""
    return item.arrow.inferred or item.arrow.key.startswith((HIDDEN, TROUBLE))


def has(group: CandidateGroup, keys: tuple[str, ...]) -> bool:
    return any(item.arrow.key in keys for item in group.members)


def acts(group: CandidateGroup) -> set[str]:
    """The actors that take part."""
    return {ident for item in group.members for ident in (item.arrow.from_, item.arrow.to)}


def differ(group: CandidateGroup, instance: CandidateGroup) -> bool:
    """Both name a user (or another clue), and not the same one."""
    known = {name for name, _ in instance.clues}
    return any(name in known for name, _ in group.clues) and not group.clues & instance.clues


def for_others(group: CandidateGroup, instance: CandidateGroup) -> bool:
    """Both name whom they are for by the same fact, and not the same one."""
    names = {name for name, _ in group.parties} & {name for name, _ in instance.parties}
    return any(
        not {item for item in group.parties & instance.parties if item[0] == name} for name in names
    )


def near(group: CandidateGroup, instance: CandidateGroup | Claim) -> bool:
    return group.start <= instance.end + NEAR_NS and group.end >= instance.start - NEAR_NS


def who(group: CandidateGroup, proven: Collection[tuple[str, str]] | None = None) -> str:
    """Its clients with what they are; if `proven` is given (actor, address), only those in it."""
    known = group.clients if proven is None else proven
    names = sorted({" ".join(item) if item in known else item[1] for item in group.clients})
    return ", ".join(names) or group.members[0].event.source.capture
