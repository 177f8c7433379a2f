"""Why a step that should be there is missing: the likeliest reason, from what there is.

A capture of the other machine that is lacking; a capture that was begun late or ended early;
a step that failed before; or, where what comes after is there, packets that were lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dissect.flow.candidates import Candidate
from dissect.flow.definition import HIDDEN, TROUBLE, Definition, StepDef
from dissect.flow.states import StepState, words

Spans = Mapping[str, tuple[int, int]]
"""Capture name → when its first and last frame were captured, in ns on the events' clock."""

NAMED = 3  # frames that were left out, by number
SOON_NS = 30_000_000_000  # what begins this soon in a capture had perhaps begun before it


@dataclass(frozen=True, slots=True)
class MissingSteps:
    """What one sign-in shows: its members, where captures begin and end, what failed first."""

    definition: Definition
    members: Sequence[Candidate]
    spans: Spans
    failed: int | None = None
    elsewhere: Collection[str] = ()  # actors that other sign-ins have

    def missing_reason(self, step: StepDef) -> str:
        """The likeliest reason for which `step` is missing, as a sentence without its stop."""
        acting = {ident for item in self.members for ident in (item.arrow.from_, item.arrow.to)}
        for ident in step.between:
            if ident not in acting:
                return self._absent(ident, step.number)
        if self.failed is not None:
            order = "" if self.failed < step.number else ", which may come first,"
            before = "" if order else " before it"
            return (
                "nothing that completes this step is in the captures; "
                f"step {self.failed}{order} failed{before}"
            )
        text = "nothing that completes this step is in the captures given"
        why = self._begun_late(step) or self._ended_early(step) or self._between(step)
        return f"{text}; {why}" if why else text

    def _absent(self, ident: str, number: int) -> str:
        actor, place = self.definition.actor_def(ident), "in the captures given"
        if self.failed is not None and self.failed < number:
            # Whether it would have been spoken to, nobody knows.
            return f"the sign-in ended before it: step {self.failed} failed"
        if ident in self.elsewhere:
            place = "part of this sign-in (those in the captures belong to another)"
        if actor.kind == "client" and self._after_failure(ident):
            return f"the sign-in ended before it: step {self.failed} failed"
        if actor.kind == "client":
            return f"no packets of the {actor.title} are {place}: capture there, too"
        return f"no packets from or to {actor.title} are {place}"

    def _after_failure(self, ident: str) -> bool:
        """Whether what an actor sends first is due only in the step that failed or later: another
        capture would show nothing more of it, wherever it runs."""
        acts = [s.number for s in self.definition.step if any(a.from_ == ident for a in s.arrow)]
        first = min(acts, default=0)
        return self.failed is not None and self.failed <= first

    def _of(self, step: StepDef) -> list[Candidate]:
        """The packets of the step's client (of all, if it has none), in time order."""
        client = step.between[0] if step.between else None
        return [
            item
            for item in self.members
            if client in (None, item.arrow.from_, item.arrow.to)
            and item.event.source.capture in self.spans
        ]

    def _steps(self) -> set[int]:
        return {
            item.step.number
            for item in self.members
            if not item.arrow.key.startswith((HIDDEN, TROUBLE)) and not item.arrow.leads
        }

    def _begun_late(self, step: StepDef) -> str | None:
        own = self._of(step)
        if not own or any(number <= step.number for number in self._steps()):
            return None
        first = own[0].event
        gap = first.time_ns - self.spans[first.source.capture][0]
        if gap > SOON_NS:
            return None
        return (
            f"{first.source.capture} begins {_seconds(gap)} before the first packet of this "
            "sign-in: most likely it was begun late"
        )

    def _ended_early(self, step: StepDef) -> str | None:
        own = self._of(step)
        if not own or any(number > step.number for number in self._steps()):
            return None
        last = own[-1].event
        gap = self.spans[last.source.capture][1] - last.time_ns
        if gap <= SOON_NS:
            return (
                f"{last.source.capture} ends {_seconds(gap)} after the last packet of this "
                "sign-in: most likely it was ended early"
            )
        return (
            f"{last.source.capture} goes on for {_seconds(gap)} after the last packet of this "
            "sign-in: most likely it was given up there"
        )

    def _between(self, step: StepDef) -> str | None:
        steps = self._steps()
        if min(steps, default=step.number) < step.number < max(steps, default=step.number):
            return "steps before and after it are there: most likely its packets were not captured"
        return None


def point_out(states: Iterable[StepState], left_out: Sequence[Candidate]) -> None:
    """A step that is missing though something of it was left out says that."""
    for state in states:
        if state.status == "missing" and not state.refused:
            state.explanation = _unplaced(state.step, left_out) or state.explanation


def _unplaced(step: StepDef, left_out: Sequence[Candidate]) -> str | None:
    """What of a step is there and was left out, because it is tied to no sign-in for sure."""
    own = [
        item.event.source
        for item in left_out
        if item.step.number == step.number and not item.arrow.key.startswith((HIDDEN, TROUBLE))
    ]
    if not own:
        return None
    first, *others = own[:NAMED]
    named = words(first)
    for source in others:
        same = source.capture == first.capture and source.line is None
        named += f", {source.first_frame if same else words(source)}"
    more = f" and {len(own) - NAMED} more" if len(own) > NAMED else ""
    return (
        f"there is something of this step ({named}{more}) that nothing ties to one sign-in, so it "
        "is left out: a fact of it in the flow's `keys` would tie it"
    )


def _seconds(ns: int) -> str:
    return f"{max(ns, 0) / 1e9:.1f} s"
