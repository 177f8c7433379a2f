"""PNG, SVG and PDF: what the drawn extents say, where pages break, the bytes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text as MplText

from dissect.pipeline import RunOptions as PipelineOptions
from dissect.pipeline import Session
from dissect.render import mpl, render
from dissect.render.fonts import letters
from dissect.render.layout import Rows
from dissect.render.mpl import draw
from dissect.render.paging import pages
from dissect.render.primitives import MIN_SIZE, PAGE_HEIGHT, PAGE_WIDTH, Box, Page, Text
from dissect.render.theme import DARK, LIGHT, THEMES
from tests.lab import ALL as RECORDED
from tests.lab import scenario

from . import charts

SVG = "{http://www.w3.org/2000/svg}"


@cache
def paged(name: str, tall: bool, most: int = 600) -> tuple[Page, ...]:
    chart = charts.ALL[name]()
    font = letters(substitute=True)
    return tuple(pages(chart, font, "dissect 0", tall=tall, max_arrows=most))


@dataclass(frozen=True)
class Extent:
    """A drawn text's real box, in points from the top left."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float

    def overlaps(self, other: Extent) -> bool:
        slack = 0.4
        return (
            min(self.x1, other.x1) - max(self.x0, other.x0) > slack
            and min(self.y1, other.y1) - max(self.y0, other.y0) > slack
        )


def extents(page: Page) -> Iterator[Extent]:
    """Every text as Agg measures it at 150 dpi."""
    with mpl._settings():
        figure = draw(page, LIGHT, letters(substitute=True))
        figure.set_dpi(150)
        renderer = FigureCanvasAgg(figure).get_renderer()
        height = figure.bbox.height
        for artist in figure.findobj(MplText):
            if artist.get_text():
                box = artist.get_window_extent(renderer)
                points = 72 / 150
                yield Extent(
                    artist.get_text(),
                    box.x0 * points,
                    (height - box.y1) * points,
                    box.x1 * points,
                    (height - box.y0) * points,
                )


@pytest.mark.parametrize("tall", [True, False])
@pytest.mark.parametrize("name", charts.ALL)
def test_no_text_overlaps_or_is_cut(name: str, tall: bool) -> None:
    for page in paged(name, tall):
        apart(page)


def apart(page: Page) -> None:
    """No text overlaps another or the page's margins."""
    boxes = sorted(extents(page), key=lambda e: e.y0)
    assert boxes
    for index, one in enumerate(boxes):
        assert one.x0 >= 20, one
        assert one.x1 <= page.width - 20, one
        assert one.y0 >= 8, one
        assert one.y1 <= page.height - 8, one
        for other in boxes[index + 1 :]:
            if other.y0 > one.y1:
                break
            assert not one.overlaps(other), (one, other)


@pytest.mark.parametrize("name", charts.ALL)
def test_text_stays_in_its_box(name: str) -> None:
    """Heads, notes, bands, callouts: a text that begins in a box ends in it."""
    for page in paged(name, False):
        boxed(page)


def boxed(page: Page) -> None:
    filled = [(dy, i) for dy, i in page.items if isinstance(i, Box) and i.role != "paper"]
    for extent in extents(page):
        middle = (extent.y0 + extent.y1) / 2
        for dy, box in filled:
            inside = dy + box.y < middle < dy + box.y + box.height
            if inside and box.x <= extent.x0 < box.x + box.width:
                assert extent.x1 <= box.x + box.width + 1, (extent, box)


@pytest.mark.long
@pytest.mark.parametrize("name", RECORDED)
def test_pictures_of_recordings(name: str) -> None:
    """What the lab's scenarios look like, on pages and on one."""
    folder = scenario(name).folder
    captures = [str(path) for path in sorted(folder.glob("*.pcapng"))]
    logs = tuple(str(path) for path in sorted(folder.glob("phone*.log")))
    for chart in Session(PipelineOptions(tuple(captures), phone_logs=logs)).charts:
        for tall in (True, False):
            drawn = pages(chart, letters(substitute=True), "dissect 0", tall=tall, max_arrows=600)
            for page in drawn:
                apart(page)
                boxed(page)


@pytest.mark.parametrize("name", charts.ALL)
def test_nothing_is_smaller_than_legible(name: str) -> None:
    sizes = [i.size for p in paged(name, False) for _, i in p.items if isinstance(i, Text)]
    assert min(sizes) >= MIN_SIZE
    assert paged(name, True)[0].width == PAGE_WIDTH


def texts(page: Page) -> list[str]:
    return [item.text for _, item in page.items if isinstance(item, Text)]


def test_pages_are_a4_numbered_with_heads_repeated() -> None:
    found = paged("many", False)
    assert len(found) > 5
    for number, page in enumerate(found, 1):
        assert (page.width, page.height) == (PAGE_WIDTH, PAGE_HEIGHT)
        reported = texts(page)
        assert f"dissect 0 · page {number} of {len(found)}" in reported
        assert "Azure AD" in reported
    assert "Registration that never ends (continued)" in texts(found[2])


