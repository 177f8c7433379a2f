"""Outputs appear whole or not at all: written beside their place, moved there when whole.

A symbolic link is followed: the file that it names is replaced, the link stays. A file that
is replaced keeps its permissions (and, where the system lets it, its owner); other hard links
to it keep the old content. A device or a pipe is written to, never replaced.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO

from dissect import leftovers
from dissect.errors import UsageError

PRIVATE = 0o600  # of what holds secrets, or may
MAX_LINKS = 40  # symbolic links in a row, as Linux has it

_FLAGS = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/(?:[0-9]+|self|thread-self)(?:/task/[0-9]+)?/fd")
# Names that Windows takes for devices in every folder.
_DOS_DEVICE = re.compile(r"(?:nul|con|prn|aux|com[0-9]|lpt[0-9]|conin\$|conout\$):?[. ]*", re.I)


class _Staged:
    """A file beside its place, under a name of its own, until `move`."""

    def __init__(self, path: str, private: bool) -> None:
        if path.endswith(("/", os.sep)):
            raise IsADirectoryError(21, "is a directory")
        self.target = os.path.realpath(path)
        self.temporary = os.path.join(
            os.path.dirname(self.target), f".dissect-{secrets.token_hex(8)}.tmp"
        )
        old = _status(self.target)
        if old is not None and stat.S_ISDIR(old.st_mode):
            raise IsADirectoryError(21, "is a directory")
        if old is not None and not os.access(self.target, os.W_OK):
            raise PermissionError(13, "permission denied")  # a replacement would not ask
        mode = 0o666 if old is None else stat.S_IMODE(old.st_mode) & 0o777
        with leftovers.held():
            leftovers.add_path(self.temporary)
            # The mode is right from the first byte on: another one later would be too late.
            opened = os.open(
                self.temporary, _FLAGS | os.O_CREAT | os.O_EXCL, PRIVATE if private else mode
            )
            self.file: IO[bytes] = os.fdopen(opened, "wb")
        if old is not None:
            self._like(old, PRIVATE if private else mode)

    def _like(self, old: os.stat_result, mode: int) -> None:
        """Owner and permissions of the file that is replaced, as far as the system allows."""
        if hasattr(os, "fchown") and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            with contextlib.suppress(OSError):
                os.fchown(self.file.fileno(), old.st_uid, old.st_gid)
        if hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):
                os.fchmod(self.file.fileno(), mode)

    def move(self) -> None:
        with leftovers.held():
            os.replace(self.temporary, self.target)
            leftovers.drop_path(self.temporary)

    def discard(self) -> None:
        """Remove it, if it was not moved."""
        with contextlib.suppress(OSError):
            self.file.close()  # a full disk is reported once more here
        if os.path.lexists(self.temporary):
            with contextlib.suppress(OSError):
                os.unlink(self.temporary)
        leftovers.drop_path(self.temporary)


@contextlib.contextmanager
def writing(path: str, private: bool = False) -> Iterator[BinaryIO]:
    """A file that gets its place when the body has ended without an error.

    `private` makes it readable by its owner alone (mode 0600). Raises UsageError, one line, if
    it can't be written; then the file that was there is as it was.
    """
    with _in_one_line(path):
        if is_stream(path):
            with contextlib.suppress(BrokenPipeError), _stream(path) as stream:
                yield stream
            return
        staged = _Staged(path, private)
        try:
            yield staged.file  # type: ignore[misc]
            staged.file.close()
            staged.move()
        finally:
            staged.discard()


def save(path: str, content: str | bytes, private: bool = False) -> None:
    """Write a file; line ends are LF. Raises UsageError in one line."""
    save_all([(path, content)], private)


def save_all(files: Sequence[tuple[str, str | bytes]], private: bool = False) -> None:
    """Write files that belong together: none gets its place before all are whole."""
    done: list[_Staged] = []
    try:
        for path, content in files:
            # A name of a capture that is no UTF-8 must not cost the whole chart.
            data = content.encode("utf-8", "replace") if isinstance(content, str) else content
            with _in_one_line(path):
                if is_stream(path):
                    with contextlib.suppress(BrokenPipeError), _stream(path) as stream:
                        stream.write(data)
                    continue
                done.append(_Staged(path, private))
                done[-1].file.write(data)
                done[-1].file.close()
        for staged in done:
            with _in_one_line(staged.target):
                staged.move()
    finally:
        for staged in done:
            staged.discard()


def is_stream(path: str) -> bool:
    """Whether `path` is a device, a pipe, a socket or an open descriptor: nothing to replace."""
    if os.name == "nt" and _dos_device(path):
        return True
    if _descriptor(path) is not None:
        return True
    there = _status(path)
    return there is not None and not (stat.S_ISREG(there.st_mode) or stat.S_ISDIR(there.st_mode))


def _dos_device(path: str) -> bool:
    last = re.split(r"[/\\]", path)[-1]
    return path.startswith(("\\\\.\\", "//./")) or _DOS_DEVICE.fullmatch(last) is not None


def _descriptor(path: str) -> str | None:
    """The entry of an open descriptor that `path` is or leads to (/dev/stdout, /dev/fd/3):
    behind it may be a file, but what was redirected there is to be gone on with."""
    if os.name == "nt":
        return None
    for _ in range(MAX_LINKS):
        folder = os.path.realpath(os.path.dirname(path) or ".")
        path = os.path.join(folder, os.path.basename(path))
        if _DESCRIPTORS.fullmatch(folder):
            return path
        if not os.path.islink(path):
            return None
        with contextlib.suppress(OSError):
            path = os.path.join(folder, os.readlink(path))
    return None


def _stream(path: str) -> BinaryIO:
    """`path` open for writing as it is: nothing is made, nothing cut."""
    entry = _descriptor(path)
    if entry is not None and _own(entry):
        if entry.endswith("/1"):
            sys.stdout.flush()  # what was printed comes first
        return os.fdopen(os.dup(int(os.path.basename(entry))), "wb")
    return os.fdopen(os.open(path, _FLAGS), "wb")


def _own(entry: str) -> bool:
    process = entry.split("/")[2]
    return os.path.basename(entry).isdigit() and process in ("fd", "self", str(os.getpid()))


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _in_one_line(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
