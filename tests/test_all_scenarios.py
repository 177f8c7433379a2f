"""Every recorded scenario: the verdict that its actors staged, with and without the phone's log,
and tshark's word on the frames that are named as evidence."""

from __future__ import annotations

import pytest

from tests import lab
from tests.lab import ALL, FIRST, scenario
from tests.scenarios import agrees, charts, proof, said, staged

READABLE = [name for name in ALL if name != "no-keys"]


@pytest.mark.parametrize("with_log", [False, True], ids=["captures", "captures+log"])
@pytest.mark.parametrize("name", READABLE)
def test_verdicts(name: str, with_log: bool) -> None:
    reported = [said(chart) for chart in charts(name, with_log)]
    truth = staged(scenario(name))
    assert len(reported) == len(truth), (reported, truth)
    for verdict in truth:
        assert any(agrees(chart, verdict) for chart in reported), (reported, truth)


@pytest.mark.parametrize("name", READABLE)
def test_a_cause_has_evidence_and_a_remedy(name: str) -> None:
    for chart in charts(name):
        if chart.cause is not None:
            assert chart.cause.evidence
            assert chart.cause.text
            assert chart.cause.remedy
            assert chart.cause.evidence[0].first_frame is not None


@pytest.mark.parametrize(
    "name", [n if n in FIRST else pytest.param(n, marks=pytest.mark.long) for n in READABLE]
)
def test_tshark_finds_what_was_staged_in_the_frames_of_the_evidence(name: str) -> None:
    lab.need_tshark()
    item = scenario(name)
    for chart in charts(name):
        reported = proof(item, chart)
        assert reported is None or reported.found is None or reported.found or reported.near, (
            chart.cause
        )


@pytest.mark.parametrize("name", READABLE)
def test_what_is_not_done_is_explained(name: str) -> None:
    """Each such step says why, in a sentence; after a failure it says which step failed."""
    for chart in charts(name):
        for step in chart.steps:
            assert step.status == "done" or step.explanation, (chart.flow, step.number)
