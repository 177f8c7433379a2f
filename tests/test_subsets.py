"""Leave out any captures, key logs or the phone's log: a verdict says less, never wrong.

Over all subsets of what a scenario's folder holds, each step's status may only lose
certainty against the whole: done to hidden, missing or inferred, failed to hidden or missing.
"""

from __future__ import annotations

from itertools import product

import pytest

from dissect.flow.definition import built_in
from dissect.model import SequenceChart
from dissect.pipeline import Options, Session
from tests.lab import SCENARIOS, Scenario, scenario

# status in the whole → what it may become with less
LESS = {
    "done": {"done", "inferred", "hidden", "missing"},
    "failed": {"failed", "hidden", "missing"},
    "inferred": {"inferred", "hidden", "missing"},
    "hidden": {"hidden", "missing"},
    "missing": {"missing", "hidden"},
}


def charts(item: Scenario, parts: frozenset[str], flow: str) -> list[SequenceChart]:
    captures = [
        c for c, name in zip(item.captures, ("phone", "browser"), strict=True) if name in parts
    ]
    keys = [
        f"{getattr(item, name)}:{item.folder / name}.keys"
        for name in ("phone", "browser")
        if {name, name + ".keys"} <= parts and item.has_keys
    ]
    logs = (item.phone_log,) if "log" in parts else ()
    return Session(
        Options(tuple(captures), tuple(keys), phone_logs=logs, flows=(flow,), auto_keys=False)
    ).charts


PARTS = ("phone", "browser", "phone.keys", "browser.keys", "log")


def subsets() -> list[frozenset[str]]:
    found = []
    for chosen in product((True, False), repeat=len(PARTS)):
        parts = frozenset(name for name, taken in zip(PARTS, chosen, strict=True) if taken)
        without_capture = any(f"{n}.keys" in parts and n not in parts for n in ("phone", "browser"))
        if not without_capture and parts & {"phone", "browser", "log"}:
            found.append(parts)
    return found


@pytest.mark.parametrize("flow", sorted(built_in()))
@pytest.mark.parametrize("name", SCENARIOS)
def test_less_evidence_is_less_certainty_and_nothing_else(name: str, flow: str) -> None:
    item = scenario(name)
    whole = charts(item, frozenset(PARTS), flow)
    assert len(subsets()) == 17
    for parts in subsets():
        said = sorted(parts)
        found = charts(item, parts, flow)
        assert len(found) <= len(whole), said
        for chart, full in zip(found, whole, strict=False):
            for step, reference in zip(chart.steps, full.steps, strict=True):
                assert step.status in LESS[reference.status], (said, step.number, step.status)
            if chart.status == "complete":
                assert full.status == "complete", said
            if chart.status == "failed":
                assert full.status == "failed", said
                assert (chart.stopped_at, chart.cause and chart.cause.code) == (
                    full.stopped_at,
                    full.cause and full.cause.code,
                ), said
