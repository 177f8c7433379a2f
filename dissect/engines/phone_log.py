"""The VVX phone's own log as messages: SIP as it was sent, and entries as they stand.

A line is `MMDDhhmmss|component|level|missed|text`, local time, no year. SIP messages are
indented by four spaces, a line each; a sent one ends at ">>> End of data send", a
received one begins after "<<< Data received". Lines without prefix continue an entry.
"""

from __future__ import annotations

import gzip
import re
from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dissect.errors import UsageError
from dissect.model import (
    Connection,
    Direction,
    Endpoint,
    Headers,
    LogEntry,
    Message,
    Opaque,
    Place,
    SipMessage,
    Span,
)

LOG_LIMIT = 256 << 20
ENTRY_LIMIT = 64 * 1024  # characters of one entry with its continuation lines
_LINE = re.compile(r"(?m)^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})\|([^|]{1,8})\|(\d)\|(\d+)\|(.*)$")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"\bDate: \w{{3}}, \d\d ({'|'.join(_MONTHS)}) (\d{{4}}) [\d:]+ GMT")
_REQUEST = re.compile(r"^([A-Z]{3,12}) (sips?:\S+) SIP/2\.0$")
_STATUS = re.compile(r"^SIP/2\.0 (\d{3}) ?(.*)$")
_CSEQ = re.compile(r"^\s*\d+\s+([A-Z]+)")


@dataclass(slots=True)
class _Entry:
    line: int
    time_ns: int
    component: str
    level: str
    texts: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, text: str) -> None:
        if self.size < ENTRY_LIMIT:
            self.texts.append(text)
            self.size += len(text)


def read(path: str, capture: int, year: int) -> list[Message]:
    """The messages of a log file. The entries have no year: a SIP Date in the log tells it,
    else `year` is that of the first. Times are the phone's local clock taken as UTC: the
    caller aligns them.

    Raises UsageError for a file that can't be read or has no such entry.
    """
    try:
        raw = Path(path).read_bytes()[:LOG_LIMIT]
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory, not a phone log") from None
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError):
            raise UsageError(f"{path}: damaged gzip file") from None
    # A log that went through a web page or a mail has no-break spaces for spaces.
    text = raw.decode("utf-8", "replace").replace("\u00a0", " ")
    entries = list(_entries(text, _year(text) or year))
    if not entries:
        raise UsageError(
            f"{path}: no entries of a VVX log (MMDDhhmmss|component|level|missed|text)"
        )
    return list(_messages(entries, capture))


def _year(text: str) -> int | None:
    """The year of the log's first entry, from the first SIP Date (RFC 3261 §20.17) in it."""
    date = _DATE.search(text)
    first = _LINE.search(text)
    if date is None:
        return None
    year, month = int(date.group(2)), _MONTHS.index(date.group(1)) + 1
    start = int(first.group(1)) if first else month
    # A log that starts in December and tells the date in January began the year before.
    return year - 1 if start > month else year


def _entries(text: str, year: int) -> Iterator[_Entry]:
    entry: _Entry | None = None
    last_month = 0
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.match(line)
        if match is None:
            if entry is not None:
                entry.add("\n" + line)
            continue
        if entry is not None:
            yield entry
        month, day, hour, minute, second = (int(match.group(i)) for i in range(1, 6))
        if month < last_month:
            year += 1  # the log ran past New Year
        last_month = month
        try:
            seconds = timegm((year, month, day, hour, minute, second, 0, 0, 0))
        except ValueError:
            entry = None  # a month 13 is no time stamp, so this is no entry
            continue
        entry = _Entry(number, seconds * 1_000_000_000, match.group(6).strip(), match.group(7))
        entry.add(match.group(9))
    if entry is not None:
        yield entry


def _messages(entries: list[_Entry], capture: int) -> Iterator[Message]:
    block: list[_Entry] = []
    received = False
    for entry in entries:
        text = entry.texts[0]
        if entry.component == "sip" and text.startswith("    "):
            if _starts(text.strip()) and block:
                yield from _sip(block, capture, received)
                block = []
                received = False
            block.append(entry)
            continue
        if block:
            yield from _sip(block, capture, received)
            block = []
            received = False
        if entry.component == "sip" and text.startswith("<<< Data received"):
            received = True
        yield LogEntry(
            _place(capture, entry, entry, 0),
            entry.component,
            entry.level,
            Opaque("".join(entry.texts).encode()),
        )
    if block:
        yield from _sip(block, capture, received)


def _starts(line: str) -> bool:
    return bool(_REQUEST.match(line) or _STATUS.match(line))


def _sip(block: list[_Entry], capture: int, received: bool) -> Iterator[SipMessage]:
    lines = [entry.texts[0].strip() for entry in block]
    request, status = _REQUEST.match(lines[0]), _STATUS.match(lines[0])
    if request is None and status is None:
        return  # the rest of a message whose start the log does not hold
    pairs: list[tuple[bytes, bytes]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not line:
            break
        if colon:
            pairs.append((name.strip().encode(), value.strip().encode()))
    headers = Headers.of(pairs)
    cseq = _CSEQ.match(headers.get("cseq") or "")
    # A response that the log cut before its CSeq still has a status, and perhaps a Date.
    method = request.group(1) if request is not None else ""
    if request is None and cseq is not None:
        method = cseq.group(1)
    yield SipMessage(
        place=_place(capture, block[0], block[-1], 1 if received else 0),
        kind="request" if request else "response",
        method=method,
        uri=Opaque(request.group(2).encode() if request else b""),
        status=int(status.group(1)) if status else None,
        reason=status.group(2) if status else "",
        headers=headers,
        transport="tls",
    )


def _place(capture: int, first: _Entry, last: _Entry, direction: Direction) -> Place:
    connection = Connection(capture, "tcp", 0, Endpoint("phone", 0), Endpoint("server", 0))
    span = Span(first.line, first.time_ns, last.line, last.time_ns)
    return Place(connection, direction, span)
