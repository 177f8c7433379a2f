"""The overview of several charts: a row each, in every format that has one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from dissect.render import fit, render, summary
from tests.render import charts

BOTH = [charts.success(), replace(charts.failure(), subject="pipe|bar <b>@x.test")]


def test_one_chart_needs_none() -> None:
    assert summary.rows(BOTH[:1]) == []
    assert "begins" not in str(render(BOTH[0], "text"))


def test_rows_tell_who_when_and_how_it_ended() -> None:
    first, second = summary.rows(BOTH)
    assert (first.number, first.verdict, first.cause) == (1, "complete", "")
    assert first.begins.startswith("20")
    assert second.who == "pipe|bar <b>@x.test"
    assert second.verdict.startswith("failed at step ")
    assert second.cause == BOTH[1].cause.code if BOTH[1].cause else False


@pytest.mark.parametrize("width", [40, 72, 100, 200])
def test_text_stays_in_its_width_and_keeps_the_first_columns(width: int) -> None:
    lines = str(render(BOTH, "text", width=width)).splitlines()
    head = lines[: lines.index("")]
    assert len(head) == 3
    assert all(fit.cell_width(line) <= width for line in head)
    assert head[1].split()[0] == "1"
    if width >= 100:
        assert "complete" in head[1]
        assert "failed at step" in head[2]


def test_text_names_the_flow_where_its_title_has_no_room() -> None:
    title = "A title that is much longer than any line of a ticket has room for"
    both = [replace(chart, title=title, flow=f"flow-{i}") for i, chart in enumerate(BOTH)]
    for width, shown in ((100, ["flow-0", "flow-1"]), (200, [title, title])):
        head = str(render(both, "text", width=width)).splitlines()[1:3]
        assert all(name in line for name, line in zip(shown, head, strict=True))


def test_markdown_is_a_table_of_as_many_rows() -> None:
    text = str(render(BOTH, "markdown")).split("\n## ")[0]
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == 3
    assert sum(token.type == "td_open" for token in tokens) == 12
    assert "<b>" not in MarkdownIt("commonmark").enable("table").render(text)


def test_html_links_to_each_flow_and_shows_text_as_text() -> None:
    page = str(render(BOTH, "html"))
    assert 'href="#f1"' in page
    assert 'href="#f2"' in page
    assert "<b>@x.test" not in page
    assert "Overview" not in str(render(BOTH[:1], "html"))
