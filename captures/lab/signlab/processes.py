"""Starting and ending the programs of a recording; nothing outlives the Supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .config import LAB

GRACE_SECONDS = 4.0


class LabError(Exception):
    """The recording cannot go on; the text says what failed and shows the program's last words."""


def run(*argv: str) -> str:
    """Run a short command to its end; raises LabError with its error output."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        text = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(argv)}: {text or f'exit {done.returncode}'}")
    return done.stdout


def feed(text: str, *argv: str) -> None:
    """Run a short command with `text` on its standard input; raises LabError as `run` does."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or f'exit {done.returncode}'}")


class Process:
    """A running program with its log file."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.popen = popen
        self.log = log

    def last_words(self, lines: int = 12) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def running(self) -> bool:
        return self.popen.poll() is None

    def stop(self, first: signal.Signals = signal.SIGTERM) -> None:
        """End the program and its children: politely, then not."""
        for number in (first, signal.SIGKILL):
            try:
                os.killpg(self.popen.pid, number)
            except ProcessLookupError:
                break
            try:
                self.popen.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            if number is first and not self._group_lives():
                break
        self.popen.wait()

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.popen.pid, 0)
        except ProcessLookupError:
            return False
        return True


class Supervisor:
    """Starts programs, each a session of its own, and ends all of them on the way out."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes):
            process.stop()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        netns: str,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program inside a network namespace, its output going to a log file."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                ["ip", "netns", "exec", netns, *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        process = Process(name, popen, log)
        self._processes.append(process)
        return process

    def start_actor(
        self,
        name: str,
        module: str,
        directory: Path,
        *,
        netns: str,
        seat: int = 1,
        environment: Mapping[str, str] | None = None,
        **more: str,
    ) -> Process:
        """Start a Python module of the lab as an actor in a namespace."""
        argv = [sys.executable, "-m", module, str(directory), str(seat)]
        settings = {"PYTHONPATH": str(LAB), "PYTHONUNBUFFERED": "1", **(environment or {}), **more}
        return self.start(name, argv, netns=netns, environment=settings)


def wait_until(
    ready: Callable[[], bool], what: str, seconds: float, *watched: Process, step: float = 0.05
) -> None:
    """Wait for a condition; LabError when a watched process ends or the time is up."""
    deadline = time.monotonic() + seconds
    while not ready():
        for process in watched:
            if not process.running() and not ready():
                raise LabError(f"{process.name} ended early:\n{process.last_words()}")
        if time.monotonic() > deadline:
            words = "\n".join(f"{p.name}: {p.last_words()}" for p in watched)
            raise LabError(f"waited {seconds:g} s for {what}\n{words}")
        time.sleep(step)
