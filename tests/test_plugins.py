"""Plugins: the example works, what is wrong is told by name, nothing is loaded unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.errors import PluginError, UsageError
from dissect.pipeline import Options, Session
from dissect.plugins import registry
from tests.lab import scenario
from tests.wire import conversation

EXAMPLE = str(Path(__file__).resolve().parents[1] / "plugins" / "rules" / "health_check.py")


def capture_of(path: Path, status: bytes) -> str:
    """GET /healthz and its answer, as packets."""
    request = b"GET /healthz HTTP/1.1\r\nHost: s.test\r\n\r\n"
    response = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
    return conversation(path, [(True, request), (False, response)])


@pytest.mark.parametrize(("status", "verdict"), [(b"200 OK", "complete"), (b"503 No", "failed")])
def test_the_example(tmp_path: Path, status: bytes, verdict: str) -> None:
    capture = capture_of(tmp_path / "x.pcap", status)
    (chart,) = Session(Options((capture,), plugins=(EXAMPLE,))).charts
    assert (chart.flow, chart.status) == ("health-check", verdict)
    assert Session(Options((capture,))).charts == []


def test_listed() -> None:
    result = CliRunner().invoke(cli, ["plugins", "--plugin", EXAMPLE], standalone_mode=False)
    assert "rule health, flow health-check" in result.stdout
    names = CliRunner().invoke(cli, ["flows", "--plugin", EXAMPLE], standalone_mode=False).stdout
    assert "health-check" in names
    assert "health-check" not in CliRunner().invoke(cli, ["flows"], standalone_mode=False).stdout


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = ", "SyntaxError"),
        ("raise ValueError('no')", "ValueError: no"),
        ("x = 1", "register"),
        ("def register(registry): registry.add_flow('schema = 1')", "DefinitionError"),
        ("def register(registry): registry.no_such_thing()", "AttributeError"),
    ],
)
def test_what_is_wrong_is_told_by_name(tmp_path: Path, source: str, words: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    with pytest.raises(PluginError, match=r"mine\.py") as caught:
        registry([str(path)])
    assert words in str(caught.value)


def test_a_rule_that_fails_is_told_by_name_without_the_captures_bytes(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "def bad(exchange):\n"
        "    raise ValueError(exchange.request.headers.get('authorization'))\n"
        "    yield\n"
        "def register(registry): registry.add_rule(bad)\n"
    )
    with pytest.raises(PluginError) as caught:
        _ = Session(Options((scenario("web-signin").phone,), plugins=(str(path),))).charts
    assert "mine.py" in str(caught.value)
    assert "Bearer" not in str(caught.value)


def test_absent_file() -> None:
    with pytest.raises(UsageError, match="no such plugin"):
        registry(["nowhere.py"])


def test_nothing_is_loaded_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = "raise SystemExit('loaded unasked')"
    for name in ("plugins.py", "dissect_plugin.py", "conftest.py", "sitecustomize.py"):
        (tmp_path / name).write_text(trap)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "x.py").write_text(trap)
    monkeypatch.chdir(tmp_path)
    assert registry().plugins == []


def test_installed_plugins_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    def added(registry: object) -> None:
        calls.append(registry)

    calls: list[object] = []
    entry = EntryPoint("mine", "nowhere:register", "dissect.plugins")
    monkeypatch.setattr(EntryPoint, "load", lambda self: added)
    monkeypatch.setattr("dissect.plugins.entry_points", lambda group: [entry])
    assert registry().plugins == [("mine", "nothing")]
    assert len(calls) == 1
