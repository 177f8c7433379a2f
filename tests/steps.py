"""Work counted in steps of the interpreter, not in seconds: the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(run: Callable[[], object]) -> int:
    """Lines of Python that a call runs through, those of generators and comprehensions as well.

    What C code does within one line is not counted.
    """
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


def growth(make: Callable[[int], Callable[[], object]], size: int) -> float:
    """By what factor the steps grow when the size doubles: 2 where they are linear, 4 where they
    grow with the square. `make` prepares a run of a size, uncounted."""
    return steps(make(2 * size)) / steps(make(size))


LINEAR = 2.4  # what is linear, and some n log n, stays below; squares do not
