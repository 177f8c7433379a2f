"""Each lab scenario's verdict against its actors' own notes, its evidence against tshark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pytest

from dissect.model import Arrow, SequenceChart
from dissect.pipeline import RunOptions, Session
from tests import lab
from tests.lab import SCENARIOS, Scenario, scenario

pytestmark = pytest.mark.skipif(not SCENARIOS, reason="no lab scenario is recorded in captures/")

OPENED = [name for name in SCENARIOS if scenario(name).has_keys]


def chart_of(captures: Sequence[str], **options: object) -> SequenceChart:
    charts = Session(RunOptions(tuple(captures), **options)).charts  # type: ignore[arg-type]
    assert len(charts) == 1
    return charts[0]


def statuses(chart: SequenceChart) -> list[str]:
    return [step.status for step in chart.steps]


@pytest.mark.parametrize("with_log", [False, True], ids=["captures", "captures+log"])
@pytest.mark.parametrize("name", OPENED)
def test_verdict_is_the_truth(name: str, with_log: bool) -> None:
    item = scenario(name)
    chart = chart_of(item.captures, phone_logs=(item.phone_log,) if with_log else ())
    truth = item.truth["verdict"]
    assert chart.status == truth["status"]
    assert chart.stopped_at == truth["stopped_at"]
    assert (chart.cause.code if chart.cause else None) == truth["code"]
    # Nothing shows the user's hand on the phone but the phone's own log.
    assert chart.steps[0].status == ("done" if with_log else "inferred")
    if chart.cause:
        assert chart.cause.evidence
        assert chart.cause.remedy


@pytest.mark.parametrize("name", ["web-signin", "web-signin-tls13", "web-signin-renamed"])
def test_success_has_all_steps(name: str) -> None:
    chart = chart_of(scenario(name).captures)
    assert statuses(chart) == ["inferred", "done", "done", "done", "done", "done", "done"]
    addresses = scenario(name).truth["names"]
    for actor in ("phone", "browser"):
        seen = next(a for a in chart.actors if a.ident == actor).addresses
        assert seen == (_address(addresses, actor),)


def _address(names: dict[str, object], actor: str) -> str:
    found = names[actor]
    return str(found["address"]) if isinstance(found, dict) else str(found)


@pytest.mark.parametrize("name", ["web-signin", "web-signin-tls13", "web-signin-renamed"])
def test_without_the_browser_its_steps_are_missing(name: str) -> None:
    chart = chart_of([scenario(name).phone])
    assert statuses(chart) == ["inferred", "done", "missing", "missing", "missing", "done", "done"]
    assert chart.status == "complete"
    for step in chart.steps[2:5]:
        assert "Browser" in (step.explanation or "")
        assert "captures given" in (step.explanation or "")


def test_without_the_phone_only_the_browsers_steps_are_known() -> None:
    """The browser came from the pairing service's page, so the code is such a phone's."""
    chart = chart_of([scenario("web-signin").browser])
    assert statuses(chart)[2:5] == ["done", "done", "done"]
    assert chart.status == "incomplete"
    assert {chart.steps[1].status, chart.steps[5].status, chart.steps[6].status} == {"missing"}


@pytest.mark.parametrize("name", ["web-signin-tls13", "web-signin-renamed"])
def test_a_browser_alone_tells_what_device_the_code_is_for(name: str) -> None:
    """Azure AD's page names the application; under other names the page that the browser came
    from is known by what it does."""
    chart = chart_of([scenario(name).browser])
    assert (chart.flow, chart.status) == ("vvx-web-signin", "incomplete")
    assert statuses(chart)[2:5] == ["done", "done", "done"]


def test_a_code_typed_for_who_knows_what_device() -> None:
    """The browser went to the code's page at once, and never learned whose code it was."""
    chart = chart_of([scenario("wrong-code").browser])
    assert chart.flow == "device-code"


def test_without_keys_no_more_is_claimed_than_traffic_patterns_tell() -> None:
    item = scenario("no-keys")
    chart = chart_of(item.captures)
    assert statuses(chart) == ["inferred", "inferred", *["hidden"] * 3, "inferred", "hidden"]
    assert (chart.status, chart.stopped_at) == ("incomplete", 3)
    for step in chart.steps:
        if step.status == "hidden":
            assert "no key log" in (step.explanation or "")
        else:
            assert {arrow.status for arrow in step.arrows} <= {"inferred"}
    (polls,) = chart.steps[5].arrows
    assert "by the shape of it: 3×" in polls.label
    assert "every 5 s" in polls.label
    assert "larger" in (chart.steps[5].explanation or "")


