"""An example to copy: an output format of your own, here a few lines for a chat.

    dissect flow capture.pcapng --plugin plugins/formats/steps.py -o signin.steps

A format gets the charts and decides nothing: it writes down what they say. Their texts hold
no secrets, but they were captured: escape what your format takes for markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from dissect.model import SequenceChart
from dissect.plugins import Registry
from dissect.render import Options, Renderer
from dissect.render.escape import visible

SIGNS = {"done": "+", "failed": "x", "inferred": "~", "hidden": "?", "missing": "-"}


def draw(charts: Sequence[SequenceChart], options: Options) -> str:
    """A line a step, and one for the cause."""
    lines = []
    for chart in charts:
        who = f" ({chart.subject})" if chart.subject else ""
        lines.append(f"{chart.title}{who}: {chart.status}")
        lines += [f"  {SIGNS[step.status]} {step.number} {step.title}" for step in chart.steps]
        if chart.cause is not None:
            lines.append(f"  because {chart.cause.text} [{chart.cause.code}]")
    return "".join(visible(line) + "\n" for line in lines)


def register(registry: Registry) -> None:
    """Called by dissect with its registry."""
    registry.add_renderer(Renderer("steps", ("steps",), "text/plain", False, "", draw=draw))
