"""PlantUML: what Debian's plantuml draws from the text."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.render import render
from dissect.render.escape import visible
from dissect.render.plantuml import BLOCK_ARROWS, quoted
from tests import web

from . import charts

TRAPS = (
    "@enduml",
    "end note",
    "!include /etc/passwd",
    "%date()",
    '%getenv("HOME")',
    "' comment",
    "/' block '/",
    "<img:/etc/hostname>",
    "<&star>",
    "[[http://x.test link]]",
    "**bold** __u__ //i//",
    "~escaped",
    "<b>x</b>",
    "<U+0041>",
    "&#65;",
    "a\\nb",
    "$x",
    "<:smile:>",
    '""mono""',
    "..dots..",
    "||",
    "==sep==",
    "--strike--",
    "note left",
    "http://x.test/?a=b&c=d",
    "<math>x</math>",
)


def drawn(folder: Path, document: str) -> list[list[str]]:
    """The texts of each diagram as PlantUML's SVG has them; fails where it reports an error."""
    program = web.program("plantuml")
    source = folder / "chart.puml"
    source.write_text(document, "utf-8")
    result = subprocess.run(
        [program, "-tsvg", "-charset", "UTF-8", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, (result.stdout, result.stderr)
    found = []
    for path in sorted(folder.glob("*.svg")):
        root = ElementTree.parse(path).getroot()
        names = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not names & {"image", "a", "script", "foreignObject"}
        found.append([e.text or "" for e in root.iter() if e.tag.endswith("}text")])
    return found


def plain(texts: list[str]) -> str:
    return "".join("".join(texts).replace("\u00a0", " ").split())


def test_plantuml_draws_every_chart(tmp_path: Path) -> None:
    """All in one run: starting Java costs more than drawing."""
    names = [name for name in charts.ALL if name != "many"]
    blocks = [render(charts.ALL[name](), "plantuml") for name in names]
    assert all(block.count("@startuml") == 1 for block in blocks)
    diagrams = drawn(tmp_path, "\n".join(blocks))
    assert len(diagrams) == len(names)
    for chart in (charts.ALL[name]() for name in names):
        wanted = [plain([visible(step.title)[:30]]) for step in chart.steps]
        assert any(all(title in plain(texts) for title in wanted) for texts in diagrams), chart.flow


def test_signs_of_the_grammar_are_mere_text(tmp_path: Path) -> None:
    lines = [
        f"a -> b : {quoted(text)}\nnote over a : {quoted(text)}"
        for text in (*TRAPS, *charts.HOSTILE)
    ]
    (texts,) = drawn(tmp_path, "\n".join(["@startuml", *lines, "@enduml", ""]))
    shown = plain(texts)
    for text in (*TRAPS, *charts.HOSTILE):
        assert shown.count(plain([visible(text)])) >= 2, text


@pytest.mark.long
def test_a_long_chart_is_drawn_in_blocks(tmp_path: Path) -> None:
    chart = charts.many(1000)
    document = render(chart, "plantuml")
    diagrams = drawn(tmp_path, document)
    assert len(diagrams) == document.count("@startuml") >= 1000 // BLOCK_ARROWS
    shown = plain([text for texts in diagrams for text in texts])
    for number in range(1, 501):
        assert f"REGISTER#{number}(" in shown


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=60))
@settings(max_examples=300)
def test_no_sign_of_the_grammar_is_left(text: str) -> None:
    shown = quoted(text)
    assert "\n" not in shown
    rest = shown
    for code in {*shown.split("<U+")[1:]}:
        rest = rest.replace(f"<U+{code.partition('>')[0]}>", "")
    for sign in "<>{}[]%'!\"`&$|~*\\^#;":
        assert sign not in rest
    for doubled in ("--", "//", "__", "==", "::"):
        assert doubled not in rest
