"""The overview of a chart for terminals, drawn in the lanes of its ladder."""

from __future__ import annotations

from collections.abc import Iterator

from dissect.render import fit, headline, words
from dissect.render.overview import Overview, Stroke
from dissect.render.pen import Pen
from dissect.render.text_ladder import MAX_LABEL_LINES, TIME_COLUMN, Ladder

_STATUS = len(" 1 ≈ inferred")  # the column of the steps' numbers


class Short(Ladder):
    """The overview of a chart: a line, or a few, for each of its numbered arrows."""

    def __init__(self, view: Overview, pen: Pen, width: int) -> None:
        super().__init__(view.chart, pen, width, _STATUS)
        self.view = view

    def lines(self) -> Iterator[str]:
        yield from self.header()
        yield from self.legend()
        yield from self.heads("time  step")
        for stroke in self.view.strokes:
            yield from self.stroke(stroke)

    def stroke(self, stroke: Stroke) -> Iterator[str]:
        pen, status = self.pen, stroke.status
        number = f"{stroke.number:>2} {pen.glyph(status)} {status}"
        clock = stroke.clock.rjust(TIME_COLUMN)
        lead = pen.paint(f"{clock}  ", "dim") + pen.paint(fit.pad(number, self.frames + 2), status)
        texts = list(self._said(stroke))
        if not self.ladder:
            yield lead + texts[0]
            yield from (f"    {text}" for text in texts[1:])
            return
        lanes = self._row(pen.strokes.lane)
        known = stroke.sender in self.position and stroke.receiver in self.position
        drawn = pen.paint(lanes, "dim")
        if known:
            style = "ok" if status == "done" else status
            drawn = self._drawn(stroke.sender, stroke.receiver, style)
        blank = " " * self.indent + pen.paint(lanes, "dim")
        for index, text in enumerate(texts):
            yield (blank if index else lead + drawn) + "  " + text

    def _said(self, stroke: Stroke) -> Iterator[str]:
        pen = self.pen
        room = self.width - self.label if self.ladder else self.width - self.indent
        style = "ok" if stroke.status == "done" else stroke.status
        lines = pen.wrap(stroke.label, room, MAX_LABEL_LINES)
        if stroke.took and stroke.clock:
            took = f"({pen.clean(stroke.took)})"
            if fit.cell_width(lines[-1]) + len(took) < room:
                lines[-1] += f" {took}"
            else:
                lines.append(took)
        for line in lines:
            yield pen.paint(line, style)
        cause = self.chart.cause
        if stroke.blamed and cause is not None:
            said = headline.headline(self.chart)
            for line in pen.wrap(f"{words.sentence(said)} [{cause.code}]", room):
                yield pen.paint(line, "failed")