@pytest.mark.parametrize("name", ["success", "failure", "long_labels", "wide"])
def test_a_step_is_not_torn_if_a_page_holds_it(name: str) -> None:
    assert not any("(continued)" in text for page in paged(name, False) for text in texts(page))


def test_the_first_page_has_more_than_the_header() -> None:
    """A first step that fills a page begins below the header all the same."""
    chart = charts.many(26)
    chart = replace(chart, steps=(chart.steps[2],), diagnostics=())
    found = pages(chart, letters(substitute=True), "dissect 0", tall=False, max_arrows=600)
    assert len(found) == 2
    assert any(text.startswith("REGISTER #") for text in texts(found[0]))
    assert "Registration that never ends (continued)" in texts(found[1])


def test_every_arrow_is_drawn_once() -> None:
    labels = [f"REGISTER #{n}" for n in range(1, 151)]
    drawn = [t for page in paged("many", False) for t in texts(page) if t.startswith("REGISTER #")]
    assert drawn == labels


def test_pdf_pages_end_before_the_footer() -> None:
    for page in paged("many", False):
        footer = max(item.y for _, item in page.items if isinstance(item, Text))
        last = sorted(dy + i.y for dy, i in page.items if isinstance(i, Text))[-3]
        assert last < footer - 8


def test_too_many_arrows_are_elided_with_their_number() -> None:
    font = letters(substitute=True)
    chart = charts.many(2000)
    (page,) = pages(chart, font, "x", tall=True, max_arrows=200)
    reported = texts(page)
    (notice,) = [t for t in reported if "more arrows are not drawn" in t]
    registers = sum(t.startswith("REGISTER #") or t == "401 Unauthorized" for t in reported)
    assert f"… {2000 - registers} more arrows" in notice
    assert "REGISTER #1" in reported
    assert "REGISTER #1000" in reported


def test_cause_callout_is_below_its_arrow() -> None:
    chart = charts.failure()
    block = Rows(chart, letters(substitute=True), 600).step(chart.steps[3]).blocks[-2]
    reported = [i for i in block.items if isinstance(i, Text)]
    label = next(i for i in reported if "sign-in form again" in i.text)
    cause = next(i for i in reported if i.text.startswith("ADFS did not accept"))
    assert 0 < cause.y - label.y < 40
    assert {label.role, cause.role} == {"failed"}
    assert any("frames 281–287 of browser.pcapng" in i.text for i in reported)


def test_verdict_and_steps_on_the_first_page() -> None:
    reported = texts(paged("failure", False)[0])
    line = next(text for text in reported if text.startswith("✗ "))
    assert line.startswith("✗ Failed: ADFS did not accept the user name or password")
    assert "At step 4 of 7: Redirect to ADFS" in reported
    assert "4 ✗ failed" in reported
    assert any(text.startswith("Check the account in Active Directory") for text in reported)


@pytest.mark.parametrize("name", charts.ALL)
def test_png(name: str) -> None:
    data = render(charts.ALL[name](), "png")
    assert isinstance(data, bytes)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(data[16:20], "big") == 1240  # A4 at 150 dpi


def test_png_of_a_great_many_arrows_stays_openable() -> None:
    data = render(charts.many(6000), "png", dpi=100)
    assert isinstance(data, bytes)
    assert int.from_bytes(data[20:24], "big") < 65536


@pytest.mark.parametrize("name", charts.ALL)
def test_svg_is_xml_with_text_ids_and_titles(name: str) -> None:
    data = render([charts.ALL[name](), charts.one_actor()], "svg")
    assert isinstance(data, bytes)
    root = ElementTree.fromstring(data)
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    names = {element.tag for element in root.iter()}
    assert f"{SVG}script" not in names
    assert f"{SVG}image" not in names
    drawn = {"".join(e.itertext()) for e in root.iter(f"{SVG}text")}
    assert "A phone log alone" in drawn
    styles = {e.get("style") or "" for e in root.iter(f"{SVG}text")}
    assert all("'DejaVu Sans', Verdana, sans-serif" in style for style in styles)


def test_svg_arrow_titles() -> None:
    data = render(charts.success(), "svg")
    root = ElementTree.fromstring(data)
    (group,) = [e for e in root.iter(f"{SVG}g") if e.get("id") == "arrow-2"]
    expected = "GET /api/DeviceConfig/Polycom/Default: frames 12–15 of phone.pcapng (tcp.stream 3)"
    assert group.findtext(f"{SVG}title") == expected


def test_svg_keeps_wide_and_hostile_text_as_text() -> None:
    root = ElementTree.fromstring(render([charts.wide(), charts.hostile()], "svg"))
    drawn = [e.text or "" for e in root.iter(f"{SVG}text")]
    assert "ウェブサインイン（VVX 電話機、ADFS 経由）" in drawn
    assert any("<script>alert(1)</script>&amp;" in text for text in drawn)
    assert any(r"\u202egnp.exe" in text for text in drawn)


