"""Blocks → pages: where the picture is cut, and what is repeated after the cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dissect.model import SequenceChart, Step
from dissect.render import headline, words
from dissect.render.canvas import Canvas
from dissect.render.lane_heads import SMALL
from dissect.render.lanes import unsaid
from dissect.render.layout import BODY, LEFT, RIGHT, STEP, Rows
from dissect.render.primitives import (
    ASCENT,
    LINE_SPACING,
    MARGIN,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    Block,
    BlockGroup,
    Box,
    Font,
    Item,
    Page,
    Text,
    text_block,
)

TITLE, VERDICT = 13.0, 11.0
FOOTER_HEIGHT = 16.0
CHIPS_UP_TO = 12
MAX_DIAGNOSTICS = 60
_ROOM = RIGHT - LEFT


class Pager:
    """Stacks blocks; opens a new page, with lane heads repeated, where one is full.

    `tall` pictures are one page: cuts are made at the same places so that heads are never
    far away, but the pieces follow each other.
    """

    def __init__(self, rows: Rows, tall: bool) -> None:
        self.rows, self.tall = rows, tall
        self.limit = PAGE_HEIGHT - MARGIN - FOOTER_HEIGHT
        self.pages: list[list[tuple[float, Item]]] = [[]]
        self.y = MARGIN
        self.begin = self.y  # of the current page, or of the piece of a tall picture
        self.lanes_from: float | None = None
        self.full_heads = True  # the next heads are the chart's first

    @property
    def room(self) -> float:
        return self.limit - MARGIN - (self.y - self.begin)

    def put(self, block: Block) -> None:
        if block.height > self.room and self.y > self.begin:
            self.cut(heads=block.laned)
        self._place(block)

    def _place(self, block: Block) -> None:
        self.pages[-1].extend((self.y, item) for item in block.items)
        self.y += block.height

    def heads(self) -> None:
        self._place(self.rows.heads(compact=not self.full_heads))
        self.full_heads = False
        self.lanes_from = self.y - 3

    def close_lanes(self) -> None:
        """End the lifelines here."""
        if self.lanes_from is not None and self.y > self.lanes_from:
            lines = self.rows.lifelines(self.lanes_from, self.y)
            self.pages[-1][:0] = [(0.0, line) for line in lines]
        self.lanes_from = None

    def cut(self, heads: bool) -> None:
        self.close_lanes()
        if self.tall:
            self.y += 6 if heads else 0
            self.begin = self.y
        else:
            self.pages.append([])
            self.y = self.begin = MARGIN
        if heads:
            self.heads()

    def group(self, group: BlockGroup) -> None:
        """A step: whole, if a page can hold it; else torn between its rows."""
        blocks = sum(block.height for block in group.blocks)
        heads = self.rows.heads(compact=not self.full_heads).height
        fresh = self.limit - MARGIN - heads
        room = self.room - (heads if self.full_heads else 0)
        first = sum(block.height for block in group.blocks[:3])
        # The first page is not left with the header alone: its step may be torn.
        whole = blocks <= fresh and not (self.full_heads and room > fresh / 2)
        if blocks > room and (whole or first > room) and self.y > self.begin:
            self.cut(heads=True)
        elif self.full_heads:
            self.heads()
        for index, block in enumerate(group.blocks):
            if block.height > self.room and index:
                if not block.items:
                    continue  # mere space needs no page of its own
                self.cut(heads=True)
                if group.again:
                    self._place(group.again)
            self._place(block)


def pages(
    chart: SequenceChart, font: Font, product: str, *, tall: bool, max_arrows: int, mark: str = ""
) -> list[Page]:
    """The chart on A4 pages, or on one `tall` page of A4 width. At least one page. `mark` is its
    place among several ("3 of 5")."""
    rows = Rows(chart, font, max_arrows)
    canvas = rows.canvas
    pager = Pager(rows, tall)
    for block in _header(chart, rows, mark):
        pager.put(block)
    for step in chart.steps:
        pager.group(rows.step(step))
    if not chart.steps and chart.actors:
        pager.heads()
    pager.close_lanes()
    for block in _ending(chart, canvas):
        pager.put(block)
    return footed(pager, rows, product)


def footed(pager: Pager, rows: Rows, product: str) -> list[Page]:
    """What was put on a pager as pages, each with the captures' names, and its number."""
    canvas, tall = rows.canvas, pager.tall
    names = " · ".join(rows.keys.legend())
    result = []
    for number, items in enumerate(pager.pages, 1):
        height = pager.y + FOOTER_HEIGHT + MARGIN / 2 if tall else PAGE_HEIGHT
        place = product if tall else f"{product} · page {number} of {len(pager.pages)}"
        y = height - MARGIN / 2 - 2 if tall else PAGE_HEIGHT - MARGIN
        left = canvas.shorten(names, _ROOM - canvas.width(place, SMALL) - 20, SMALL)
        items.append((0.0, Text(LEFT, y, left, "soft", SMALL)))
        items.append((0.0, Text(RIGHT, y, place, "soft", SMALL, align="right")))
        result.append(Page(PAGE_WIDTH, height, tuple(items)))
    return result


