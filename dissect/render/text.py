"""The terminal ladder: verdict first, then who takes part, then step by step.

    2 ✓ done ── Phone ↔ Device Pairing Service ───────────────── at 0:00.012, for 568 ms
      0:00.012  A 12–15    │     ├─────┼─────>│     │    GET /api/DeviceConfig/…

One line an arrow as long as its label fits; no line is wider than `Options.width` cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dissect.model import Arrow, SequenceChart, Step
from dissect.render import Options, fit, summary, words
from dissect.render.lanes import culprit, explanation, lanes, pause, unsaid
from dissect.render.pen import Pen

MIN_WIDTH = 40
MIN_PITCH, MAX_PITCH = 4, 10
MIN_LABEL = 24
MAX_LABEL_LINES = 4
WHO, FLOW = 3, 4  # columns of the overview
MIN_COLUMN = 10  # of the overview's names, when they have to give way
MAX_FIELD_LINES = 8
TIME_COLUMN = 10
MAX_FRAMES_COLUMN = 16
_FIELD = 11  # the names of the header's fields: cause, remedy …


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """All `charts` one below the other, and what the run has to say at the end."""
    pen = Pen(options.color, options.ascii)
    width = max(MIN_WIDTH, options.width)
    lines = [] if charts else ["No sign-in was found."]
    lines += _overview(charts, pen, width)
    for number, chart in enumerate(charts, 1):
        if number > 1:
            lines += ["", pen.paint(pen.strokes.rule * width, "dim"), ""]
        if len(charts) > 1:
            lines.append(pen.paint(f"Flow {number} of {len(charts)}", "dim"))
        lines += Ladder(chart, pen, width).lines()
    said = {sentence for chart in charts for sentence in chart.diagnostics}
    rest = [s for s in dict.fromkeys(options.diagnostics) if s not in said]
    lines += _list("Diagnostics of this run" if said else "Diagnostics", rest, pen, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _overview(charts: Sequence[SequenceChart], pen: Pen, width: int) -> Iterator[str]:
    """A line for each of several charts, before the first."""
    rows = summary.rows(charts)
    if not rows:
        return
    table = [summary.TITLES, *(row.cells for row in rows)]
    texts = [[pen.clean(cell) for cell in cells] for cells in table]
    widths = _widths(texts)
    if sum(widths) + 2 * len(widths) > width:
        # A flow's name says more than the beginning of its title.
        for cells, chart in zip(texts[1:], charts, strict=True):
            cells[FLOW] = pen.clean(chart.flow)
        widths = _widths(texts)
    # The verdict is never shortened for the sake of who and what.
    spare = width - sum(widths) - 2 * len(widths)
    for column in (FLOW, WHO):
        if spare < 0:
            cut = min(-spare, max(0, widths[column] - MIN_COLUMN))
            widths[column] -= cut
            spare += cut
    for index, cells in enumerate(texts):
        padded = [fit.pad(pen.shorten(c, w), w) for c, w in zip(cells, widths, strict=True)]
        line = pen.shorten("  ".join(padded).rstrip(), width - 2)
        yield "  " + pen.paint(line, rows[index - 1].status if index else "dim")
    yield ""


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(fit.cell_width, column)) for column in zip(*table, strict=True)]


class Ladder:
    """One chart as lines."""

    def __init__(self, chart: SequenceChart, pen: Pen, width: int) -> None:
        self.chart, self.pen, self.width = chart, pen, width
        self.keys = words.CaptureKeys(chart)
        self.zero_ns = words.start_ns(chart) or 0
        self.culprit = culprit(chart)
        self.lanes = lanes(chart)
        arrows = [arrow for step in chart.steps for arrow in step.arrows]
        frames = (fit.cell_width(pen.clean(self.keys.frames(arrow))) for arrow in arrows)
        self.frames = min(MAX_FRAMES_COLUMN, max(frames, default=len("frames")))
        self.frames = max(self.frames, len("frames"))
        self.indent = TIME_COLUMN + 2 + self.frames + 2
        room = width - self.indent - 2
        count = max(1, len(self.lanes))
        self.pitch = min(MAX_PITCH, max(MIN_PITCH, min(room * 6 // 10, room - MIN_LABEL) // count))
        self.ladder = room - self.pitch * count >= MIN_LABEL
        self.label = self.indent + self.pitch * count + 2 if self.ladder else 4
        self.position = {
            actor.ident: index * self.pitch + self.pitch // 2
            for index, actor in enumerate(self.lanes)
        }

    def lines(self) -> Iterator[str]:
        yield from self.header()
        yield from self.legend()
        yield from self.heads()
        for step in self.chart.steps:
            yield from self.band(step)
            before: Arrow | None = None
            for arrow in step.arrows:
                length = pause(before, arrow)
                if length is not None:
                    yield from self.gap(length)
                yield from self.arrow(arrow)
                before = arrow
        yield from _list("Diagnostics", unsaid(self.chart), self.pen, self.width)

    # ---------------------------------------------------------- header

    def header(self) -> Iterator[str]:
        pen, chart = self.pen, self.chart
        word = words.verdict(chart)
        first, _, rest = word.partition(" ")
        for line in pen.wrap(f"{pen.glyph(chart.status)} {first.upper()} {rest}", self.width):
            yield pen.paint(line, chart.status)
        subject = f", {chart.subject}" if chart.subject else ""
        for line in pen.wrap(chart.title + subject, self.width - 2, MAX_LABEL_LINES):
            yield "  " + pen.paint(line, "title")
        cause = chart.cause
        if cause is None:
            return
        yield from self.field("cause", f"{words.sentence(cause.text)} [{cause.code}]")
        yield from self.field("remedy", words.sentence(cause.remedy))
        yield from self.field("evidence", words.evidence_list(cause.evidence))
        for name, value in cause.identifiers.items():
            yield from self.field("reference", f"{name} {value}{words.identified(cause)}")

    def field(self, name: str, text: str) -> Iterator[str]:
        if not text:
            return
        for index, line in enumerate(self.pen.wrap(text, self.width - _FIELD - 2, MAX_FIELD_LINES)):
            head = fit.pad("" if index else name, _FIELD)
            yield "  " + self.pen.paint(head, "key") + line

    def legend(self) -> Iterator[str]:
        pen = self.pen
        if self.lanes:
            yield ""
        # The lane heads show idents where titles don't fit, so the legend gives both.
        ident = min(20, max((fit.cell_width(pen.clean(a.ident)) for a in self.lanes), default=0))
        title = min(30, max((fit.cell_width(pen.clean(a.title)) for a in self.lanes), default=0))
        for actor in self.lanes:
            name = fit.pad(pen.shorten(actor.ident, ident), ident)
            what = fit.pad(pen.shorten(actor.title, title), title)
            where = actor.where
            head = f"  {name}  {what}  "
            room = self.width - len("    ") - ident - title - 2
            if room < MIN_LABEL // 2:
                yield pen.shorten(head.rstrip(), self.width)
                continue
            for index, line in enumerate(pen.wrap(where, room, 4)):
                yield (" " * fit.cell_width(head) if index else head) + pen.paint(line, "dim")
        start = words.start_ns(self.chart)
        captures = ", ".join(self.keys.legend())
        clock = f"0:00.000 is {words.rfc3339(start)}" if start is not None else ""
        if captures or clock:
            yield ""
        for text in filter(None, (captures and f"frames of {captures}", clock)):
            for line in pen.wrap(text, self.width - 2):
                yield "  " + pen.paint(line, "dim")
        yield ""

    def heads(self) -> Iterator[str]:
        """The names of the lanes, on one line or, staggered, on two."""
        if not self.ladder or not self.lanes:
            return
        rows = self._heads(1, self.pitch - 1) or self._heads(2, self.pitch * 2 - 1)
        head = fit.pad(" " * (TIME_COLUMN - 4) + "time  frames", self.indent)
        for index, row in enumerate(rows):
            last = index == len(rows) - 1
            yield self.pen.paint(head if last else " " * self.indent, "dim") + self.pen.paint(
                row, "title"
            )

    def _heads(self, levels: int, room: int) -> list[str]:
        """Names centred on their lanes; [] if one level can't hold them unshortened."""
        names = [self.pen.clean(actor.ident) for actor in self.lanes]
        if levels == 1 and max(map(fit.cell_width, names)) > room:
            return []
        rows = []
        for level in range(levels):
            row, column = "", 0
            for index, (name, place) in enumerate(zip(names, self.position.values(), strict=True)):
                if index % levels == level:
                    text = fit.shorten(name, room, ellipsis=self.pen.strokes.ellipsis)
                elif index % levels < level:
                    text = self.pen.strokes.lane
                else:
                    continue
                start = max(column, place - fit.cell_width(text) // 2)
                row += " " * (start - column) + text
                column = start + fit.cell_width(text)
            rows.append(row)
        return rows

    # ---------------------------------------------------------- steps

    def band(self, step: Step) -> Iterator[str]:
        pen, rule = self.pen, self.pen.strokes.rule
        status = step.status.upper() if step.status == "failed" else step.status
        head = f"{step.number:>2} {pen.glyph(step.status)} {status} {rule * 2} "
        time = words.step_time(step, self.zero_ns)
        tail = f" {pen.clean(time)} {rule * 2}" if time else ""
        room = self.width - len(head) - len(tail)
        if room < min(20, fit.cell_width(pen.clean(step.title)) + 2):
            tail, room = "", self.width - len(head)
        title = pen.shorten(step.title, room - 2)
        fill = rule * (room - fit.cell_width(title) - 1)
        yield pen.paint(head + title, step.status) + pen.paint(f" {fill}{tail}", "dim")
        for text in filter(None, (explanation(self.chart, step), self._unmarked_cause(step))):
            for line in pen.wrap(words.sentence(text), self.width - 5):
                yield "     " + line

    def _unmarked_cause(self, step: Step) -> str | None:
        """The cause, on the band of the stopped step, if no failed arrow can carry it."""
        cause = self.chart.cause
        if cause is None or self.culprit is not None or step.number != self.chart.stopped_at:
            return None
        return f"{self.pen.glyph('failed')} {words.sentence(cause.text)} [{cause.code}]"

    def gap(self, length_ns: int) -> Iterator[str]:
        text = self.pen.clean("+" + words.duration(length_ns)).rjust(TIME_COLUMN)
        row = self._row(self.pen.strokes.gap) if self.ladder else ""
        yield self.pen.paint(f"{text}{' ' * (self.indent - TIME_COLUMN)}{row}", "dim")

    def arrow(self, arrow: Arrow) -> Iterator[str]:
        pen = self.pen
        time = words.clock(arrow.time_ns - self.zero_ns).rjust(TIME_COLUMN)
        frames = pen.shorten(self.keys.frames(arrow), self.frames)
        lead = pen.paint(f"{time}  {fit.pad(frames, self.frames)}  ", "dim")
        texts = list(self._texts(arrow))
        if self.ladder:
            drawn = self._drawn(arrow)
            blank = " " * self.indent + pen.paint(self._row(pen.strokes.lane), "dim")
            for index, text in enumerate(texts):
                yield (blank if index else lead + drawn) + "  " + text
            return
        names = f"{arrow.sender} {pen.strokes.to} {arrow.receiver}"
        style = arrow.status if arrow.status == "failed" else "title"
        yield lead + pen.paint(pen.shorten(names, self.width - self.indent), style)
        for text in texts:
            yield "    " + text

    def _texts(self, arrow: Arrow) -> Iterator[str]:
        """Label, note and cause, painted, each line fitting the label's column."""
        pen, room = self.pen, self.width - self.label
        mark = arrow.status in ("failed", "inferred", "hidden")
        text = f"{pen.glyph(arrow.status)} {arrow.label}" if mark else arrow.label
        often = words.repeats(arrow)
        style = "ok" if arrow.status == "ok" else arrow.status
        lines = pen.wrap(text, room, MAX_LABEL_LINES)
        if often and fit.cell_width(lines[-1]) + len(often) + 3 <= room:
            lines[-1] += f" ({pen.clean(often)})"
            often = ""
        for line in lines:
            yield pen.paint(line, style)
        if often:
            for line in pen.wrap(f"({often})", room):
                yield pen.paint(line, style)
        if arrow.note:
            for line in pen.wrap(arrow.note, room, MAX_LABEL_LINES):
                yield pen.paint(line, "dim")
        if arrow is self.culprit and self.chart.cause:
            cause = self.chart.cause
            for line in pen.wrap(f"{words.sentence(cause.text)} [{cause.code}]", room):
                yield pen.paint(line, "failed")

    def _row(self, lane: str) -> str:
        row = [" "] * (self.pitch * len(self.lanes))
        for place in self.position.values():
            row[place] = lane
        return "".join(row)

    def _drawn(self, arrow: Arrow) -> str:
        """The lanes with the arrow on them."""
        strokes = self.pen.strokes
        row = list(self._row(strokes.lane))
        start, end = self.position[arrow.sender], self.position[arrow.receiver]
        low, high = min(start, end), max(start, end)
        if start == end:
            row[start] = strokes.note
        else:
            kind = {"failed": strokes.heavy, "inferred": strokes.dashed, "hidden": strokes.dashed}
            shaft, crossing = kind.get(arrow.status, strokes.solid)
            for place in range(low + 1, high):
                row[place] = shaft if row[place] == " " else crossing
            if end > start:
                row[end - 1] = strokes.right
            else:
                row[end + 1] = strokes.left
        style = arrow.status if start != end or arrow.status != "ok" else "title"
        parts = (row[:low], row[low : high + 1], row[high + 1 :])
        styles = ("dim", style, "dim")
        return "".join(self.pen.paint("".join(p), s) for p, s in zip(parts, styles, strict=True))


def _list(title: str, sentences: Sequence[str], pen: Pen, width: int) -> Iterator[str]:
    if not sentences:
        return
    yield ""
    yield pen.paint(title, "title")
    for sentence in sentences:
        for index, line in enumerate(pen.wrap(words.sentence(sentence), width - 4)):
            yield ("    " if index else "  - ") + line
