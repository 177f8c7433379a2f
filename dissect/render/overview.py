"""A sign-in on one page: its steps as a few numbered arrows. Every format draws the same value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dissect.model import Actor, Arrow, KeyArrow, SequenceChart, Step, StepStatus
from dissect.render import words
from dissect.render.lanes import culprit, explanation, lanes


@dataclass(frozen=True, slots=True)
class Stroke:
    """One arrow of the overview. `number` is its step's, `part` its place among those of the
    step, `opens` the first of them.

    `sender` and `receiver` are actors' ids, "" for both where nobody is known. `clock` is its time
    from the chart's start, `took` how long the whole step took (told with its first arrow), either
    "" where nothing was seen. `blamed` is the one that the cause is about, `why` is why it is
    hidden or missing; `arrow` is what it was drawn from.
    """

    number: int
    title: str
    sender: str
    receiver: str
    label: str
    status: StepStatus
    clock: str
    took: str
    frames: str
    opens: bool
    blamed: bool
    why: str = ""
    arrow: Arrow | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """The arrows in order of the steps; `lanes` are the chart's actors, `busy` those of them that
    an arrow begins or ends at."""

    chart: SequenceChart
    lanes: tuple[Actor, ...]
    strokes: tuple[Stroke, ...]

    @property
    def busy(self) -> tuple[Actor, ...]:
        used = {end for stroke in self.strokes for end in (stroke.sender, stroke.receiver)}
        return tuple(actor for actor in self.lanes if actor.ident in used)


def overview(chart: SequenceChart) -> Overview:
    """The overview of a chart; of one without summaries, its steps' first arrows."""
    keys = words.CaptureKeys(chart)
    zero = words.start_ns(chart) or 0
    guilty = culprit(chart)
    strokes = [
        stroke for step in chart.steps for stroke in _strokes(chart, step, keys, zero, guilty)
    ]
    return Overview(chart, lanes(chart), tuple(strokes))


def _strokes(
    chart: SequenceChart, step: Step, keys: words.CaptureKeys, zero: int, guilty: Arrow | None
) -> Iterator[Stroke]:
    found = list(step.summary) or list(_plain(step))
    statuses = [_status(step, item.arrow) for item in found]
    if step.status == "failed" and "failed" not in statuses and statuses:
        statuses[-1] = "failed"  # no arrow shows what failed it
    took = _took(step)
    for index, (item, status) in enumerate(zip(found, statuses, strict=True)):
        arrow = item.arrow
        stopped = chart.stopped_at == step.number and index == len(found) - 1
        why = explanation(chart, step) if index == len(found) - 1 else None
        yield Stroke(
            number=step.number,
            title=step.title,
            sender=item.sender,
            receiver=item.receiver,
            label=item.label,
            status=status,
            clock=words.clock(arrow.time_ns - zero) if arrow else "",
            took=took if index == 0 else "",
            frames=keys.frames(arrow) if arrow else "",
            opens=index == 0,
            blamed=chart.cause is not None and (arrow == guilty if guilty else stopped),
            why=why if why and status in ("hidden", "missing") else "",
            arrow=arrow,
        )


def _plain(step: Step) -> Iterator[KeyArrow]:
    """What stands for a step that no definition sums up: its last failed arrow, else its first."""
    failed = [arrow for arrow in step.arrows if arrow.status == "failed"]
    arrow = failed[-1] if failed else step.arrows[0] if step.arrows else None
    if arrow is None:
        yield KeyArrow("", "", step.title)
    else:
        label = arrow.label if failed else step.title
        yield KeyArrow(arrow.sender, arrow.receiver, label, arrow)


def _status(step: Step, arrow: Arrow | None) -> StepStatus:
    if arrow is None:
        return step.status if step.status != "done" else "missing"
    if arrow.status in ("failed", "inferred", "hidden"):
        return arrow.status
    return "done"


def _took(step: Step) -> str:
    if not step.arrows:
        return ""
    first = min(arrow.time_ns for arrow in step.arrows)
    last = max(max(arrow.time_ns, arrow.end_ns or 0) for arrow in step.arrows)
    return words.duration(last - first) if last - first >= words.MILLISECOND else ""


def deciding(chart: SequenceChart) -> SequenceChart:
    """The chart with the arrows of its overview only: `--detail steps`."""
    guilty = culprit(chart)
    steps = []
    for step in chart.steps:
        kept = [item.arrow for item in step.summary or tuple(_plain(step)) if item.arrow]
        if guilty is not None and guilty in step.arrows and guilty not in kept:
            kept.append(guilty)
        own = tuple(arrow for arrow in step.arrows if arrow in kept)
        steps.append(replace(step, arrows=own))
    return replace(chart, steps=tuple(steps))


def reduced(charts: Sequence[SequenceChart], detail: str) -> Sequence[SequenceChart]:
    """The charts as `--detail` wants them; only `full` ones have every arrow."""
    return charts if detail == "full" else [deciding(chart) for chart in charts]
