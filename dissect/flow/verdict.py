"""What became of each step of one sign-in.

A step's events are read in time order. An event that comes before one it must follow, or
after its time limit, proves nothing (and the step says so). A failing event fails the
step until something settles it; the last word counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dissect.flow import troubles
from dissect.flow.candidates import Candidate
from dissect.flow.definition import HIDDEN, TROUBLE, ArrowDef, Definition, Failure
from dissect.flow.missing_steps import MissingSteps, Spans
from dissect.flow.states import Show, StepState, cause_of, words
from dissect.flow.texts import fill
from dissect.model import Cause, Event

# The latest of a failure that comes again and again; the first of one that is passed on.
EVIDENCE_KEPT = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """The steps, and the flow's status, place and cause as `docs/flows.md` defines them."""

    states: tuple[StepState, ...]
    status: Literal["complete", "failed", "incomplete"]
    stopped_at: int | None
    cause: Cause | None


def judge(
    definition: Definition,
    members: Sequence[Candidate],
    show: Show,
    spans: Spans | None = None,
    elsewhere: Collection[str] = (),
) -> Verdict:
    """The verdict on one sign-in; `members` in time order. `spans` tell when captures begin
    and end, as far as that is known; `elsewhere` are the actors of other sign-ins in them."""
    spans = spans or {}
    states = {step.number: StepState(step) for step in definition.step}
    _read(definition, members, states, show)
    _settle_rest(members, states)
    troubles.apply(definition, members, states, show, spans)
    failed = next((n for n, state in states.items() if state.status == "failed"), None)
    evidence = MissingSteps(definition, members, spans, failed, elsewhere)
    _explain(evidence, states, show)
    ordered = tuple(states[step.number] for step in definition.step)
    return _conclude(definition, ordered, members, show, spans)


def _read(
    definition: Definition,
    members: Sequence[Candidate],
    states: Mapping[int, StepState],
    show: Show,
) -> None:
    times: dict[str, list[int]] = {}
    for item in members:
        times.setdefault(item.arrow.key, []).append(item.event.order_ns)
    latest: dict[str, Event] = {}
    for item in members:
        key = item.arrow.key
        problem = _out_of_order(item, times, definition) or _too_late(item, latest, show)
        latest[key] = item.event
        state = states[item.step.number]
        if problem is not None:
            state.refused.append(problem)
            continue
        if item.arrow.fails is not None:
            if item.arrow.fails.outcome and _failed_before(states.values(), state):
                continue
            cause = cause_of(item.arrow.fails, item.event, definition, show)
            if state.cause is not None and _passed_on(item, cause, state, definition):
                evidence = (*state.cause.evidence, item.event.source)[:EVIDENCE_KEPT]
                state.cause = replace(state.cause, evidence=evidence)
            elif state.cause is not None and _again(item, cause, state):
                evidence = (*state.cause.evidence, item.event.source)[-EVIDENCE_KEPT:]
                state.cause, state.failed_by = replace(cause, evidence=evidence), item
            else:
                state.cause, state.failed_by = cause, item
            state.status = "failed"
            state.seen.clear()
            continue
        for other in states.values():
            if key in other.step.settled_by:
                other.recover("done")
            elif key in other.step.reopened_by and other.status == "failed":
                other.recover("missing")
            elif any(key in group for group in other.step.done_when):
                other.seen.add(key)
                complete = any(set(group) <= other.seen for group in other.step.done_when)
                if complete and other.status != "failed":
                    other.status = "done"


def _failed_before(states: Iterable[StepState], state: StepState) -> bool:
    return any(other.status == "failed" for other in states if other is not state)


def _again(item: Candidate, cause: Cause, state: StepState) -> bool:
    """Whether the same failed once more, with nothing between that put it right."""
    before = state.failed_by
    return (
        before is not None
        and state.cause is not None
        and before.arrow.key == item.arrow.key
        and state.cause.code == cause.code
    )


def _passed_on(item: Candidate, cause: Cause, state: StepState, definition: Definition) -> bool:
    """Whether an event only brings on what failed already: a browser that posts a refusal."""
    before = state.failed_by
    if before is None or state.cause is None or before.arrow.key == item.arrow.key:
        return False
    reported, again = before.event.facts, item.event.facts
    same = any(
        reported.get(key) and reported.get(key) == again.get(key)
        for key in definition.instance.keys
    )
    return same and state.cause.code == cause.code


def _out_of_order(
    item: Candidate, times: Mapping[str, list[int]], definition: Definition
) -> str | None:
    """An event that must follow another that only came later can't be what it seems."""
    for key in item.arrow.after:
        earliest = min(times.get(key, [item.event.order_ns]))
        if earliest > item.event.order_ns:
            return (
                f"“{_title(item.arrow, definition)}” ({_frames(item.event)}) came before "
                f"“{_title_of(key, definition)}”, which it must follow, and does not count"
            )
    return None


