"""What the picture formats draw: placed text, boxes, lines, tips; in points, y downwards.

A `role` names what a thing means (`failed`, `soft`, `band-done` …); `theme` has its colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

POINTS_PER_INCH = 72
PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89  # ISO 216 A4, portrait
MARGIN = 30.0
MIN_SIZE = 7.0  # pt; nothing on a chart is smaller

LINE_SPACING = 1.22
ASCENT = 0.93  # of the size, DejaVu Sans
DESCENT = 0.24


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `y` is its baseline, `x` its left end, centre or right end.

    `rotated` text reads upwards; then `x` is the baseline and `y` the centre.
    """

    x: float
    y: float
    text: str
    role: str
    size: float
    bold: bool = False
    align: Literal["left", "center", "right"] = "left"
    rotated: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; its role gives fill and edge. `radius` rounds the corners."""

    x: float
    y: float
    width: float
    height: float
    role: str
    radius: float = 0.0
    dashed: bool = False
    above: bool = False  # of the lines (a label's ground is below them)


@dataclass(frozen=True, slots=True)
class Line:
    """A polyline. `ident` and `title` name it in formats that can (SVG)."""

    points: tuple[tuple[float, float], ...]
    role: str
    width: float = 1.0
    dashed: bool = False
    ident: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Tip:
    """An arrow's head or a callout's pointer: a polygon, filled or hollow."""

    points: tuple[tuple[float, float], ...]
    role: str
    filled: bool = True


Item = Text | Box | Line | Tip


@dataclass(frozen=True, slots=True)
class Block:
    """Items that no page break may part, from y = 0 to `height`.

    `laned` blocks have the lifelines and the time axis behind them.
    """

    height: float
    items: tuple[Item, ...]
    laned: bool = False


@dataclass(frozen=True, slots=True)
class BlockGroup:
    """Blocks that are kept on one page if they fit: a step. `again` heads its next pages."""

    blocks: tuple[Block, ...]
    again: Block | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Items with the y that each is shifted by."""

    width: float
    height: float
    items: tuple[tuple[float, Item], ...]


class Font(Protocol):
    """What layout must know of a font, and whether it can show a character."""

    def advance(self, character: str, bold: bool) -> float:
        """The width of a character in units of the size."""
        ...

    def shown(self, text: str) -> str:
        """`text` as it will be drawn: harmless, missing glyphs replaced."""
        ...


def text_block(lines: Sequence[str], x: float, role: str, size: float, bold: bool = False) -> Block:
    """Left-aligned lines."""
    step = size * LINE_SPACING
    items = tuple(
        Text(x, index * step + size * ASCENT, line, role, size, bold)
        for index, line in enumerate(lines)
    )
    return Block(len(lines) * step, items)


def stacked(sheets: Sequence[Page]) -> Page:
    """Pages one below the other, as one."""
    items: list[tuple[float, Item]] = []
    y = 0.0
    for page in sheets:
        items.extend((y + dy, item) for dy, item in page.items)
        y += page.height
    return Page(PAGE_WIDTH, y, tuple(items))
