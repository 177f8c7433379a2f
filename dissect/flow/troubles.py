"""Trouble below the protocols (a refused connection, a name unknown): which step it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dissect.flow.definition import HIDDEN, TROUBLE, Definition, Failure
from dissect.flow.groups import Candidate, unread
from dissect.flow.lacking import Spans
from dissect.flow.states import Show, StepState, cause_of
from dissect.model import Event

Connection = tuple[str, str, int | None]


def apply(
    definition: Definition,
    members: Sequence[Candidate],
    states: Mapping[int, StepState],
    show: Show,
    spans: Spans,
) -> None:
    broken = {_connection(item) for item in members if item.arrow.key.startswith(TROUBLE)}
    went_on = _went_on(members, broken)
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
        open_ = [
            state
            for state in states.values()
            if state.step.between[:1] == (client,)
            and server in state.step.between[1:]
            # An earlier one may not have been captured, but it was not this that ended it.
            and state.step.number >= passed
            and (state.status in ("missing", "hidden") or state.trouble)
        ]
        if not open_:
            continue
        failure = Failure(trouble.code, trouble.text, trouble.remedy)
        cause, state = cause_of(failure, event, definition, show), open_[0]
        if len(open_) > 1 and (
            _shut_before(item, state, broken) or not _led_to(item, state, members)
        ):
            state.perhaps = cause  # the first may have been done in what can't be read
            continue
        state.status, state.cause, state.explanation = "failed", cause, cause.text
        state.trouble.append((trouble, item))


def _shut_before(item: Candidate, state: StepState, broken: set[Connection]) -> bool:
    """Whether a shut connection came before that could be of a step, and all was well with it."""
    return any(
        other.event.order_ns < item.event.order_ns and _connection(other) not in broken
        for other in state.hidden_by
    )


def _led_to(item: Candidate, state: StepState, members: Sequence[Candidate]) -> bool:
    """Whether the client was seen on its way to a step: a capture begun late shows nothing."""
    return any(
        not unread(other)
        and other.event.order_ns < item.event.order_ns
        and other.step.number <= state.step.number
        and item.arrow.from_ in (other.arrow.from_, other.arrow.to)
        for other in members
    )


def _connection(item: Candidate) -> Connection:
    source = item.event.source
    return source.capture, source.transport, source.stream


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


def _went_on(members: Sequence[Candidate], broken: set[Connection]) -> dict[tuple[str, str], int]:
    """When the last shut connection between two actors began that nothing went wrong with."""
    found: dict[tuple[str, str], int] = {}
    for item in members:
        if item.arrow.key.startswith(HIDDEN) and _connection(item) not in broken:
            ends = item.arrow.from_, item.arrow.to
            found[ends] = max(item.event.time_ns, found.get(ends, 0))
    return found
