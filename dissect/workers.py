"""Work in processes of their own, with bounds: one bad file ends its worker, not the run.

A worker is a fresh interpreter (no fork). It gets one job as JSON on its standard input and
answers with JSON; nothing is pickled, and nothing is imported from the current folder. What it
may need is bounded by `Limits`: in the worker by `resource` where there is such a thing, by a
watchdog of its own, on Windows by a job object; its time by the parent. It ends when its parent
does. What is printed in it is lost.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Self

from dissect.errors import DissectError

MEMORY = 4 << 30  # bytes of memory that a worker may have
SECONDS = 600.0  # seconds (by the clock) that a job may take
FILE = 8 << 30  # bytes of a file that is read
WRITTEN = 1 << 30  # bytes of a file that a worker may write
ANSWER = 256 << 20  # bytes of an answer
MAX_JOBS = 64  # workers at a time
AHEAD = 128  # jobs that are begun before the answer of the first was taken
LOOK_S = 0.1  # seconds between two looks of the watchdog
END_S = 10.0  # seconds that a killed worker may take to end

OUT_OF_MEMORY = 86  # exit code of a worker that its watchdog has ended
ORPHANED = 87  # … whose parent is gone
_PACKAGE = "dissect."
# `-P`: neither the current folder nor that of a script is a place to import from. The package's
# own folder comes last, so that nothing beside it can stand in for the standard library.
_START = "import sys; sys.path.append(sys.argv[1]); from dissect.workers import main; main()"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may need: bytes of memory, seconds, bytes of each file it reads."""

    memory: int = MEMORY
    seconds: float = SECONDS
    file: int = FILE


@dataclass(frozen=True, slots=True)
class Done:
    """A job's answer, or why there is none: a clause for people."""

    answer: Json | None
    problem: str = ""


def default_jobs() -> int:
    """As many as there are processors, at most four: each may need `MEMORY`."""
    return max(1, min(4, os.cpu_count() or 1))


class Workers:
    """Runs jobs, `count` at a time; a context manager, which leaves no worker behind."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._limits = limits
        self._live: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._over = False
        self._pool = ThreadPoolExecutor(max_workers=max(1, min(count, MAX_JOBS)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
            for process in self._live:
                kill(process)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, task: str, jobs: Sequence[Json]) -> Iterator[Done]:
        """What becomes of each job, in their order. `task` is a function of the package
        (`dissect.cli.page:page`) that takes a job and gives its answer, both as JSON has them."""
        rest = iter(jobs)
        waiting: deque[Future[Done]] = deque()
        while True:
            for job in islice(rest, AHEAD - len(waiting)):
                waiting.append(self._pool.submit(self._one, task, job))
            if not waiting:
                return
            yield waiting.popleft().result()

    def _one(self, task: str, job: Json) -> Done:
        with self._lock:
            if self._over:
                return Done(None, "interrupted")
            process = _start()
            self._live.add(process)
        try:
            return self._answer(process, {"task": task, "job": job, "limits": asdict(self._limits)})
        finally:
            kill(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            with self._lock:
                self._live.discard(process)

    def _answer(self, process: subprocess.Popen[bytes], message: Mapping[str, Any]) -> Done:
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def over() -> None:
            late.set()
            kill(process)

        timer = threading.Timer(self._limits.seconds, over)
        timer.daemon = True
        timer.start()
        try:
            release = confine(process, self._limits.memory)
            # A worker that ended before it read its job: its exit code tells why.
            with contextlib.suppress(OSError):
                process.stdin.write(json.dumps(message).encode() + b"\n")
                process.stdin.flush()
            raw = process.stdout.read(ANSWER + 1)
            if len(raw) > ANSWER:
                return Done(None, f"what came of it has more than {ANSWER:,} bytes")
            reply = _parsed(raw)
            if reply is None:
                kill(process)  # it is ending, or has: this is for what it has started
            code = process.wait()
        finally:
            timer.cancel()
            process.stdout.close()
            with contextlib.suppress(OSError):
                process.stdin.close()
        del release
        if late.is_set():
            return Done(None, f"it took more than {self._limits.seconds:g} seconds (--max-time)")
        memory = f"it needs more than {self._limits.memory:,} bytes of memory (--max-memory)"
        if reply is not None:
            return Done(
                reply["answer"], memory if reply["problem"] == "memory" else reply["problem"]
            )
        return Done(None, memory if code == OUT_OF_MEMORY else _end(code))


def _parsed(raw: bytes) -> Json | None:
    """An answer that is whole."""
    try:
        reply = json.loads(raw)
    except ValueError:
        return None
    return reply if isinstance(reply, dict) and reply.keys() == {"answer", "problem"} else None


def _end(code: int) -> str:
    if code < 0:
        return f"its process was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"its process ended with exit code {code} and no answer"


def _start() -> subprocess.Popen[bytes]:
    import dissect

    root = str(Path(dissect.__file__).resolve().parents[1])
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _START, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # A group of its own: Ctrl-C is its parent's, and what it has started ends with it.
        start_new_session=True,
        creationflags=0x08000200 if sys.platform == "win32" else 0,  # no window, a new group
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a worker and what it has started; nothing where it was waited for already."""
    if process.returncode is not None:
        return  # its number may be another process's by now
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def confine(process: subprocess.Popen[bytes], memory: int) -> object:
    """On Windows: a job object that bounds the worker's memory and ends it with its parent; it
    holds as long as what is given back. None elsewhere, or where Windows refuses."""
    if sys.platform != "win32":
        return None
    from dissect.windows_job import Job

    try:
        return Job(process, memory)
    except OSError:
        return None


