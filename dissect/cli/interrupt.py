"""Ctrl-C, SIGTERM and SIGHUP: the run ends with one line, exit code 130, and nothing left behind.

The first signal unwinds the run, so that every `with` closes what it holds. Where that is
swallowed or does not come to its end, and at a second signal, what is left is cleared here.

Python runs a handler between two of its instructions. A signal that comes just before a system
call would wait until that returns, which for a pipe that nobody writes to is never: a thread
hears of every signal at once (the wakeup descriptor) and strikes the main thread again.
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
AGAIN = 0.1  # seconds after which a signal that was not heard is sent again
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # SIGBREAK: Ctrl-Break on Windows

_seen = False
_reported = False
_again = 0  # signals sent by `_watch` that `_strike` has not met yet


def install() -> None:
    """From now on a signal ends the run; one that is ignored (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        return
    numbers = _numbers()
    for number in numbers:
        signal.signal(number, _strike)
    sys.unraisablehook = _unraisable
    if os.name == "posix" and numbers:
        with contextlib.suppress(OSError, RuntimeError):  # no descriptor or thread to be had
            _listen(numbers)


def _listen(numbers: list[int]) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # The thread inherits the mask: signals are for the main thread.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    threading.Thread(target=_watch, args=(reader, numbers), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.register_at_fork(after_in_child=_in_child)


def _in_child() -> None:
    """A worker process just ends; what is left behind is its parent's to clear."""
    signal.set_wakeup_fd(-1)
    for number in _numbers():
        if signal.getsignal(number) is _strike:
            signal.signal(number, signal.SIG_DFL)


def _watch(reader: int, numbers: list[int]) -> None:
    global _again
    number = 0
    while number not in numbers:
        number = os.read(reader, 1)[0]
    main = threading.main_thread().ident
    for _ in range(int(PATIENCE / AGAIN)):
        time.sleep(AGAIN)
        if not _seen and main is not None:
            _again += 1
            signal.pthread_kill(main, number)
    _end_now()


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
    _report()
    return CODE


def _numbers() -> list[int]:
    found = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    return [number for number in found if signal.getsignal(number) not in (signal.SIG_IGN, None)]


def _strike(_number: int, _frame: FrameType | None) -> None:
    global _seen, _again
    if _seen and _again:
        _again -= 1
        return
    if _seen:
        _end_now()
    _seen = True
    if os.name != "posix":
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
            threading.Thread(target=_hurry, daemon=True).start()
    if not leftovers.wait(_raise):
        _raise()


def _hurry() -> None:
    time.sleep(PATIENCE)
    _end_now()


def _raise() -> NoReturn:
    raise KeyboardInterrupt


def _end_now() -> NoReturn:
    leftovers.clear()
    _report()
    os._exit(CODE)


def _report() -> None:
    global _reported
    if not _reported:
        _reported = True
        _write("dissect: interrupted\n")


def _write(text: str) -> None:
    """Beneath `sys.stderr`, in which the signal may have struck."""
    with contextlib.suppress(OSError):  # nobody there to be reported: the terminal was closed
        os.write(2, text.encode())


def _unraisable(unraisable: Any) -> None:
    """What can't be raised where it happened (in a destructor, in a callback from C)."""
    if _seen:
        _end_now()
    # Its text may hold bytes of a capture.
    kind = unraisable.exc_type.__name__
    _write(f"dissect: internal error, please report: {kind} while cleaning up\n")
