"""The example in plugins/ does what its README says, on every recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissect.pipeline import RunOptions, Session
from tests.lab import SCENARIOS, scenario

EXAMPLE = str(Path(__file__).resolve().parents[2] / "plugins" / "flows" / "device-code.toml")
EXPIRES = {"code-expired"}
NEVER_SIGNED_IN = {"wrong-password", "wrong-password-managed"}


@pytest.mark.parametrize("name", [n for n in SCENARIOS if scenario(n).has_keys])
def test_device_code_example(name: str) -> None:
    (chart,) = Session(RunOptions((scenario(name).phone,), flows=(EXAMPLE,))).charts
    expected = (
        "failed" if name in EXPIRES else "incomplete" if name in NEVER_SIGNED_IN else "complete"
    )
    assert chart.status == expected
    assert chart.steps[0].status == "done"
    if name in EXPIRES:
        assert chart.cause is not None
        assert chart.cause.code == "oauth.expired_token"


def test_it_is_folded_into_the_more_specific_flow() -> None:
    run = Session(RunOptions((scenario("web-signin").phone,), flows=(EXAMPLE, "vvx-web-signin")))
    assert [chart.flow for chart in run.charts] == ["vvx-web-signin"]
