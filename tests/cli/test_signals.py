"""A signal at any time: one line, exit code 130, no process, key log or half file left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dissect import leftovers
from tests.lab import scenario

SIGNIN = scenario("web-signin")
KEYS = SIGNIN.folder / "phone.keys"
SAID = "dissect: interrupted\n"
WAIT = 60  # seconds until a test gives up
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

# Counts the calls of Python functions, imports included, and strikes at one of them: moments
# that are spread over all that a run does, on any machine.
STRIKING = """
import os, sys
left, number, counter = int(sys.argv.pop(1)), int(sys.argv.pop(1)), sys.argv.pop(1)
calls = 0
def count(frame, event, argument):
    global calls
    if event == "call":
        calls += 1
        if calls == left:
            sys.setprofile(None)
            os.kill(os.getpid(), number)
from dissect.__main__ import main
import atexit
atexit.register(lambda: open(counter, "w").write(str(calls)))
sys.setprofile(count)
main()
"""


@dataclass
class Place:
    """A folder to work in, and one for temporary files."""

    root: Path
    work: Path = field(init=False)
    temporary: Path = field(init=False)

    def __post_init__(self) -> None:
        self.work, self.temporary = self.root / "work", self.root / "tmp"
        self.work.mkdir()
        self.temporary.mkdir()
        for name in ("a.html", "b.svg", "c.pcapng"):
            (self.work / name).write_text("old")

    def start(self, command: Sequence[str | Path], **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            list(map(str, command)),
            cwd=self.work,
            env={**os.environ, "TMPDIR": str(self.temporary), **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def strike(self, calls: int, number: int, *arguments: str | Path) -> tuple[int, str]:
        command = [sys.executable, "-c", STRIKING, str(calls), str(int(number)), self.root / "n"]
        process = self.start([*command, *arguments])
        _, err = process.communicate(timeout=WAIT)
        return process.returncode, err

    def clean(self) -> None:
        """Nothing is left of the run, and what was there is whole."""
        assert list(self.temporary.iterdir()) == []
        names = sorted(path.name for path in self.work.iterdir())
        assert names == ["a.html", "b.svg", "c.pcapng"]
        for path in self.work.iterdir():
            content = path.read_bytes()
            assert content == b"old" or len(content) > 1000
        assert processes_with(str(self.temporary)) == []


def processes_with(word: str) -> list[str]:
    """Command lines of running processes that name a path, as Linux tells them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


RUNS: dict[str, list[str | Path]] = {
    "embedded": ["flow", SIGNIN.phone, "-o", "a.html", "-o", "b.svg"],
    "export": ["export", SIGNIN.phone, "--with-secrets", "-o", "c.pcapng"],
    "tshark": ["flow", SIGNIN.phone, "--engine", "tshark", "-o", "a.html"],
}
NUMBERS = ("SIGINT", "SIGTERM", "SIGHUP")


