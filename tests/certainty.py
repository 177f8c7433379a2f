"""What less evidence may do to a chart: it says less, and never something else.

Each step's status may only lose certainty against the whole: done to inferred, hidden or
missing, failed to hidden or missing. A flow may become incomplete, or not be found at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Any

from dissect.flow.definition import built_in
from dissect.flow.match import match
from dissect.model import Event, SequenceChart
from dissect.pipeline import RunOptions, Session

# status in the whole → what it may become with less
LESS: Mapping[str, frozenset[str]] = {
    "done": frozenset({"done", "inferred", "hidden", "missing"}),
    "failed": frozenset({"failed", "hidden", "missing"}),
    "inferred": frozenset({"inferred", "hidden", "missing"}),
    "hidden": frozenset({"hidden", "missing"}),
    "missing": frozenset({"missing", "hidden"}),
}


@dataclass
class ByFlow:
    """The charts of every shipped flow, none folded into another. `untied` tells that the
    clock of a phone's log is not known: it is a story of its own then."""

    charts: dict[str, list[SequenceChart]] = field(default_factory=dict)
    untied: bool = False


def by_flow(
    captures: Iterable[str], keys: Iterable[str] = (), logs: Iterable[str] = (), **options: Any
) -> ByFlow:
    """All flows in some files, which are read once."""
    run = session(captures, keys, logs, **options)
    return judged(run, run.events)


def session(
    captures: Iterable[str], keys: Iterable[str] = (), logs: Iterable[str] = (), **options: Any
) -> Session:
    """A run over some files with just these key logs."""
    return Session(
        RunOptions(
            tuple(captures),
            tuple(keys),
            phone_logs=tuple(logs),
            auto_keys=False,
            **options,
        )
    )


def judged(run: Session, events: Sequence[Event]) -> ByFlow:
    """All flows in some of the events of a run."""
    spans, show = run.spans, run.book.show
    charts = {
        name: match([definition], events, show, spans=spans)
        for name, definition in built_in().items()
    }
    if any(found for name, found in charts.items() if not built_in()[name].last_resort):
        charts |= {name: [] for name in charts if built_in()[name].last_resort}
    return ByFlow(charts, any("times are as written" in line for line in run.diagnostics))


def wrong(
    found: ByFlow, whole: ByFlow, so_far: ByFlow | None = None, torn: bool = False
) -> list[str]:
    """What `found` says that `whole` does not bear out, a line each; empty if it only says less.

    `so_far` is what the whole had reported when a capture was cut: that may be reported, too, since
    what came after is not known. Where a capture is `torn` a failure may have been lost from
    a step that was done before it, and the same failure may stand at a step before its own,
    if what shows that it was done is lost.
    """
    lines = []
    codes = {said(chart)[2] for charts in whole.charts.values() for chart in charts}
    for name, charts in found.charts.items():
        if built_in()[name].last_resort:
            # It says no more than that something is undecrypted, or what failed below.
            lines += [f"{name}: {said(c)}" for c in charts if said(c)[2] not in {*codes, None}]
            lines += [f"{name}: complete" for c in charts if c.status == "complete"]
            continue
        other = _wrong(charts, whole.charts[name], found.untied, torn)
        if other and so_far is not None:
            other = _wrong(charts, so_far.charts[name], found.untied, torn)
        lines += [f"{name}: {line}" for line in other]
    return lines


def _wrong(
    charts: Sequence[SequenceChart], known: Sequence[SequenceChart], untied: bool, torn: bool
) -> list[str]:
    if len(charts) > len(known) and not untied:
        return [f"{len(charts)} found, there are {len(known)}"]
    # Which is which is not known: the assignment that fits best counts.
    options: Iterable[tuple[SequenceChart, ...]] = permutations(known, len(charts))
    if untied:
        options = product(known, repeat=len(charts))
    return min(([*_differences(charts, chosen, torn)] for chosen in options), key=len, default=[])


def _differences(
    found: Sequence[SequenceChart], whole: Sequence[SequenceChart], torn: bool
) -> Iterable[str]:
    for chart, full in zip(found, whole, strict=True):
        same = torn and chart.status == full.status and said(chart)[2] == said(full)[2]
        for step, reference in zip(chart.steps, full.steps, strict=True):
            allowed = LESS[reference.status]
            if torn and chart.status == "incomplete" and reference.status == "failed":
                allowed |= {"done", "inferred"}
            if same and step.number == chart.stopped_at:
                allowed |= {"failed"}
            if step.status not in allowed:
                yield f"step {step.number} {step.status}, it was {reference.status}"
        reported = same or (
            chart.status == "failed" and _failed_steps(chart) <= _failed_steps(full)
        )
        # What shows that a clock is wrong may be lost; then the failure itself is reported.
        plain = said(full)[2] == "clock.skew" and said(chart)[:2] == said(full)[:2]
        reported = reported or plain
        if chart.status in ("complete", "failed") and said(chart) != said(full) and not reported:
            yield f"{said(chart)}, it was {said(full)}"


def _failed_steps(chart: SequenceChart) -> set[tuple[int, str | None]]:
    """The steps that failed, and why: a flow is named by the lowest, which may be left out."""
    return {(step.number, step.explanation) for step in chart.steps if step.status == "failed"}


def said(chart: SequenceChart) -> tuple[str, int | None, str | None]:
    """Status, where it stopped, and the cause's code."""
    return chart.status, chart.stopped_at, chart.cause.code if chart.cause else None
