"""What `report FOLDER` does not read is reported, each in a row of the index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.errors import UsageError
from dissect.report import folder_index
from tests.canary.wire import pcap, tcp

SAID = [(True, b"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n"), (False, b"HTTP/1.1 204 No\r\n\r\n")]


def captures(tmp_path: Path, *names: str) -> Path:
    made = tmp_path / "captures"
    for name in names:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(pcap(list(tcp(40000, 80, SAID))))
    return made


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subfolder `closed` whose files nobody may list, not even root."""
    real = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)


@pytest.mark.usefixtures("closed")
def test_a_subfolder_that_can_not_be_read_is_a_row(tmp_path: Path) -> None:
    made, target = captures(tmp_path, "a.pcap", "closed/b.pcap"), tmp_path / "pages"
    result = CliRunner().invoke(
        cli, ["report", str(made), "-o", str(target)], standalone_mode=False
    )
    assert result.return_value == 2
    assert "closed: not analysed: permission denied" in result.stderr
    assert (target / "a.html").exists()
    assert not (target / "closed.html").exists()
    assert "permission denied" in (target / "index.html").read_text("utf-8")


@pytest.mark.usefixtures("closed")
def test_nothing_but_what_can_not_be_read(tmp_path: Path) -> None:
    made = captures(tmp_path, "closed/b.pcap")
    words = ["report", str(made), "-o", str(tmp_path / "pages")]
    with pytest.raises(UsageError, match="closed: not analysed: permission denied"):
        CliRunner().invoke(cli, words, standalone_mode=False, catch_exceptions=False)
    assert not (tmp_path / "pages").exists()


def test_runs_beyond_the_bound_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_index, "MAX_RUNS", 2)
    made = captures(tmp_path, "a.pcap", "b.pcap", "c.pcap", "d/e.pcap")
    found = folder_index.runs(made)
    assert [run.name for run in found] == ["a", "b", "more"]
    assert found[2].captures == ()
    assert "2 more captures or subfolders" in found[2].problem
    assert "the first 2" in found[2].problem
    assert [run.problem for run in found[:2]] == ["", ""]
