"""The HTML report in Chromium: what it loads, runs, shows, prints, and whether all can use it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.model import SequenceChart, Source
from dissect.render import render
from dissect.render.details import (
    Details,
    ExchangeView,
    MessageView,
    SipView,
    TlsView,
    evidence_key,
)
from dissect.render.escape import visible
from tests import web
from tests.lab import need_tshark, scenario
from tests.render import charts

AXE = """const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations.map(
    v => [v.impact, v.id, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary])));"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with web.chromium(tmp_path_factory.mktemp("chromium"), width=1400) as driver:
        driver.execute_cdp_cmd("Network.enable", {})
        yield driver


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of lab scenarios, made by the command."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name in ("web-signin", "wrong-password", "no-keys"):
        item = scenario(name)
        page = folder / f"{name}.html"
        arguments = ["report", *item.captures, "--phone-log", item.phone_log, "-o", str(page)]
        result = CliRunner().invoke(cli, arguments, standalone_mode=False)
        assert result.exception is None, result.exception
        found[name] = page
    return found


def opened(driver: Any, page: Path) -> None:
    """Open a page; it loads nothing but itself and complains of nothing."""
    driver.get_log("performance")
    driver.get_log("browser")
    driver.get(page.as_uri())
    assert web.complaints(driver) == []
    events = [json.loads(e["message"])["message"] for e in driver.get_log("performance")]
    urls = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert urls == {page.as_uri()}


def written(folder: Path, chart: SequenceChart, **options: Any) -> Path:
    page = folder / "page.html"
    text = render(chart, "html", **options)
    assert isinstance(text, str)
    page.write_text(text, "utf-8", newline="\n")
    return page


def hostile_details() -> Details:
    """Every field of every detail filled with what might break out of a page."""
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m{{7*7}}\"'"
    source = Source("a</script>.pcapng", 1, 2, 0)
    pair = (evil, evil)
    arrows = [arrow for step in charts.hostile().steps for arrow in step.arrows]
    view = MessageView(evil, source, charts.T0, (pair,), (pair,), f"{evil}\n{evil}", evil)
    return Details(
        messages={evidence_key(arrow.source): (view,) for arrow in arrows},
        exchanges=(ExchangeView(source, charts.T0, charts.T0 + 5, evil, evil, evil, 302, evil),),
        tls=(TlsView(source, evil, evil, evil, evil, evil, evil, evil, evil, evil, evil),),
        sip=(SipView(source, charts.T0, evil, evil + "x", evil, evil, evil, True, True),),
        clocks=(evil,),
        environment=(pair,),
        key_logs={evil: (evil,)},
        left_out=(evil,),
    )


@pytest.mark.parametrize("name", ["web-signin", "wrong-password", "no-keys"])
def test_opens_from_disk_and_loads_nothing(browser: Any, pages: dict[str, Path], name: str) -> None:
    opened(browser, pages[name])
    assert browser.execute_script("return document.querySelectorAll('.arrow').length") > 10
    heading = browser.execute_script("return document.querySelector('h1').innerText")
    assert " object at 0x" not in browser.execute_script("return document.body.textContent")
    assert heading.startswith("✗ Failed: ADFS" if name == "wrong-password" else "✓ Complete")


def test_hostile_text_stays_text(browser: Any, tmp_path: Path) -> None:
    chart, details = charts.hostile(), hostile_details()
    page = written(tmp_path, chart, details=details, diagnostics=charts.HOSTILE)
    opened(browser, page)
    count = "return document.querySelectorAll(arguments[0]).length"
    assert browser.execute_script(count, "script") == 2
    assert browser.execute_script(count, "img, iframe, object, embed, link, base") == 0
    attributes = """return [...document.querySelectorAll('*')].flatMap(e => [...e.attributes])
        .filter(a => /^on/i.test(a.name) || /^javascript:/i.test(a.value)).length"""
    assert browser.execute_script(attributes) == 0
    for index in range(browser.execute_script(count, ".arrow button")):
        browser.execute_script(
            "document.querySelectorAll('.arrow button')[arguments[0]].click()", index
        )
        assert browser.execute_script(count, "img, iframe, script:not(body > script)") == 0
    body = browser.execute_script("return document.body.textContent")
    for text in charts.HOSTILE:
        assert visible(text) in body
    assert "\u202e" not in body
    assert "\x1b" not in body
    assert web.complaints(browser) == []


def test_a_foreign_script_would_be_refused(browser: Any, tmp_path: Path) -> None:
    """The policy itself: were the escaping to fail, the browser would not run it."""
    page = written(tmp_path, charts.success())
    text = page.read_text("utf-8")
    page.write_text(text.replace("<main", "<script>window.ran = 1</script><main", 1), "utf-8")
    browser.get_log("browser")
    browser.get(page.as_uri())
    assert browser.execute_script("return window.ran") is None
    assert any("Content Security Policy" in line for line in web.complaints(browser))


