"""Trouble below the protocols (a refused connection, a name unknown): which step it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dissect.flow.definition import HIDDEN, TROUBLE, Definition, Failure
from dissect.flow.groups import Candidate
from dissect.flow.lacking import Spans
from dissect.flow.states import Show, StepState, cause_of
from dissect.model import Event


def apply(
    definition: Definition,
    members: Sequence[Candidate],
    states: Mapping[int, StepState],
    show: Show,
    spans: Spans,
) -> None:
    went_on = _went_on(members)
    for item in members:
        if not item.arrow.key.startswith(TROUBLE):
            continue
        event, client, server = item.event, item.arrow.from_, item.arrow.to
        if event.time_ns < went_on.get((client, server), event.time_ns):
            continue  # what can't be read after it may well have succeeded
        trouble = next(entry for entry in definition.trouble if entry.matches(event))
        ends = spans.get(event.source.capture, (0, event.time_ns + _ns(trouble.patience)))[1]
        if ends < event.time_ns + _ns(trouble.patience):
            continue  # the capture ends before the client could answer
        passed = _passed(client, event, members, states)
        for state in states.values():
            parties = state.step.between
            if not parties or parties[0] != client or server not in parties[1:]:
                continue
            if state.step.number < passed:
                continue  # it may not have been captured, but it was not this that ended it
            if state.status in ("missing", "hidden") or state.trouble:
                state.status = "failed"
                state.trouble.append((trouble, item))
                failure = Failure(trouble.code, trouble.text, trouble.remedy)
                state.cause = cause_of(failure, event, definition, show)
                state.explanation = state.cause.text
                break


def _passed(
    client: str, event: Event, members: Sequence[Candidate], states: Mapping[int, StepState]
) -> int:
    """The highest of a client's steps that are done and had begun before an event."""
    return max(
        (
            item.step.number
            for item in members
            if item.event.order_ns < event.order_ns
            and item.step.between[:1] == (client,)
            and states[item.step.number].status == "done"
        ),
        default=0,
    )


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)


def _went_on(members: Sequence[Candidate]) -> dict[tuple[str, str], int]:
    """When the last shut connection between two actors began that nothing went wrong with."""
    broken = {
        (item.event.source.capture, item.event.source.transport, item.event.source.stream)
        for item in members
        if item.arrow.key.startswith(TROUBLE)
    }
    found: dict[tuple[str, str], int] = {}
    for item in members:
        source = item.event.source
        if (
            item.arrow.key.startswith(HIDDEN)
            and (source.capture, source.transport, source.stream) not in broken
        ):
            ends = item.arrow.from_, item.arrow.to
            found[ends] = max(item.event.time_ns, found.get(ends, 0))
    return found
