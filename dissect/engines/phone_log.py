"""Logs of phones and SIP servers as messages: which files, which kind, in which order.

Several files of one log (`app.log`, `app.log.1`, `app.log.2.gz`) are read as one, the oldest
first, so that an entry that runs over the end of one is whole.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

from dissect.engines import log_sip, log_vvx
from dissect.engines.logs import LogFile, LogReader
from dissect.errors import UsageError
from dissect.model import Message

LOG_LIMIT = 256 << 20  # bytes of a file, unpacked
BUILT_IN: tuple[LogReader, ...] = (log_vvx.READER, log_sip.READER)
_ROTATED = re.compile(r"(?:[.-](\d{1,4}))?(?:\.gz)?$", re.I)


def read(
    path: str, capture: int, year: int, readers: Sequence[LogReader] = BUILT_IN
) -> list[Message]:
    """The messages of one log file, by the reader that its content asks for.

    Raises UsageError for a file that can't be read or that no reader knows.
    """
    return read_set([(path, capture)], year, readers)


def read_set(
    paths: Sequence[tuple[str, int]], year: int, readers: Sequence[LogReader] = BUILT_IN
) -> list[Message]:
    """The messages of a log's files (path, index of the capture), as `read`."""
    files: list[LogFile] = []
    chosen: LogReader | None = None
    for path, capture in paths:
        file = LogFile(capture, path, _text(path))
        if any(file.text == other.text for other in files):
            continue  # the same file twice, or a copy of it
        reader = next((reader for reader in readers if reader.fits(file.text)), None)
        if reader is None:
            expected = "; ".join(reader.expects for reader in readers)
            raise UsageError(f"{path}: no entries of a log that dissect knows ({expected})")
        if chosen is not None and reader is not chosen:
            raise UsageError(f"{path}: it is another kind of log than {files[0].name}")
        chosen = reader
        files.append(file)
    messages = list(chosen.read(files, year)) if chosen is not None else []
    if not messages and chosen is not None:
        raise UsageError(f"{files[0].name}: no entries of a {chosen.name} log")
    return messages


def sets(paths: Sequence[str]) -> list[list[int]]:
    """Which files (indexes of `paths`) are one log that was rotated, the oldest file first.

    They lie in one folder and differ in a number at the end; the highest is the oldest.
    """
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for index, path in enumerate(paths):
        name = Path(path).name
        match = _ROTATED.search(name)
        stem = name[: match.start()] if match else name
        number = int(match.group(1)) if match and match.group(1) else 0
        found.setdefault((str(Path(path).parent), stem), []).append((-number, index))
    groups = []
    for items in found.values():
        numbers = [number for number, _ in items]
        if len(set(numbers)) == len(numbers) and 0 in numbers:
            groups.append([index for _, index in sorted(items)])
        else:
            groups += [[index] for _, index in items]
    return sorted(groups, key=min)


def _text(path: str) -> str:
    try:
        raw = Path(path).read_bytes()[:LOG_LIMIT]
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory, not a phone log") from None
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as file:
                raw = file.read(LOG_LIMIT)
        except (OSError, EOFError):
            raise UsageError(f"{path}: damaged gzip file") from None
    # A log that went through a web page or a mail has no-break spaces for spaces.
    return raw.decode("utf-8-sig", "replace").replace("\u00a0", " ")
