"""`check` and `diff`: equal in meaning is equal; any other difference is reported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dissect.cli.main import cli
from dissect.compare import compare
from dissect.errors import UsageError
from tests.lab import scenario

SIGNIN = scenario("web-signin")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    path = tmp_path / "golden.json"
    result = run("check", *SIGNIN.captures, "--expect", path, "--update")
    assert result.return_value == 0
    return path


def test_a_recording_is_itself(golden: Path) -> None:
    result = run("check", *SIGNIN.captures, "--expect", golden)
    assert (result.return_value, result.stdout) == (0, "")


def test_a_recording_of_the_same_flow_elsewhere_differs_only_in_its_names(golden: Path) -> None:
    """The renamed scenario: other hosts, users, addresses, ids, ports; the same steps."""
    result = run("check", *scenario("web-signin-renamed").captures, "--expect", golden)
    assert result.return_value == 1
    assert "status" not in result.stdout
    assert "cause" not in result.stdout


def test_another_verdict_is_reported(golden: Path) -> None:
    result = run("check", *scenario("wrong-password").captures, "--expect", golden)
    assert result.return_value == 1
    lines = result.stdout.splitlines()
    assert "vvx-web-signin, status: expected complete, found failed" in lines
    assert "vvx-web-signin, stopped_at: expected None, found 4" in lines
    assert "vvx-web-signin, cause: expected None, found adfs.credentials_rejected" in lines
    assert "vvx-web-signin, step 4, status: expected done, found failed" in lines


Change = Callable[[dict[str, Any]], None]


def _first_arrow(flow: dict[str, Any], step: int) -> dict[str, Any]:
    arrow: dict[str, Any] = flow["steps"][step - 1]["arrows"][0]
    return arrow


def _swap(flow: dict[str, Any]) -> None:
    arrows = flow["steps"][1]["arrows"]
    arrows[0], arrows[1] = arrows[1], arrows[0]


CHANGES: dict[str, Change] = {
    "label": lambda flow: _first_arrow(flow, 3).update(label="something else"),
    "end": lambda flow: _first_arrow(flow, 3).update(to="adfs"),
    "arrow status": lambda flow: _first_arrow(flow, 3).update(status="failed"),
    "order": _swap,
    "arrow gone": lambda flow: flow["steps"][6]["arrows"].pop(),
    "step gone": lambda flow: flow["steps"].pop(),
    "time": lambda flow: _first_arrow(flow, 7).update(time="2030-01-01T00:00:00.000000000Z"),
    "flow": lambda flow: flow.update(flow="another"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_kind_of_difference_is_found(golden: Path, name: str) -> None:
    document = json.loads(golden.read_text())
    changed = json.loads(golden.read_text())
    CHANGES[name](changed["flows"][0])
    assert compare(document, json.loads(golden.read_text())) == []
    assert compare(document, changed)


def test_addresses_and_ids_are_mapped_not_ignored(golden: Path) -> None:
    one, two = json.loads(golden.read_text()), json.loads(golden.read_text())
    for document, first, second in ((one, "10.0.0.1", "10.0.0.2"), (two, "10.9.9.1", "10.9.9.2")):
        arrows = document["flows"][0]["steps"][1]["arrows"]
        arrows[0]["label"] = f"to {first} and {second}"
        arrows[1]["label"] = f"again {first}"
    assert compare(one, two) == []
    two["flows"][0]["steps"][1]["arrows"][1]["label"] = "again 10.9.9.2"
    assert len(compare(one, two)) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": 2, "flows": []}', "\xff"])
def test_a_golden_file_that_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "golden.json"
    path.write_text(content, "latin-1")
    result = run("check", SIGNIN.phone, "--expect", path)
    assert result.exception is not None
    assert "golden.json" in str(result.exception)


def test_diff_says_where_they_parted() -> None:
    result = run("diff", SIGNIN.folder, scenario("wrong-password").folder)
    assert result.return_value == 1
    assert "≠ 4" in result.stdout
    parted = result.stdout.index("they part here")
    assert result.stdout.index("= 3") < parted < result.stdout.index("≠ 5")
    assert "adfs.credentials_rejected" in result.stdout
    # A 302 that only one of them has is no parting; the form that comes again is.
    bad = next(line for line in result.stdout.splitlines() if line.startswith("    bad:"))
    assert "the form again" in bad
    assert "after 3 equal arrows" in result.stdout
    same = run("diff", SIGNIN.folder, SIGNIN.folder)
    assert same.return_value == 0
    assert "≠" not in same.stdout


def test_diff_takes_the_first_flow_that_both_have() -> None:
    """A folder with two flows against one with one: what both have is compared."""
    folders = scenario("old-refresh-token").folder, scenario("web-ticket-fault").folder
    result = run("diff", *folders)
    assert result.return_value == 1
    assert "≠ 7" in result.stdout
    assert "webticket.refused" in result.stdout


def test_diff_of_no_two_of_one_kind() -> None:
    result = run("diff", scenario("password-path").folder, SIGNIN.folder)
    assert "no two of one kind" in str(result.exception)


def test_pytest_plugin(tmp_path: Path, golden: Path) -> None:
    """A user's own repository: one folder as it should be, one that has changed."""
    import subprocess
    import sys

    for name in ("web-signin", "wrong-password"):
        folder = tmp_path / "captures" / name
        folder.mkdir(parents=True)
        for path in scenario(name).folder.iterdir():
            if path.suffix in (".pcapng", ".keys"):
                shutil.copy(path, folder)
        shutil.copy(golden, folder / "expected.json")
    (tmp_path / "test_mine.py").write_text(
        "def test_mine(dissect_flow):\n"
        "    (chart,) = dissect_flow('captures/web-signin/phone.pcapng')\n"
        "    assert chart.status == 'complete'\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "dissect.pytest_plugin",
        "--dissect",
        "-q",
        ".",
    ]
    installed = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], capture_output=True, text=True, check=False
    )
    if "--dissect" in installed.stdout:
        command.remove("-p")
        command.remove("dissect.pytest_plugin")
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 2 passed" in result.stdout, result.stdout
    assert "status: expected complete, found failed" in result.stdout


