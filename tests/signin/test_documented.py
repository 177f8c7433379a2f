"""The shipped flows are in the documents; of their cause codes see tests/flow/test_causes.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissect.flow.definition import built_in

FLOWS = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("flow", built_in())
def test_each_flow_is_documented(flow: str) -> None:
    assert f"| `{flow}` |" in FLOWS
