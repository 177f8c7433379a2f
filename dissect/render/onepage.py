"""The overview of a sign-in as a page: verdict, lanes, one numbered arrow a step, what failed in a
callout, and under it verdict and evidence. A4 portrait; one of very many steps goes on overleaf.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dissect.model import SequenceChart
from dissect.render import headline, words
from dissect.render.layout import LEFT, RIGHT, TIP, Rows
from dissect.render.overview import Overview, Stroke, overview
from dissect.render.paging import Pager, footed
from dissect.render.primitives import (
    ASCENT,
    LINE_SPACING,
    Block,
    Box,
    Font,
    Item,
    Line,
    Page,
    Text,
    Tip,
    text_block,
)

TITLE, VERDICT, LABEL, BODY, SMALL = 14.0, 12.0, 9.5, 8.0, 7.0
TIME_WIDTH, STATUS_WIDTH = 56.0, 58.0
BADGE = 7.5  # radius of a step's number
LABEL_WIDTH = 190.0
CALLOUT_WIDTH = 330.0
WHY_LINES = 3
_ROOM = RIGHT - LEFT
_FIELD = 56.0

Field = tuple[str, str, int]


def overview_pages(
    chart: SequenceChart, font: Font, product: str, *, tall: bool, mark: str = ""
) -> list[Page]:
    """The overview on A4 pages (one, but for flows of more steps than it holds), or, `tall`, on
    one page that ends where it does. `mark` is its place among several ("3 of 5")."""
    found = _laid_out(_Sheet(overview(chart), font, mark), product, tall)
    if len(found) > 1:
        found = _laid_out(_Sheet(overview(chart), font, mark, tight=True), product, tall)
    return found


def _laid_out(sheet: _Sheet, product: str, tall: bool) -> list[Page]:
    pager = Pager(sheet, tall)
    for block in sheet.header():
        pager.put(block)
    if sheet.actors:
        pager.heads()
    for stroke in sheet.view.strokes:
        pager.put(sheet.stroke(stroke))
    pager.put(Block(4, (), laned=True))
    pager.close_lanes()
    for block in sheet.ending():
        pager.put(block)
    return footed(pager, sheet, product)


class _Sheet(Rows):
    """The lanes of the ladder, with a column for times and one for what became of each step."""

    def __init__(self, view: Overview, font: Font, mark: str, *, tight: bool = False) -> None:
        super().__init__(view.chart, font, 1)
        self.view, self.mark, self.tight = view, mark, tight
        self.axis = LEFT + TIME_WIDTH
        self.lanes_left = self.axis + 2
        self.lanes_right = RIGHT - STATUS_WIDTH
        self.spread()

    def heads(self, compact: bool = False) -> Block:
        """Titles, and on the first page an address: names, which are long, stand at the end."""
        if compact or self.rotated:
            return super().heads(compact)
        bare = (replace(a, host=None, addresses=a.addresses[:1], names=()) for a in self.actors)
        full, self.actors = self.actors, tuple(bare)
        block = super().heads()
        self.actors = full
        return block

    # ---------------------------------------------------------- above and below the lanes

    def header(self) -> Iterator[Block]:
        chart, canvas = self.chart, self.canvas
        yield text_block(canvas.wrap(chart.title, _ROOM, TITLE, True, 2), LEFT, "ink", TITLE, True)
        whom = ", ".join(filter(None, (self.mark, chart.subject, chart.device)))
        if whom:
            lines = canvas.wrap(whom, _ROOM, BODY + 1, lines=2)
            yield text_block(lines, LEFT, "soft", BODY + 1)
        yield Block(6, ())
        yield self._box(headline.verdict(chart), headline.at(chart), VERDICT, self._advice())
        yield Block(9, ())

    def ending(self) -> Iterator[Block]:
        """Verdict and evidence, what is reported the captures, what strokes mean."""
        chart, cause = self.chart, self.chart.cause
        fields: list[Field] = []
        if cause is not None and not any(stroke.blamed for stroke in self.view.strokes):
            fields += self._reason()
        fields.append(("Evidence", headline.evidence(chart), 4))
        if cause is not None:
            fields += [
                ("Reference", f"{name} {value}{words.identified(cause)}", 2)
                for name, value in list(cause.identifiers.items())[:4]
            ]
        yield Block(6, ())
        yield self._box(headline.last_line(chart), "", LABEL + 0.5, fields)
        yield Block(6, ())
        start = words.started(chart)
        names = self.keys.legend()
        facts = [f"0:00.000 is {start}."] if start else []
        facts += [f"Frames of {', '.join(names)}."] if names else []
        where = (f"{a.title} {a.where}" for a in self.actors if a.where)
        facts.append(" · ".join(where))
        facts.append(
            "Solid: read in the capture. Dashed: inferred (≈), hidden by encryption (?) or not "
            "there (–). Thick and red: failed (✗)."
        )
        for fact in filter(None, facts):
            yield text_block(self.canvas.wrap(fact, _ROOM, SMALL, lines=6), LEFT, "soft", SMALL)

    def _box(self, verdict: str, where: str, size: float, fields: Sequence[Field]) -> Block:
        """The verdict on its ground, with `fields` (name, text, lines at most) below it."""
        chart, canvas = self.chart, self.canvas
        wording = words.sentence(verdict)
        glyph = words.GLYPHS.get(chart.status, "")
        items: list[Item] = []
        y = 6.0
        for line in canvas.wrap(f"{glyph} {wording}", _ROOM - 24, size, True, 3):
            items.append(Text(LEFT + 12, y + size * ASCENT, line, chart.status, size, True))
            y += size * LINE_SPACING
        for line in canvas.wrap(words.sentence(where), _ROOM - 24, LABEL, lines=2) if where else ():
            items.append(Text(LEFT + 12, y + LABEL * ASCENT, line, "ink", LABEL))
            y += LABEL * LINE_SPACING
        for name, text, most in fields:
            if not text:
                continue
            y += 1.5
            items.append(Text(LEFT + 12, y + BODY * ASCENT, name, "soft", BODY))
            for line in canvas.wrap(text, _ROOM - 24 - _FIELD, BODY, lines=most):
                items.append(Text(LEFT + 12 + _FIELD, y + BODY * ASCENT, line, "ink", BODY))
                y += BODY * LINE_SPACING
        y += 6
        ground = (
            Box(LEFT, 0, _ROOM, y, f"callout-{chart.status}", 3),
            Box(LEFT, 0, 4, y, f"badge-{chart.status}"),
        )
        return Block(y, (*ground, *items))

    def _advice(self) -> list[Field]:
        reported = self.chart.advice
        return [("What to do", words.sentence(reported), 7)] if reported else []

    def _reason(self) -> list[Field]:
        cause = self.chart.cause
        if cause is None:
            return []
        text = f"{words.sentence(cause.text)} [{cause.code}]"
        return [("Cause", text, 5), ("Remedy", words.sentence(cause.remedy), 4)]

    # ---------------------------------------------------------- arrows

    def stroke(self, stroke: Stroke) -> Block:
        """An arrow with its number, label, time and status; the blamed one with its callout."""
        items: list[Item] = []
        top = (3.0 if self.tight else 7.0) if stroke.opens else 1.0 if self.tight else 2.0
        role = "ink" if stroke.status == "done" else stroke.status
        known = stroke.sender in self.position and stroke.receiver in self.position
        start = self.position[stroke.sender] if known else (self.lanes_left + self.lanes_right) / 2
        end = self.position[stroke.receiver] if known else start
        way = 1 if end >= start else -1
        room = min(self.lanes_right - self.lanes_left - 8, max(LABEL_WIDTH, abs(end - start) - 30))
        lines = self.canvas.balance(stroke.label, room, LABEL, True, 3)
        middle = (start + end) / 2 if known and start != end else start
        self._centred(lines, middle, top, role, LABEL, True, items)
        y = top + len(lines) * LABEL * LINE_SPACING + BADGE + 1
        if start != end:
            self._arrow(stroke, start, end, way, y, items)
        self._badge(stroke, start, y, items)
        self._margins(stroke, y, items)
        height = y + BADGE + (1 if self.tight else 3)
        if stroke.blamed and self.chart.cause is not None:
            height = self._explained(middle, height, items)
        elif self._untold(stroke):
            height = self._whispered(stroke.why, height, items)
        return Block(height + 2, tuple(items), laned=True)

    def _untold(self, stroke: Stroke) -> bool:
        """Whether it has to be reported here why a step is hidden or missing: not of those that
        wait for the one that failed, nor where the verdict says it."""
        reported = headline.headline(self.chart)
        if stroke.status == "hidden" and headline.unseen(self.chart):
            return False
        return stroke.why not in ("", reported) and self.chart.stopped_at in (None, stroke.number)

    def _arrow(
        self, stroke: Stroke, start: float, end: float, way: int, y: float, items: list[Item]
    ) -> None:
        failed = stroke.status == "failed"
        role = "ok" if stroke.status == "done" else stroke.status
        dashed = stroke.status in ("inferred", "hidden", "missing")
        tip = TIP * (1.5 if failed else 1.2)
        items.append(
            Line(
                ((start + way * BADGE, y), (end - way * tip * 0.8, y)),
                role, 2.6 if failed else 1.5, dashed,
                f"arrow-{self.drawn + 1}", f"{stroke.number} {stroke.label}",
            )
        )  # fmt: skip
        self.drawn += 1
        corners = ((end, y), (end - way * tip, y - tip * 0.6), (end - way * tip, y + tip * 0.6))
        items.append(Tip(corners, role, filled=not dashed))

    def _badge(self, stroke: Stroke, x: float, y: float, items: list[Item]) -> None:
        """The step's number where its arrow begins."""
        number = self.canvas.shown(str(stroke.number))
        width = max(BADGE * 2, self.canvas.width(number, LABEL, True) + 6)
        hollow = stroke.status == "missing"
        role = f"{'callout' if hollow else 'badge'}-{stroke.status}"
        ink = stroke.status if hollow else "on-badge"
        items.append(
            Box(x - width / 2, y - BADGE, width, BADGE * 2, role, BADGE, hollow, above=True)
        )
        items.append(Text(x, y + LABEL * 0.36, number, ink, LABEL, True, "center"))

    def _margins(self, stroke: Stroke, y: float, items: list[Item]) -> None:
        """When and for how long on the left; what became of it, and where, on the right."""
        failed = stroke.status == "failed"
        role = "failed" if failed else "ink"
        if stroke.clock:
            at = y - 1 if stroke.took else y + 2.5
            items.append(Text(self.axis - 8, at, stroke.clock, role, BODY, failed, "right"))
        if stroke.took and stroke.clock:
            took = self.canvas.shorten(stroke.took, TIME_WIDTH - 8, SMALL)
            items.append(Text(self.axis - 8, y + 8, took, "soft", SMALL, align="right"))
        word = f"{words.GLYPHS.get(stroke.status, '')} {stroke.status}"
        x = self.lanes_right + 6
        at = y - 1 if stroke.frames else y + 2.5
        items.append(Text(x, at, word, stroke.status, BODY, True))
        if stroke.frames:
            frames = self.canvas.shorten(stroke.frames, STATUS_WIDTH - 8, SMALL)
            items.append(Text(x, y + 8, frames, "soft", SMALL))

    def _explained(self, middle: float, y: float, items: list[Item]) -> float:
        """Cause and remedy in a box that points at the arrow above."""
        cause = self.chart.cause
        if cause is None:
            return y
        role = "failed" if self.chart.status == "failed" else self.chart.status
        room = min(CALLOUT_WIDTH, self.lanes_right - self.lanes_left) - 16
        texts = (
            (words.sentence(cause.text), role, BODY, True, 6),
            (f"Remedy: {words.sentence(cause.remedy)}" if cause.remedy else "", "ink", BODY,
             False, 5),
            (cause.code, "soft", SMALL, False, 1),
        )  # fmt: skip
        lines = [
            (line, role, size, bold)
            for text, role, size, bold, most in texts
            if text
            for line in self.canvas.wrap(text, room, size, bold, most)
        ]
        width = max(self.canvas.width(t, s, b) for t, _, s, b in lines) + 16
        height = sum(size for _, _, size, _ in lines) * LINE_SPACING + 9
        x = self._fit(middle, width)
        tip = max(x - width / 2 + 9, min(x + width / 2 - 9, middle))
        top = y + 5
        items.append(Box(x - width / 2, top, width, height, f"callout-{role}", 3))
        items.append(Tip(((tip, top - 5), (tip - 5, top), (tip + 5, top)), f"callout-{role}"))
        line_y = top + 4.5
        for text, ink, size, bold in lines:
            items.append(Text(x - width / 2 + 8, line_y + size * ASCENT, text, ink, size, bold))
            line_y += size * LINE_SPACING
        return top + height + 3

    def _whispered(self, why: str, y: float, items: list[Item]) -> float:
        room = self.lanes_right - self.lanes_left - 8
        lines = self.canvas.wrap(words.sentence(why), room, SMALL, lines=WHY_LINES)
        self._centred(
            lines, (self.lanes_left + self.lanes_right) / 2, y, "soft", SMALL, False, items
        )
        return y + len(lines) * SMALL * LINE_SPACING + 1
