"""The VVX phone's own log as messages: SIP as it was sent, and entries as they stand.

A line is `MMDDhhmmss|component|level|missed|text`, local time, no year. SIP messages are
indented by four spaces, a line each; a sent one ends at ">>> End of data send", a
received one begins after "<<< Data received". Lines without prefix continue what is before
them: an entry, a SIP message, or a header line of it that was cut.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from dissect.engines.logs import LogFile, LogReader, guarded
from dissect.engines.sip_text import is_start, message
from dissect.model import (
    Anomaly,
    Connection,
    Direction,
    Endpoint,
    LogEntry,
    Message,
    Opaque,
    Place,
    SipMessage,
    Span,
)

ENTRY_LIMIT = 64 * 1024  # characters of one entry with its continuation lines
MAX_LINES = 4096  # of an entry or a SIP message
_LINE = re.compile(r"(?m)^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})\|([^|]{1,8})\|(\d)\|(\d+)\|(.*)$")
# What a syslog server puts before a line: priority, time, host, and the phone's own address. It
# ends at the line's own stamp, so that a log without it is left as it is.
_SYSLOG = re.compile(
    r"(?m)^(?=[^\d]|\d{1,9}\D)([^\n]{0,160}?)[ |](?=\d{10}\|[^|\n]{1,8}\|\d\|\d+\|)"
)
_DEVICE = re.compile(r"([0-9A-Fa-f]{12})\Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rf"\bDate: \w{{3}}, \d\d ({'|'.join(_MONTHS)}) (\d{{4}}) [\d:]+ GMT")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*\s*:")
_INDENT = "    "


class _Line(NamedTuple):
    """A line with the stamp that it has, or that of the entry it continues."""

    capture: int
    number: int
    time_ns: int
    component: str
    level: str
    text: str
    stamped: bool


def fits(text: str) -> bool:
    """Whether some line is one of a VVX log."""
    return _LINE.search(_SYSLOG.sub("", text)) is not None


def read(files: Sequence[LogFile], year: int) -> Iterable[Message | Anomaly]:
    """The messages of a log. The entries have no year: a SIP Date in the log tells it, else
    `year` is that of the first. Times are the phone's local clock taken as UTC: the caller
    aligns them. Of a syslog of several phones the first one's lines are read."""
    bare, others = _without_syslog(files)
    if others:
        text = f"lines of other phones are left out ({others}): one log is one phone's, divide it"
        yield Anomaly("log.phones", text, files[0].capture, 1)
    yield from _messages(_lines(bare, _year(bare) or year))


def _without_syslog(files: Sequence[LogFile]) -> tuple[list[LogFile], int]:
    """The files without a syslog's prefixes, and how many lines are another phone's."""
    first, others = "", 0

    def own(match: re.Match[str]) -> str:
        nonlocal first, others
        reported = _DEVICE.search(match[1])
        device = reported[1].lower() if reported else ""
        first = first or device
        if device and device != first:
            others += 1
            return "x "  # no line of this log, nor what goes on with one
        return ""

    return [replace(file, text=_SYSLOG.sub(own, file.text)) for file in files], others


def _year(files: Sequence[LogFile]) -> int | None:
    """The year of the log's first entry, from the first SIP Date (RFC 3261 §20.17) in it."""
    date = next(filter(None, (_DATE.search(file.text) for file in files)), None)
    first = next(filter(None, (_LINE.search(file.text) for file in files)), None)
    if date is None:
        return None
    year, month = int(date.group(2)), _MONTHS.index(date.group(1)) + 1
    start = int(first.group(1)) if first else month
    # A log that starts in December and tells the date in January began the year before.
    return year - 1 if start > month else year


def _lines(files: Sequence[LogFile], year: int) -> Iterator[_Line]:
    last_month = 0
    latest: _Line | None = None
    for file in files:
        for number, text in enumerate(file.text.splitlines(), 1):
            match = _LINE.match(text)
            if match is None:
                if latest is not None:
                    yield latest._replace(
                        capture=file.capture, number=number, text=text, stamped=False
                    )
                continue
            month, day, hour, minute, second = (int(match.group(i)) for i in range(1, 6))
            if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60):
                latest = None  # a month 13 is no time stamp, so this is no entry
                continue
            if month < last_month:
                year += 1  # the log ran past New Year
            last_month = month
            seconds = timegm((year, month, day, hour, minute, second, 0, 0, 0))
            latest = _Line(
                file.capture,
                number,
                seconds * 1_000_000_000,
                match.group(6).strip(),
                match.group(7),
                match.group(9),
                True,
            )
            yield latest


def _messages(lines: Iterable[_Line]) -> Iterator[Message | Anomaly]:
    entry: list[_Line] = []
    block: list[_Line] = []
    received = False
    for line in lines:
        if block and _continues(line):
            if is_start(line.text.strip()):
                yield from _guarded(block, partial(_sip, block, received))
                block, received = [line], False
            elif len(block) < MAX_LINES and (line.stamped or line.text.strip()):
                block.append(line)
            continue
        if line.component == "sip" and is_start(line.text.strip()):
            yield from _guarded(entry, partial(_entry, entry))
            entry, block = [], [line]
            continue
        if not line.stamped:
            if len(entry) < MAX_LINES:
                entry.append(line)
            continue
        yield from _guarded(entry, partial(_entry, entry))
        yield from _guarded(block, partial(_sip, block, received))
        if block:
            received = False
        entry, block = [], []
        if line.component == "sip" and line.text.startswith(_INDENT):
            continue  # the rest of a message whose start the log does not hold
        if line.component == "sip" and line.text.startswith("<<< Data received"):
            received = True
        entry = [line]
    yield from _guarded(entry, partial(_entry, entry))
    yield from _guarded(block, partial(_sip, block, received))


def _guarded(
    lines: Sequence[_Line], make: Callable[[], Iterable[Message]]
) -> Iterator[Message | Anomaly]:
    if lines:
        yield from guarded(lines[0].capture, lines[0].number, make)


def _continues(line: _Line) -> bool:
    """Whether a line after one of a SIP message is of it as well, or of the next one."""
    if line.stamped:
        return line.component == "sip" and line.text.startswith(_INDENT)
    return True


def _entry(lines: Sequence[_Line]) -> Iterator[LogEntry]:
    if lines:
        text = "\n".join(line.text for line in lines)[:ENTRY_LIMIT]
        first = lines[0]
        place = _place(first, first, 0)
        yield LogEntry(place, first.component, first.level, Opaque(text.encode()))


def _sip(block: Sequence[_Line], received: bool) -> Iterator[SipMessage]:
    if not block:
        return
    rows: list[str] = []
    body = False
    for line in block:
        text = line.text.removeprefix(_INDENT).rstrip()
        # A line that was cut goes on without prefix and without a name of its own.
        if not line.stamped and text and not body and not _HEADER.match(text) and len(rows) > 1:
            rows[-1] += text if not line.text.startswith(" ") else " " + text.strip()
            continue
        body = body or not text.strip()
        rows.append(text)
    direction: Direction = 1 if received else 0
    found = message("\r\n".join(rows) + "\r\n", _place(block[0], block[-1], direction), "tls")
    if found is not None:
        yield found


def _place(first: _Line, last: _Line, direction: Direction) -> Place:
    connection = Connection(first.capture, "tcp", 0, Endpoint("phone", 0), Endpoint("server", 0))
    end = last if last.capture == first.capture else first
    return Place(connection, direction, Span(first.number, first.time_ns, end.number, end.time_ns))


READER = LogReader("VVX", fits, read, "a VVX phone's: MMDDhhmmss|component|level|missed|text")
