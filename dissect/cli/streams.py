"""Standard input, output and error, whatever they are: closed, full, or a pipe nobody reads.

Nothing that is done to them raises an exception in the middle of a run. What could not be
written is reported at the end; a pipe that its reader closed (`| head`) is no fault at all.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, TextIO


class Raw(io.RawIOBase):
    """What is beneath a stream's buffer. `problem`: why something could not be written."""

    def __init__(self, raw: io.RawIOBase | None) -> None:
        self._raw = raw
        self._gone = False
        self.problem: str | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._raw is None:
            raise io.UnsupportedOperation("fileno")
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()

    def write(self, data: object, /) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        if not self._gone and self.problem is None:
            try:
                return self._write(view)
            except OSError as error:
                if _reader_gone(error):
                    self._gone = True
                else:
                    self.problem = _words(error)
        return view.nbytes

    def _write(self, view: memoryview) -> int:
        if self._raw is None:
            raise OSError(errno.EBADF, "closed")
        while (done := self._raw.write(view)) is None:
            select.select([], [self.fileno()], [])  # somebody made it non-blocking
        return done


def _reader_gone(error: OSError) -> bool:
    # Windows calls a pipe without reader an invalid argument.
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def _words(error: OSError) -> str:
    if error.errno == errno.EBADF:
        return "standard output is closed"
    return f"standard output: {(error.strerror or type(error).__name__).lower()}"


def guard() -> Raw:
    """Put such streams in place of the interpreter's; that of standard output is given back."""
    _fill()
    output = Raw(_beneath(sys.stdout))
    sys.stdout = _text(output, sys.stdout)
    # The result counts, not what is reported of it: closed or full, standard error tells no more.
    sys.stderr = _text(Raw(_beneath(sys.stderr)), sys.stderr)
    return output


def _fill() -> None:
    """Nothing that is opened later may get the number of a standard stream that is closed."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The wrong way round: to read or write it is an error as it was.
            opened = os.open(os.devnull, os.O_RDONLY if number else os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)


def _beneath(stream: TextIO | None) -> io.RawIOBase | None:
    if stream is None:
        return None
    stream.flush()
    buffer: Any = stream.buffer
    raw: io.RawIOBase = getattr(buffer, "raw", buffer)  # `python -u` has no buffer between
    return raw


def _text(raw: Raw, old: TextIO | None) -> TextIO:
    # A console of another code page must not turn a chart into an error.
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=_encoding(old),
        errors="replace",
        newline=None if os.name == "nt" else "\n",
        line_buffering=old is None or getattr(old, "line_buffering", False),
        write_through=getattr(old, "write_through", False),
    )


def _encoding(old: TextIO | None) -> str:
    """That of the interpreter, unless it can't write any text: PYTHONIOENCODING=idna."""
    try:
        name = old.encoding if old is not None else "utf-8"
        "\u2713".encode(name, "replace")
    except (LookupError, UnicodeError):
        name = "utf-8"
    return name