def at_moments(place: Place, run: str, moments: int) -> None:
    if run == "tshark" and shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    code, whole = place.strike(-1, 0, *RUNS[run])
    assert code == 0, whole
    total = int((place.root / "n").read_text())
    assert total > 10_000
    struck = 0
    for moment in range(moments):
        number = getattr(signal, NUMBERS[moment % len(NUMBERS)])
        code, err = place.strike(max(3, total * moment // moments), number, *RUNS[run])
        if code == 130:
            struck += 1
            text = err.removesuffix(SAID)
            assert err.endswith(SAID)
            assert whole.startswith(text), err
        else:  # it had its result: there was nothing left to interrupt
            assert (code, err) == (0, whole)
        place.clean()
    assert struck >= moments - 1


@pytest.mark.parametrize("run", RUNS)
def test_some_moments(run: str, place: Place) -> None:
    at_moments(place, run, 6)


@pytest.mark.long
@pytest.mark.parametrize("run", RUNS)
def test_many_moments(run: str, place: Place) -> None:
    at_moments(place, run, 24)


class TestWaiting:
    """Signals while the run waits for somebody."""

    @pytest.mark.parametrize("number", NUMBERS)
    @pytest.mark.parametrize("engine", ["embedded", "tshark"])
    def test_for_a_capture(self, engine: str, number: str, place: Place) -> None:
        if engine == "tshark" and shutil.which("tshark") is None:
            pytest.skip("tshark is not installed")
        command = [sys.executable, "-m", "dissect", "flow", "-", "-k", KEYS, "--engine", engine]
        process = place.start(command)
        assert process.stdin is not None
        # More than a pipe holds, so it was read; the end never comes.
        process.stdin.buffer.write(Path(SIGNIN.phone).read_bytes()[:100_000] + bytes(200_000))
        process.stdin.buffer.flush()
        process.send_signal(getattr(signal, number))
        code = process.wait(WAIT)
        _, err = process.communicate()
        assert (code, err) == (130, SAID)
        place.clean()

    @pytest.mark.parametrize("times", [1, 2])
    @pytest.mark.parametrize("number", NUMBERS)
    def test_for_tshark(self, number: str, times: int, place: Place, tmp_path: Path) -> None:
        """A tshark that never ends, and has the key log by then. Some strike twice."""
        program, started = tmp_path / "bin" / "tshark", tmp_path / "started"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/sh\n"
            'case "$*" in *--version*) echo "TShark (Wireshark) 4.2.0"; exit;; esac\n'
            f'echo $$ >> "{started}"\nexec sleep 600\n'
        )
        program.chmod(0o755)
        command = [sys.executable, "-m", "dissect", "flow", SIGNIN.phone, "--engine", "tshark"]
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        process = place.start(command, PATH=path)
        waited = 0
        while not started.exists() or len(started.read_text().splitlines()) < 2:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
            waited += 1
            assert waited < WAIT * 20
        assert [path.name for path in place.temporary.rglob("keys.log")] == ["keys.log"]
        for _ in range(times):
            process.send_signal(getattr(signal, number))
        _, err = process.communicate(timeout=WAIT)
        assert (process.returncode, err) == (130, SAID)
        for line in started.read_text().split():
            with pytest.raises(ProcessLookupError):
                os.kill(int(line), 0)
        place.clean()

    def test_for_who_reads_the_output(self, place: Place, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.html")
        command = [sys.executable, "-m", "dissect", "flow", SIGNIN.phone, "-o"]
        process = place.start([*command, tmp_path / "pipe.html", "-o", "a.html"])
        reader = os.open(tmp_path / "pipe.html", os.O_RDONLY)  # returns when it is opened to write
        process.send_signal(signal.SIGTERM)
        code = process.wait(WAIT)
        os.close(reader)
        assert code == 130
        process.communicate()
        place.clean()


def test_a_signal_waits_until_what_is_made_is_known() -> None:
    """Between the start of a process and the line that knows it nothing may strike."""

    def strike() -> None:
        raise KeyboardInterrupt

    done = []

    def make() -> None:
        with leftovers.held():
            with leftovers.held():
                assert leftovers.wait(strike)
                done.append("inner")
            done.append("outer")
        done.append("never")

    assert not leftovers.wait(strike)
    with pytest.raises(KeyboardInterrupt):
        make()
    assert done == ["inner", "outer"]
    assert not leftovers.wait(strike)


PLUGIN = """
import os, signal, sys, threading, time

def strike():
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):
        pass

class Last:
    def __del__(self):
        strike()

def swallow():
    try:
        strike()
    except BaseException:
        pass

def convert():
    try:
        strike()
    except BaseException as error:
        raise ValueError("mysecret") from error

def twice():
    try:
        strike()
    finally:
        strike()

def unheard():
    # The signal reaches another thread: the system call of this one goes on.
    def strike_myself():
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    threading.Thread(target=strike_myself).start()
    os.read(os.pipe()[0], 1)

def worker():
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    os.kill(child, signal.SIGTERM)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM

def register(registry):
    {}
"""


@pytest.mark.parametrize(
    "how",
    [
        "Last()",
        "swallow()",
        "convert()",
        "twice()",
        "unheard()",
        "worker()",
        "sys.Last = Last()",
        "import atexit; atexit.register(strike)",
    ],
)
def test_whatever_becomes_of_the_exception(how: str, place: Place, tmp_path: Path) -> None:
    """Swallowed by a library, lost in a destructor, turned into another, struck once more; and
    after the result, which then stands; for a worker process, which is not its parent."""
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN.format(how))
    command = [sys.executable, "-m", "dissect", "flow", SIGNIN.phone, "--plugin", plugin]
    process = place.start(command)
    _, err = process.communicate(timeout=WAIT)
    late = how in ("sys.Last = Last()", "import atexit; atexit.register(strike)", "worker()")
    assert (process.returncode, err) == ((0, "") if late else (130, SAID))
    place.clean()


def test_what_is_ignored_stays_so(place: Place, tmp_path: Path) -> None:
    """nohup: the terminal may be closed, the run goes on."""
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN.replace("SIGTERM", "SIGHUP").format("strike()"))
    command = [sys.executable, "-m", "dissect", "flow", SIGNIN.phone, "--plugin", str(plugin)]
    process = place.start(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command])
    _, err = process.communicate(timeout=WAIT)
    assert (process.returncode, err) == (0, "")
