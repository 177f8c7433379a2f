"""PNG, SVG and PDF through matplotlib's figures: no pyplot, no display, no state kept.

The same chart gives the same bytes: no dates, fixed ids, the user's matplotlib settings
ignored. What text is set in says `fonts`; SVG keeps every character: the viewer has more fonts.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch, Polygon, Rectangle
from matplotlib.text import Text as MplText
from matplotlib.transforms import Affine2D, Transform
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import dissect
from dissect.model import SequenceChart
from dissect.render import Detail, Options, headline, words
from dissect.render.escape import visible
from dissect.render.fonts import FAMILY, Letters, letters, silenced
from dissect.render.onepage import overview_pages
from dissect.render.overview import reduced
from dissect.render.paging import pages, renumbered
from dissect.render.primitives import (
    MARGIN,
    PAGE_WIDTH,
    POINTS_PER_INCH,
    Box,
    Item,
    Line,
    Page,
    Text,
    Tip,
    stacked,
)
from dissect.render.several import several_pages
from dissect.render.svg import titled
from dissect.render.theme import THEMES, Theme, palette
from dissect.render.words import NO_BREAK

PRODUCT = f"dissect {dissect.__version__}"
MAX_ARROWS_PICTURE = 600  # a picture of more is taller than viewers open
MAX_ARROWS_PDF = 3000
MAX_WHOLE = 2  # charts below an overview in a PNG that are drawn with all their arrows
MAX_SHORT = 12  # and with their key arrows
MAX_PIXELS = 60_000  # a side; Agg ends at 2**16
_BAND = 2048  # rows of pixels looked at together
DASHES = (4.0, 2.5)

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dissect",
    "pdf.fonttype": 42,
    "font.family": [FAMILY],
    "text.hinting": "none",
    "path.simplify": False,
}


@contextmanager
def _settings() -> Iterator[None]:
    """Our settings and none of the user's; matplotlib's warning of glyphs silenced (SVG)."""
    with matplotlib.rc_context(), warnings.catch_warnings(), silenced():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def png(charts: Sequence[SequenceChart], options: Options) -> bytes:
    """One picture of A4 width at `options.dpi`: one chart, or the overview of all and below it
    those that failed."""
    font = letters(substitute=True)
    page = _tall(charts, font, options.detail, few=True)
    longest = max(page.height, page.width)
    dpi = min(float(options.dpi), MAX_PIXELS * POINTS_PER_INCH / longest)
    with _settings():
        figure = draw(page, THEMES[options.theme], font)
        figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        drawn = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    information = PngInfo()
    information.add_text("Software", PRODUCT)
    out = io.BytesIO()
    picture = _indexed(drawn, palette(THEMES[options.theme]))
    picture.save(out, "png", optimize=True, dpi=(dpi, dpi), pnginfo=information)
    return out.getvalue()


def _indexed(drawn: np.ndarray[Any, Any], colors: Sequence[int]) -> Image.Image:
    """The pixels as the nearest of the palette's colours: a fifth of the bytes."""
    known = np.array(colors, dtype=np.int32).reshape(-1, 3)
    height, width = drawn.shape[:2]
    indexes = np.empty((height, width), dtype=np.uint8)
    nearest = np.zeros(1 << 24, dtype=np.uint8)
    for top in range(0, height, _BAND):
        band = drawn[top : top + _BAND].astype(np.uint32)
        packed = band[:, :, 0] << 16 | band[:, :, 1] << 8 | band[:, :, 2]
        seen = np.zeros(1 << 24, dtype=bool)
        seen[packed] = True
        found = np.flatnonzero(seen)
        there = np.stack([found >> 16, found >> 8 & 0xFF, found & 0xFF], axis=1).astype(np.int32)
        apart = there[:, None, :] - known[None, :, :]
        nearest[found] = (apart * apart).sum(axis=2).argmin(axis=1)
        indexes[top : top + _BAND] = nearest[packed]
    picture = Image.fromarray(indexes, "P")
    picture.putpalette(list(colors))
    return picture


