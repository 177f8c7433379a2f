"""Characters that DejaVu Sans lacks: in a font of the machine's, here one that is made up."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.font_manager import fontManager

from dissect.render import fonts, render
from dissect.render.fonts import FAMILY, letters

from . import charts

WANG = "\u738b"
HAN = "Test Han"


def made(path: Path, truetype: bool) -> str:
    """A font with a box for U+738B, 0.7 em wide."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.t2CharStringPen import T2CharStringPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def box(pen: Any) -> Any:
        pen.moveTo((100, 0))
        for corner in ((100, 700), (600, 700), (600, 0)):
            pen.lineTo(corner)
        pen.closePath()
        return pen.glyph() if truetype else pen.getCharString()

    names = [".notdef", "wang"]
    font = FontBuilder(1000, isTTF=truetype)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(WANG): "wang"})
    if truetype:
        font.setupGlyf({name: box(TTGlyphPen(None)) for name in names})
    else:
        shapes = {name: box(T2CharStringPen(700, None)) for name in names}
        font.setupCFF("TestHan", {}, shapes, {})
    font.setupHorizontalMetrics(dict.fromkeys(names, (700, 100)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": HAN, "styleName": "Regular", "psName": "TestHan"})
    font.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    font.setupPost()
    font.save(path)
    return str(path)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fonts, "OTHERS", ("Not There", HAN))
    monkeypatch.setattr(fontManager, "ttflist", list(fontManager.ttflist))
    letters.cache_clear()
    yield
    letters.cache_clear()


@pytest.mark.usefixtures("machine")
def test_a_font_of_the_machine_draws_what_ours_lacks(tmp_path: Path) -> None:
    before = render(charts.wide(), "svg")
    fontManager.addfont(made(tmp_path / "han.ttf", truetype=True))
    font = letters(substitute=True)
    assert font.shown(f"{WANG}\u5c0f") == WANG + r"\u5c0f"
    assert font.families(f"x{WANG}") == [FAMILY, HAN]
    assert font.families("x é") == [FAMILY]
    assert font.advance(WANG, bold=True) == pytest.approx(0.7, abs=1e-4)
    # Characters of other scripts would need shaping; and none may hide or turn text.
    assert font.shown("\u202e\U0001f468\u200d") == r"\u202e\U0001f468\u200d"
    assert render(charts.wide(), "svg") == before


@pytest.mark.usefixtures("machine")
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
def test_it_is_embedded_in_a_pdf_and_read_there(tmp_path: Path) -> None:
    from dataclasses import replace

    chart = replace(charts.failure(), subject=f"{WANG}@x.test")
    plain = render(charts.failure(), "pdf")
    fontManager.addfont(made(tmp_path / "han.ttf", truetype=True))
    data = render(chart, "pdf")
    assert isinstance(data, bytes)
    assert re.search(rb"/BaseFont /[A-Z]{6}\+TestHan", data)
    (tmp_path / "chart.pdf").write_bytes(data)
    command = ["pdftotext", str(tmp_path / "chart.pdf"), "-"]
    reported = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{WANG}@x.test" in reported
    assert render(charts.failure(), "pdf") == plain, "what needs no other font is as before"


@pytest.mark.usefixtures("machine")
def test_a_pdf_takes_truetype_outlines_only(tmp_path: Path) -> None:
    fontManager.addfont(made(tmp_path / "han.otf", truetype=False))
    assert letters(substitute=True).shown(WANG) == WANG
    assert letters(substitute=True, embedded=True).shown(WANG) == r"\u738b"


@pytest.mark.usefixtures("machine")
def test_a_font_that_is_gone_is_none(tmp_path: Path) -> None:
    path = made(tmp_path / "han.ttf", truetype=True)
    fontManager.addfont(path)
    Path(path).write_bytes(b"not a font")
    assert letters(substitute=True).shown(WANG) == r"\u738b"