STEP = {"number": 1, "title": "t", "status": "done", "arrows": []}
FLOW = {"flow": "f", "status": "complete", "stopped_at": None, "cause": None, "steps": [STEP]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"schema": 1, "flows": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"schema": ' + "1" * 6000 + "}", "not JSON"),
        ("\udcff", "not JSON"),
        ("[]", "not a document"),
        (json.dumps({"schema": 2, "flows": [FLOW]}), "not a document"),
        *(
            (json.dumps({"schema": 1, "flows": flows}), "not a document")
            for flows in (
                "f", ["f"], [{**FLOW, "cause": "c"}], [{**FLOW, "steps": "s"}],
                [{**FLOW, "steps": [1]}], [{**FLOW, "steps": [{"number": 1}]}],
                [{**FLOW, "steps": [{**STEP, "arrows": [{"time": 5}]}]}], [{**FLOW, "flow": None}],
            )
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_no_document_is_an_error_of_one_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path, good = tmp_path / "x.json", tmp_path / "good.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    good.write_text(json.dumps({"schema": 1, "flows": [FLOW]}))
    for command in (["check", SIGNIN.phone, "--expect", path], ["diff", good, path]):
        error = run(*command).exception
        assert isinstance(error, UsageError)
        assert said in str(error)


def test_a_document_is_read_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"schema": 1, "flows": [FLOW]}))
    assert run("diff", path, path).return_value == 0
    monkeypatch.setattr("dissect.compare.MAX_DOCUMENT", 20)
    assert "more than 0 MB" in str(run("diff", path, path).exception)
