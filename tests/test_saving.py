"""Outputs appear whole or not at all, under the right mode, and devices stay devices."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dissect.cli.main import main
from dissect.errors import UsageError
from dissect.saving import is_stream, save, save_all, writing
from tests.lab import scenario

SIGNIN = scenario("web-signin")
WAIT = 60  # seconds until a test gives up
POSIX = pytest.mark.skipif(os.name == "nt", reason="modes and devices of POSIX")
ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts and makes devices"
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> Iterator[None]:
    if os.name == "nt":
        yield
        return
    before = os.umask(0o022)
    yield
    os.umask(before)


@POSIX
@pytest.mark.usefixtures("umask")
class TestMode:
    def test_a_new_file(self, tmp_path: Path) -> None:
        path = tmp_path / "new"
        save(str(path), "text")
        assert mode(path) == 0o644

    @pytest.mark.parametrize("old", [0o600, 0o640, 0o666, 0o755])
    def test_an_old_file_keeps_its_own(self, old: int, tmp_path: Path) -> None:
        path = tmp_path / "old"
        path.write_text("old")
        path.chmod(old)
        save(str(path), "text")
        assert (path.read_text(), mode(path)) == ("text", old)

    @pytest.mark.parametrize("old", [None, 0o644, 0o666])
    def test_private_from_the_first_byte(self, old: int | None, tmp_path: Path) -> None:
        path = tmp_path / "secrets"
        if old is not None:
            path.write_text("old")
            path.chmod(old)
        with writing(str(path), private=True) as file:
            (beside,) = (entry for entry in tmp_path.iterdir() if entry != path)
            assert mode(beside) == 0o600
            file.write(b"text")
        assert mode(path) == 0o600

    @pytest.mark.parametrize("old", [0o600, 0o640])
    def test_never_wider_than_what_it_replaces(self, old: int, tmp_path: Path) -> None:
        path = tmp_path / "old"
        path.write_text("old")
        path.chmod(old)
        with writing(str(path)):
            (beside,) = (entry for entry in tmp_path.iterdir() if entry != path)
            assert mode(beside) & ~old == 0

    def test_outputs_with_secrets(self, tmp_path: Path) -> None:
        """Everything that `flow --reveal` and `export` write, also over a file all may read."""
        names = [f"out.{ending}" for ending in ("html", "json", "har")]
        for name in names[:2]:
            (tmp_path / name).write_text("old")
        outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
        assert main(["flow", SIGNIN.phone, "--reveal", *outputs]) == 0
        golden = tmp_path / "golden.json"
        assert main(["check", SIGNIN.phone, "--reveal", "--expect", str(golden), "--update"]) == 0
        exports = {"plain": [], "scrub": ["--scrub"], "keys": ["--with-secrets"]}
        for name, how in exports.items():
            (tmp_path / name).write_text("old")
            assert main(["export", SIGNIN.phone, *how, "-o", str(tmp_path / name)]) == 0
        written = sorted(path.name for path in tmp_path.iterdir())
        assert written == sorted([*names, "golden.json", *exports])
        assert {mode(path) for path in tmp_path.iterdir()} == {0o600}

    def test_pages_of_a_folder_with_secrets(self, tmp_path: Path) -> None:
        source = tmp_path / "case"
        source.mkdir()
        shutil.copy(SIGNIN.phone, source)
        pages = tmp_path / "pages"
        assert main(["report", str(source), "--reveal", "-o", str(pages)]) in (0, 1)
        assert {path.name: mode(path) for path in pages.iterdir()} == {
            "phone.html": 0o600,
            "index.html": 0o600,
        }


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("old")

    def fails(error: type[BaseException]) -> None:
        with writing(str(path)) as file:
            file.write(b"half")
            raise error

    for error in (RuntimeError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error):
            fails(error)
    with pytest.raises(UsageError, match="old: input/output error"), writing(str(path)):
        raise OSError(5, "Input/output error")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_belong_together_come_together(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("old")
    second.mkdir()
    with pytest.raises(UsageError, match="second: is a directory"):
        save_all([(str(first), "new"), (str(second), "new")])
    assert first.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_names_that_are_no_file(tmp_path: Path) -> None:
    for name in ("", ".", str(tmp_path), f"{tmp_path}/new/", f"{tmp_path}/no/such", "new/"):
        with pytest.raises(UsageError) as caught:
            save(name, "text")
        assert str(caught.value).startswith(f"{name}: ")
        assert ".dissect-" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_captures_name_that_is_no_text(tmp_path: Path) -> None:
    save(str(tmp_path / "out"), "capture \udcff.pcap")
    assert (tmp_path / "out").read_bytes() == b"capture ?.pcap"


@POSIX
class TestLinks:
    def test_a_symbolic_link_is_written_through(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        target, link = tmp_path / "real" / "chart", tmp_path / "link"
        link.symlink_to("real/chart")
        for text in ("made by the link", "once more"):
            save(str(link), text)
            assert link.is_symlink()
            assert target.read_text() == text
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["chart", "link", "real"]

    def test_a_ring_of_links(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        with pytest.raises(UsageError):
            save(str(tmp_path / "a"), "text")
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_read_only_file_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "kept"
        path.write_text("old")
        path.chmod(0o444)
        # To root every file is writable: what the system tells others.
        monkeypatch.setattr(os, "access", lambda name, how: False)
        with pytest.raises(UsageError, match="permission denied"):
            save(str(path), "new")
        assert path.read_text() == "old"


def read_from(path: Path) -> tuple[threading.Thread, list[bytes]]:
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(path.read_bytes()), daemon=True)
    thread.start()
    return thread, found


@POSIX
class TestStreams:
    """A device or a pipe is written to, and is still one afterwards."""

    @pytest.mark.parametrize("command", [["flow"], ["report"], ["export"]])
    def test_a_named_pipe(self, command: list[str], tmp_path: Path) -> None:
        """By its own name, and by a link."""
        pipe, link = tmp_path / "pipe.html", tmp_path / "link.html"
        os.mkfifo(pipe)
        link.symlink_to(pipe)
        for path in (pipe, link):
            thread, found = read_from(pipe)
            assert main([*command, SIGNIN.phone, "-o", str(path)]) in (0, 1)
            thread.join(WAIT)
            assert len(found[0]) > 1000
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert sorted(tmp_path.iterdir()) == [link, pipe]

    def test_a_golden_file_through_a_pipe(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        thread, found = read_from(pipe)
        assert main(["check", SIGNIN.phone, "--expect", str(pipe), "--update"]) == 0
        thread.join(WAIT)
        assert b'"flows"' in found[0]

    @ROOT
    def test_devices(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Our own nodes of Linux' /dev/null (1, 3) and /dev/full (1, 7)."""
        null, full = tmp_path / "null.html", tmp_path / "full.html"
        try:
            os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            os.mknod(full, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
            full.open("wb").close()
        except OSError:
            pytest.skip("no device can be made or opened in this folder")
        for command in ("flow", "report", "export"):
            assert main([command, SIGNIN.phone, "-o", str(null)]) in (0, 1)
            capsys.readouterr()
            assert main([command, SIGNIN.phone, "-o", str(full)]) == 2
            assert "no space left on device" in capsys.readouterr().err.splitlines()[-1]
        for device in (null, full):
            assert stat.S_ISCHR(device.stat().st_mode)
        assert sorted(tmp_path.iterdir()) == [full, null]

    @pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
    def test_standard_output_by_name(self, name: str, tmp_path: Path) -> None:
        """What was redirected is gone on with: a file that is appended to, say."""
        if not os.path.exists(name if name != "link" else "/dev/stdout"):
            pytest.skip(f"this system has no {name}")
        if name == "link":
            name = str(tmp_path / "link")
            os.symlink("/dev/stdout", name)
        target = tmp_path / "target"
        target.write_bytes(b"before")
        with target.open("ab") as output:
            inode = target.stat().st_ino
            command = [sys.executable, "-m", "dissect", "export", SIGNIN.phone, "-o", name]
            done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr
        assert target.read_bytes().startswith(b"before\x0a\x0d\x0d\x0a")
        assert target.stat().st_ino == inode

    def test_a_reader_that_has_gone(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        thread = threading.Thread(target=lambda: pipe.open("rb").close())
        thread.start()
        with writing(str(pipe)) as file:
            thread.join()
            file.write(bytes(1 << 20))
        thread = threading.Thread(target=lambda: pipe.open("rb").close())
        thread.start()
        save(str(pipe), bytes(1 << 20))


def test_names_of_windows_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "NUL",
        "nul",
        "C:\\temp\\CON",
        "con:",
        "aux",
        "COM1",
        "lpt9",
        "CONOUT$",
        "\\\\.\\pipe\\x",
    ]
    files = ["null", "console.txt", "com", "com10", "C:\\nul\\chart.html", "nulls"]
    monkeypatch.setattr("dissect.saving.os.name", "nt")
    assert [name for name in names if not is_stream(name)] == []
    assert [name for name in files if is_stream(name)] == []
