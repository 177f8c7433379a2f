"""Whatever is done to standard input, output and error: no traceback, and the right exit code."""

from __future__ import annotations

import errno
import io
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dissect.cli.main import COMMANDS
from dissect.cli.streams import Raw
from tests.lab import scenario

SIGNIN, FAILED, SMALL = scenario("web-signin"), scenario("wrong-password"), scenario("sip-digest")
POSIX = pytest.mark.skipif(os.name == "nt", reason="redirections of a POSIX shell")
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
NO_SPACE = "dissect: standard output: no space left on device"

# command → arguments with which it prints something, and the exit code that goes with it
PRINTING: dict[str, tuple[list[str], int]] = {
    "flow": (list(FAILED.captures), 1),
    "http": ([SIGNIN.browser], 0),
    "sip": ([SMALL.phone], 0),
    "tls": ([SIGNIN.phone], 0),
    "dns": ([SIGNIN.browser], 0),
    "dhcp": ([SMALL.phone], 0),
    "ntp": ([SMALL.phone], 0),
    "events": ([SMALL.phone], 0),
    "table": (["http", SIGNIN.browser], 0),
    "redirects": ([SIGNIN.browser], 0),
    "info": ([SMALL.phone], 0),
    "check": ([SMALL.phone, "--expect", "{golden}"], 1),
    "diff": ([SMALL.phone, scenario("sip-digest-refused").phone], 1),
    "flows": ([], 0),
    "plugins": ([], 0),
}
SILENT = {"report", "export", "crosscheck"}  # they print nothing, or need tshark


def shell(
    arguments: list[str], redirection: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = shlex.join([sys.executable, "-m", "dissect", *arguments])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, **environment},
    )


@pytest.fixture
def golden(tmp_path: Path) -> str:
    path = tmp_path / "golden.json"
    path.write_text('{"schema": 1, "flows": []}')
    return str(path)


def given(command: str, golden: str) -> tuple[list[str], int]:
    arguments, code = PRINTING[command]
    return [command, *(word.format(golden=golden) for word in arguments)], code


def test_every_command_has_a_row() -> None:
    assert PRINTING.keys() | SILENT == COMMANDS.keys()


@POSIX
@FULL
@pytest.mark.parametrize("command", PRINTING)
def test_a_full_place(command: str, golden: str) -> None:
    arguments, _ = given(command, golden)
    done = shell(arguments, ">/dev/full")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == NO_SPACE
    assert "Traceback" not in done.stderr


@POSIX
@pytest.mark.parametrize("command", ["flow", "http", "check", "flows"])
class TestRedirections:
    def test_closed(self, command: str, golden: str) -> None:
        arguments, _ = given(command, golden)
        done = shell(arguments, ">&-")
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == "dissect: standard output is closed"
        assert "Traceback" not in done.stderr

    def test_a_reader_that_has_enough(self, command: str, golden: str) -> None:
        """Also one that never read a byte."""
        arguments, code = given(command, golden)
        normal = shell(arguments, "")
        for reader in ("| head -1", "| head -c 1", "| true"):
            done = shell(arguments, reader)
            assert (done.returncode, done.stderr) == (code, normal.stderr)

    @pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&-", "<&- 2>&-"])
    def test_what_is_reported_beside_the_result(
        self, command: str, redirection: str, golden: str
    ) -> None:
        if "full" in redirection and not os.path.exists("/dev/full"):
            pytest.skip("no /dev/full here")
        arguments, code = given(command, golden)
        done = shell(arguments, redirection)
        assert done.returncode == code
        assert done.stdout == shell(arguments, "").stdout

    def test_nothing_left_at_all(self, command: str, golden: str) -> None:
        arguments, _ = given(command, golden)
        done = shell(arguments, "<&- >&- 2>&-")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@POSIX
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Its content would be what is printed: into a capture, say."""
    output = tmp_path / "out.html"
    done = shell(["report", SMALL.phone, "-o", str(output)], "<&- >&- 2>&-")
    assert (done.returncode, done.stdout) == (0, "")
    assert output.read_bytes().startswith(b"<!")


@POSIX
def test_outputs_are_written_though_standard_output_is_full(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    output = tmp_path / "out.json"
    arguments = ["flow", SMALL.phone, "--format", "text", "-o", str(output)]
    done = shell(arguments, ">/dev/full")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == NO_SPACE
    assert output.stat().st_size > 1000


@POSIX
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["flow", "--help"]])
def test_help(words: list[str]) -> None:
    if os.path.exists("/dev/full"):
        assert (shell(words, ">/dev/full").returncode, shell(words, ">/dev/full").stderr) == (
            2,
            f"{NO_SPACE}\n",
        )
    done = shell(words, "| true")
    assert (done.returncode, done.stderr) == (0, "")


@POSIX
def test_standard_input_that_gives_no_capture() -> None:
    done = shell(["flow", "-"], "<&-")
    assert (done.returncode, done.stdout) == (2, "")
    assert "standard input is closed" in done.stderr
    done = shell(["flow", "-", "-"], "</dev/null")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@POSIX
def test_standard_input_from_a_terminal() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dissect", "http", "-"]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False)
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dissect: standard input is a terminal")


@POSIX
@pytest.mark.parametrize(
    "encoding",
    ["ascii", "latin-1", "cp437", "utf-16", "utf-7", "idna", "shift_jis", "cp037"],
)
def test_encodings(encoding: str) -> None:
    done = shell(["flow", *FAILED.captures], "2>&1 >/dev/null", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@POSIX
def test_a_pipe_that_does_not_wait() -> None:
    """Somebody made it non-blocking; the reader is slow. Not a byte is lost."""
    command = [sys.executable, "-m", "dissect", "http", SIGNIN.browser, "--format", "json"]
    command += ["--no-auto-keys", "-k", str(SIGNIN.folder / "browser.keys")]
    expected = subprocess.run([*command], capture_output=True, check=True).stdout
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Almost full before it begins, so that it has to wait.
    filled = 0
    while True:
        try:
            filled += os.write(writer, bytes(512))
        except BlockingIOError:
            break
    found: list[bytes] = []

    def read() -> None:
        with open(reader, "rb") as file:
            found.append(file.read())

    process = subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    thread = threading.Thread(target=read)
    thread.start()
    _, err = process.communicate(timeout=60)
    thread.join()
    assert (process.returncode, err) == (0, b"")
    assert found[0][filled:] == expected


class _Failing(io.RawIOBase):
    def __init__(self, number: int) -> None:
        self.number = number
        self.asked = 0

    def write(self, data: object, /) -> int:
        self.asked += 1
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.EPIPE, None),
        (errno.ENOSPC, "no space"),
        (errno.EIO, "standard output: "),
        (errno.EBADF, "is closed"),
    ],
)
def test_an_error_is_kept_and_not_repeated(number: int, problem: str | None) -> None:
    raw = _Failing(number)
    stream = Raw(raw)
    for data in (b"one", memoryview(b"three"), bytearray(b"")):
        assert stream.write(data) == len(data)
    assert raw.asked == 1
    assert problem in stream.problem if problem and stream.problem else stream.problem is None
    assert (stream.problem is None) is (problem is None)


def test_a_stream_that_is_closed_and_not_written_to_is_no_fault() -> None:
    stream = Raw(None)
    assert stream.problem is None
    stream.write(b"x")
    assert stream.problem == "standard output is closed"