def _too_late(item: Candidate, latest: Mapping[str, Event], show: Show) -> str | None:
    limit = item.arrow.within
    start = latest.get(limit.of) if limit else None
    if limit is None or start is None:
        return None
    seconds = limit.seconds
    if limit.fact is not None:
        value = start.facts.get(limit.fact)
        seconds = float(value) + limit.slack if isinstance(value, int) else seconds
    took = (item.event.time_ns - start.time_ns) / 1e9
    if seconds is None or took <= seconds:
        return None
    return (
        f"{_frames(item.event)} came {took:.0f} s after {_frames(start)}; "
        f"the limit is {seconds:.0f} s"
    )


def _title(arrow: ArrowDef, definition: Definition) -> str:
    return arrow.label.partition("{")[0].strip(" ,:(") or arrow.key


def _title_of(key: str, definition: Definition) -> str:
    arrow = next((a for _, a in definition.arrows if a.key == key), None)
    return _title(arrow, definition) if arrow else key


def _frames(event: Event) -> str:
    return words(event.source)


def _settle_rest(members: Sequence[Candidate], states: Mapping[int, StepState]) -> None:
    """Hidden and inferred, for steps that no readable event decides."""
    present = {item.arrow.key for item in members}
    for state in states.values():
        if state.status in ("done", "failed"):
            continue
        if any(key in present for key in state.step.inferred_by):
            state.status = "inferred"
            state.explanation = state.step.inference or None
            continue
        parties = state.step.between
        state.hidden_by = [
            item
            for item in members
            if item.arrow.key.startswith(HIDDEN)
            and parties
            and item.arrow.from_ == parties[0]
            and item.arrow.to in parties[1:]
        ]
        if state.hidden_by:
            state.status = "hidden"


def _explain(evidence: MissingSteps, states: Mapping[int, StepState], show: Show) -> None:
    members = evidence.members
    present = {item.arrow.key: item.event for item in members}
    inferred = {item.arrow.key for item in members if item.arrow.inferred}
    for state in states.values():
        if state.status == "done":
            continue
        if state.cause is not None:
            state.explanation = state.cause.text
        elif state.refused:
            state.explanation = "; ".join(state.refused)
        elif state.status == "hidden":
            sentences = {show(item.event.facts.get("sentence")): None for item in state.hidden_by}
            hosts = {item.event.host or str(item.event.server): None for item in state.hidden_by}
            state.explanation = (
                f"traffic with {', '.join(hosts)} is there but could not be decrypted: "
                f"{'; '.join(filter(None, sentences)) or 'no reason known'}"
            )
            reported = next((e for e in state.step.explain if e.seen in inferred), None)
            if reported is not None:
                state.explanation += f"; {fill(reported.text, present[reported.seen], show)}"
            if state.perhaps is not None:
                state.explanation += (
                    f"; then {state.perhaps.text} ({words(state.perhaps.evidence[0])}): here or "
                    "in a later step"
                )
        elif state.status == "missing":
            reported = next((e for e in state.step.explain if e.seen in present), None)
            state.explanation = (
                fill(reported.text, present[reported.seen], show)
                if reported
                else evidence.missing_reason(state.step)
            )


def _with_identifiers(
    cause: Cause, definition: Definition, members: Sequence[Candidate], show: Show
) -> Cause:
    """With the ids of the latest message that has any with the same server, where the failing one
    has none: another server's are no help in the log of this one."""
    if cause.identifiers:
        return cause
    servers = {actor.id for actor in definition.actor if actor.kind == "server"}

    def parties(item: Candidate) -> set[str]:
        return servers & {item.arrow.from_, item.arrow.to}

    failed = {i for m in members if m.event.source in cause.evidence for i in parties(m)}
    for item in reversed(members):
        if not failed & parties(item):
            continue
        facts = item.event.facts
        found = {name: show(facts[name]) for name in definition.identifiers if facts.get(name)}
        if found:
            return replace(cause, identifiers=found, identified_by=item.event.source)
    return cause


def _conclude(
    definition: Definition,
    states: tuple[StepState, ...],
    members: Sequence[Candidate],
    show: Show,
    spans: Spans,
) -> Verdict:
    failed = next((state for state in states if state.status == "failed"), None)
    if failed is not None:
        cause = failed.cause and _with_identifiers(failed.cause, definition, members, show)
        return Verdict(states, "failed", failed.step.number, cause)
    if states[-1].status == "done":
        return Verdict(states, "complete", None, None)
    last_done = max((i for i, state in enumerate(states) if state.status == "done"), default=-1)
    open_ = next((s for s in states[last_done + 1 :] if s.status in ("missing", "hidden")), None)
    readable = [
        item
        for item in members
        if not item.arrow.key.startswith((HIDDEN, TROUBLE)) and not item.arrow.inferred
    ]
    cause = next((state.perhaps for state in states if state.perhaps is not None), None)
    if readable and cause is None:
        latest = readable[-1]
        after_ns = spans.get(latest.event.source.capture, (0, 0))[1] - latest.event.time_ns
        reason = next(
            (
                item
                for item in definition.unfinished
                if item.last == latest.arrow.key and not 0 < item.within * 1e9 < after_ns
            ),
            None,
        )
        if reason is not None:
            cause = cause_of(
                Failure(reason.code, reason.text, reason.remedy, reason.headline),
                latest.event,
                definition,
                show,
            )
    stopped = open_ or states[-1]
    return Verdict(states, "incomplete", stopped.step.number, cause)