def test_without_keys_the_phones_log_fills_in_its_side() -> None:
    item = scenario("no-keys")
    chart = chart_of(item.captures, phone_logs=(item.phone_log,))
    assert statuses(chart) == ["done", "done", "hidden", "hidden", "hidden", "done", "done"]
    assert chart.status == item.truth["verdict"]["status"] == "complete"


def test_hiding_one_key_log_makes_no_verdict_wrong() -> None:
    item = scenario("web-signin")
    chart = chart_of(
        item.captures, auto_keys=False, key_logs=(f"{item.phone}:{item.folder / 'phone.keys'}",)
    )
    assert statuses(chart) == ["inferred", "done", "hidden", "hidden", "hidden", "done", "done"]


def test_phone_clock_is_found() -> None:
    # The lab's phone writes UTC+8 and is 110 s behind (the log has whole seconds).
    item = scenario("web-signin")
    run = Session(RunOptions(tuple(item.captures), phone_logs=(item.phone_log,)))
    assert run.charts
    (reported,) = [line for line in run.diagnostics if "clock" in line]
    assert "UTC+8" in reported
    assert "110 s behind" in reported or "111 s behind" in reported


def arrows_of(chart: SequenceChart) -> list[Arrow]:
    return [arrow for step in chart.steps for arrow in step.arrows if arrow.event != "gesture"]


@pytest.mark.parametrize("name", OPENED)
def test_tshark_confirms_every_arrows_frames(name: str) -> None:
    lab.need_tshark()
    item = scenario(name)
    seen = {capture: _frames(capture) for capture in item.captures}
    arrows = arrows_of(chart_of(item.captures))
    assert len(arrows) > 5
    for arrow in arrows:
        for source in arrow.sources or (arrow.source,):
            frames = seen[source.capture]
            assert source.first_frame is not None
            assert source.last_frame is not None
            first, last = frames[source.first_frame], frames[source.last_frame]
            assert first["tcp.stream"] == last["tcp.stream"] == [str(source.stream)], arrow
            protocols = last["frame.protocols"][0].split(":")
            assert {"http", "http2", "sip"} & set(protocols), arrow
            assert ("tls" in protocols) == source.encrypted, arrow
        assert _ns(seen[arrow.source.capture][arrow.source.first_frame]) == arrow.time_ns


def _frames(capture: str) -> dict[int, dict[str, list[str]]]:
    fields = ("frame.number", "frame.time_epoch", "tcp.stream", "frame.protocols")
    rows = lab.tshark_fields(capture, fields, "tcp", lab.keys_beside(capture))
    return {int(row["frame.number"][0]): row for row in rows}


def _ns(row: dict[str, list[str]]) -> int:
    seconds, _, fraction = row["frame.time_epoch"][0].partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))


@pytest.mark.parametrize("name", OPENED)
def test_messages_are_those_that_the_actors_sent(name: str) -> None:
    """Requests that phone and browser say they sent, against the exchanges dissect read."""
    from dissect.tables import table

    item = scenario(name)
    run = Session(RunOptions(tuple(item.captures), reveal=True))
    reported = [m for m in item.truth["messages"] if m["actor"] in ("phone", "browser")]
    requests = Counter(
        (m["method"], m["host"], m["path"])
        for m in reported
        if m["kind"] == "http" and m["direction"] == "sent"
    )
    read = Counter((row["method"], row["host"], row["path"]) for row in table("http").rows(run))
    assert requests
    assert dict(requests - read) == {}
    registers = Counter(
        (m["method"], m["cseq"], m.get("status")) for m in reported if m["kind"] == "sip"
    )
    assert registers == Counter(
        (row["method"], row["cseq"], row["status"]) for row in table("sip").rows(run)
    )


def test_the_json_says_the_same(tmp_path: object) -> None:
    from dissect.render import render

    item: Scenario = scenario("wrong-password")
    run = Session(RunOptions(tuple(item.captures)))
    (flow,) = json.loads(render(run.charts, "json"))["flows"]
    truth = item.truth["verdict"]
    assert (flow["status"], flow["stopped_at"]) == (truth["status"], truth["stopped_at"])
    assert flow["cause"]["code"] == truth["code"]
    assert [step["number"] for step in flow["steps"]] == [1, 2, 3, 4, 5, 6, 7]
