"""Workers: whatever becomes of one, the others go on, and the run says why."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dissect import workers
from dissect.cli.limits import too_large
from dissect.cli.main import cli
from dissect.cli.page import own, packed, unpacked
from dissect.model import Opaque
from dissect.pipeline import RunOptions
from dissect.report.folder_index import Run
from dissect.workers import Limits, Workers
from tests.engines.build import tcp_capture
from tests.lab import need_tshark, scenario

posix = pytest.mark.skipif(os.name != "posix", reason="signals, and limits by resource")

# A parser that does what its connection's first bytes say.
PLUGIN = """
import os, signal, sys, time
from dissect.protocols.base import StreamReader

def begins(head, layer):
    if head.startswith(b"KILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    if head.startswith(b"LOOP"):
        while True:
            pass
    if head.startswith(b"EAT"):
        kept = []
        while True:
            kept.append(bytearray(16 << 20))
    if head.startswith(b"EXIT"):
        print("{}", flush=True)
        os._exit(0)
    if head.startswith(b"SHOUT"):
        print("not an answer " * 1000)
        sys.stderr.write("Traceback (most recent call last)")
    if head.startswith(b"WAIT"):
        time.sleep(3600)
    return False

def register(registry):
    registry.add_parser(StreamReader("bad", begins, lambda layer: None))
"""
GOOD = (b"GET / HTTP/1.1\r\nHost: h.test\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n")


def folder_of(tmp_path: Path, **contents: bytes) -> tuple[str, str]:
    """A folder with a capture a name, whose client says the content; the plugin's file."""
    folder = tmp_path / "captures"
    folder.mkdir()
    for name, content in contents.items():
        parts = [(True, content), (False, GOOD[1])]
        tcp_capture(folder / f"{name}.pcap", parts)
    plugin = tmp_path / "bad.py"
    plugin.write_text(PLUGIN, "utf-8")
    return str(folder), str(plugin)


def report(tmp_path: Path, *arguments: str) -> Result:
    words = ["report", *arguments, "-o", str(tmp_path / "pages")]
    return CliRunner().invoke(cli, words, standalone_mode=False)


def index(tmp_path: Path) -> str:
    return (tmp_path / "pages" / "index.html").read_text("utf-8")


def row(tmp_path: Path, name: str) -> str:
    """The row of the index that names a file."""
    rows = re.findall(r"<tr>.*?</tr>", index(tmp_path), re.S)
    return next(item for item in rows if f">{name}.pcap<" in item)


CASES = [
    pytest.param(b"KILL", (), "ended by signal 9", marks=posix),
    pytest.param(b"LOOP", ("--max-time", "3"), "more than 3 seconds"),
    pytest.param(b"WAIT", ("--max-time", "3"), "more than 3 seconds"),
    pytest.param(b"EAT", ("--max-memory", "600M"), "of memory", marks=posix),
    pytest.param(b"EXIT", (), "no answer"),
]


@pytest.mark.parametrize(("content", "limit", "words"), CASES)
def test_one_bad_capture_ends_its_worker_alone(
    content: bytes, limit: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    folder, plugin = folder_of(tmp_path, a=GOOD[0], bad=content, z=GOOD[0])
    result = report(tmp_path, folder, "--plugin", plugin, "--jobs", "2", *limit)
    assert result.exception is None
    assert result.return_value == 2
    assert "not analysed" in row(tmp_path, "bad")
    assert words in row(tmp_path, "bad")
    assert re.search(f"bad: not analysed: .*{words}", result.stderr)
    assert "Traceback" not in result.output
    for name in ("a", "z"):
        assert (tmp_path / "pages" / f"{name}.html").exists()
        assert "not analysed" not in row(tmp_path, name)
    assert not (tmp_path / "pages" / "bad.html").exists()
    assert "1 not analysed" in index(tmp_path)


def test_what_a_worker_prints_is_no_answer(tmp_path: Path) -> None:
    folder, plugin = folder_of(tmp_path, loud=b"SHOUT")
    result = report(tmp_path, folder, "--plugin", plugin)
    assert result.return_value == 3
    assert "no sign-in found" in row(tmp_path, "loud")
    assert "Traceback" not in result.output
    assert "not an answer" not in result.output + index(tmp_path)


def test_a_file_larger_than_the_limit_is_not_opened(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path, a=GOOD[0], large=GOOD[0])
    with (Path(folder) / "large.pcap").open("ab") as file:
        file.truncate(3 << 20)  # sparse
    result = report(tmp_path, folder, "--max-file", "2M")
    assert result.return_value == 2
    assert "large.pcap has 3,145,728 bytes, more than the 2,097,152 of --max-file" in row(
        tmp_path, "large"
    )
    assert "not analysed" not in row(tmp_path, "a")
    assert too_large([f"{folder}/large.pcap"], Limits(file=3 << 20)) == ""


def test_unreadable_files_have_a_row(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path, a=GOOD[0])
    (Path(folder) / "empty.pcap").write_bytes(b"")
    result = report(tmp_path, folder)
    assert result.return_value == 2
    assert "the file is empty" in row(tmp_path, "empty")


def test_what_no_worker_could_use_is_reported_once_and_before(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path, a=GOOD[0])
    for wrong in (
        ("-k", "/no/such.keys"), ("--flow", "no-such-flow"), ("--plugin", "/no.py"),
        ("--anonymize", "--reveal"),
    ):  # fmt: skip
        result = report(tmp_path, folder, *wrong)
        assert result.exception is not None, wrong
        assert not (tmp_path / "pages").exists()


def test_tshark_runs_in_a_worker(tmp_path: Path) -> None:
    need_tshark()
    folder, _ = folder_of(tmp_path, a=GOOD[0])
    assert report(tmp_path, folder, "--engine", "tshark").return_value == 3
    assert "no sign-in found" in row(tmp_path, "a")


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_the_same_pages_whatever_runs_at_a_time(jobs: str, tmp_path: Path) -> None:
    """A recorded sign-in among others; its own phone log and keys are found beside it."""
    folder = tmp_path / "captures"
    folder.mkdir()
    for name in ("wrong-password", "sip-forbidden"):
        (folder / name).symlink_to(scenario(name).folder)
    result = report(tmp_path, str(folder), "--jobs", jobs)
    assert result.return_value == 1
    assert (tmp_path / "pages" / "wrong-password.html").exists()
    rows = re.findall(r"<tr>.*?</tr>", index(tmp_path), re.S)[1:]
    assert len(rows) == 2
    assert "sip-forbidden" in rows[0]
    assert "adfs.credentials_rejected" in rows[1]
    assert "phone.log" in rows[1]


def test_nothing_is_imported_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that a worker imports, as files where the captures lie."""
    folder, _ = folder_of(tmp_path, a=GOOD[0])
    reported = tmp_path / "executed"
    for name in ("json", "dissect", "signal", "subprocess", "click", "sitecustomize"):
        source = f"open({str(reported)!r}, 'a').write({name!r})\n"
        (Path(folder) / f"{name}.py").write_text(source, "utf-8")
    monkeypatch.chdir(folder)
    assert report(tmp_path, ".").return_value == 3
    assert not reported.exists()


def test_a_task_is_one_of_dissect() -> None:
    with Workers(1, Limits()) as running:
        (done,) = running.run("os:system", [{"command": "true"}])
    assert done.answer is None
    assert "no task" in done.problem


def test_answers_come_in_order_and_few_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many jobs no more answers are held than are begun ahead."""
    monkeypatch.setattr(workers, "AHEAD", 2)
    held: list[int] = []
    with Workers(2, Limits()) as running:
        submit = running._pool.submit
        begun = 0

        def counted(*arguments: Any) -> Any:
            nonlocal begun
            begun += 1
            return submit(*arguments)

        monkeypatch.setattr(running._pool, "submit", counted)
        jobs = [{"number": number} for number in range(5)]
        reported = []
        for done in running.run("dissect.no_such_module:x", jobs):
            reported.append(done.problem)
            held.append(begun - len(reported))
    assert len(reported) == 5
    assert max(held) <= 2
    assert all("internal error, please report (ModuleNotFoundError" in text for text in reported)


@posix
def test_leaving_ends_all_workers(tmp_path: Path) -> None:
    folder, plugin = folder_of(tmp_path, w=b"WAIT")
    options = RunOptions(captures=(f"{folder}/w.pcap",), plugins=(plugin,))
    job = {"options": packed(options), "candidates": [], "anonymize": False, "detail": "full"}
    started: list[subprocess.Popen[bytes]] = []

    def interrupted() -> None:
        with Workers(2, Limits()) as running:
            answers = running.run("dissect.cli.page:page", [job, job, job])
            threading.Thread(target=_drain, args=(answers,), daemon=True).start()
            while len(running._live) < 2:
                time.sleep(0.01)
            started.extend(running._live)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2


def _drain(answers: Iterator[object]) -> None:
    with contextlib.suppress(CancelledError):  # the third has not begun
        list(answers)


@posix
def test_ctrl_c_is_130_and_leaves_no_worker(tmp_path: Path) -> None:
    folder, plugin = folder_of(tmp_path, w=b"WAIT", x=b"WAIT")
    command = [sys.executable, "-m", "dissect", "report", folder, "--plugin", plugin]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "pages")], stderr=subprocess.PIPE, text=True
    )
    while not (children := _children(process.pid)):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, reported = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in reported
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@posix
def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    """Killed, the parent can end nobody; the worker sees that its standard input is over."""
    folder, plugin = folder_of(tmp_path, w=b"WAIT")
    command = [sys.executable, "-m", "dissect", "report", folder, "--plugin", plugin]
    process = subprocess.Popen([*command, "-o", str(tmp_path / "pages")])
    while not (children := _children(process.pid)):
        time.sleep(0.05)
    process.kill()
    process.wait()
    for _ in range(600):
        if not any(_runs(child) for child in children):
            break
        time.sleep(0.05)
    assert not any(_runs(child) for child in children)


