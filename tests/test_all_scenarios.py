"""Every recorded scenario: the verdict that its actors staged, with and without the phone's log."""

from __future__ import annotations

from typing import Any

import pytest

from dissect.model import SequenceChart
from dissect.pipeline import Options, Session
from tests.lab import ALL, Scenario, scenario

Verdict = tuple[str, str, int | None, str | None]


def charts(item: Scenario, with_log: bool) -> list[SequenceChart]:
    logs = sorted(map(str, item.folder.glob("phone*.log"))) if with_log else []
    return Session(Options(tuple(item.captures), phone_logs=tuple(logs))).charts


def said(chart: SequenceChart) -> Verdict:
    return chart.flow, chart.status, chart.stopped_at, chart.cause.code if chart.cause else None


def staged(item: Scenario) -> list[Verdict]:
    verdicts: list[dict[str, Any]] = item.truth.get("verdicts") or [item.truth["verdict"]]
    return [
        (v.get("flow", "vvx-web-signin"), v["status"], v["stopped_at"], v["code"]) for v in verdicts
    ]


def agrees(told: Verdict, truth: Verdict) -> bool:
    """Equal; a flow that the lab has no step numbers for is compared without them."""
    if truth[0] == "vvx-web-signin":
        return told == truth
    return (told[0], told[1], told[3]) == (truth[0], truth[1], truth[3])


@pytest.mark.parametrize("with_log", [False, True], ids=["captures", "captures+log"])
@pytest.mark.parametrize("name", [name for name in ALL if name != "no-keys"])
def test_verdicts(name: str, with_log: bool) -> None:
    item = scenario(name)
    told = [said(chart) for chart in charts(item, with_log)]
    truth = staged(item)
    assert len(told) == len(truth), (told, truth)
    for verdict in truth:
        assert any(agrees(chart, verdict) for chart in told), (told, truth)


@pytest.mark.parametrize("name", [name for name in ALL if name != "no-keys"])
def test_a_cause_has_evidence_and_a_remedy(name: str) -> None:
    for chart in charts(scenario(name), False):
        if chart.cause is not None:
            assert chart.cause.evidence
            assert chart.cause.text
            assert chart.cause.remedy
            assert chart.cause.evidence[0].first_frame is not None
