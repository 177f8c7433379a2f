"""Mermaid sequence diagrams, for Markdown that GitHub, GitLab or Jira draws.

Whatever a capture holds, the text parses: letters, digits and a few harmless characters
stand as they are, everything else as Mermaid's `#code;`. `render` gives one diagram below
Mermaid's default limit, shortened where it must be; `diagrams` gives all, split by step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissect.model import Arrow, SequenceChart, Step
from dissect.render import Options, words
from dissect.render.lanes import elided
from dissect.render.mermaid_lines import MermaidDrawing, broken, quoted
from dissect.render.overview import overview, reduced

__all__ = ["TEXT_LIMIT", "Diagram", "diagrams", "parts", "quoted", "render"]

TEXT_LIMIT = 50_000
"""Mermaid's default `maxTextSize`, characters."""

PART_ARROWS = 150
"""Arrows of a part where a chart is split: more is no longer read in one picture."""

_ROOM = TEXT_LIMIT - 500


@dataclass(frozen=True, slots=True)
class Diagram:
    """One diagram: what it shows ("Step 6, part 2 of 3"), the step's number, and its text."""

    title: str
    step: int | None
    text: str


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """All charts in one diagram below `TEXT_LIMIT`; what was left out is reported in notes."""
    if options.detail == "overview":
        return short(charts)
    charts = reduced(charts, options.detail)
    share = 1.0
    while True:
        text = _document(charts, options, share)
        if len(text) <= TEXT_LIMIT:
            return text
        if share < 0.01:
            return _verdicts(charts)
        share *= min(0.8, _ROOM / len(text))


def diagrams(charts: Sequence[SequenceChart], options: Options) -> list[Diagram]:
    """Everything: a diagram a chart where that fits, else one a step, or a part of one."""
    found: list[Diagram] = []
    for chart in reduced(charts, options.detail):
        whole = _document([chart], options, 1.0)
        if len(whole) <= TEXT_LIMIT:
            found.append(Diagram(chart.title, None, whole))
        else:
            for step in chart.steps:
                found += _step_diagrams(chart, step)
    return found


def parts(charts: Sequence[SequenceChart], options: Options) -> list[tuple[str, str]]:
    """For files: (suffix of the name, text) of the pieces, if `render` had to shorten."""
    whole = _document(reduced(charts, options.detail), options, 1.0)
    if options.detail == "overview" or len(whole) <= TEXT_LIMIT:
        return []
    found = diagrams(charts, options)
    digits = len(str(len(found)))
    return [(f"part-{n:0{digits}}", item.text) for n, item in enumerate(found, 1)]


def short(charts: Sequence[SequenceChart]) -> str:
    """The overviews of all, as many as `TEXT_LIMIT` holds, in the lanes that they need."""
    views = [overview(chart) for chart in charts]
    while True:
        drawing = MermaidDrawing(charts, [view.busy for view in views])
        lines = [*drawing.head(), *drawing.several(charts)]
        for number, view in enumerate(views, 1):
            before = f"{number} of {len(charts)}: " if len(charts) > 1 else ""
            lines += drawing.verdict(view.chart, before)
            lines += [
                line for stroke in view.strokes for line in drawing.stroke(view.chart, stroke)
            ]
        if len(views) < len(charts):
            lines.append(f"    Note over {drawing.all()}: {len(charts) - len(views)} more left out")
        text = "\n".join(lines) + "\n"
        if len(text) <= TEXT_LIMIT or not views:
            return text
        views = views[: len(views) // 2]


def _document(charts: Sequence[SequenceChart], options: Options, share: float) -> str:
    if not charts:
        return "sequenceDiagram\n    participant a0 as No sign-in was found\n"
    drawing = MermaidDrawing(charts)
    lines = list(drawing.head())
    lines += drawing.several(charts)
    for number, chart in enumerate(charts, 1):
        title = f"Flow {number} of {len(charts)}: " if len(charts) > 1 else ""
        lines += drawing.verdict(chart, title)
        for step in chart.steps:
            lines += drawing.step(chart, step, list(elided(step.arrows, share)))
    return "\n".join(lines) + "\n"


def _verdicts(charts: Sequence[SequenceChart]) -> str:
    """What is left when even the bands of the steps are too much: the answers."""
    lines = ["sequenceDiagram", "    participant a0 as Verdict"]
    lines += [
        f"    Note over a0: {broken(f'{chart.title}: {words.verdict(chart)}')}"
        for chart in charts[:50]
    ]
    return "\n".join(lines) + "\n"


def _step_diagrams(chart: SequenceChart, step: Step) -> Iterator[Diagram]:
    """A step's arrows in as many diagrams as they need."""
    drawing = MermaidDrawing([chart])
    head = [*drawing.head(), *drawing.verdict(chart, "")]
    size = sum(len(line) + 1 for line in head) + 1000
    pieces: list[list[Arrow | int]] = [[]]
    used = size
    for arrow in step.arrows:
        length = len(drawing.arrow(chart, arrow)) + 100  # and a pause before it
        if pieces[-1] and (used + length > _ROOM or len(pieces[-1]) >= PART_ARROWS):
            pieces.append([])
            used = size
        pieces[-1].append(arrow)
        used += length
    for number, piece in enumerate(pieces, 1):
        part = f"part {number} of {len(pieces)}" if len(pieces) > 1 else ""
        lines = [*head, *drawing.step(chart, step, piece, part)]
        title = ", ".join(filter(None, (f"Step {step.number}", part)))
        yield Diagram(title, step.number, "\n".join(lines) + "\n")
