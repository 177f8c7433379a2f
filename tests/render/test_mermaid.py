"""Mermaid: what its own parser and renderer in Chromium make of the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import SequenceChart
from dissect.render import Options, render
from dissect.render.escape import visible
from dissect.render.mermaid import TEXT_LIMIT, diagrams, parts, quoted
from tests import web

from . import charts

# Mermaid's own words, entities, comments and directives, and what ends a statement.
TRAPS = (
    "end",
    "loop forever",
    "style a:#f9f; x",
    "classDef b:#fff; y",
    "wrap: no",
    "nowrap:no",
    "a;b",
    "#35;",
    "#quot;",
    "ﬂ°°60¶ß",
    "%% comment",
    "%%{init: {'theme':'dark'}}%%",
    "-->>",
    "a->>b: c",
    "<br/>",
    "<img src=x onerror=alert(1)>",
    "$$x^2$$",
    "@{shape: cloud}",
    "as",
    "title x",
    ":",
    " ",
    "---",
    "sequenceDiagram",
    "participant x",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "\\n",
    "{{x}}",
    "`",
)


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """text → (texts drawn, elements that could act), drawn by Mermaid; raises on a syntax error."""
    library = web.module("mermaid/dist/mermaid.min.js")
    folder = tmp_path_factory.mktemp("mermaid")
    page = folder / "page.html"
    page.write_text(
        '<!doctype html><meta charset="utf-8"><div id="out"></div>'
        f'<script src="{library.as_uri()}"></script>'
    )
    with web.chromium(folder) as driver:
        driver.get(page.as_uri())
        driver.execute_script("mermaid.initialize({startOnLoad: false}); window.alert = 0;")

        def drawn(text: str) -> tuple[list[str], int]:
            kind, *found = driver.execute_async_script(
                """const [text, done] = arguments;
                const out = document.getElementById('out');
                mermaid.render('g', text).then(({svg}) => {
                    out.innerHTML = svg;
                    const texts = [...out.querySelectorAll('text')].map(t => t.textContent);
                    const acting = out.querySelectorAll(
                        'script, img, a, iframe, [onerror], [href]');
                    done(['drawn', texts, acting.length]);
                }).catch(error => done(['error', String(error)]));""",
                text,
            )
            assert kind == "drawn", (found, text[:500])
            return found[0], found[1]

        yield drawn


@pytest.mark.parametrize("name", charts.ALL)
def test_mermaid_draws_it(draw: Any, name: str) -> None:
    chart = charts.ALL[name]()
    texts, acting = draw(render(chart, "mermaid"))
    assert acting == 0
    assert texts
    shown = "".join(texts).replace(" ", "")
    for step in chart.steps:
        assert visible(step.title)[:30].replace(" ", "") in shown


@pytest.mark.parametrize("trap", TRAPS)
def test_words_of_the_grammar_are_mere_text(draw: Any, trap: str) -> None:
    texts, acting = draw(
        f"sequenceDiagram\n    a->>b: {quoted(trap)}\n    Note over a: {quoted(trap)}\n"
    )
    assert acting == 0
    # An entity is drawn as its character; a blank text keeps its place with a no-width space.
    shown = [t.strip().replace("\u200b", "") for t in texts]
    assert shown.count(visible(trap).strip()) >= 2, shown


def test_hostile_text_is_drawn_as_it_is_shown(draw: Any) -> None:
    lines = [f"    a->>b: {quoted(text)}" for text in charts.HOSTILE]
    texts, acting = draw("\n".join(["sequenceDiagram", *lines, ""]))
    assert acting == 0
    shown = {" ".join(text.split()) for text in texts}
    for text in charts.HOSTILE:
        assert " ".join(visible(text).split()) in shown


@pytest.mark.long
def test_parts_are_drawn(draw: Any) -> None:
    for item in diagrams([charts.many(2000)], Options()):
        draw(item.text)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=60))
@settings(max_examples=300)
def test_no_sign_of_the_grammar_is_left(text: str) -> None:
    shown = quoted(text)
    assert "\n" not in shown
    assert shown
    rest = "".join(shown.split(";")) if ";" in shown else shown
    for sign in '<>{}%:"`&$|~^':
        assert sign not in rest
    assert shown.count("#") == shown.count(";")


def test_below_the_limit_and_nothing_lost() -> None:
    chart = charts.many(5000)
    text = render(chart, "mermaid")
    assert len(text) <= TEXT_LIMIT
    assert "more arrows are left out here" in text
    pieces = parts([chart], Options())
    assert all(len(piece) <= TEXT_LIMIT for _, piece in pieces)
    assert sum(piece.count("->>") for _, piece in pieces) == sum(
        1 for step in chart.steps for arrow in step.arrows if arrow.sender != arrow.receiver
    )
    assert parts([charts.success()], Options()) == []


@pytest.mark.parametrize("count", [1, 40, 150])
def test_many_flows_stay_below_the_limit(count: int) -> None:
    found: list[SequenceChart] = [charts.long_labels()] * count
    assert len(render(found, "mermaid")) <= TEXT_LIMIT


def test_cli_writes_the_parts(tmp_path: Path) -> None:
    pieces = parts([charts.many(5000)], Options())
    assert [suffix for suffix, _ in pieces][:2] == ["part-01", "part-02"]
