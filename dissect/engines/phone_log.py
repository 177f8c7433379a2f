"""Logs of phones and SIP servers as messages: which files, which kind, in which order.

Several files of one log (`app.log`, `app.log.1`, `app.log.2.gz`) are read as one, the oldest
first, so that an entry that runs over the end of one is whole.
"""

from __future__ import annotations

import gzip
import re
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from dissect.engines import log_sip, log_vvx, log_yealink
from dissect.engines.logs import LogFile, LogReader
from dissect.errors import UsageError
from dissect.model import Anomaly, Message

MAX_ANOMALIES = 100  # of one log that are reported
LOG_LIMIT = 256 << 20  # bytes of a file, unpacked
# A log of lines that differ in little packs to a thirtieth; what packs better is no log.
LOG_RATIO = 50  # bytes that one packed byte may become
LOG_FLOOR = 4 << 20  # bytes that any packed log may have
BUILT_IN: tuple[LogReader, ...] = (log_vvx.READER, log_yealink.READER, log_sip.READER)
_ROTATED = re.compile(r"(?:[.-](\d{1,4}))?(?:\.gz)?$", re.I)


def read(
    path: str, capture: int, year: int, readers: Sequence[LogReader] = BUILT_IN
) -> list[Message]:
    """The messages of one log file, by the reader that its content asks for.

    Raises UsageError for a file that can't be read or that no reader knows.
    """
    return read_set([(path, capture)], year, readers)


def read_set(
    paths: Sequence[tuple[str, int]],
    year: int,
    readers: Sequence[LogReader] = BUILT_IN,
    warnings: list[str] | None = None,
    anomalies: list[Anomaly] | None = None,
) -> list[Message]:
    """The messages of a log's files (path, index of the capture), as `read`. What a file lacks
    is added to `warnings`, entries that were lost to a bug of ours to `anomalies`."""
    files: list[LogFile] = []
    chosen: LogReader | None = None
    for path, capture in paths:
        text, problem = _text(path)
        if problem and warnings is not None:
            warnings.append(f"{path}: {problem}")
        file = LogFile(capture, path, text)
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
    messages: list[Message] = []
    for item in chosen.read(files, year) if chosen is not None else ():
        if not isinstance(item, Anomaly):
            messages.append(item)
        elif anomalies is not None and len(anomalies) < MAX_ANOMALIES:
            anomalies.append(item)
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


def _text(path: str) -> tuple[str, str]:
    """A file's text, and what is wrong with it; a cut or damaged one is read as far as it goes."""
    problem = ""
    try:
        with open(path, "rb") as file:
            raw = file.read(LOG_LIMIT)
            if file.read(1):
                problem = f"only its first {LOG_LIMIT >> 20} MB are read"
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory, not a phone log") from None
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if raw[:2] == b"\x1f\x8b":
        raw, trouble = _unpacked(raw)
        problem = "; ".join(filter(None, (problem, trouble)))
        if not raw:
            raise UsageError(f"{path}: damaged gzip file")
    # PowerShell's `>` writes UTF-16, with a mark at its beginning.
    encoding = "utf-16" if raw[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig"
    # A log that went through a web page or a mail has no-break spaces for spaces.
    text = raw.decode(encoding, "replace")
    del raw
    return text.replace("\u00a0", " "), problem


def _unpacked(packed: bytes) -> tuple[bytes, str]:
    found = bytearray()
    limit = min(LOG_LIMIT, max(LOG_FLOOR, LOG_RATIO * len(packed)))
    with gzip.GzipFile(fileobj=BytesIO(packed)) as file:
        try:
            while piece := file.read1(1 << 16):
                found += piece
                if len(found) > limit:
                    text = f"it unpacks to more than {limit >> 20} MB; only these are read"
                    return bytes(found[:limit]), text
        except EOFError:
            return bytes(found), f"the gzip file is cut; read to byte {len(found)} of its content"
        except (OSError, zlib.error):
            text = f"the gzip file is damaged; read to byte {len(found)} of its content"
            return bytes(found), text
    return bytes(found), ""
