"""The overview of a chart for terminals, drawn in the lanes of its ladder."""

from __future__ import annotations

from collections.abc import Iterator

from dissect.render import headline, text_wrapping, words
from dissect.render.overview import Overview, Stroke
from dissect.render.terminal_style import TerminalStyle
from dissect.render.text_ladder import MAX_LABEL_LINES, TIME_COLUMN, Ladder

_STATUS = len(" 1 ≈ inferred")  # the column of the steps' numbers


class Short(Ladder):
    """The overview of a chart: a line, or a few, for each of its numbered arrows."""

    def __init__(self, view: Overview, terminal: TerminalStyle, width: int) -> None:
        super().__init__(view.chart, terminal, width, _STATUS)
        self.view = view

    def lines(self) -> Iterator[str]:
        yield from self.header()
        yield from self.legend()
        yield from self.heads("time  step")
        for stroke in self.view.strokes:
            yield from self.stroke(stroke)

    def stroke(self, stroke: Stroke) -> Iterator[str]:
        terminal, status = self.terminal, stroke.status
        number = f"{stroke.number:>2} {terminal.glyph(status)} {status}"
        clock = stroke.clock.rjust(TIME_COLUMN)
        lead = terminal.paint(f"{clock}  ", "dim") + terminal.paint(
            text_wrapping.pad(number, self.frames + 2), status
        )
        texts = list(self._stroke_texts(stroke))
        if not self.ladder:
            yield lead + texts[0]
            yield from (f"    {text}" for text in texts[1:])
            return
        lanes = self._row(terminal.strokes.lane)
        known = stroke.sender in self.position and stroke.receiver in self.position
        drawn = terminal.paint(lanes, "dim")
        if known:
            style = "ok" if status == "done" else status
            drawn = self._drawn(stroke.sender, stroke.receiver, style)
        blank = " " * self.indent + terminal.paint(lanes, "dim")
        for index, text in enumerate(texts):
            yield (blank if index else lead + drawn) + "  " + text

    def _stroke_texts(self, stroke: Stroke) -> Iterator[str]:
        terminal = self.terminal
        room = self.width - self.label if self.ladder else self.width - self.indent
        style = "ok" if stroke.status == "done" else stroke.status
        lines = terminal.wrap(stroke.label, room, MAX_LABEL_LINES)
        if stroke.took and stroke.clock:
            took = f"({terminal.clean(stroke.took)})"
            if text_wrapping.cell_width(lines[-1]) + len(took) < room:
                lines[-1] += f" {took}"
            else:
                lines.append(took)
        for line in lines:
            yield terminal.paint(line, style)
        cause = self.chart.cause
        if stroke.blamed and cause is not None:
            reported = headline.headline(self.chart)
            for line in terminal.wrap(f"{words.sentence(reported)} [{cause.code}]", room):
                yield terminal.paint(line, "failed")
