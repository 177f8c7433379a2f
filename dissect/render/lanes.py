"""Which lanes a chart has, and which arrow carries the cause: asked by every drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dissect.model import Actor, Arrow, SequenceChart, Step
from dissect.render.words import SECOND

FOLD_NS = 10 * SECOND
"""A pause of at least this is drawn as a break of the time axis."""

MIN_KEPT = 12
"""Arrows that a step keeps at least when a picture can't hold them all."""


def lanes(chart: SequenceChart) -> tuple[Actor, ...]:
    """The actors in order, then any sender or receiver that no actor describes."""
    known = {actor.ident for actor in chart.actors}
    strangers = dict.fromkeys(
        ident
        for step in chart.steps
        for arrow in step.arrows
        for ident in (arrow.sender, arrow.receiver)
        if ident not in known
    )
    return (*chart.actors, *(Actor(ident, ident) for ident in strangers))


def culprit(chart: SequenceChart) -> Arrow | None:
    """The failed arrow of the step the flow stopped at that the cause is about.

    That is the one among the cause's evidence, else the last failed one; None if the
    step stopped without a failed arrow (it is missing or hidden).
    """
    if chart.cause is None:
        return None
    for step in chart.steps:
        if step.number == chart.stopped_at:
            failed = [arrow for arrow in step.arrows if arrow.status == "failed"]
            proven = [arrow for arrow in failed if arrow.source in chart.cause.evidence]
            candidates = proven or failed
            return candidates[-1] if candidates else None
    return None


def explanation(chart: SequenceChart, step: Step) -> str | None:
    """Why a step is as it is; None where the cause, drawn in the same step, says the same."""
    same = chart.cause is not None and step.explanation == chart.cause.text
    return None if same and step.number == chart.stopped_at else step.explanation


def unsaid(chart: SequenceChart) -> tuple[str, ...]:
    """The diagnostics that no step's band says already (they name the step, then say it)."""
    reported = tuple(f": {step.explanation}" for step in chart.steps if step.explanation)
    return tuple(
        line
        for line in chart.diagnostics
        if not (line.startswith("step ") and line.endswith(reported))
    )


def pause(before: Arrow | None, arrow: Arrow) -> int | None:
    """The pause (ns) to be marked between two arrows of a step, None if it is short.

    Folded repetitions go on in the background, so a pause starts where the later of the
    start and the end (if it is not after `arrow`) of the one before is.
    """
    if before is None:
        return None
    last = before.time_ns
    if before.end_ns is not None and before.end_ns <= arrow.time_ns:
        last = max(last, before.end_ns)
    length = arrow.time_ns - last
    return length if length >= FOLD_NS else None


def elided(arrows: Sequence[Arrow], share: float) -> Iterator[Arrow | int]:
    """`arrows`, or about `share` of them where that is below 1: first, last and failed ones.

    An int says how many were left out at its place.
    """
    keep = max(MIN_KEPT, int(len(arrows) * share))
    if share >= 1 or len(arrows) <= keep:
        yield from arrows
        return
    failed = (index for index, arrow in enumerate(arrows) if arrow.status == "failed")
    quarter = keep // 4
    kept = set(range(keep - 2 * quarter)) | set(range(len(arrows) - quarter, len(arrows)))
    kept |= set(list(failed)[-quarter:])
    omitted = 0
    for index, arrow in enumerate(arrows):
        if index not in kept:
            omitted += 1
            continue
        if omitted:
            yield omitted
            omitted = 0
        yield arrow
    if omitted:
        yield omitted
