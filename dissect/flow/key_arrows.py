"""Which arrows stand for a step in the overview: those that its definition names, else its first
request and what decided it; of a failed step what it came to, and the failure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dissect.flow.schema import GESTURE, HIDDEN, TROUBLE, ArrowDef, StepDef
from dissect.model import Arrow, KeyArrow, Source, StepStatus

MOST = 3  # of one step

Keyed = Sequence[tuple[str, Arrow]]


def key_arrows(
    step: StepDef, title: str, status: StepStatus, drawn: Keyed, proof: Collection[Source] = ()
) -> tuple[KeyArrow, ...]:
    """The key arrows of a step. `drawn` are its arrows with their keys, in time order; `proof`
    is the evidence of its failure; `title` is what it is called here."""
    label = step.label if step.label and title == step.title else title
    if status in ("hidden", "inferred"):
        return _unread(step, label, status, drawn)
    failed = _failure(drawn, proof) if status == "failed" else None
    if failed is not None:
        drawn = [pair for pair in drawn if pair[1].time_ns <= failed.time_ns]
    found = _named(step, drawn) if step.summary else _deciding(step, label, drawn)
    if failed is not None:
        reported = next((item.label for item in found if item.arrow is failed), failed.label)
        found = [item for item in found if item.arrow is not failed][-(MOST - 1) :]
        found.append(KeyArrow(failed.sender, failed.receiver, reported, failed))
    elif status == "missing":
        found = [*found[: MOST - 1], *_missing(step, label, found)]
    elif not found and drawn:
        arrow = drawn[-1][1]
        found = [KeyArrow(arrow.sender, arrow.receiver, label, arrow)]
    return tuple(found[-MOST:])


def _failure(drawn: Keyed, proof: Collection[Source]) -> Arrow | None:
    """The failed arrow that the cause is about, else the last one."""
    failed = [arrow for _, arrow in drawn if arrow.status == "failed"]
    proven = [arrow for arrow in failed if arrow.source in proof]
    candidates = proven or failed
    return candidates[-1] if candidates else None


def _named(step: StepDef, drawn: Keyed) -> list[KeyArrow]:
    """For each entry the latest arrow of the first of its keys that was seen."""
    latest = dict(drawn)
    found = []
    for entry in step.summary:
        arrow = next((latest[key] for key in entry.arrows if key in latest), None)
        if arrow is not None:
            found.append(KeyArrow(arrow.sender, arrow.receiver, entry.label, arrow))
    return found


def _deciding(step: StepDef, label: str, drawn: Keyed) -> list[KeyArrow]:
    """What a person did; else the first request, called as the step, and what decided it."""
    if drawn and drawn[0][0] == GESTURE:
        arrow = drawn[0][1]
        return [KeyArrow(arrow.sender, arrow.receiver, step.label or arrow.label, arrow)]
    deciding = {*step.settled_by, *(key for group in step.done_when for key in group)}
    seen = [
        (key, arrow)
        for key, arrow in drawn
        if arrow.status in ("ok", "pending") and not key.startswith((HIDDEN, TROUBLE))
    ]
    if not seen:
        return []
    first = seen[0][1]
    found = [KeyArrow(first.sender, first.receiver, label, first)]
    last = next((arrow for key, arrow in reversed(seen) if key in deciding), None)
    if last is not None and last is not first:
        found.append(KeyArrow(last.sender, last.receiver, last.label, last))
    return found


def _unread(step: StepDef, label: str, status: StepStatus, drawn: Keyed) -> tuple[KeyArrow, ...]:
    """A step that could not be read: the traffic or the gesture that is taken for it."""
    arrow = next((arrow for _, arrow in drawn if arrow.status == status), None)
    if arrow is not None:
        return (KeyArrow(arrow.sender, arrow.receiver, label, arrow),)
    return tuple(_missing(step, label, []))


def _missing(step: StepDef, label: str, seen: Sequence[KeyArrow]) -> list[KeyArrow]:
    """The arrow that was to come next, from whom to whom the definition has it."""
    reported = {item.label for item in seen}
    awaited = (entry for entry in step.summary if _defined(step, entry.arrows))
    entry = next((entry for entry in awaited if entry.label not in reported), None)
    if entry is not None and seen:
        label = entry.label
    arrow = _defined(step, entry.arrows if entry else ())
    if arrow is not None:
        return [KeyArrow(arrow.from_, arrow.to, label)]
    if step.gesture is not None:
        return [KeyArrow(step.gesture.from_, step.gesture.to, label)]
    if len(step.between) > 1:
        return [KeyArrow(step.between[0], step.between[1], label)]
    return []


def _defined(step: StepDef, keys: Sequence[str]) -> ArrowDef | None:
    own = [arrow for arrow in step.arrow if arrow.fails is None and not arrow.inferred]
    if not keys:
        return None if step.gesture is not None else next(iter(own), None)
    return next((arrow for key in keys for arrow in own if arrow.key == key), None)