# ---------------------------------------------------------------------- in the worker


def main() -> None:
    """A worker: one job from standard input, its answer on standard output."""
    source = sys.stdin.buffer
    with os.fdopen(os.dup(1), "wb") as answers:
        # Whatever prints in here must not be taken for an answer.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        message = json.loads(source.readline())
        limits = Limits(**message["limits"])
        _bound(limits)
        threading.Thread(target=_watch, args=(source, limits.memory), daemon=True).start()
        answers.write(json.dumps(_carry_out(message["task"], message["job"])).encode())
    os._exit(0)  # at once: what a plugin or a library has running does not matter any more


def _carry_out(task: str, job: Json) -> Json:
    """The job's answer, or the problem in a clause; whatever is raised is reported in one."""
    module, _, name = task.partition(":")
    if not module.startswith(_PACKAGE):
        return {"answer": None, "problem": "no task of dissect"}
    try:
        return {"answer": getattr(importlib.import_module(module), name)(job), "problem": ""}
    except Exception as error:
        if _of_memory(error):
            return {"answer": None, "problem": "memory"}
        if isinstance(error, DissectError):
            return {"answer": None, "problem": str(error)}
        # The type alone: a text may quote the capture.
        text = f"internal error, please report ({type(error).__name__}{_where(error)})"
        return {"answer": None, "problem": text}


def _of_memory(error: BaseException | None) -> bool:
    """Whether a MemoryError is what it comes of (a plugin's becomes a PluginError)."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__
    return error is not None


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    place = ""
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if "dissect" in path.parts:
            place = f" at {path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _resource() -> Any:
    """The module, or None on Windows (see `confine`)."""
    try:
        import resource
    except ImportError:
        return None
    return resource


def _bound(limits: Limits) -> None:
    resource = _resource()
    if resource is None:
        return
    bounds = [(resource.RLIMIT_FSIZE, WRITTEN), (resource.RLIMIT_CORE, 0)]
    if hasattr(resource, "RLIMIT_AS"):
        bounds.append((resource.RLIMIT_AS, limits.memory))
    for kind, size in bounds:
        # A lower bound than ours may be set already, and macOS refuses some.
        with contextlib.suppress(ValueError, OSError):
            _, hard = resource.getrlimit(kind)
            size = size if hard == resource.RLIM_INFINITY else min(size, hard)
            resource.setrlimit(kind, (size, hard))
    if sys.platform != "win32":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an OSError tells more


def _watch(source: IO[bytes], memory: int) -> None:
    """Ends this process when it has grown too large, and when its parent is gone."""

    def orphaned() -> None:
        source.read()
        os._exit(ORPHANED)

    threading.Thread(target=orphaned, daemon=True).start()
    while (size := resident()) is not None:
        if size > memory:
            os._exit(OUT_OF_MEMORY)
        time.sleep(LOOK_S)


def resident() -> int | None:
    """Bytes of memory that this process has, or has had (macOS); None where nobody tells."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        pass
    resource = _resource()
    if sys.platform != "darwin" or resource is None:
        # Elsewhere the peak counts what the parent had when it started this process.
        return None
    size: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size