def renumbered(page: Page, place: str) -> Page:
    """`page` with another number in its foot: the last thing that was put on it."""
    dy, last = page.items[-1]
    foot = replace(last, text=place) if isinstance(last, Text) else last
    return replace(page, items=(*page.items[:-1], (dy, foot)))


def _space(height: float) -> Block:
    return Block(height, ())


def _header(chart: SequenceChart, rows: Rows, mark: str) -> Iterator[Block]:
    """Title, verdict with cause and remedy, the steps at a glance, what the captures are."""
    canvas = rows.canvas
    yield text_block(canvas.wrap(chart.title, _ROOM, TITLE, True, 2), LEFT, "ink", TITLE, True)
    whom = ", ".join(filter(None, (mark, chart.subject)))
    if whom:
        lines = canvas.wrap(whom, _ROOM, BODY + 1, lines=2)
        yield text_block(lines, LEFT, "soft", BODY + 1)
    yield _space(5)
    yield _verdict(chart, canvas)
    yield _space(5)
    if 0 < len(chart.steps) <= CHIPS_UP_TO:
        yield _chips(chart.steps, chart.stopped_at, canvas)
        yield _space(5)
    names = rows.keys.legend()
    start = words.started(chart)
    facts = [f"0:00.000 is {start}."] if start else []
    facts += [f"Frames of {', '.join(names)}."] if names else []
    if facts:
        lines = canvas.wrap(" ".join(facts), _ROOM, SMALL, lines=4)
        yield text_block(lines, LEFT, "soft", SMALL)
    if rows.rotated:
        for actor in rows.actors:
            lines = canvas.wrap(f"{actor.title}: {actor.where}", _ROOM, SMALL, lines=2)
            yield text_block(lines, LEFT, "soft", SMALL)
    yield _space(6)


def _verdict(chart: SequenceChart, canvas: Canvas) -> Block:
    head = f"{words.GLYPHS.get(chart.status, '')} {words.sentence(headline.verdict(chart))}"
    lines = canvas.wrap(head, _ROOM - 24, VERDICT, True, 3)
    y = 6.0
    items: list[Item] = []
    for line in lines:
        items.append(Text(LEFT + 12, y + VERDICT * ASCENT, line, chart.status, VERDICT, True))
        y += VERDICT * LINE_SPACING
    where = headline.at(chart)
    for line in canvas.wrap(words.sentence(where), _ROOM - 24, STEP, lines=2) if where else ():
        items.append(Text(LEFT + 12, y + STEP * ASCENT, line, "ink", STEP))
        y += STEP * LINE_SPACING
    fields = _fields(chart)
    if fields:
        y += 2
        size = BODY + 0.5
        for name, text, most in fields[:9]:
            if not text:
                continue
            base = y + size * ASCENT
            items.append(Text(LEFT + 12, base, name, "soft", size))
            for line in canvas.wrap(text, _ROOM - 24 - 52, size, lines=most):
                base = y + size * ASCENT
                items.append(Text(LEFT + 64, base, line, "ink", size))
                y += size * LINE_SPACING
    y += 5
    ground = (
        Box(LEFT, 0, _ROOM, y, f"callout-{chart.status}", 3),
        Box(LEFT, 0, 4, y, f"badge-{chart.status}"),
    )
    return Block(y, (*ground, *items))


