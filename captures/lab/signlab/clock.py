"""A phone whose clock is wrong: libfaketime for its process, and no wrong times in its notebook."""

from __future__ import annotations

import threading
from pathlib import Path

from .config import Run

DAY = 86_400
LIBRARY = "libfaketimeMT.so.1"


def library() -> Path | None:
    """Where libfaketime is on this machine; None if it is not."""
    places = [Path("/usr/lib"), *Path("/usr/lib").glob("*-linux-*")]
    found = [place / "faketime" / LIBRARY for place in places]
    return next((path for path in found if path.exists()), None)


def wrong_clock(run: Run) -> dict[str, str]:
    """The environment of the phone's process; empty when its clock is right."""
    days = run.scenario.phone.clock_ahead_days
    if not days:
        return {}
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"{days:+d}d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def pause(seconds: float) -> None:
    """Like time.sleep, whose clock_nanosleep (absolute, CLOCK_MONOTONIC) libfaketime breaks."""
    threading.Event().wait(seconds)


def true_time(run: Run, actor: str, time_ns: int) -> int:
    """A moment by an actor's clock in the recording's time."""
    days = run.scenario.phone.clock_ahead_days if actor == "phone" else 0
    return time_ns - days * DAY * 10**9
