"""The README's quotes are what its commands print today; its picture is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import COMMANDS, cli
from tests.lab import scenario

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
LEFT_OUT = "…"
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.S)


def quoted() -> list[tuple[str, list[str]]]:
    """Each command with the lines that the README shows of its output."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCKS:
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def test_there_are_quotes_and_the_diagram_comes_first() -> None:
    assert quoted()
    picture = re.search(r"!\[.*?\]\((.*?)\)", README)
    assert picture
    assert (ROOT / picture[1]).is_file()
    assert README.index(picture[0]) < README.index("```")


@pytest.mark.parametrize(("command", "lines"), quoted())
def test_a_quote_is_what_the_command_prints(
    command: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run where the README's tour is. A line `…` stands for any lines that are left out."""
    monkeypatch.chdir(scenario("wrong-password").folder)
    program, *arguments = shlex.split(command)
    assert program == "dissect"
    printed = CliRunner().invoke(cli, arguments).stdout
    parts = ["\n".join(part).strip("\n") for part in _split(lines)]
    at = 0
    for part in parts:
        found = printed.find(part, at)
        assert found >= 0, f"not printed any more:\n{part}\n\nbut:\n{printed}"
        at = found + len(part)
    assert printed.startswith(parts[0])
    assert printed.rstrip().endswith(parts[-1])


def _split(lines: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line == LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def test_the_commands_of_the_tour_are_known() -> None:
    tour = re.search(r"## A tour of one minute\n+```sh\n(.*?)```", README, re.S)
    assert tour
    lines = [line for line in tour[1].splitlines() if line.startswith("dissect")]
    assert lines
    assert {line.split()[1] for line in lines} <= set(COMMANDS)
