"""Why a step that should be there is missing: the likeliest reason, from what there is.

A capture of the other machine that is lacking; a capture that was begun late or ended early;
a step that failed before; or, where what comes after is there, packets that were lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dissect.flow.definition import HIDDEN, TROUBLE, Definition, StepDef
from dissect.flow.groups import Candidate

Spans = Mapping[str, tuple[int, int]]
"""Capture name → when its first and last frame were captured, in ns on the events' clock."""

SOON_NS = 30_000_000_000  # what begins this soon in a capture had perhaps begun before it


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one sign-in shows: its members, where captures begin and end, what failed first."""

    definition: Definition
    members: Sequence[Candidate]
    spans: Spans
    failed: int | None = None

    def lacking(self, step: StepDef) -> str:
        """The likeliest reason for which `step` is missing, as a sentence without its stop."""
        acting = {ident for item in self.members for ident in (item.arrow.from_, item.arrow.to)}
        for ident in step.between:
            if ident not in acting:
                return self._absent(ident, step.number)
        if self.failed is not None:
            after = "failed before it" if self.failed < step.number else "failed; it may come first"
            return (
                f"nothing that completes this step is in the captures; step {self.failed} {after}"
            )
        said = "nothing that completes this step is in the captures given"
        why = self._begun_late(step) or self._ended_early(step) or self._between(step)
        return f"{said}; {why}" if why else said

    def _absent(self, ident: str, number: int) -> str:
        actor = self.definition.actor_def(ident)
        if actor.kind == "client":
            return f"no packets of the {actor.title} are in the captures given: capture there, too"
        failed = self.failed is not None and self.failed < number
        before = f"; step {self.failed} failed before it" if failed else ""
        return f"no packets from or to {actor.title} are in the captures given{before}"

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


def _seconds(ns: int) -> str:
    return f"{max(ns, 0) / 1e9:.1f} s"
