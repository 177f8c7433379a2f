"""The terminal ladder of a chart.

    2 ✓ done ── Phone ↔ Device Pairing Service ───────────────── at 0:00.012, for 568 ms
      0:00.012  A 12–15    │     ├─────┼─────>│     │    GET /api/DeviceConfig/…

One line an arrow as long as its label fits; no line is wider than it may be, and no name is cut.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissect.model import Arrow, SequenceChart, Step
from dissect.render import headline, text_wrapping, words
from dissect.render.lanes import culprit, explanation, lanes, pause, unsaid
from dissect.render.terminal_style import TerminalStyle, listed

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

    def __init__(
        self, chart: SequenceChart, terminal: TerminalStyle, width: int, column: int = 0
    ) -> None:
        """`column`: cells for what stands in the place of the frames, 0 for those."""
        self.chart, self.terminal, self.width = chart, terminal, width
        self.keys = words.CaptureKeys(chart)
        self.zero_ns = words.start_ns(chart) or 0
        self.culprit = culprit(chart)
        self.lanes = lanes(chart)
        arrows = [arrow for step in chart.steps for arrow in step.arrows]
        frames = (
            text_wrapping.cell_width(terminal.clean(self.keys.frames(arrow))) for arrow in arrows
        )
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
        yield from listed("Diagnostics", unsaid(self.chart), self.terminal, self.width)

    # ---------------------------------------------------------- header

    def header(self) -> Iterator[str]:
        """What became of it, where, of whom; cause, remedy, evidence; what would help."""
        terminal, chart = self.terminal, self.chart
        status, colon, rest = headline.verdict(chart).partition(":")
        first, _, more = status.partition(" ")
        reported = f"{terminal.glyph(chart.status)} {first.upper()} {more}".rstrip() + colon + rest
        for line in terminal.wrap(reported, self.width):
            yield terminal.paint(line, chart.status)
        if where := headline.at(chart):
            for line in terminal.wrap(where, self.width - 2):
                yield "  " + line
        for line in terminal.wrap(headline.whose(chart), self.width - 2, MAX_LABEL_LINES):
            yield "  " + terminal.paint(line, "title")
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
        for index, line in enumerate(
            self.terminal.wrap(text, self.width - _FIELD - 2, MAX_FIELD_LINES)
        ):
            head = text_wrapping.pad("" if index else name, _FIELD)
            yield "  " + self.terminal.paint(head, "key") + line

    def legend(self) -> Iterator[str]:
        terminal = self.terminal
        if self.lanes:
            yield ""
            yield from self._who()
        start = words.started(self.chart)
        captures = ", ".join(self.keys.legend())
        clock = f"0:00.000 is {start}" if start else ""
        if captures or clock:
            yield ""
        for text in filter(None, (captures and f"frames of {captures}", clock)):
            for line in terminal.wrap(text, self.width - 2):
                yield "  " + terminal.paint(line, "dim")
        yield ""

    def _who(self) -> Iterator[str]:
        """A line an actor. The lane heads show idents where titles don't fit, so both are given."""
        terminal, gap = self.terminal, " " * 2
        names = [(terminal.clean(actor.ident), terminal.clean(actor.title)) for actor in self.lanes]
        ident = min(20, max(text_wrapping.cell_width(name) for name, _ in names))
        title = min(30, max(text_wrapping.cell_width(what) for _, what in names))
        column = ident + title + 3 * len(gap)
        for actor, (name, what) in zip(self.lanes, names, strict=True):
            head = (
                f"{gap}{text_wrapping.pad(name, ident)}{gap}{text_wrapping.pad(what, title)}{gap}"
            )
            if text_wrapping.cell_width(head.rstrip()) > self.width:
                yield from (gap + line for line in terminal.wrap(f"{name} {what}", self.width - 2))
                head = gap * 3
            elif actor.where and (self.width - column < MIN_LABEL or len(head) > column):
                # Too wide a name, or too narrow a page: the address goes below.
                yield head.rstrip()
                head = gap * 3
            elif not actor.where:
                yield head.rstrip()
            room = self.width - text_wrapping.cell_width(head)
            for index, line in enumerate(terminal.wrap(actor.where, room) if actor.where else ()):
                yield (" " * text_wrapping.cell_width(head) if index else head) + terminal.paint(
                    line, "dim"
                )

    def heads(self, columns: str = "time  frames") -> Iterator[str]:
        """The names of the lanes, on one line or, staggered, on as many as none is cut on."""
        if not self.ladder or not self.lanes:
            return
        names = [self.terminal.clean(actor.ident) for actor in self.lanes]
        longest = max(map(text_wrapping.cell_width, names))
        fitting = (n for n in range(1, MAX_HEADS) if longest <= self.pitch * n - 1)
        rows = self._heads(names, next(fitting, MAX_HEADS))
        head = text_wrapping.pad(" " * (TIME_COLUMN - 4) + columns, self.indent)
        for index, row in enumerate(rows):
            last = index == len(rows) - 1
            yield self.terminal.paint(
                head if last else " " * self.indent, "dim"
            ) + self.terminal.paint(row, "title")

    def _heads(self, names: list[str], levels: int) -> list[str]:
        """Names centred on their lanes, each on its level; lanes that come later pass through."""
        rows = []
        for level in range(levels):
            row, column = "", 0
            for index, (name, place) in enumerate(zip(names, self.position.values(), strict=True)):
                if index % levels == level:
                    text = text_wrapping.shorten(
                        name, self.pitch * levels - 1, ellipsis=self.terminal.strokes.ellipsis
                    )
                elif index % levels < level:
                    text = self.terminal.strokes.lane
                else:
                    continue
                start = max(column, place - text_wrapping.cell_width(text) // 2)
                row += " " * (start - column) + text
                column = start + text_wrapping.cell_width(text)
            rows.append(row)
        return rows

    # ---------------------------------------------------------- steps

    def band(self, step: Step) -> Iterator[str]:
        terminal, rule = self.terminal, self.terminal.strokes.rule
        status = step.status.upper() if step.status == "failed" else step.status
        head = f"{step.number:>2} {terminal.glyph(step.status)} {status} {rule * 2} "
        time = words.step_time(step, self.zero_ns)
        tail = f" {terminal.clean(time)} {rule * 2}" if time else ""
        room = self.width - len(head) - len(tail)
        if room < min(20, text_wrapping.cell_width(terminal.clean(step.title)) + 2):
            tail, room = "", self.width - len(head)
        title, *rest = terminal.wrap(step.title, room - 2)
        fill = rule * (room - text_wrapping.cell_width(title) - 1)
        yield terminal.paint(head + title, step.status) + terminal.paint(f" {fill}{tail}", "dim")
        for line in terminal.wrap(" ".join(rest), self.width - 5) if rest else ():
            yield "     " + terminal.paint(line, step.status)
        for text in filter(None, (explanation(self.chart, step), self._unmarked_cause(step))):
            for line in terminal.wrap(words.sentence(text), self.width - 5):
                yield "     " + line

    def _unmarked_cause(self, step: Step) -> str | None:
        """The cause, on the band of the stopped step, if no failed arrow can carry it."""
        cause = self.chart.cause
        if cause is None or self.culprit is not None or step.number != self.chart.stopped_at:
            return None
        return f"{self.terminal.glyph('failed')} {words.sentence(cause.text)} [{cause.code}]"

    def gap(self, length_ns: int) -> Iterator[str]:
        text = self.terminal.clean("+" + words.duration(length_ns)).rjust(TIME_COLUMN)
        row = self._row(self.terminal.strokes.gap) if self.ladder else ""
        yield self.terminal.paint(f"{text}{' ' * (self.indent - TIME_COLUMN)}{row}", "dim")

    def arrow(self, arrow: Arrow) -> Iterator[str]:
        terminal = self.terminal
        time = words.clock(arrow.time_ns - self.zero_ns).rjust(TIME_COLUMN)
        frames = terminal.shorten(self.keys.frames(arrow), self.frames)
        lead = terminal.paint(f"{time}  {text_wrapping.pad(frames, self.frames)}  ", "dim")
        texts = list(self._texts(arrow))
        if self.ladder:
            drawn = self._drawn(arrow.sender, arrow.receiver, arrow.status)
            blank = " " * self.indent + terminal.paint(self._row(terminal.strokes.lane), "dim")
            for index, text in enumerate(texts):
                yield (blank if index else lead + drawn) + "  " + text
            return
        names = f"{arrow.sender} {terminal.strokes.to} {arrow.receiver}"
        style = arrow.status if arrow.status == "failed" else "title"
        yield lead + terminal.paint(terminal.shorten(names, self.width - self.indent), style)
        for text in texts:
            yield "    " + text

    def _texts(self, arrow: Arrow) -> Iterator[str]:
        """Label, note and cause, painted, each line fitting the label's column."""
        terminal, room = self.terminal, self.width - self.label
        mark = arrow.status in ("failed", "inferred", "hidden")
        text = f"{terminal.glyph(arrow.status)} {arrow.label}" if mark else arrow.label
        often = words.repeats(arrow)
        style = "ok" if arrow.status == "ok" else arrow.status
        lines = terminal.wrap(text, room, MAX_LABEL_LINES)
        if often and text_wrapping.cell_width(lines[-1]) + len(often) + 3 <= room:
            lines[-1] += f" ({terminal.clean(often)})"
            often = ""
        for line in lines:
            yield terminal.paint(line, style)
        if often:
            for line in terminal.wrap(f"({often})", room):
                yield terminal.paint(line, style)
        if arrow.note:
            for line in terminal.wrap(arrow.note, room, MAX_LABEL_LINES):
                yield terminal.paint(line, "dim")
        if arrow is self.culprit and self.chart.cause:
            cause = self.chart.cause
            for line in terminal.wrap(f"{words.sentence(cause.text)} [{cause.code}]", room):
                yield terminal.paint(line, "failed")

    def _row(self, lane: str) -> str:
        row = [" "] * (self.pitch * len(self.lanes))
        for place in self.position.values():
            row[place] = lane
        return "".join(row)

    def _drawn(self, sender: str, receiver: str, status: str) -> str:
        """The lanes with the arrow on them."""
        strokes = self.terminal.strokes
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
        return "".join(
            self.terminal.paint("".join(p), s) for p, s in zip(parts, styles, strict=True)
        )
