"""The arrows of an overview as the page's template wants them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dissect.model import Arrow, SequenceChart
from dissect.render import headline, words
from dissect.render.overview import Stroke


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane of a ladder: `x` in percent of the lanes' width."""

    ident: str
    title: str
    host: str | None
    x: float


def stroke_view(
    stroke: Stroke,
    lanes: Mapping[str, Lane],
    prefix: str,
    rows: Mapping[Arrow, str],
    chart: SequenceChart,
) -> dict[str, Any]:
    """An arrow of the overview, with the row (one of `rows`) or step that it leads to."""
    sender, receiver = lanes.get(stroke.sender), lanes.get(stroke.receiver)
    cause = chart.cause if stroke.blamed else None
    between, start, end = "", None, None
    if sender is not None and receiver is not None:
        alone = sender is receiver
        between = sender.title if alone else f"{sender.title} to {receiver.title}"
        start, end = (None if alone else sender.x), receiver.x
    return {
        "number": stroke.number,
        "status": stroke.status,
        "glyph": words.GLYPHS.get(stroke.status, ""),
        "label": stroke.label,
        "between": between,
        "x1": start,
        "x2": end,
        "time": stroke.clock,
        "took": stroke.took if stroke.clock else "",
        "row": rows.get(stroke.arrow) if stroke.arrow else None,
        "step": f"{prefix}s{stroke.number}",
        "cause": f"{words.sentence(headline.headline(chart))} ({cause.code})" if cause else "",
        "remedy": words.sentence(cause.remedy) if cause else "",
    }
