"""0, 1 and 3 are verdicts: whatever else ends a run ends it with 2, in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest

from dissect.cli.main import COMMANDS, main
from tests.lab import scenario

SIGNIN = scenario("web-signin")
SECRET = "hunter2-in-the-text"

# command → what it is asked, and what of dissect raises the error
PLANTED: dict[str, tuple[list[str], str]] = {
    **{
        command: ([SIGNIN.phone], "dissect.pipeline.Session.messages")
        for command in ("http", "sip", "tls", "dns", "dhcp", "ntp", "redirects")
    },
    "table": (["http", SIGNIN.phone], "dissect.pipeline.Session.messages"),
    "info": ([SIGNIN.phone], "dissect.overview.document"),
    "events": ([SIGNIN.phone], "dissect.pipeline.Session.events"),
    "flow": ([SIGNIN.phone], "dissect.pipeline.Session.charts"),
    "report": ([SIGNIN.phone, "-o", "{out}.html"], "dissect.report.build.build"),
    "export": ([SIGNIN.phone, "-o", "{out}"], "dissect.export.write.masked"),
    "check": ([SIGNIN.phone, "--expect", "{golden}"], "dissect.compare.compare"),
    "diff": ([SIGNIN.phone, SIGNIN.phone], "dissect.compare.parting"),
    "crosscheck": ([SIGNIN.phone], "dissect.engines.both.check"),
    "flows": ([], "dissect.plugins.registry"),
    "plugins": ([], "dissect.plugins.registry"),
}

ERRORS: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: RuntimeError(SECRET),
    "AssertionError": lambda: AssertionError(SECRET),
    "EOFError": lambda: EOFError(SECRET),
    "StopIteration": lambda: StopIteration(SECRET),
    "GeneratorExit": lambda: GeneratorExit(SECRET),
    "BaseException": lambda: BaseException(SECRET),
    "SystemExit 0": lambda: SystemExit(0),
    "SystemExit 1": lambda: SystemExit(1),
    "SystemExit text": lambda: SystemExit(SECRET),
    "click 1": lambda: click.exceptions.Exit(1),
    "click 3": lambda: click.exceptions.Exit(3),
    "Unicode": lambda: UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
    "OSError without number": lambda: OSError(SECRET),
    "broken pipe": lambda: BrokenPipeError(32, "Broken pipe"),
    "input/output": lambda: OSError(5, "Input/output error", "phone.pcapng"),
    "memory": lambda: MemoryError(SECRET),
    "recursion": lambda: RecursionError(SECRET),
    "library": lambda: ModuleNotFoundError(SECRET, name="hpack"),
    "group": lambda: ExceptionGroup(SECRET, [ValueError(SECRET)]),
}


def test_every_command_has_a_row() -> None:
    assert PLANTED.keys() == COMMANDS.keys()


def raising(error: Callable[[], BaseException]) -> Callable[..., NoReturn]:
    def fails(*_arguments: Any, **_options: Any) -> NoReturn:
        raise error()

    return fails


def plant(
    command: str,
    error: Callable[[], BaseException],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """The command line on which the error is raised."""
    arguments, place = PLANTED[command]
    fails = raising(error)
    monkeypatch.setattr(place, property(fails) if ".Session." in place else fails)
    golden = folder / "golden.json"
    golden.write_text('{"schema": 1, "flows": []}')
    return [command, *(word.format(golden=golden, out=folder / "out") for word in arguments)]


@pytest.mark.parametrize("command", PLANTED)
def test_an_error_in_every_command(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = plant(command, lambda: RuntimeError(SECRET), tmp_path, monkeypatch)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "internal error, please report: RuntimeError at " in err.splitlines()[-1]
    assert SECRET not in err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "out"))]


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("command", ["http", "flows"])
def test_every_error(
    command: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = plant(command, ERRORS[name], tmp_path, monkeypatch)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    if not name.startswith("click"):
        (line,) = err.splitlines()
        assert line.startswith("dissect: ")
    assert SECRET not in err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("input/output", "dissect: phone.pcapng: input/output error"),
        ("memory", "dissect: there is not enough memory"),
        ("library", "dissect: the library hpack can't be loaded"),
        ("recursion", "dissect: the input is nested too deeply"),
        ("SystemExit 0", "internal error, please report: SystemExit at tables/http.py:"),
    ],
)
def test_what_is_reported(
    name: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(plant("http", ERRORS[name], tmp_path, monkeypatch))
    assert words in capsys.readouterr().err


def test_interrupted_is_130_wherever_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dissect.cli.interrupt._reported", False)
    for error in (KeyboardInterrupt, click.Abort):
        assert main(plant("http", error, tmp_path, monkeypatch)) == 130
    assert capfd.readouterr().err == "dissect: interrupted\n"


def test_the_way_to_an_error_for_whoever_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By file, line and function; never what the exception says."""

    def error() -> BaseException:
        found = RuntimeError(SECRET)
        found.__cause__ = KeyError(SECRET)
        return found

    words = plant("http", error, tmp_path, monkeypatch)
    monkeypatch.setenv("DISSECT_DEBUG", "1")
    assert main(words) == 2
    err = capsys.readouterr().err
    assert "builtins.RuntimeError\n" in err
    assert "builtins.KeyError\n" in err
    assert "main.py:" in err
    assert SECRET not in err


def python(program: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("library", ["click", "msgspec", "cryptography"])
def test_a_library_that_is_not_there(library: str) -> None:
    code, err = python(
        f"import sys; sys.modules[{library!r}] = None\n"
        f"sys.argv = ['dissect', 'flow', {SIGNIN.phone!r}]\n"
        "from dissect.__main__ import main; main()"
    )
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith("dissect: ")
    assert f"{library} can't be loaded" in line


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_plugin_that_exits(code: int, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(f"import sys\ndef register(registry):\n    sys.exit({code})\n")
    done = subprocess.run(
        [sys.executable, "-m", "dissect", "flow", SIGNIN.phone, "--plugin", str(plugin)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "SystemExit" in done.stderr


def test_an_error_in_a_destructor(tmp_path: Path) -> None:
    """Python would print where it was, and its text."""
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        f"class Last:\n    def __del__(self):\n        raise ValueError({SECRET!r})\n"
        "def register(registry):\n    Last()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "dissect", "flow", SIGNIN.phone, "--plugin", str(plugin)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    text = "dissect: internal error, please report: ValueError while cleaning up\n"
    assert done.stderr == text


def test_completions_of_the_shell() -> None:
    environment = {**os.environ, "COMP_WORDS": "dissect fl", "COMP_CWORD": "1"}
    for how, code in (("bash_complete", 0), ("bash_nonsense", 2)):
        done = subprocess.run(
            [sys.executable, "-m", "dissect"],
            env={**environment, "_DISSECT_COMPLETE": how},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert ("plain,flow\n" in done.stdout) is (code == 0)
        assert "Traceback" not in done.stderr
