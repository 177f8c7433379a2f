"""SequenceChart → blocks of placed primitives, shared by all picture formats.

From left to right a page has: time column, time axis, one lane an actor, frames column.
Each arrow has a row of its own, so a label may be wider than its arrow and still overlaps
nothing; what does not fit is wrapped, then shortened.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissect.model import Arrow, SequenceChart, Step
from dissect.render import words
from dissect.render.canvas import Canvas
from dissect.render.lane_heads import SMALL, rotated_heads, upright_heads
from dissect.render.lanes import culprit, elided, explanation, lanes, pause
from dissect.render.primitives import (
    ASCENT,
    LINE_SPACING,
    MARGIN,
    PAGE_WIDTH,
    Block,
    BlockGroup,
    Box,
    Font,
    Item,
    Line,
    Text,
    Tip,
)

BODY, STEP = 7.5, 9.0
LEFT, RIGHT = MARGIN, PAGE_WIDTH - MARGIN
MAX_FRAMES_WIDTH = 66.0
LABEL_WIDTH = 280.0
CALLOUT_WIDTH = 300.0
ROTATE_BELOW = 42.0  # lanes narrower than this have their names written upwards
TIP = 5.0
_LINE = BODY * LINE_SPACING
_SMALL_LINE = SMALL * LINE_SPACING


class Rows:
    """The lanes of a chart and the rows below their heads."""

    def __init__(self, chart: SequenceChart, font: Font, max_arrows: int) -> None:
        self.chart, self.canvas = chart, Canvas(font)
        self.keys = words.CaptureKeys(chart)
        self.zero_ns = words.start_ns(chart) or 0
        self.culprit = culprit(chart)
        self.actors = lanes(chart)
        arrows = [arrow for step in chart.steps for arrow in step.arrows]
        self.share = min(1.0, max_arrows / max(1, len(arrows)))
        frames = [self.canvas.width(self.keys.frames(arrow), SMALL) for arrow in arrows]
        self.frames_width = min(MAX_FRAMES_WIDTH, max(frames, default=0.0))
        self.lanes_right = RIGHT - self.frames_width - 6
        times = [self.canvas.width(self._clock(arrow), SMALL) for arrow in arrows]
        self.axis = LEFT + max(30.0, *times, 0.0) + 5
        self.lanes_left = self.axis + 4
        self.drawn = 0
        self.spread()

    def spread(self) -> None:
        """Put the lanes side by side, from `lanes_left` to `lanes_right`."""
        self.pitch = (self.lanes_right - self.lanes_left) / max(1, len(self.actors))
        self.position = {
            actor.ident: self.lanes_left + (index + 0.5) * self.pitch
            for index, actor in enumerate(self.actors)
        }

    def _clock(self, arrow: Arrow) -> str:
        return words.clock(arrow.time_ns - self.zero_ns)

    @property
    def rotated(self) -> bool:
        return self.pitch < ROTATE_BELOW

    # ---------------------------------------------------------- heads

    def heads(self, compact: bool = False) -> Block:
        """A box an actor: title, host, addresses; `compact` for the next pages: title."""
        if not self.actors:
            return Block(0, ())
        if self.rotated:
            return rotated_heads(self.canvas, self.actors, self.position, self.pitch)
        return upright_heads(self.canvas, self.actors, self.position, self.pitch, compact)

    # ---------------------------------------------------------- steps

    def step(self, step: Step) -> BlockGroup:
        blocks = [self.band(step)]
        before: Arrow | None = None
        for arrow in elided(step.arrows, self.share):
            if isinstance(arrow, int):
                blocks.append(self.elision(arrow))
                before = None
                continue
            length = pause(before, arrow)
            if length is not None:
                blocks.append(self.fold(length))
            blocks.append(self.arrow(arrow))
            before = arrow
        again = self.band(step, again=True) if len(blocks) > 1 else None
        return BlockGroup((*blocks, Block(5, (), laned=True)), again)

    def band(self, step: Step, again: bool = False) -> Block:
        """The strip that opens a step: number, title, when, status; why below them."""
        canvas = self.canvas
        word = f"{words.GLYPHS.get(step.status, '')} {step.status}"
        when = words.step_time(step, self.zero_ns)
        word_width = canvas.width(word, STEP, True)
        when_width = canvas.width(when, SMALL)
        left = LEFT + 24
        room = RIGHT - 8 - word_width - 10 - (when_width + 10 if when else 0) - left
        title = canvas.wrap(
            step.title + (" (continued)" if again else ""), room, STEP, True, lines=2
        )
        y = 3 + STEP * ASCENT
        items: list[Item] = [
            Text(left, y + index * STEP * LINE_SPACING, line, "ink", STEP, True)
            for index, line in enumerate(title)
        ]
        items.append(Text(RIGHT - 8, y, word, step.status, STEP, True, "right"))
        if when:
            items.append(Text(RIGHT - 18 - word_width, y, when, "soft", SMALL, align="right"))
        number = canvas.shown(str(step.number))
        items.append(Text(LEFT + 12, y, number, "on-badge", STEP, True, "center"))
        height = 3 + len(title) * STEP * LINE_SPACING + 2
        badge = max(13.0, canvas.width(number, STEP, True) + 5)
        if not again:
            for text, role, bold in self._reasons(step):
                for line in canvas.wrap(text, RIGHT - left - 8, BODY, bold, 4):
                    items.append(Text(left, height + BODY * ASCENT - 1, line, role, BODY, bold))
                    height += _LINE
            height += 1
        ground = [
            Box(LEFT, 0, RIGHT - LEFT, height, f"band-{step.status}", 2, above=True),
            Box(LEFT + 12 - badge / 2, y - 10, badge, 13, f"badge-{step.status}", 6.5, above=True),
        ]
        return Block(height + 4, (*ground, *items), laned=True)

    def _reasons(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        why = explanation(self.chart, step)
        if why:
            yield words.sentence(why), "ink", False
        cause = self.chart.cause
        if cause and self.culprit is None and step.number == self.chart.stopped_at:
            # No failed arrow can carry the cause, so the band does.
            yield (
                f"{words.GLYPHS['failed']} {words.sentence(cause.text)} [{cause.code}]",
                "failed",
                True,
            )

    def fold(self, length_ns: int) -> Block:
        """A break of the time axis."""
        text = "+" + words.duration(length_ns)
        return Block(13, (
            Box(self.axis - 3, 4.5, 6, 4, "paper"),
            Line(((self.axis - 3.5, 6), (self.axis + 3.5, 3)), "axis", 1.0),
            Line(((self.axis - 3.5, 10), (self.axis + 3.5, 7)), "axis", 1.0),
            Text(self.axis - 5, 9, text, "soft", SMALL, True, "right"),
        ), laned=True)  # fmt: skip

    def elision(self, count: int) -> Block:
        text = f"… {count} more arrows are not drawn here; text and JSON have them all"
        width = self.canvas.width(text, BODY)
        x = (self.lanes_left + self.lanes_right) / 2
        return Block(16, (
            Box(x - width / 2 - 4, 2, width + 8, 12, "note", 2, dashed=True),
            Text(x, 10.6, text, "soft", BODY, align="center"),
        ), laned=True)  # fmt: skip

    # ---------------------------------------------------------- arrows

    def arrow(self, arrow: Arrow) -> Block:
        self.drawn += 1
        items: list[Item] = []
        if arrow.sender == arrow.receiver:
            y, height = self._note_box(arrow, items)
        else:
            y, height = self._shaft(arrow, items)
        height = self._note(arrow, height, items)
        if arrow is self.culprit:
            height = self._callout(arrow, y, height, items)
        items.append(Line(((self.axis - 2.5, y), (self.axis, y)), "axis", 0.8))
        time = self._clock(arrow)
        role = "failed" if arrow.status == "failed" else "soft"
        items.append(Text(self.axis - 5, y + 2.5, time, role, SMALL, align="right"))
        frames = self.canvas.wrap(self.keys.frames(arrow), self.frames_width, SMALL, lines=2)
        for index, line in enumerate(frames):
            base = y + 2.5 + index * _SMALL_LINE
            items.append(Text(self.lanes_right + 6, base, line, role, SMALL))
            height = max(height, base + 2.5)
        return Block(height + 3, tuple(items), laned=True)

    def _label(self, arrow: Arrow) -> str:
        marked = arrow.status in ("failed", "inferred", "hidden")
        often = words.repeats(arrow)
        label = f"{words.GLYPHS[arrow.status]} {arrow.label}" if marked else arrow.label
        return f"{label} ({often})" if often else label

    def _fit(self, x: float, width: float) -> float:
        """The centre nearest to `x` at which something `width` wide stays in the lanes."""
        low, high = self.lanes_left + width / 2, self.lanes_right - width / 2
        return max(low, min(high, x)) if low < high else (self.lanes_left + self.lanes_right) / 2

    def _centred(
        self, lines: list[str], x: float, y: float, role: str, size: float, bold: bool,
        items: list[Item], ground: bool = True,
    ) -> None:  # fmt: skip
        """Lines centred as near to `x` as the lanes allow, on a ground that hides lifelines."""
        width = max(self.canvas.width(line, size, bold) for line in lines)
        step = size * LINE_SPACING
        x = self._fit(x, width + 4)
        if ground:
            items.append(Box(x - width / 2 - 2, y, width + 4, len(lines) * step, "paper"))
        for index, line in enumerate(lines):
            base = y + index * step + size * ASCENT
            items.append(Text(x, base, line, role, size, bold, "center"))

    def _shaft(self, arrow: Arrow, items: list[Item]) -> tuple[float, float]:
        """Label and shaft; returns the shaft's y and the height used."""
        start, end = self.position[arrow.sender], self.position[arrow.receiver]
        failed = arrow.status == "failed"
        room = min(self.lanes_right - self.lanes_left - 4, max(LABEL_WIDTH, abs(end - start) - 12))
        lines = self.canvas.balance(self._label(arrow), room, BODY, failed, 3)
        self._centred(lines, (start + end) / 2, 1.5, arrow.status, BODY, failed, items)
        y = 1.5 + len(lines) * _LINE + 3
        way = 1 if end > start else -1
        dashed = arrow.status in ("inferred", "hidden")
        weight = 2.0 if failed else 1.0
        title = f"{arrow.label}: {words.evidence(arrow.source)}"
        items.append(
            Line(
                ((start, y), (end - way * TIP * 0.8, y)),
                arrow.status, weight, dashed, f"arrow-{self.drawn}", title,
            )
        )  # fmt: skip
        tip = TIP * (1.2 if failed else 1.0)
        corners = ((end, y), (end - way * tip, y - tip * 0.55), (end - way * tip, y + tip * 0.55))
        items.append(Tip(corners, arrow.status, filled=not dashed))
        return y, y + 4

    def _note_box(self, arrow: Arrow, items: list[Item]) -> tuple[float, float]:
        """An arrow to oneself: a box on the lane."""
        failed = arrow.status == "failed"
        x = self.position[arrow.sender]
        side = min(x - self.lanes_left, self.lanes_right - x)
        room = min(self.lanes_right - self.lanes_left - 14, LABEL_WIDTH, max(150, side * 2 - 14))
        lines = self.canvas.balance(self._label(arrow), room, BODY, failed, 3)
        width = max(self.canvas.width(line, BODY, failed) for line in lines) + 10
        x = self._fit(x, width + 2)
        height = len(lines) * _LINE + 4
        role = "callout-failed" if failed else "note"
        dashed = arrow.status in ("inferred", "hidden")
        items.append(Box(x - width / 2, 2, width, height, role, 2, dashed))
        self._centred(lines, x, 4, arrow.status, BODY, failed, items, ground=False)
        return 2 + height / 2, 2 + height + 1

    def _note(self, arrow: Arrow, y: float, items: list[Item]) -> float:
        if not arrow.note:
            return y
        middle = (self.position[arrow.sender] + self.position[arrow.receiver]) / 2
        lines = self.canvas.balance(arrow.note, LABEL_WIDTH, SMALL, False, 3)
        self._centred(lines, middle, y, "soft", SMALL, False, items)
        return y + len(lines) * _SMALL_LINE + 1

    def _callout(self, arrow: Arrow, shaft: float, y: float, items: list[Item]) -> float:
        """The cause, in a box that points at its arrow."""
        cause = self.chart.cause
        if cause is None:
            return y
        room = min(CALLOUT_WIDTH, self.lanes_right - self.lanes_left) - 12
        texts = (
            (words.sentence(cause.text), "failed", BODY, True, 5),
            (cause.code, "ink", SMALL, False, 1),
            (words.evidence_list(cause.evidence, 2), "soft", SMALL, False, 3),
        )
        lines = [
            (line, role, size, bold)
            for text, role, size, bold, most in texts
            if text
            for line in self.canvas.wrap(text, room, size, bold, most)
        ]
        width = max(self.canvas.width(t, s, b) for t, _, s, b in lines) + 12
        height = sum(size for _, _, size, _ in lines) * LINE_SPACING + 7
        start, end = self.position[arrow.sender], self.position[arrow.receiver]
        x = self._fit((start + end) / 2, width)
        tip = max(x - width / 2 + 8, min(x + width / 2 - 8, (start + end) / 2))
        top = y + 5
        reach = top - 4 if y > shaft + 8 else shaft + 2
        items.append(Box(x - width / 2, top, width, height, "callout-failed", 3))
        items.append(Tip(((tip, reach), (tip - 4, top), (tip + 4, top)), "callout-failed"))
        line_y = top + 3.5
        for text, role, size, bold in lines:
            items.append(Text(x - width / 2 + 6, line_y + size * ASCENT, text, role, size, bold))
            line_y += size * LINE_SPACING
        return top + height + 2

    def lifelines(self, top: float, bottom: float) -> list[Item]:
        """The time axis and a line an actor, from `top` to `bottom`."""
        lines: list[Item] = [
            Line(((x, top), (x, bottom)), "lane", 0.8) for x in self.position.values()
        ]
        if self.actors:
            lines.append(Line(((self.axis, top), (self.axis, bottom)), "axis", 0.8))
        return lines
