"""The commands in this process, as tests call them."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from dissect.cli.main import cli
from tests.lab import scenario

COMMON = {"capture", "stream", "first_frame", "last_frame", "time", "client", "server", "encrypted"}


def output(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    assert result.exception is None, result.exception
    return result.stdout


def rows(command: str, *arguments: str) -> list[dict[str, Any]]:
    item = scenario("web-signin")
    capture = item.browser if command == "redirects" else item.phone
    text = output(command, capture, *arguments, "--format", "json")
    return [json.loads(line) for line in text.splitlines()]
