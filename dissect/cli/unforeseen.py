"""Errors that nobody foresaw, in one line each, and never with their text.

The text of an exception may hold bytes of a capture. Where it was raised says as much to
whoever mends it: `DISSECT_DEBUG=1` adds the whole way there, by file, line and function.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "DISSECT_DEBUG"
_PACKAGE = Path(__file__).parent.parent
MAX_CHAIN = 20  # causes of causes that are reported


def sentence(error: BaseException) -> str:
    """What to say of an error that escaped."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this input: give fewer or smaller files"
    if isinstance(error, ImportError) and not _own(error.name or "dissect"):
        name = str(error.name).partition(".")[0]
        return f"the library {name} can't be loaded: install dissect-flow again"
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        # What the system says of a file; exceptions that libraries derive have no number.
        where = f"{os.fsdecode(error.filename)}: " if _named(error.filename) else ""
        return f"{where}{error.strerror.lower()}"
    text = f"internal error, please report: {type(error).__name__} at {_place(error)}"
    return f"the input is nested too deeply: {text}" if isinstance(error, RecursionError) else text


def trace(error: BaseException) -> list[str]:
    """How it came to be raised, if the user asked for that."""
    if not os.environ.get(VARIABLE):
        return []
    return list(_trace(error))


def _trace(error: BaseException | None) -> Iterator[str]:
    for _ in range(MAX_CHAIN):
        if error is None:
            return
        yield f"{type(error).__module__}.{type(error).__qualname__}"
        for frame in traceback.extract_tb(error.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
        error = error.__cause__ or error.__context__


def _place(error: BaseException) -> str:
    """The innermost line of dissect's own code, as `protocols/dns.py:120`."""
    place = "an unknown place"
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            place = f"{file.relative_to(_PACKAGE).as_posix()}:{line}"
    return place


def _own(module: str) -> bool:
    return module == "dissect" or module.startswith("dissect.")


def _named(name: object) -> bool:
    return isinstance(name, str | bytes) and bool(name)
