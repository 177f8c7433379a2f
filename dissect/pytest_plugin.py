"""Captures as regression tests: `pytest --dissect`, and the fixture `dissect_flow`.

With `--dissect` every `expected.json` in a collected folder is a test: the captures that lie
beside it are read (with the key logs and phone logs there) and their flows compared with it.
`dissect check … --expect expected.json --update` writes such a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dissect.model import SequenceChart

CAPTURES = ("*.pcapng", "*.pcap", "*.pcapng.gz", "*.pcap.gz")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dissect")
    group.addoption(
        "--dissect", action="store_true", help="collect expected.json beside captures as tests"
    )


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> ExpectedFile | None:
    if file_path.name == "expected.json" and parent.config.getoption("--dissect"):
        return ExpectedFile.from_parent(parent, path=file_path)
    return None


class ExpectedFile(pytest.File):
    """A folder's `expected.json`."""

    def collect(self) -> Iterable[ExpectedFlow]:
        yield ExpectedFlow.from_parent(self, name="flow")


class ExpectedFlow(pytest.Item):
    """The flows of the captures beside `expected.json` mean what it says."""

    def runtest(self) -> None:
        from dissect.compare import compare, document
        from dissect.render import render

        folder = self.path.parent
        charts = charts_of(*captures_in(folder), phone_logs=sorted(map(str, folder.glob("*.log"))))
        expected = document(self.path.read_text("utf-8"))
        differences = compare(expected, json.loads(render(charts, "json")))
        if differences:
            raise FlowDiffers("\n".join(map(str, differences)))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        if isinstance(excinfo.value, FlowDiffers):
            return f"{self.path}: the sign-in is not what it was\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"dissect: {self.path.parent.name}"


class FlowDiffers(Exception):
    """The differences, a line each."""


def captures_in(folder: Path) -> list[str]:
    """The captures in a folder, by name."""
    return sorted(str(path) for pattern in CAPTURES for path in folder.glob(pattern))


def charts_of(*captures: str, **options: Any) -> list[SequenceChart]:
    """The charts of some captures; options are those of `dissect.pipeline.RunOptions`."""
    from dissect.pipeline import RunOptions, Session

    if "phone_logs" in options:
        options["phone_logs"] = tuple(options["phone_logs"])
    return Session(RunOptions(tuple(map(str, captures)), **options)).charts


@pytest.fixture
def dissect_flow() -> Callable[..., list[SequenceChart]]:
    """A function: captures in, charts out."""
    return charts_of
