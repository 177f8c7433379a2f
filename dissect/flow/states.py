"""What is known of a step while the events of a sign-in are read, and what a failure means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dissect.flow.candidates import Candidate
from dissect.flow.definition import Definition, Failure, StepDef, Trouble
from dissect.flow.texts import fill, main_clause
from dissect.model import Cause, Event, Fact, Source, StepStatus

Show = Callable[[Fact | None], str]


@dataclass(slots=True)
class StepState:
    """The state of a step while its events are read, and after."""

    step: StepDef
    status: StepStatus = "missing"
    failed_by: Candidate | None = None
    cause: Cause | None = None
    seen: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    explanation: str | None = None
    overcome: list[Cause] = field(default_factory=list)
    hidden_by: list[Candidate] = field(default_factory=list)
    trouble: list[tuple[Trouble, Candidate]] = field(default_factory=list)
    perhaps: Cause | None = None  # what failed in this step, or in one that can't be read either

    def recover(self, status: StepStatus) -> None:
        """What failed before no longer stands; it is remembered, for it is part of the story."""
        if self.cause is not None:
            self.overcome.append(self.cause)
        self.status, self.cause, self.failed_by = status, None, None


def cause_of(failure: Failure, event: Event, definition: Definition, show: Show) -> Cause:
    found = {name: show(event.facts.get(name)) for name in definition.identifiers}
    return Cause(
        code=fill(failure.code, event, show),
        text=fill(failure.text, event, show),
        remedy=fill(failure.remedy, event, show),
        evidence=(event.source,),
        identifiers={name: value for name, value in found.items() if value},
        headline=fill(failure.headline or main_clause(failure.text), event, show),
    )


def words(source: Source) -> str:
    """Where to look: capture and frame, or log and line."""
    if source.line is not None:
        return f"{source.capture} line {source.line}"
    return f"{source.capture} frame {source.first_frame}"
