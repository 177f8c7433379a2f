"""Markdown: read back by markdown-it, the parser that rich brings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dissect.render import render
from dissect.render.escape import visible
from dissect.render.markdown import MAX_CELLS, code, prose
from dissect.render.text_wrapping import shorten

from . import charts

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ACTING = {"link_open", "image", "html_inline", "html_block", "softbreak", "hardbreak"}
TRAPS = (
    "[x](javascript:alert(1))",
    "![x](http://evil.test/p.png)",
    "<script>alert(1)</script>",
    "a | b | c",
    "@everyone look",
    "fixes #12",
    "owner/repo#3",
    "www.evil.test",
    "http://evil.test/?a=*b*",
    "`code`",
    "``",
    "&lt;b&gt;",
    "**bold** _it_ ~~no~~",
    "# head",
    "1. one",
    "- item",
    "+ item",
    "> quote",
    "---",
    "| a |\n|---|",
    "$x$",
    ":smile:",
    "{{ secret }}",
    "\\",
    "back\\slash*",
    "‹token #1›`x`<b>",
    "``` fence",
)


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


def read(text: str) -> str:
    """What a reader sees of one line of Markdown; fails where something in it acts."""
    tokens = READER.parse(text)
    assert [t.type for t in tokens] == [
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert {t.type for t in inline(tokens)} <= {"text", "code_inline", "text_special"}, text
    return "".join(t.content for t in inline(tokens))


@pytest.mark.parametrize("text", [*TRAPS, *charts.HOSTILE])
def test_captured_text_stays_text(text: str) -> None:
    assert read(prose(text)) == visible(text).strip()
    assert read(code(text)) == visible(text).strip()
    row = READER.parse(f"| a | b |\n|---|---|\n| {prose(text, cell=True)} | x |")
    cells = [t for t in row if t.type == "inline"]
    assert len(cells) == 4
    assert "".join(c.content for c in cells[2].children or ()) == visible(text).strip()
    assert not {t.type for t in inline(row)} & ACTING


@given(
    st.text(
        st.one_of(
            st.characters(codec=None, exclude_categories=()), st.sampled_from("`|*_<[]\\&#@ ")
        ),
        max_size=40,
    )
)
@settings(max_examples=500)
def test_any_text(text: str) -> None:
    shown = prose(text)
    wanted = shorten(visible(text), MAX_CELLS).strip()
    if wanted:
        assert read(shown) == wanted


@pytest.mark.parametrize("name", charts.ALL)
def test_documents(name: str) -> None:
    chart = charts.ALL[name]()
    tokens = READER.parse(render(chart, "markdown"))
    assert not {t.type for t in inline(tokens)} & ACTING
    fences = [t for t in tokens if t.type == "fence"]
    assert fences
    assert {t.info for t in fences} == {"mermaid"}
    tables = [t for t in tokens if t.type == "table_open"]
    assert len(tables) == (2 if any(step.arrows for step in chart.steps) else bool(chart.steps))


def test_verdict_first_and_what_a_ticket_needs() -> None:
    text = render(charts.failure(), "markdown")
    assert text.startswith("## ✗ Failed: ADFS did not accept the user name or password of")
    assert "At step 4 of 7: Redirect to ADFS." in text
    assert "**Remedy:**" in text
    assert "tcp.stream ==" in text
    assert len(text) < 65_536


def test_a_huge_flow_still_fits_a_ticket() -> None:
    text = render(charts.many(5000), "markdown")
    assert "more arrows are left out" in text
    assert "more diagrams are left out" in text
    assert len(text) < 65_536
