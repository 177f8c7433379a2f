"""The terminal ladder of a chart.

    2 ✓ done ── Phone ↔ Device Pairing Service ───────────────── at 0:00.012, for 568 ms
      0:00.012  A 12–15    │     ├─────┼─────>│     │    GET /api/DeviceConfig/…

One line an arrow as long as its label fits; no line is wider than it may be, and no name is cut.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissect.model import Arrow, SequenceChart, Step
from dissect.render import fit, headline, words
from dissect.render.lanes import culprit, explanation, lanes, pause, unsaid
from dissect.render.pen import Pen, listed

MIN_PITCH, MAX_PITCH = 4, 10
MIN_LABEL, GOOD_LABEL = 20, 24  # cells beside the lanes: at least, and before they are spread
MAX_LABEL_LINES = 4
MAX_FIELD_LINES = 8
TIME_COLUMN = 10
MAX_FRAMES_COLUMN = 16
MAX_HEADS = 4  # lines of lane names
_FIELD = 11  # the names of the header's fields: cause, remedy …


class Ladder:
    """One chart as lines."""

    def __init__(self, chart: SequenceChart, pen: Pen, width: int, column: int = 0) -> None:
        """`column`: cells for what stands in the place of the frames, 0 for those."""
        self.chart, self.pen, self.width = chart, pen, width
        self.keys = words.CaptureKeys(chart)
        self.zero_ns = words.start_ns(chart) or 0
        self.culprit = culprit(chart)
        self.lanes = lanes(chart)
        arrows = [arrow for step in chart.steps for arrow in step.arrows]
        frames = (fit.cell_width(pen.clean(self.keys.frames(arrow))) for arrow in arrows)
        self.frames = min(MAX_FRAMES_COLUMN, max(frames, default=len("frames")))
        self.frames = column or max(self.frames, len("frames"))
        self.indent = TIME_COLUMN + 2 + self.frames + 2
        room = width - self.indent - 2
        count = max(1, len(self.lanes))
        self.pitch = min(MAX_PITCH, max(MIN_PITCH, min(room * 6 // 10, room - GOOD_LABEL) // count))
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
        yield from listed("Diagnostics", unsaid(self.chart), self.pen, self.width)

    # ---------------------------------------------------------- header

    def header(self) -> Iterator[str]:
        """What became of it, where, of whom; cause, remedy, evidence; what would help."""
        pen, chart = self.pen, self.chart
        status, colon, rest = headline.verdict(chart).partition(":")
        first, _, more = status.partition(" ")
        said = f"{pen.glyph(chart.status)} {first.upper()} {more}".rstrip() + colon + rest
        for line in pen.wrap(said, self.width):
            yield pen.paint(line, chart.status)
        if where := headline.at(chart):
            for line in pen.wrap(where, self.width - 2):
                yield "  " + line
        for line in pen.wrap(headline.whose(chart), self.width - 2, MAX_LABEL_LINES):
            yield "  " + pen.paint(line, "title")
        cause = chart.cause
        if cause is not None:
            yield from self.field("cause", f"{words.sentence(cause.text)} [{cause.code}]")
            yield from self.field("remedy", words.sentence(cause.remedy))
            yield from self.field("evidence", headline.evidence(chart))
            for name, value in cause.identifiers.items():
                yield from self.field("reference", f"{name} {value}{words.identified(cause)}")
        yield from self.field("what to do", words.sentence(chart.advice))

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
            yield from self._who()
        start = words.started(self.chart)
        captures = ", ".join(self.keys.legend())
        clock = f"0:00.000 is {start}" if start else ""
        if captures or clock:
            yield ""
        for text in filter(None, (captures and f"frames of {captures}", clock)):
            for line in pen.wrap(text, self.width - 2):
                yield "  " + pen.paint(line, "dim")
        yield ""

    def _who(self) -> Iterator[str]:
        """A line an actor. The lane heads show idents where titles don't fit, so both are given."""
        pen, gap = self.pen, " " * 2
        names = [(pen.clean(actor.ident), pen.clean(actor.title)) for actor in self.lanes]
        ident = min(20, max(fit.cell_width(name) for name, _ in names))
        title = min(30, max(fit.cell_width(what) for _, what in names))
        column = ident + title + 3 * len(gap)
        for actor, (name, what) in zip(self.lanes, names, strict=True):
            head = f"{gap}{fit.pad(name, ident)}{gap}{fit.pad(what, title)}{gap}"
            if fit.cell_width(head.rstrip()) > self.width:
                yield from (gap + line for line in pen.wrap(f"{name} {what}", self.width - 2))
                head = gap * 3
            elif actor.where and (self.width - column < MIN_LABEL or len(head) > column):
                # Too wide a name, or too narrow a page: the address goes below.
                yield head.rstrip()
                head = gap * 3
            elif not actor.where:
                yield head.rstrip()
            room = self.width - fit.cell_width(head)
            for index, line in enumerate(pen.wrap(actor.where, room) if actor.where else ()):
                yield (" " * fit.cell_width(head) if index else head) + pen.paint(line, "dim")

    def heads(self, columns: str = "time  frames") -> Iterator[str]:
        """The names of the lanes, on one line or, staggered, on as many as none is cut on."""
        if not self.ladder or not self.lanes:
            return
        names = [self.pen.clean(actor.ident) for actor in self.lanes]
        longest = max(map(fit.cell_width, names))
        fitting = (n for n in range(1, MAX_HEADS) if longest <= self.pitch * n - 1)
        rows = self._heads(names, next(fitting, MAX_HEADS))
        head = fit.pad(" " * (TIME_COLUMN - 4) + columns, self.indent)
        for index, row in enumerate(rows):
            last = index == len(rows) - 1
            yield self.pen.paint(head if last else " " * self.indent, "dim") + self.pen.paint(
                row, "title"
            )

    def _heads(self, names: list[str], levels: int) -> list[str]:
        """Names centred on their lanes, each on its level; lanes that come later pass through."""
        rows = []
        for level in range(levels):
            row, column = "", 0
            for index, (name, place) in enumerate(zip(names, self.position.values(), strict=True)):
                if index % levels == level:
                    text = fit.shorten(
                        name, self.pitch * levels - 1, ellipsis=self.pen.strokes.ellipsis
                    )
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
        title, *rest = pen.wrap(step.title, room - 2)
        fill = rule * (room - fit.cell_width(title) - 1)
        yield pen.paint(head + title, step.status) + pen.paint(f" {fill}{tail}", "dim")
        for line in pen.wrap(" ".join(rest), self.width - 5) if rest else ():
            yield "     " + pen.paint(line, step.status)
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
            drawn = self._drawn(arrow.sender, arrow.receiver, arrow.status)
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

    def _drawn(self, sender: str, receiver: str, status: str) -> str:
        """The lanes with the arrow on them."""
        strokes = self.pen.strokes
        row = list(self._row(strokes.lane))
        start, end = self.position[sender], self.position[receiver]
        low, high = min(start, end), max(start, end)
        if start == end:
            row[start] = strokes.note
        else:
            kind = dict.fromkeys(("inferred", "hidden", "missing"), strokes.dashed)
            kind["failed"] = strokes.heavy
            shaft, crossing = kind.get(status, strokes.solid)
            for place in range(low + 1, high):
                row[place] = shaft if row[place] == " " else crossing
            if end > start:
                row[end - 1] = strokes.right
            else:
                row[end + 1] = strokes.left
        style = status if start != end or status != "ok" else "title"
        parts = (row[:low], row[low : high + 1], row[high + 1 :])
        styles = ("dim", style, "dim")
        return "".join(self.pen.paint("".join(p), s) for p, s in zip(parts, styles, strict=True))
