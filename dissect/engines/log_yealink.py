"""A Yealink phone's syslog: SIP messages of its program `sua`, a line each behind a prefix.

A line is `MMM DD hh:mm:ss sua [pid.tid]: MODULE <level> text`, local time, no year; a syslog
server may put its own priority and the phone's name before it. "====> sending … to ADDRESS" comes
before a message that is sent, "<==== received … from ADDRESS" before one that is received.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from dissect.engines.logs import LogFile, LogReader, guarded
from dissect.engines.sip_text import is_start, message
from dissect.model import (
    Anomaly,
    Connection,
    Direction,
    Endpoint,
    Message,
    Place,
    SipMessage,
    Span,
)

MAX_LINES = 4096  # of a message
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LINE = re.compile(
    rf"(?m)^(?:<\d{{1,3}}>)?({'|'.join(_MONTHS)}) ([ \d]\d) (\d\d):(\d\d):(\d\d) "
    r"(?:[\w.:-]{1,64} )?[\w-]{1,32} ?\[\d{1,10}[.:]\d{1,10}\]: ?"
    r"([A-Z0-9_]{1,16}) {0,8}<\d{1,2}\+[a-z]{1,16} {0,8}> ?(.*)$"
)
_WAY = re.compile(r"(={1,8}> ?(?:sending|send)|<={1,8} ?(?:received|receive|recv))\b", re.I)


class _Line(NamedTuple):
    capture: int
    number: int
    time_ns: int
    module: str
    text: str


def fits(text: str) -> bool:
    """Whether some line is one of a Yealink phone, and some SIP message is in it."""
    return any(is_start(match[7].strip()) for match in _LINE.finditer(text))


def read(files: Sequence[LogFile], year: int) -> Iterable[Message | Anomaly]:
    """The SIP messages of a log; `year` is that of its first line. Times are the phone's local
    clock taken as UTC: the caller aligns them, or says that they are local."""
    block: list[_Line] = []
    received: bool | None = None  # as the line before a message says
    for line in _lines(files, year):
        way = _WAY.search(line.text)
        if way is not None or is_start(line.text.strip()):
            yield from _whole(block, received)
            block = []
            if way is not None:
                received = way[1].startswith("<")
                continue
            block = [line]
        elif block and line.module == block[0].module and len(block) < MAX_LINES:
            block.append(line)
    yield from _whole(block, received)


def _lines(files: Sequence[LogFile], year: int) -> Iterator[_Line]:
    last_month = 0
    for file in files:
        for number, text in enumerate(file.text.splitlines(), 1):
            match = _LINE.match(text)
            if match is None:
                continue
            month = _MONTHS.index(match[1]) + 1
            if month < last_month:
                year += 1  # the log ran past New Year
            last_month = month
            clock = (int(match[3]), int(match[4]), int(match[5]))
            seconds = timegm((year, month, int(match[2]), *clock, 0, 0, 0))
            yield _Line(file.capture, number, seconds * 1_000_000_000, match[6], match[7])


def _whole(block: Sequence[_Line], received: bool | None) -> Iterator[Message | Anomaly]:
    if block:
        make = partial(_sip, block, received)
        yield from guarded(block[0].capture, block[0].number, make)


def _sip(block: Sequence[_Line], received: bool | None) -> Iterator[SipMessage]:
    first, last = block[0], block[-1]
    # Where nothing says which way it went: a phone gets answers to what it asks.
    got = first.text.lstrip().startswith("SIP/2.0") if received is None else received
    direction: Direction = 1 if got else 0
    connection = Connection(first.capture, "tcp", 0, Endpoint("phone", 0), Endpoint("server", 0))
    end = last if last.capture == first.capture else first
    span = Span(first.number, first.time_ns, end.number, end.time_ns)
    text = "\r\n".join(line.text.rstrip() for line in block) + "\r\n"
    found = message(text, Place(connection, direction, span), "udp")
    if found is not None:
        yield found


READER = LogReader(
    "Yealink", fits, read, "a Yealink phone's syslog: MMM DD hh:mm:ss sua [pid.tid]: MODULE <level>"
)
