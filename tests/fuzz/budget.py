"""What an input may cost: CPU time, function calls, memory."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

MEMORY = 3 << 30  # bytes of address space that a worker may have
GROWTH = 256 << 20  # bytes by which one input may raise the worker's peak
GROWTH_PER_BYTE = 1000


class TooSlow(BaseException):
    """Not an Exception, so that no `except Exception` can hide it."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raises TooSlow inside after so many seconds of CPU time, where signals allow (POSIX)."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def limit_memory(size: int = MEMORY) -> None:
    """An allocation past the limit is a MemoryError of this process (POSIX only)."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def peak() -> int:
    """The most memory that this process has had, in bytes; 0 where nobody tells."""
    try:
        import resource
    except ImportError:
        return 0
    # Linux counts in ru_maxrss what the parent had when it made the process; VmHWM is its own.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def calls(function: Callable[[], object]) -> int:
    """How many functions, Python's and C's, are called meanwhile: the same on any machine."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count