def _children(pid: int) -> list[int]:
    if not Path("/proc").is_dir():
        pytest.skip("the children of a process are read from /proc")
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        text = ""
    if not text:  # started by a thread of it
        found = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        text = " ".join(found)
    return [int(word) for word in text.split()]


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@posix
def test_the_watchdog_ends_a_process_that_has_grown() -> None:
    """Where the system enforces no limit (macOS): it looks at what the process has."""
    program = (
        "import sys, time, threading\nfrom dissect import workers\n"
        "threading.Thread(target=workers._watch, args=(sys.stdin.buffer, 200 << 20), daemon=True)"
        ".start()\nkept = bytearray(b'x') * (400 << 20)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    assert process.wait(30) == workers.OUT_OF_MEMORY
    assert process.stdin is not None
    process.stdin.close()


def test_options_come_through_as_they_are() -> None:
    given = RunOptions(
        captures=("a.pcap", "b.pcap"), key_logs=("k",), rsa_keys=("r",),
        rsa_passwords=(Opaque(b"p\xff"),), roles={"192.0.2.1": "phone"}, clocks={"a.pcap": -5},
    )  # fmt: skip
    assert unpacked(json.loads(json.dumps(packed(given)))) == given
    assert b"p\xff" not in repr(packed(given)).encode("latin-1")


def test_a_run_gets_its_own_key_logs_and_clocks() -> None:
    common = RunOptions(
        captures=("d/a.pcap", "d/b.pcap"),
        key_logs=("all.keys", "a.pcap:a.keys", "d/b.pcap:b.keys"),
        clocks={"d/a.pcap": 1, "d/b.pcap": 2},
    )
    mine = own(common, Run("b", ("d/b.pcap",)))
    assert mine.captures == ("d/b.pcap",)
    assert mine.key_logs == ("all.keys", "d/b.pcap:b.keys")
    assert mine.clocks == {"d/b.pcap": 2}


@pytest.mark.parametrize(
    "wrong",
    [("--max-memory", "much"), ("--max-memory", "1M"), ("--max-time", "0"), ("--jobs", "0")],
)
def test_wrong_limits(wrong: tuple[str, str], tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path, a=GOOD[0])
    assert report(tmp_path, folder, *wrong).exception is not None


@pytest.mark.skipif(sys.platform != "win32", reason="Windows has job objects")
def test_a_windows_job_bounds_memory() -> None:
    from dissect.windows_job import Job

    program = "input()\nx = bytearray(400 << 20)"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    job = Job(process, 200 << 20)
    process.communicate(b"\n")
    assert process.returncode != 0
    del job
