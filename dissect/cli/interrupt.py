"""Ctrl-C, SIGTERM and SIGHUP: the run ends with one line, exit code 130, and nothing left behind.

The first signal unwinds the run, so that every `with` closes what it holds. Where that is
swallowed or does not come to its end, and at a second signal, what is left is cleared here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, NoReturn

from dissect import leftovers

CODE = 130
PATIENCE = 5  # seconds that the run may take to unwind
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # SIGBREAK: Ctrl-Break on Windows

_seen = False
_said = False


def install() -> None:
    """From now on a signal ends the run; one that is ignored (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _numbers():
        signal.signal(number, _strike)
    sys.unraisablehook = _unraisable


def over() -> None:
    """The run has its result: a signal that comes now changes it no more."""
    if threading.current_thread() is threading.main_thread():
        for number in _numbers():
            signal.signal(number, signal.SIG_IGN)


def seen() -> bool:
    """Whether a signal has struck, whatever became of the exception that it raised."""
    return _seen


def end() -> int:
    """Clear what the run left, and say why it ended. The exit code."""
    leftovers.clear()
    _say()
    return CODE


def _numbers() -> list[int]:
    found = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    return [number for number in found if signal.getsignal(number) not in (signal.SIG_IGN, None)]


def _strike(_number: int, _frame: FrameType | None) -> None:
    global _seen
    if _seen:
        _end_now()
    _seen = True
    try:
        threading.Thread(target=_watch, daemon=True).start()
    except RuntimeError:
        _end_now()  # the interpreter is shutting down
    if not leftovers.wait(_raise):
        _raise()


def _raise() -> NoReturn:
    raise KeyboardInterrupt


def _watch() -> None:
    time.sleep(PATIENCE)
    _end_now()


def _end_now() -> NoReturn:
    leftovers.clear()
    _say()
    os._exit(CODE)


def _say() -> None:
    global _said
    if not _said:
        _said = True
        _write("dissect: interrupted\n")


def _write(text: str) -> None:
    """Beneath `sys.stderr`, in which the signal may have struck."""
    with contextlib.suppress(OSError):  # nobody there to be told: the terminal was closed
        os.write(2, text.encode())


def _unraisable(unraisable: Any) -> None:
    """What can't be raised where it happened (in a destructor, in a callback from C)."""
    if _seen:
        _end_now()
    # Its text may hold bytes of a capture.
    kind = unraisable.exc_type.__name__
    _write(f"dissect: internal error, please report: {kind} while cleaning up\n")
