"""The timing table: bars that tell what took long, though a user typed for half a minute."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import Source
from dissect.render.details import ExchangeView
from dissect.render.html import _breakable
from dissect.render.report_tables import MAX_MARKED, timing

MS = 1_000_000


def exchange(start: int, end: int | None) -> ExchangeView:
    return ExchangeView(
        Source("a.pcapng", 1, 2, 0), start * MS, None if end is None else end * MS,
        "GET", "/", "h.test", 200,
    )  # fmt: skip


def test_idle_time_is_cut_out() -> None:
    """Two answers of 100 and 300 ms, half a minute apart: a quarter and three quarters."""
    found = timing([exchange(0, 100), exchange(30_000, 30_300)], 0)
    first, second = found.rows
    assert first["x"] == 0
    assert first["width"] == pytest.approx(24.5)
    ((left, width),) = found.marks
    assert (left, width) == (24.5, 2)
    assert second["x"] == pytest.approx(26.5)
    assert second["width"] == pytest.approx(73.5)
    assert found.axis == "0:00.000 to 0:30.300, idle times from 500 ms cut out"


def test_without_idle_time_the_axis_is_whole() -> None:
    found = timing([exchange(0, 100), exchange(50, 200), exchange(400, None)], 0)
    assert found.marks == ()
    assert [row["x"] for row in found.rows] == [0, 12.5, pytest.approx(99.6)]
    assert found.rows[2]["took"] == "no answer"
    assert "cut out" not in found.axis
    assert timing([], 0).rows == ()


@given(st.lists(st.tuples(st.integers(0, 10**6), st.none() | st.integers(0, 10**6)), min_size=1))
@settings(max_examples=100)
def test_bars_stay_on_the_axis_in_order(pairs: list[tuple[int, int | None]]) -> None:
    exchanges = [exchange(a, None if b is None else max(a, b)) for a, b in sorted(pairs, key=str)]
    exchanges.sort(key=lambda row: row.start_ns)
    found = timing(exchanges, 0)
    places = [row["x"] for row in found.rows]
    assert all(0 <= row["x"] <= row["x"] + row["width"] <= 100.02 for row in found.rows)
    assert all(a <= b + 0.41 for a, b in pairwise(places))
    assert sum(width for _, width in found.marks) <= MAX_MARKED + 0.01 * len(found.marks)


def test_breaks_hide_nothing_and_open_nothing() -> None:
    shown = _breakable("https://h.test/a?x=<b>&y=\u202e1")
    assert shown.replace("<wbr>", "") == r"https://h.test/a?x=&lt;b&gt;&amp;y=\u202e1"
    assert "h.<wbr>test/<wbr>a?<wbr>x=<wbr>&lt;" in shown
    assert _breakable(None) == ""
