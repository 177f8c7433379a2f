"""Trouble below the protocols (a refused connection, a name unknown): which step it fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from dissect.flow.candidates import Candidate, unread
from dissect.flow.definition import HIDDEN, TROUBLE, Definition, Failure
from dissect.flow.missing_steps import Spans
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
    history = _History(members, states)
    for item in members:
        if not item.arrow.key.startswith(TROUBLE):
            continue
        event, client, server = item.event, item.arrow.from_, item.arrow.to
        if event.time_ns < history.went_on.get((client, server), event.time_ns):
            continue  # what can't be read after it may well have succeeded
        trouble = next(entry for entry in definition.trouble if entry.matches(event))
        ends = spans.get(event.source.capture, (0, event.time_ns + _ns(trouble.patience)))[1]
        if ends < event.time_ns + _ns(trouble.patience):
            continue  # the capture ends before the client could answer
        passed = history.passed(client, event)
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
        failure = Failure(trouble.code, trouble.text, trouble.remedy, trouble.headline)
        cause, state = cause_of(failure, event, definition, show), open_[0]
        if len(open_) > 1 and (
            history.undecrypted(state, event) or not history.led_to(client, state, event)
        ):
            state.perhaps = cause  # the first may have been done in what can't be read
            continue
        state.status, state.cause, state.explanation = "failed", cause, cause.text
        state.trouble.append((trouble, item))


class _History:
    """What came before a trouble; looked up, since a client may try thousands of times."""

    def __init__(self, members: Sequence[Candidate], states: Mapping[int, StepState]) -> None:
        broken = {_connection(item) for item in members if item.arrow.key.startswith(TROUBLE)}
        # When the last undecrypted connection between two actors began that nothing went wrong
        # with.
        self.went_on: dict[tuple[str, str], int] = {}
        # Of each client, when it was first seen in a step that is done, or in what can be read.
        self._done: dict[str, dict[int, int]] = defaultdict(dict)
        self._read: dict[str, dict[int, int]] = defaultdict(dict)
        for item in members:
            arrow, step, at = item.arrow, item.step, item.event.order_ns
            if arrow.key.startswith(HIDDEN) and _connection(item) not in broken:
                ends = arrow.from_, arrow.to
                self.went_on[ends] = max(item.event.time_ns, self.went_on.get(ends, 0))
            if step.between and states[step.number].status == "done":
                _first(self._done[step.between[0]], step.number, at)
            if not unread(item):
                for ident in (arrow.from_, arrow.to):
                    _first(self._read[ident], step.number, at)
        self._undecrypted: dict[int, int] = {}
        for number, state in states.items():
            for item in state.hidden_by:
                if _connection(item) not in broken:
                    _first(self._undecrypted, number, item.event.order_ns)

    def passed(self, client: str, event: Event) -> int:
        """The highest of a client's steps that are done and had begun before an event."""
        begun = (n for n, at in self._done[client].items() if at < event.order_ns)
        return max(begun, default=0)

    def undecrypted(self, state: StepState, event: Event) -> bool:
        """Whether an undecrypted connection came before that could be of a step, and all was
        well."""
        return self._undecrypted.get(state.step.number, event.order_ns) < event.order_ns

    def led_to(self, client: str, state: StepState, event: Event) -> bool:
        """Whether the client was seen on its way to a step: a capture begun late shows nothing."""
        return any(
            number <= state.step.number and at < event.order_ns
            for number, at in self._read[client].items()
        )


def _first(found: dict[int, int], number: int, at: int) -> None:
    found[number] = min(at, found.get(number, at))


def _connection(item: Candidate) -> Connection:
    source = item.event.source
    return source.capture, source.transport, source.stream


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
