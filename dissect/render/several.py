"""Several sign-ins on a page: how many failed, and a row each, what failed on top."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dissect.model import SequenceChart
from dissect.render import headline, summary, words
from dissect.render.canvas import Canvas
from dissect.render.layout import LEFT, RIGHT
from dissect.render.primitives import (
    ASCENT,
    LINE_SPACING,
    MARGIN,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    Block,
    Box,
    Font,
    Item,
    Line,
    Page,
    Text,
    text_block,
)

TITLE, VERDICT, BODY, SMALL = 14.0, 12.0, 8.0, 7.0
MAX_LINES = 6  # of a cell
_ROOM = RIGHT - LEFT
_GAP = 8.0
_BADGE = 22.0  # the column of the numbers

# Columns of a row, with their share of the page: who (with address and device), when, what.
_WHO, _WHEN, _WHAT = 150.0, 92.0, _ROOM - _BADGE - 150.0 - 92.0 - 2 * _GAP


def several_pages(
    charts: Sequence[SequenceChart], font: Font, product: str, *, tall: bool,
    places: Mapping[int, str] | None = None,
) -> list[Page]:  # fmt: skip
    """The page, or pages, before the charts of several sign-ins. `places` says where each (by its
    number) is drawn: "page 3"."""
    canvas = Canvas(font)
    limit = PAGE_HEIGHT - MARGIN - 16
    sheets: list[list[tuple[float, Item]]] = [[]]
    y = MARGIN
    for block in _blocks(charts, canvas, places or {}):
        if not tall and y + block.height > limit and y > MARGIN:
            sheets.append([])
            y = MARGIN
        sheets[-1].extend((y, item) for item in block.items)
        y += block.height
    found = []
    for number, items in enumerate(sheets, 1):
        height = y + 16 + MARGIN / 2 if tall else PAGE_HEIGHT
        foot = height - MARGIN / 2 - 2 if tall else PAGE_HEIGHT - MARGIN
        place = product if len(sheets) == 1 else f"{product} · overview {number} of {len(sheets)}"
        items.append((0.0, Text(RIGHT, foot, place, "soft", SMALL, align="right")))
        found.append(Page(PAGE_WIDTH, height, tuple(items)))
    return found


def _blocks(
    charts: Sequence[SequenceChart], canvas: Canvas, places: Mapping[int, str]
) -> Iterator[Block]:
    titles = list(dict.fromkeys(chart.title for chart in charts))
    title = titles[0] if len(titles) == 1 else "Sign-ins"
    yield text_block(canvas.wrap(title, _ROOM, TITLE, True, 2), LEFT, "ink", TITLE, True)
    names = dict.fromkeys(name for chart in charts for name in chart.captures)
    lines = canvas.wrap(f"In {', '.join(names)}", _ROOM, BODY, lines=3) if names else []
    if lines:
        yield text_block(lines, LEFT, "soft", BODY)
    yield Block(6, ())
    yield _verdict(charts, canvas)
    yield Block(8, ())
    for row in summary.rows(charts):
        yield _row(row, canvas, places.get(row.number, ""))


def _verdict(charts: Sequence[SequenceChart], canvas: Canvas) -> Block:
    status = headline.worst(charts)
    text = f"{words.GLYPHS.get(status, '')} {words.sentence(headline.count(charts))}"
    items: list[Item] = []
    y = 6.0
    for line in canvas.wrap(text, _ROOM - 24, VERDICT, True, 3):
        items.append(Text(LEFT + 12, y + VERDICT * ASCENT, line, status, VERDICT, True))
        y += VERDICT * LINE_SPACING
    y += 6
    ground = (
        Box(LEFT, 0, _ROOM, y, f"callout-{status}", 3),
        Box(LEFT, 0, 4, y, f"badge-{status}"),
    )
    return Block(y, (*ground, *items))


def _row(row: summary.SummaryRow, canvas: Canvas, place: str) -> Block:
    """Number and status, who, when, what; under a line."""
    when = f"{row.start} to {row.end}" if row.end not in ("", row.start) else row.start
    columns = (
        (_BADGE, _WHO, ((row.who or row.address or "nobody named", BODY, True, "ink"),
                        (row.address if row.who else "", BODY, False, "ink"),
                        (row.device, SMALL, False, "soft"))),
        (_BADGE + _WHO + _GAP, _WHEN, (
            (when, BODY, False, "ink"), (row.took, SMALL, False, "soft"))),
        (_BADGE + _WHO + _WHEN + 2 * _GAP, _WHAT, (
            (_status(row), BODY, True, row.status),
            (row.what, BODY, False, "ink"),
            (" · ".join(filter(None, (row.cause, place))), SMALL, False, "soft"))),
    )  # fmt: skip
    top = 6.0
    items: list[Item] = [Line(((LEFT, 0), (RIGHT, 0)), "lane", 0.8)]
    number = canvas.shown(str(row.number))
    width = max(15.0, canvas.width(number, BODY, True) + 6)
    items.append(Box(LEFT, top - 1, width, 14, f"badge-{row.status}", 7, above=True))
    base = top - 1 + 7 + BODY * 0.36
    items.append(Text(LEFT + width / 2, base, number, "on-badge", BODY, True, "center"))
    height = top + 14
    for x, room, texts in columns:
        y = top
        for text, size, bold, role in texts:
            for line in canvas.wrap(text, room, size, bold, MAX_LINES) if text else ():
                items.append(Text(LEFT + x, y + size * ASCENT, line, role, size, bold))
                y += size * LINE_SPACING
        height = max(height, y)
    return Block(height + 6, tuple(items))


def _status(row: summary.SummaryRow) -> str:
    glyph = words.GLYPHS.get(row.status, "")
    if not row.step:
        return f"{glyph} {row.status}"
    word = "failed at" if row.status == "failed" else f"{row.status}, stopped at"
    return f"{glyph} {word} step {row.step}"
