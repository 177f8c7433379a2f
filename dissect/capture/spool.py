"""Standard input that is read twice: its bytes are kept in a private file."""

from __future__ import annotations

import sys
import tempfile
import weakref
from typing import BinaryIO

from dissect.capture.file import CaptureFile, open_capture
from dissect.capture.source import SPOOL_LIMIT, WINDOW, FileSource
from dissect.errors import CaptureError, UsageError


class Spool:
    """Keeps what comes on standard input, up to SPOOL_LIMIT bytes.

    The file is its owner's alone (mode 0600) and has no name; where a system can't unlink an
    open file (Windows) it is deleted when it is closed. Nothing is read before `first`.
    """

    def __init__(self) -> None:
        self._file: BinaryIO | None = None

    def first(self, index: int) -> CaptureFile:
        """The capture on standard input, read to its end before its first packet.

        Raises CaptureError as `open_capture` does, and where it is longer than the bound.
        """
        file = self._file = tempfile.TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, file.close)
        stdin, left = FileSource(sys.stdin.buffer), SPOOL_LIMIT
        while data := stdin.read(WINDOW):
            left -= len(data)
            if left < 0:
                self.close()
                raise CaptureError(
                    f"standard input is longer than the {SPOOL_LIMIT >> 20} MB that are kept to "
                    "be read twice: save it to a file and give that"
                )
            file.write(data)
        return self.again(index)

    def again(self, index: int) -> CaptureFile:
        """The same capture from its beginning. Raises UsageError if nothing was kept."""
        if self._file is None:
            raise UsageError(
                "standard input was not kept to be read again: give the capture as a file"
            )
        self._file.seek(0)
        return open_capture(self._file, index)

    def close(self) -> None:
        """Let go of the bytes."""
        if self._file is not None:
            self._file.close()
            self._file = None
