"""A full disk, and a file that may not grow: the old file stays, and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dissect.cli.main import main
from dissect.cli.options import session
from dissect.cli.writing import ChartDrawing
from dissect.errors import UsageError
from tests.lab import scenario

SIGNIN = scenario("web-signin")
FORMATS = ("txt", "svg", "png", "pdf", "html", "md", "mmd", "puml", "json", "csv", "har")
POSIX = pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a small disk"
)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with a file of the user's on it, and no room for anything more."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mounted)]
    if not shutil.which("mount") or subprocess.run(command, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


def fill(folder: Path) -> None:
    with open(folder / "filler", "wb", 0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@ROOT
class TestFullDisk:
    def test_every_format(self, full_disk: Path) -> None:
        for ending in FORMATS:
            (full_disk / f"out.{ending}").write_text("old")
        fill(full_disk)
        before = sorted(full_disk.iterdir())
        drawing = ChartDrawing(session([SIGNIN.phone, SIGNIN.browser]))
        for ending in FORMATS:
            path = full_disk / f"out.{ending}"
            with pytest.raises(UsageError, match=rf"out.{ending}: no space left on device$"):
                drawing.write(str(path))
            assert path.read_text() == "old"
            assert sorted(full_disk.iterdir()) == before

    @pytest.mark.parametrize(
        "command",
        [
            ["export", SIGNIN.phone, "-o"],
            ["export", SIGNIN.phone, "--scrub", "-o"],
            ["export", SIGNIN.phone, "--with-secrets", "-o"],
            ["check", SIGNIN.phone, "--update", "--expect"],
            ["report", SIGNIN.phone, "-o"],
        ],
        ids=" ".join,
    )
    def test_every_command(
        self, command: list[str], full_disk: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        old = full_disk / "old.html"
        old.write_text('{"schema": 1, "flows": []}')
        fill(full_disk)
        before = sorted(full_disk.iterdir())
        assert main([*command, str(old)]) == 2
        assert capsys.readouterr().err.endswith("old.html: no space left on device\n")
        assert old.read_text() == '{"schema": 1, "flows": []}'
        assert sorted(full_disk.iterdir()) == before


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
from dissect.__main__ import main
main()
"""


@POSIX
@pytest.mark.parametrize(("command", "name"), [("flow", "out.png"), ("export", "out.pcapng")])
def test_a_file_that_may_not_grow(command: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, command, SIGNIN.phone, "-o", str(path)],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == f"dissect: {path}: file too large"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