def test_an_arrow_shows_headers_and_body_redacted(browser: Any, pages: dict[str, Path]) -> None:
    opened(browser, pages["wrong-password"])
    browser.execute_script("document.querySelector('.arrow.failed button').click()")
    panel = browser.execute_script("return document.getElementById('panel').innerText")
    assert "tcp.stream == 4 && frame.number in {151..152}" in panel
    assert "content-type" in panel
    assert "Incorrect user ID or password" in panel
    browser.execute_script(
        """[...document.querySelectorAll('.arrow')]
            .find(r => r.textContent.includes('POST credentials')).firstElementChild.click()"""
    )
    panel = browser.execute_script("return document.getElementById('panel').innerText")
    assert "‹password #1›" in panel
    secrets = scenario("wrong-password").truth["secrets"]
    assert not [s["kind"] for s in secrets if len(s["value"]) > 5 and s["value"] in panel]


def test_keyboard_and_filter(browser: Any, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    opened(browser, pages["web-signin"])
    shown = "return [...document.querySelectorAll('.arrow')].filter(r => !r.hidden).length"
    everything = browser.execute_script(shown)
    body = browser.find_element("tag name", "body")
    body.send_keys("/")
    box = browser.switch_to.active_element
    assert box.get_attribute("id") == "find"
    box.send_keys("devicecode")
    found = browser.execute_script(shown)
    assert 0 < found < everything
    assert f"{found} of {everything}" in browser.find_element("id", "count").text
    box.send_keys(Keys.ESCAPE)
    assert browser.execute_script(shown) == everything
    party = Select(browser.find_element("id", "with"))
    party.select_by_visible_text("ADFS proxy")
    assert 0 < browser.execute_script(shown) < everything
    party.select_by_index(0)
    first = browser.find_element("css selector", ".arrow button")
    first.send_keys(Keys.ENTER)
    assert browser.find_element("id", "panel").is_displayed()
    title = browser.find_element("css selector", "#panel h2").text
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert browser.find_element("css selector", "#panel h2").text != title
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not browser.find_element("id", "panel").is_displayed()
    assert browser.switch_to.active_element.tag_name == "button"


def test_arrow_keys_work_at_once(browser: Any, pages: dict[str, Path]) -> None:
    """Before anything is clicked: to a message that is seen, and on from there."""
    from selenium.webdriver.common.keys import Keys

    opened(browser, pages["wrong-password"])
    rows = """const rows = [...document.querySelectorAll('.arrow')];
        return rows.indexOf(document.activeElement.closest('.arrow'));"""
    body = browser.find_element("tag name", "body")
    body.send_keys(Keys.ARROW_DOWN)
    first = browser.execute_script(rows)
    assert first >= 0
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert browser.execute_script(rows) == first + 1
    browser.switch_to.active_element.send_keys(Keys.ARROW_UP)
    assert browser.execute_script(rows) == first


@pytest.mark.parametrize("width", [1400, 700])
def test_a_detail_stays_beside_its_arrow(browser: Any, pages: dict[str, Path], width: int) -> None:
    """The panel makes the page narrower, rows higher; where it covers the lower half its arrow
    is above it. The failed one has the remedy in it."""
    browser.set_window_size(width, 900)
    opened(browser, pages["wrong-password"])
    place = "return arguments[0].getBoundingClientRect().top"
    failed = browser.find_element("css selector", ".arrow.failed button")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", failed)
    before = browser.execute_script(place, failed)
    browser.execute_script("arguments[0].click()", failed)
    after = browser.execute_script(place, failed)
    panel = browser.find_element("id", "panel")
    if width > 900:
        assert abs(after - before) < 4
    else:
        top = browser.execute_script(place, panel)
        assert 0 <= after < top
    cause = browser.execute_script("return arguments[0].textContent", panel)
    assert "Remedy" in cause
    assert "ADFS event log" in cause
    browser.set_window_size(1400, 900)


def test_the_overview_leads_to_its_arrows(browser: Any, pages: dict[str, Path]) -> None:
    opened(browser, pages["wrong-password"])
    targets = browser.execute_script(
        "return [...document.querySelectorAll('.stroke a')].map(a => a.getAttribute('href'))"
    )
    assert len(targets) == 10
    for target in targets:
        assert browser.execute_script(
            "return document.querySelector(arguments[0]) !== null", target
        ), target


def test_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given by absolute paths from elsewhere; names that are alike keep what tells them apart."""
    import shutil as files

    item = scenario("wrong-password")
    reported = tmp_path / "Customer Secret GmbH"
    for part in ("one", "two"):
        (reported / part).mkdir(parents=True)
    for name in ("phone.pcapng", "phone.keys"):
        files.copy(item.folder / name, reported / "one" / name)
    for name in ("browser.pcapng", "browser.keys"):
        files.copy(item.folder / name, reported / "two" / name.replace("browser", "phone"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    captures = [str(reported / part / "phone.pcapng") for part in ("one", "two")]
    outputs = [f"out.{kind}" for kind in ("html", "md", "mmd", "puml", "svg", "pdf")]
    told_to = [word for name in outputs for word in ("-o", name)]
    CliRunner().invoke(cli, ["flow", *captures, *told_to], standalone_mode=False)
    for name in outputs:
        data = (elsewhere / name).read_bytes()
        assert data
        assert b"Customer" not in data, name
    page = (elsewhere / "out.html").read_text("utf-8")
    assert "one/phone.pcapng" in page
    assert "two/phone.pcapng" in page


@pytest.mark.parametrize("what", ["wrong-password", "hostile", "index", "dark", "narrow"])
def test_axe_finds_nothing_serious(
    tmp_path: Path, browser: Any, pages: dict[str, Path], what: str
) -> None:
    library = web.module("axe-core/axe.min.js").read_text("utf-8")
    page = pages["wrong-password"]
    driver = browser
    media = {"dark": "dark"}.get(what, "light")
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": media}]},
    )
    driver.set_window_size(700 if what == "narrow" else 1400, 900)
    if what == "hostile":
        page = written(tmp_path, charts.hostile(), details=hostile_details())
    if what == "index":
        folder = str(Path(scenario("web-signin").folder).parent)
        out = tmp_path / "out"
        CliRunner().invoke(cli, ["report", folder, "-o", str(out)], standalone_mode=False)
        page = out / "index.html"
    driver.get(page.as_uri())
    if what != "index":
        driver.execute_script("document.querySelector('.arrow button').click()")
    driver.execute_script(library)
    found = driver.execute_async_script(AXE)
    driver.set_window_size(1400, 900)
    assert [item for item in found if item[0] in ("serious", "critical")] == []


def test_five_thousand_arrows(browser: Any, tmp_path: Path) -> None:
    page = written(tmp_path, charts.many(5000))
    opened(browser, page)
    assert browser.execute_script("return document.querySelectorAll('.arrow').length") > 5000
    box = browser.find_element("id", "find")
    box.send_keys("#2499")
    shown = "return [...document.querySelectorAll('.arrow')].filter(r => !r.hidden).length"
    assert browser.execute_script(shown) == 1
    assert page.stat().st_size < 12_000_000


def test_prints_all_of_it(browser: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    program = web.program("pdftotext", "poppler-utils")
    opened(browser, pages["wrong-password"])
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    (tmp_path / "page.pdf").write_bytes(base64.b64decode(printed["data"]))
    command = [program, "-layout", str(tmp_path / "page.pdf"), "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    flat = "".join(text.split())
    labels = browser.execute_script(
        "return [...document.querySelectorAll('.flow .label')].map(e => e.textContent)"
    )
    assert len(labels) > 10
    for label in labels:
        assert label.split()[-1][:8] in flat
    assert "Failed:ADFSdidnotaccept" in flat
    assert "Atstep4of7" in flat


def test_lanes_and_lifelines_meet(browser: Any, pages: dict[str, Path]) -> None:
    """Heads are above their lifelines, whatever the width; no head overlaps another."""
    for width in (1000, 1400, 2200):
        browser.set_window_size(width, 900)
        opened(browser, pages["wrong-password"])
        heads, lines = browser.execute_script(
            """const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.right]; };
            return [[...document.querySelectorAll('.flow .head')].map(box),
                [...document.querySelectorAll('.flow .short .lifelines line')].concat(
                    [...document.querySelector('.flow .step .lifelines').children]).map(box)];"""
        )
        assert len(heads) == len(lines) == 14  # of the overview, then of all arrows
        for (left, right), (x, _) in zip(heads, lines, strict=True):
            assert abs((left + right) / 2 - x) < 4
        overflow = (
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert browser.execute_script(overflow) <= 0
    browser.set_window_size(1400, 900)


def test_commands_show_exactly_the_evidence(pages: dict[str, Path]) -> None:
    """The filter of each row, given to tshark, shows the frames of its evidence."""
    tshark = need_tshark()
    assert shutil.which("sh")
    text = pages["wrong-password"].read_text("utf-8")
    block = re.search(r'id="data">(.*?)</script>', text, re.S)
    assert block
    items = json.loads(block[1])["items"]
    commands = {c for item in items for name, c in item["copy"] if name == "tshark command"}
    assert len(commands) > 10
    for command in sorted(commands)[::4]:
        assert command.startswith("tshark -r ")
        short = (
            command.replace("tshark", tshark, 1).removesuffix("-V") + "-T fields -e frame.number"
        )
        result = subprocess.run(short, shell=True, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        shown = {int(number) for number in result.stdout.split()}
        wanted: set[int] = set()
        ranges = re.search(r"frame\.number (?:== (\d+)|in \{(.*?)\})", command)
        assert ranges
        for part in (ranges[1] or ranges[2]).split(", "):
            first, _, last = part.partition("..")
            wanted |= set(range(int(first), int(last or first) + 1))
        assert shown
        assert shown <= wanted
        assert {min(wanted), max(wanted)} <= shown
