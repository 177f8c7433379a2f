"""CSV: read back by Python's reader; no cell is a formula."""

from __future__ import annotations

import csv
import io

import pytest

from dissect.render import render
from dissect.render.csv import COLUMNS, cell

from . import charts


@pytest.mark.parametrize("name", charts.ALL)
def test_one_row_an_arrow(name: str) -> None:
    chart = charts.ALL[name]()
    rows = list(csv.reader(io.StringIO(render(chart, "csv"))))
    assert tuple(rows[0]) == COLUMNS
    arrows = [arrow for step in chart.steps for arrow in step.arrows]
    assert len(rows) == 1 + len(arrows)
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert [row[COLUMNS.index("first_frame")] for row in rows[1:]] == [
        "" if a.source.first_frame is None else str(a.source.first_frame) for a in arrows
    ]


@pytest.mark.parametrize("start", ["", "x;", 'x;"', "x; '", ";;"])
@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "|cmd", "\uff1d1", "\uff0b1", " =1"]
)
def test_no_formula_where_a_semicolon_ends_a_cell(start: str, text: str) -> None:
    """As a spreadsheet reads it where the comma is the decimal sign: quotation marks that it
    takes for its own, and blanks, begin no cell either."""
    line = io.StringIO()
    csv.writer(line).writerow(["a", cell(start + text), "b"])
    for part in line.getvalue().split(";")[1 if ";" in start else 0 :]:
        assert part.lstrip(' "')[:1] not in ("=", "+", "-", "@", "|", "\uff1d", "\uff0b")


@pytest.mark.parametrize("text", ["a;b=c", "a=1", "text/html; charset=utf-8", "x; y-z", "1; 2"])
def test_other_semicolons_stay(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "|cmd", "\r=1", "%0A=1"]
)
def test_no_formula(text: str) -> None:
    shown = cell(text)
    assert shown.lstrip("'")[:1] != shown[:1] or shown[:1] not in "=+-@|%"
    assert shown[:1] not in ("=", "+", "-", "@", "\t", "\r")
