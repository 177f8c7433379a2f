"""What a run must not leave behind: child processes, private folders, half-written files.

Who makes one says so in here, within `held()`, and takes it back when it is gone. Whatever
ends the run early clears the rest with `clear()`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # every run imports this module, few start a process
    from subprocess import Popen

END_LIMIT = 5  # seconds that a killed process may take to vanish

_processes: dict[int, Popen[Any]] = {}
_paths: dict[str, None] = {}
_depth = 0
_late: list[Callable[[], None]] = []


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Signals wait until this is left: what is made inside is known before one can strike.

    For a few system calls, never for what may block.
    """
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth and _late:
            _late.pop()()


def wait(action: Callable[[], None]) -> bool:
    """Within `held()`: keep `action` for its end, and say True."""
    if _depth:
        _late[:] = [action]
    return bool(_depth)


def add_process(process: Popen[Any]) -> None:
    _processes[process.pid] = process


def drop_process(process: Popen[Any]) -> None:
    """It has ended and was waited for."""
    _processes.pop(process.pid, None)


def add_path(path: str | os.PathLike[str]) -> None:
    """A file or folder; it need not be there yet."""
    _paths[os.fspath(path)] = None


def drop_path(path: str | os.PathLike[str]) -> None:
    """It is gone, or is left behind, whole, on purpose."""
    _paths.pop(os.fspath(path), None)


def clear() -> None:
    """End the processes, then remove the files (Windows lets nobody remove an open one)."""
    if not _processes and not _paths:
        return
    import shutil
    from subprocess import TimeoutExpired

    for process in list(_processes.values()):
        with contextlib.suppress(OSError, TimeoutExpired):
            process.kill()
            process.wait(END_LIMIT)
        drop_process(process)
    for path in list(_paths):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
        drop_path(path)
