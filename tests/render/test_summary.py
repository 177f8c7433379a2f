"""The overview of several charts: a row each, what failed first, in every format that has one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from dissect.model import SequenceChart
from dissect.render import headline, render, summary, text_wrapping
from tests.render import charts

BOTH = [charts.success(), replace(charts.failure(), subject="pipe|bar <b>@x.test")]


def test_one_chart_needs_none() -> None:
    assert summary.rows(BOTH[:1]) == []
    assert "1 of 1" not in str(render(BOTH[0], "text"))


def test_rows_tell_who_when_and_how_it_ended_what_failed_first() -> None:
    first, second = summary.rows(BOTH)
    assert (first.number, first.status, first.step) == (2, "failed", "4 of 7")
    assert (second.number, second.status, second.step, second.cause) == (1, "complete", "", "")
    assert first.start.startswith("20")
    assert re.fullmatch(r"\d\d:\d\d:\d\d", second.start)  # the same day
    assert first.who == "pipe|bar <b>@x.test"
    assert first.address == second.address != ""
    assert first.what.startswith("ADFS did not accept the user name or password")
    assert BOTH[1].cause is not None
    assert first.cause == BOTH[1].cause.code


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ("ff", "2 of 2 sign-ins failed"),
        ("cfcif", "2 of 5 sign-ins failed, 1 is incomplete"),
        ("fii", "1 of 3 sign-ins failed, 2 are incomplete"),
        ("ic", "1 of 2 sign-ins is incomplete"),
        ("cc", "both sign-ins are complete"),
        ("ccc", "all 3 sign-ins are complete"),
    ],
)
def test_the_headline_counts(statuses: str, said: str) -> None:
    named = {"f": "failed", "i": "incomplete", "c": "complete"}
    found = [replace(charts.success(), status=named[letter]) for letter in statuses]  # type: ignore[arg-type]
    assert headline.count(found) == said


def test_calls_are_called_so() -> None:
    call = replace(charts.failure(), kind="call")
    assert headline.count([call, call]) == "2 of 2 calls failed"
    assert headline.count([charts.success(), call]) == "1 of 2 sign-ins and calls failed"


@pytest.mark.parametrize("width", [40, 72, 80, 100, 200])
def test_text_stays_in_its_width_and_cuts_nothing(width: int) -> None:
    name = "somebody.with.a.long.name@a.long.domain.of.some.customer.example"
    both = [replace(chart, subject=name, title="A title longer than a line " * 3) for chart in BOTH]
    text = str(render(both, "text", width=width))
    head = text[: text.index("\n1 of 2\n")].splitlines()
    assert all(text_wrapping.cell_width(line) <= width for line in head)
    assert head[0].startswith("✗ 1 of 2 sign-ins failed")
    assert "".join(text.split()).count(name) >= 4  # in the overview and at each chart
    assert text.rstrip().splitlines()[-1].startswith("✗ 1 of 2 sign-ins failed")


def test_phones_of_one_user_are_distinguished() -> None:
    def of(address: str, device: str) -> SequenceChart:
        actors = tuple(
            replace(actor, addresses=(address,)) if actor.ident == "phone" else actor
            for actor in charts.success().actors
        )
        return replace(charts.success(), actors=actors, device=device)

    pair = [of("10.0.0.7", "Phone A/1.0"), of("10.0.0.8", "Phone B/2.0")]
    for name in ("text", "markdown", "html"):
        reported = str(render(pair, name)).replace("<wbr>", "").partition("2 of 2")[0]
        for statement in ("10.0.0.7", "10.0.0.8", "Phone A/1.0", "Phone B/2.0"):
            assert statement in reported, (name, statement)


def test_markdown_is_a_table_of_as_many_rows() -> None:
    text = str(render(BOTH, "markdown")).split("\n## ")[0]
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == 3
    assert "<b>" not in MarkdownIt("commonmark").enable("table").render(text)
    assert text.startswith("# ✗ 1 of 2 sign-ins failed")


def test_html_links_to_each_flow_and_shows_text_as_text() -> None:
    page = str(render(BOTH, "html"))
    assert 'href="#f1"' in page
    assert 'href="#f2"' in page
    assert "<b>@x.test" not in page
    assert "<title>1 of 2 sign-ins failed</title>" in page
    assert 'id="overview"' not in str(render(BOTH[:1], "html"))