def svg(charts: Sequence[SequenceChart], options: Options) -> bytes:
    """One picture; text stays text, arrows have ids and titles. UTF-8."""
    font = letters(substitute=False)
    page = _tall(charts, font, options.detail)
    title = visible(_title(charts))
    metadata = {"Date": None, "Creator": PRODUCT, "Title": title}
    with _settings():
        figure = draw(page, THEMES[options.theme], font)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=metadata)
    titles = {
        item.ident: visible(item.title)
        for _, item in page.items
        if isinstance(item, Line) and item.ident and item.title
    }
    return titled(out.getvalue(), titles).encode()


def pdf(charts: Sequence[SequenceChart], options: Options) -> bytes:
    """A4 pages: the overview of several, then of each its own and its arrows; fonts embedded."""
    from matplotlib.backends.backend_pdf import PdfPages

    font = letters(substitute=True, embedded=True)
    sheets = _sheets(charts, font, options.detail)
    title = visible(_title(charts))
    metadata = {"Title": title, "Creator": PRODUCT, "CreationDate": None}
    out = io.BytesIO()
    with _settings(), PdfPages(out, metadata=metadata) as book:
        for page in sheets or [_blank()]:
            book.savefig(draw(page, THEMES[options.theme], font))
    return out.getvalue()


def _title(charts: Sequence[SequenceChart]) -> str:
    """What a viewer shows of a file: the verdict, and on what."""
    if not charts:
        return PRODUCT
    if len(charts) > 1:
        return words.sentence(headline.count(charts))
    return f"{words.sentence(headline.verdict(charts[0]))} – {charts[0].title}"


def _sheets(charts: Sequence[SequenceChart], font: Letters, detail: Detail) -> list[Page]:
    """The pages of a PDF, numbered through."""
    parts = []
    for number, drawn in enumerate(reduced(charts, detail), 1):
        mark = f"{number} of {len(charts)}" if len(charts) > 1 else ""
        part = overview_pages(charts[number - 1], font, PRODUCT, tall=False, mark=mark)
        if detail != "overview":
            part += pages(drawn, font, PRODUCT, tall=False, max_arrows=MAX_ARROWS_PDF, mark=mark)
        parts.append(part)
    front: list[Page] = []
    if len(charts) > 1:
        # As long as with the numbers of pages in it, which it must know to tell them.
        unknown = dict.fromkeys(range(1, len(charts) + 1), "page 0000")
        front = several_pages(charts, font, PRODUCT, tall=False, places=unknown)
        places, at = {}, len(front) + 1
        for number, part in enumerate(parts, 1):
            places[number], at = f"page {at}", at + len(part)
        front = several_pages(charts, font, PRODUCT, tall=False, places=places)
    sheets = [*front, *(page for part in parts for page in part)]
    total = len(sheets)
    return [renumbered(s, f"{PRODUCT} · page {n} of {total}") for n, s in enumerate(sheets, 1)]


def _tall(
    charts: Sequence[SequenceChart], font: Letters, detail: Detail, *, few: bool = False
) -> Page:
    """All charts on one page; with `few`, of several only what failed (if nothing did, all),
    and of many the overviews only."""
    front = several_pages(charts, font, PRODUCT, tall=True) if len(charts) > 1 else []
    wanted = [number for number, chart in enumerate(charts, 1) if chart.status == "failed"]
    if not few or not wanted or len(charts) == 1:
        wanted = list(range(1, len(charts) + 1))
        few = few and len(charts) > 1
    short = detail == "overview" or (few and len(wanted) > MAX_WHOLE)
    share = MAX_ARROWS_PICTURE // max(1, len(wanted))
    drawn = reduced(charts, detail)
    found = list(front)
    for number in wanted[: MAX_SHORT if short and few else None]:
        mark = f"{number} of {len(charts)}" if len(charts) > 1 else ""
        chart = charts[number - 1]
        if short:
            (page,) = overview_pages(chart, font, PRODUCT, tall=True, mark=mark)
        else:
            chart = drawn[number - 1]
            (page,) = pages(chart, font, PRODUCT, tall=True, max_arrows=share, mark=mark)
        prefix = f"flow-{number}-" if len(charts) > 1 else ""
        named = tuple((dy, _named(item, prefix)) for dy, item in page.items)
        found.append(Page(page.width, page.height, named))
    return stacked(found) if found else _blank()


