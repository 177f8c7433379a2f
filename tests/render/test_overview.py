"""The overview: which arrows stand for a step, and what each format shows of them.

Steps, statuses and actors of the recordings are those that the lab's truth files stage; what a page
looks like is measured from what matplotlib draws.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from dissect.flow.definition import built_in
from dissect.model import KeyArrow, SequenceChart, Step
from dissect.pipeline import RunOptions as PipelineOptions
from dissect.pipeline import Session
from dissect.render import mpl, render, text_wrapping
from dissect.render.fonts import letters
from dissect.render.onepage import overview_pages
from dissect.render.overview import deciding, overview
from dissect.render.primitives import MIN_SIZE, PAGE_HEIGHT, Page, Text
from dissect.render.several import several_pages
from tests.lab import ALL as RECORDED
from tests.lab import scenario

from . import charts
from .five import FAILED, NAMES, five
from .test_pictures import apart, boxed, texts

WORDS = 5
# A success, failures at four steps and of other flows, one without keys, calls, SAML, a late start.
LOOKED_AT = (
    "web-signin", "wrong-password", "tls10-only", "wrong-code", "tcp-refused", "no-keys",
    "sip-call-busy", "sip-call-reinvite", "saml-sp", "saml-sp-denied", "late-start",
)  # fmt: skip


@cache
def recorded(name: str) -> tuple[SequenceChart, ...]:
    return tuple(Session(PipelineOptions(tuple(scenario(name).captures))).charts)


def pages_of(chart: SequenceChart, tall: bool) -> list[Page]:
    return overview_pages(chart, letters(substitute=True), "dissect 0", tall=tall, mark="3 of 5")


# ---------------------------------------------------------------- definitions


@pytest.mark.parametrize("name", sorted(built_in()))
def test_every_step_of_a_shipped_flow_has_a_label_of_five_words(name: str) -> None:
    for step in built_in()[name].step:
        assert 1 <= len(step.label.split()) <= WORDS, (name, step.number)
        for entry in step.summary:
            assert 1 <= len(entry.label.split()) <= WORDS, (name, entry.label)


def test_the_reference_flow_has_the_steps_of_the_article() -> None:
    """Seven, 4 and 6 as an exchange (the redirect and the prompt, the code and the tokens), from
    whom to whom ../shared/reference/web-signin.md has them."""
    (chart,) = recorded("web-signin")
    found = [(s.number, s.sender, s.receiver) for s in overview(chart).strokes]
    assert [number for number, _, _ in found] == [1, 2, 2, 3, 4, 4, 5, 6, 6, 7]
    ends = [(sender, receiver) for _, sender, receiver in found]
    assert ends == [
        ("user", "phone"), ("phone", "pairing"), ("azuread", "phone"), ("browser", "azuread"),
        ("browser", "adfs"), ("adfs", "browser"), ("browser", "azuread"), ("browser", "azuread"),
        ("azuread", "phone"), ("phone", "sfb"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["wrong-password", "tls10-only", "wrong-code", "tcp-refused"])
def test_the_failed_arrow_is_there_and_blamed(name: str) -> None:
    truth = scenario(name).truth
    (chart,) = recorded(name)
    strokes = overview(chart).strokes
    (blamed,) = [stroke for stroke in strokes if stroke.blamed]
    assert blamed.status == "failed"
    assert blamed.number == chart.stopped_at == truth["verdict"]["stopped_at"]
    assert {s.number for s in strokes} == {step.number for step in chart.steps}
    later = {s.status for s in strokes if s.number > blamed.number}
    assert later <= {"missing", "done"}


def test_every_step_is_drawn_whatever_became_of_it() -> None:
    (chart,) = recorded("no-keys")
    found = {stroke.number: stroke.status for stroke in overview(chart).strokes}
    assert found == {step.number: step.status for step in chart.steps}
    assert {"hidden", "inferred"} <= set(found.values())


def test_without_a_summary_a_step_has_its_failed_arrow_or_its_first() -> None:
    strokes = overview(charts.failure()).strokes
    assert [stroke.number for stroke in strokes] == [1, 2, 3, 4, 5, 6, 7]
    assert strokes[3].label.startswith("200 sign-in form again")
    assert strokes[3].blamed
    assert [stroke.sender for stroke in strokes[4:]] == [""] * 3


def test_steps_have_their_deciding_arrows_only() -> None:
    (chart,) = recorded("wrong-password")
    some, all_ = deciding(chart), chart
    assert [s.status for s in some.steps] == [s.status for s in all_.steps]
    for few, many in zip(some.steps, all_.steps, strict=True):
        assert set(few.arrows) <= set(many.arrows)
        assert len(few.arrows) <= 3
    assert any(arrow.status == "failed" for arrow in some.steps[3].arrows)


# ---------------------------------------------------------------- pictures


def made() -> Iterator[tuple[str, SequenceChart]]:
    for name, build in charts.ALL.items():
        yield name, build()


@pytest.mark.parametrize("tall", [True, False])
@pytest.mark.parametrize("name", charts.ALL)
def test_no_text_overlaps_or_is_cut(name: str, tall: bool) -> None:
    for page in pages_of(charts.ALL[name](), tall):
        apart(page)
        boxed(page)
        assert min(i.size for _, i in page.items if isinstance(i, Text)) >= MIN_SIZE


@pytest.mark.parametrize("name", LOOKED_AT)
def test_recordings_are_one_page(name: str) -> None:
    for chart in recorded(name):
        (page,) = pages_of(chart, tall=False)
        assert page.height == PAGE_HEIGHT
        apart(page)
        boxed(page)


@pytest.mark.long
@pytest.mark.parametrize("name", RECORDED)
def test_pictures_of_recordings(name: str) -> None:
    for chart in recorded(name):
        for tall in (True, False):
            (page,) = pages_of(chart, tall)
            apart(page)
            boxed(page)


def test_a_flow_of_many_steps_goes_on_overleaf() -> None:
    step = charts.success().steps[1]
    arrow = step.arrows[0]
    steps = tuple(
        Step(n, f"Step {n}", "done", (arrow,), None,
             (KeyArrow(arrow.sender, arrow.receiver, f"Label {n}", arrow),))
        for n in range(1, 41)
    )  # fmt: skip
    found = pages_of(replace(charts.success(), steps=steps), tall=False)
    assert len(found) > 1
    drawn = [text for page in found for text in texts(page) if text.startswith("Label ")]
    assert drawn == [f"Label {n}" for n in range(1, 41)]
    for page in found:
        apart(page)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_the_page_of_several_is_legible(count: int) -> None:
    found = [charts.failure() if n % 2 else charts.long_labels() for n in range(count)]
    for tall in (True, False):
        for page in several_pages(found, letters(substitute=True), "dissect 0", tall=tall):
            apart(page)


def test_a_status_is_reported_without_colour() -> None:
    """In grey: each status has its glyph and word, and the failed arrow is the thickest."""
    (chart,) = recorded("wrong-password")
    (page,) = pages_of(chart, tall=True)
    reported = texts(page)
    for word in ("✓ done", "✗ failed", "≈ inferred", "– missing"):
        assert word in reported
    widths = {item.role: item.width for _, item in page.items if hasattr(item, "points")
              and hasattr(item, "width")}  # fmt: skip
    assert widths["failed"] == max(widths.values())


# ---------------------------------------------------------------- formats


def test_the_readmes_picture_is_the_overview() -> None:
    """As `make picture` draws it today; names of files are longer here."""
    root = Path(__file__).parents[2]
    with Image.open(root / "reports" / "web-signin.png") as shown:
        width, height = shown.size
    item = scenario("web-signin")
    names = [str(item.folder / f"{part}.pcapng") for part in ("phone", "browser")]
    options = PipelineOptions(tuple(names), phone_logs=(str(item.folder / "phone.log"),))
    drawn = Image.open(io.BytesIO(_png(Session(options).charts)))
    assert width == drawn.size[0]
    assert abs(height - drawn.size[1]) < 60


def _png(found: list[SequenceChart]) -> bytes:
    data = render(found, "png", detail="overview")
    assert isinstance(data, bytes)
    return data


@pytest.mark.parametrize("name", ["text", "markdown", "mermaid", "plantuml"])
def test_every_format_names_the_steps_and_what_failed(name: str) -> None:
    (chart,) = recorded("wrong-password")
    text = " ".join(str(render(chart, name, detail="overview")).split())
    flat = "".join(c for c in text.replace("<br/>", " ").replace("\\n", " ") if c not in "│ ")
    for stroke in overview(chart).strokes:
        assert stroke.label.replace(" ", "") in flat, stroke.label
    assert "ADFSdidnotacceptthecredentialsof" in flat
    assert "Remedy" in text or "remedy" in text


def test_html_leads_from_the_overview_to_the_arrow() -> None:
    (chart,) = recorded("wrong-password")
    page = str(render(chart, "html"))
    assert page.index('class="ladder short"') < page.index('class="step"')
    assert page.count('class="stroke ') == len(overview(chart).strokes)
    short = str(render(chart, "html", detail="overview"))
    assert 'class="arrow ' not in short


def test_json_and_csv() -> None:
    (chart,) = recorded("wrong-password")
    whole = json.loads(str(render(chart, "json")))["flows"][0]
    few = json.loads(str(render(chart, "json", detail="steps")))["flows"][0]
    assert whole["overview"] == few["overview"]
    assert [o["step"] for o in whole["overview"]] == [s.number for s in overview(chart).strokes]
    assert whole["headline"].startswith("ADFS did not accept the credentials of ")
    assert whole["stopped_at"] == few["stopped_at"] == 4
    assert sum(len(s["arrows"]) for s in few["steps"]) < sum(
        len(s["arrows"]) for s in whole["steps"]
    )
    rows = list(csv.DictReader(io.StringIO(str(render(chart, "csv", detail="steps")))))
    assert len(rows) == sum(len(s["arrows"]) for s in few["steps"])


@pytest.mark.parametrize("name", LOOKED_AT)
def test_the_ladder_fits_eighty_columns_and_ends_with_the_verdict(name: str) -> None:
    found = recorded(name)
    for detail in ("overview", "steps", "full"):
        lines = str(render(found, "text", width=80, detail=detail)).splitlines()
        assert max(map(text_wrapping.cell_width, lines)) <= 80
        assert any("│" in line for line in lines)
        verdict = " ".join(lines[len(lines) - lines[::-1].index("") :])
        assert verdict[0] in "✗✓–"
        named = {actor.ident for chart in found for actor in chart.actors}
        assert named <= {word for line in lines for word in line.split()}  # none is cut


# ---------------------------------------------------------------- five phones


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> tuple[SequenceChart, ...]:
    captures = five(tmp_path_factory.mktemp("five"))
    return tuple(Session(PipelineOptions(tuple(captures))).charts)


def test_of_five_phones_those_that_failed_come_first(phones: tuple[SequenceChart, ...]) -> None:
    assert len(phones) == len(NAMES)
    text = str(render(phones, "text"))
    assert text.startswith(f"✗ {len(FAILED)} of {len(NAMES)} sign-ins failed\n")
    head = text[: text.index("\n1 of 5\n")]
    marks = [line.split()[0] for line in head.splitlines()[1:] if line[2:3] in "✗✓–" and line[2:3]]
    assert marks == ["✗"] * len(FAILED) + ["✓"] * (len(NAMES) - len(FAILED))
    for number in range(1, 6):
        assert f"10.9.{number}.232" in head


def test_a_picture_of_five_is_no_scroll(phones: tuple[SequenceChart, ...]) -> None:
    """The overview and what failed; the PDF has all, and says on which page."""
    png = Image.open(io.BytesIO(bytes(mpl.png(phones, _options()))))
    assert png.size[1] < 6000  # it was 17,000
    page = mpl._tall(phones, letters(substitute=True), "full", few=True)
    reported = texts(page)
    failed = [n for n, chart in enumerate(phones, 1) if chart.status == "failed"]
    for number in range(1, 6):
        assert any(t.startswith(f"{number} of 5") for t in reported) == (number in failed)
    sheets = mpl._sheets(phones, letters(substitute=True), "full")
    places = [t for t in texts(sheets[0]) if "page " in t and "·" in t][:-1]
    for sheet_number, sheet in enumerate(sheets, 1):
        assert any(t.endswith(f"page {sheet_number} of {len(sheets)}") for t in texts(sheet))
    for place in places:
        code, _, where = place.rpartition(" · page ")
        assert code in "\n".join(texts(sheets[int(where) - 1]))


def _options() -> mpl.Options:
    return mpl.Options()
