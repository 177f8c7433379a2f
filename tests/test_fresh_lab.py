"""The sign-in that `make lab-test` has recorded a moment ago: its verdict must hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dissect.pipeline import RunOptions, Session
from tests.lab import Scenario

pytestmark = pytest.mark.lab


@pytest.fixture
def fresh() -> Scenario:
    folder = os.environ.get("DISSECT_FRESH_LAB")
    if not folder:
        pytest.skip("make lab-test records a scenario and names it in DISSECT_FRESH_LAB")
    return Scenario(Path(folder))


@pytest.mark.parametrize("with_log", [False, True])
def test_verdict(fresh: Scenario, with_log: bool) -> None:
    logs = (fresh.phone_log,) if with_log else ()
    (chart,) = Session(RunOptions(tuple(fresh.captures), phone_logs=logs)).charts
    truth = fresh.truth["verdict"]
    assert (chart.status, chart.stopped_at) == (truth["status"], truth["stopped_at"])
    first = "done" if with_log else "inferred"
    assert [step.status for step in chart.steps] == [first, *["done"] * 6]


def test_no_secret_shows(fresh: Scenario) -> None:
    from dissect.render import render

    charts = Session(RunOptions(tuple(fresh.captures), phone_logs=(fresh.phone_log,))).charts
    shown = str(render(charts, "text")) + str(render(charts, "json"))
    assert len(fresh.truth["secrets"]) > 20
    assert [s["kind"] for s in fresh.truth["secrets"] if s["value"] in shown] == []