def _blank() -> Page:
    """What is drawn of no chart at all."""
    note = Text(MARGIN, 34, "No sign-in was found.", "ink", 11)
    return Page(PAGE_WIDTH, 60, ((0.0, note),))


def _named(item: Item, prefix: str) -> Item:
    """`item` with an id that no other chart of the picture has."""
    if prefix and isinstance(item, Line) and item.ident:
        return Line(
            item.points, item.role, item.width, item.dashed, prefix + item.ident, item.title
        )
    return item


def draw(page: Page, theme: Theme, font: Letters) -> Figure:
    """A page as a figure: coordinates and colours, nothing else."""
    size = page.width / POINTS_PER_INCH, page.height / POINTS_PER_INCH
    figure = Figure(figsize=size, dpi=POINTS_PER_INCH, facecolor=theme.paper)
    base = Affine2D().scale(1 / page.width, -1 / page.height).translate(0, 1)
    for dy, item in page.items:
        transform = Affine2D().translate(0, dy) + base + figure.transFigure
        if isinstance(item, Text):
            figure.add_artist(_text(item, dy, page, theme, font))
        elif isinstance(item, Box):
            figure.add_artist(_box(item, transform, theme))
        elif isinstance(item, Line):
            figure.add_artist(_line(item, transform, theme))
        else:
            figure.add_artist(_tip(item, transform, theme))
    return figure


def _text(item: Text, dy: float, page: Page, theme: Theme, font: Letters) -> MplText:
    # No transform of ours here: text must not be mirrored by the downward y.
    return MplText(
        item.x / page.width,
        1 - (item.y + dy) / page.height,
        item.text.replace(NO_BREAK, " "),
        color=theme.ink[item.role],
        fontproperties=FontProperties(
            family=font.families(item.text),
            size=item.size,
            weight="bold" if item.bold else "normal",
        ),
        ha="right" if item.rotated else item.align,
        va="center" if item.rotated else "baseline",
        rotation=90 if item.rotated else 0,
        parse_math=False,
        usetex=False,
        zorder=4,
    )


def _box(item: Box, transform: Transform, theme: Theme) -> Patch:
    style: dict[str, Any] = {
        "facecolor": theme.fill[item.role],
        "edgecolor": theme.ink[item.role],
        "linewidth": 0.0 if item.role == "paper" else 0.8,
        "linestyle": (0, DASHES) if item.dashed else "solid",
        "transform": transform,
        "zorder": 1.5 if item.role == "paper" else 1.6 if not item.above else 1.7,
    }
    if not item.radius:
        return Rectangle((item.x, item.y), item.width, item.height, **style)
    rounding = f"round,pad=0,rounding_size={min(item.radius, item.height / 2)}"
    return FancyBboxPatch((item.x, item.y), item.width, item.height, rounding, **style)


def _line(item: Line, transform: Transform, theme: Theme) -> Line2D:
    line = Line2D(
        [x for x, _ in item.points],
        [y for _, y in item.points],
        color=theme.ink[item.role],
        linewidth=item.width,
        solid_capstyle="butt",
        transform=transform,
        zorder=1 if item.role in ("lane", "axis") and item.width < 1 else 2,
    )
    if item.dashed:
        line.set_linestyle((0, DASHES))
    if item.ident:
        line.set_gid(item.ident)
    return line


def _tip(item: Tip, transform: Transform, theme: Theme) -> Polygon:
    color = theme.ink[item.role]
    return Polygon(
        item.points,
        closed=True,
        facecolor=color if item.filled else theme.paper,
        edgecolor=color,
        linewidth=0.8,
        joinstyle="miter",
        transform=transform,
        zorder=3,
    )
