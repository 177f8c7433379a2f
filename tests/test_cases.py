"""Inputs with right answers that nobody here made (`../shared/cases`, `../shared/evidence`).

`cases.txt` names those that hold, a line each; one that no longer does fails. The answers and
their sources stand in the cases, and the program that runs them is theirs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
CHECK = SHARED / "cases" / "check"
HELD = (Path(__file__).parent / "cases.txt").read_text().split()

needs_cases = pytest.mark.skipif(not CHECK.exists(), reason="no cases beside the repository")


def checked(case: Path) -> subprocess.CompletedProcess[str]:
    beside = str(Path(sys.executable).parent)
    dissect = shutil.which("dissect", path=beside) or shutil.which("dissect")
    assert dissect is not None, "the command is not installed"
    command = [sys.executable, str(CHECK), "--dissect", dissect, str(case)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_name_stands_once_and_in_order() -> None:
    assert sorted(set(HELD)) == HELD


@needs_cases
@pytest.mark.long
@pytest.mark.parametrize("name", HELD)
def test_a_case_that_held_still_holds(name: str) -> None:
    result = checked(SHARED / f"{name}.case.json")
    assert result.returncode == 0, result.stdout + result.stderr


@needs_cases
@pytest.mark.long
def test_a_case_that_does_not_hold_is_reported(tmp_path: Path) -> None:
    (tmp_path / "no.case.json").write_text('{"checks": [{"run": ["--version"], "exit": 3}]}')
    result = checked(tmp_path / "no.case.json")
    assert result.returncode == 1
    assert "exit 0 for 3" in result.stdout