def pdf_streams(data: bytes) -> bytes:
    """All streams of a PDF, inflated."""
    parts = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    return b"\n".join(zlib.decompress(p) if p[:1] == b"\x78" else p for p in parts)


def test_pdf_pages_and_fonts() -> None:
    data = render([charts.success(), charts.failure()], "pdf")
    assert isinstance(data, bytes)
    # The overview of both, then of each its own and two pages of arrows.
    assert len(re.findall(rb"/Type /Page\b", data)) == 7
    assert len(re.findall(rb"/MediaBox \[ 0 0 595\.28 841\.89 \]", data)) >= 1
    assert b"/FontFile2" in data
    assert b"DejaVuSans" in data
    assert b"/Type3" not in data
    assert b"CreationDate" not in data


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
def test_pdf_text_can_be_copied(tmp_path: Path) -> None:
    path = tmp_path / "chart.pdf"
    data = render(charts.failure(), "pdf")
    assert isinstance(data, bytes)
    path.write_bytes(data)
    command = ["pdftotext", "-layout", str(path), "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "At step 4 of 7: Redirect to ADFS" in text
    assert "page 3 of 3" in text


@pytest.mark.parametrize("name", ["png", "svg", "pdf"])
def test_missing_glyphs_and_formulas_neither_warn_nor_act(name: str) -> None:
    """Warnings are errors in this suite."""
    assert render([charts.hostile(), charts.wide()], name)


def test_missing_glyphs_are_explained() -> None:
    assert any("a character that the font lacks" in t for t in texts(paged("wide", True)[0]))
    assert not any("font lacks" in t for t in texts(paged("success", True)[0]))


def test_same_input_same_bytes(tmp_path: Path) -> None:
    """Other process, hash seed, time and matplotlib settings; the same pictures."""
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nsvg.fonttype: path\ntext.color: red\n")
    script = (
        "import sys, hashlib\n"
        "from dissect.render import render\n"
        "from tests_render import charts\n"
        "for f in ('png', 'svg', 'pdf'):\n"
        "    data = render([charts.failure(), charts.hostile()], f)\n"
        "    print(hashlib.sha256(data).hexdigest())\n"
    )
    package = tmp_path / "tests_render"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(Path(charts.__file__), package / "charts.py")
    root = Path(mpl.__file__).parents[2]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(tmp_path), str(root))),
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "1",
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
        "TZ": "Asia/Kathmandu",
    }
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    both = [charts.failure(), charts.hostile()]
    here = [render(both, name) for name in ("png", "svg", "pdf")]
    assert result.stdout.split() == [
        hashlib.sha256(d).hexdigest() for d in here if isinstance(d, bytes)
    ]


def luminance(color: str) -> float:
    """WCAG 2.1 relative luminance."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", THEMES)
def test_contrast_of_text(theme: str) -> None:
    """WCAG 2.1 AA asks for 4.5:1."""
    colors = THEMES[theme]
    grounds = {colors.paper, *(v for k, v in colors.fill.items() if not k.startswith("badge"))}
    roles = ("ink", "soft", "done", "failed", "inferred", "hidden", "missing", "pending")
    for role in roles:
        for ground in grounds:
            bright, dark = sorted((luminance(colors.ink[role]), luminance(ground)), reverse=True)
            assert (bright + 0.05) / (dark + 0.05) >= 4.5, (role, ground)


def test_dark_theme_is_drawn() -> None:
    data = render(charts.failure(), "svg", theme="dark")
    assert isinstance(data, bytes)
    assert f"fill: {DARK.paper}".encode() in data


def test_streams_hold_no_hostile_bytes() -> None:
    data = render(charts.hostile(), "pdf")
    assert isinstance(data, bytes)
    assert b"\x1b[31m" not in pdf_streams(data)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_png_keeps_its_colours_in_a_palette(theme: str) -> None:
    """Every status has its colour, exactly; no pixel is far from what was drawn."""
    import io

    import numpy as np
    from PIL import Image

    chart = charts.ALL["failure"]()
    picture = Image.open(io.BytesIO(render(chart, "png", theme=theme)))  # type: ignore[arg-type]
    assert picture.mode == "P"
    shown = np.asarray(picture.convert("RGB")).astype(int)
    there = {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.unique(shown.reshape(-1, 3), axis=0)}
    colours = THEMES[theme]  # type: ignore[index]
    for status in {step.status for step in chart.steps}:
        assert colours.ink[status] in there
        assert colours.fill[f"band-{status}"] in there
    (page,) = pages(chart, letters(substitute=True), mpl.PRODUCT, tall=True, max_arrows=600)
    with mpl._settings():
        figure = draw(page, colours, letters(substitute=True))
        figure.set_dpi(150)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba())[:, :, :3].astype(int)
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).max() <= 60
    assert np.abs(drawn - shown).mean() < 0.3