def _fields(chart: SequenceChart) -> list[tuple[str, str, int]]:
    """What stands below a verdict: name, text, lines at most."""
    fields = []
    if chart.cause:
        cause = chart.cause
        fields = [
            ("Cause", f"{words.sentence(cause.text)} [{cause.code}]", 5),
            ("Remedy", words.sentence(cause.remedy), 5),
            ("Evidence", headline.evidence(chart), 3),
            *(
                ("Reference", f"{name} {value}{words.identified(cause)}", 2)
                for name, value in cause.identifiers.items()
            ),
        ]
    if chart.advice:
        fields.append(("What to do", words.sentence(chart.advice), 6))
    return fields


def _chips(steps: tuple[Step, ...], stopped_at: int | None, canvas: Canvas) -> Block:
    """The steps side by side: number, status, title."""
    gap = 3.0
    width = (_ROOM - gap * (len(steps) - 1)) / len(steps)
    items: list[Item] = []
    height = 0.0
    for index, step in enumerate(steps):
        x = LEFT + index * (width + gap)
        # Too narrow for a word, a chip still has its number and glyph.
        head = f"{step.number} {words.GLYPHS.get(step.status, '')} {step.status}"
        if canvas.width(head, STEP - 1, True) > width - 8:
            head = f"{step.number} {words.GLYPHS.get(step.status, '')}"
        text = canvas.shorten(head, width - 8, STEP - 1, True)
        y = 3 + (STEP - 1) * ASCENT
        items.append(Text(x + 4, y, text, step.status, STEP - 1, True))
        y = 3 + (STEP - 1) * LINE_SPACING
        for line in canvas.wrap(step.title, width - 8, SMALL, lines=4):
            items.append(Text(x + 4, y + SMALL * ASCENT, line, "ink", SMALL))
            y += SMALL * LINE_SPACING
        height = max(height, y + 3)
    boxes = tuple(
        Box(
            LEFT + index * (width + gap), 0, width, height,
            f"callout-{step.status}" if step.number == stopped_at else f"band-{step.status}", 2,
        )
        for index, step in enumerate(steps)
    )  # fmt: skip
    return Block(height, (*boxes, *items))


def _ending(chart: SequenceChart, canvas: Canvas) -> Iterator[Block]:
    """What strokes mean, and the diagnostics."""
    if chart.steps:
        yield _space(6)
        text = (
            "Solid: read in the capture. Dashed: inferred (≈), or there but not decryptable (?). "
            "Thick and red: failed (✗). Break of the time axis: a pause."
        )
        yield text_block(canvas.wrap(text, _ROOM, SMALL), LEFT, "soft", SMALL)
    if canvas.replaced:
        text = "\\u and digits: a character that the font lacks; text, SVG and JSON have it."
        yield text_block(canvas.wrap(text, _ROOM, SMALL), LEFT, "soft", SMALL)
    diagnostics = unsaid(chart)
    if not diagnostics:
        return
    yield _space(8)
    yield text_block(["Diagnostics"], LEFT, "ink", STEP, True)
    for sentence in diagnostics[:MAX_DIAGNOSTICS]:
        lines = canvas.wrap(f"– {words.sentence(sentence)}", _ROOM, BODY, lines=6)
        yield text_block(lines, LEFT, "ink", BODY)
    more = len(diagnostics) - MAX_DIAGNOSTICS
    if more > 0:
        yield text_block([f"– and {more} more: text and JSON have them"], LEFT, "ink", BODY)
