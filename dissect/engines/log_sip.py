"""SIP traces in the logs of servers and tools: each message with its time and its ends.

Read are Kamailio's and OpenSIPS' lines in a syslog (RFC 3164 or RFC 3339 times; a message in
one line with `#015#012`, or in several, with the prefix or without), and what sngrep and
ngrep write as text. A line with a time begins something new; a line without goes on.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from dissect.engines.logs import LogFile, LogReader, guarded
from dissect.engines.sip_text import MESSAGE_LIMIT, Growing, Transport, complete, message
from dissect.model import Anomaly, Connection, Direction, Endpoint, Message, Place, SipMessage, Span

ABOUT_LIMIT = 500  # characters before a message that are looked through for its ends
MAX_OPEN = 256  # messages that wait for their next lines, one a program
MAX_PAIRS = 10_000  # connections remembered; a busier server's start again
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO = re.compile(
    r"(?:<\d{1,3}>\d?\s?)?(?:[UT#]\s+)?"
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    r"\s?(Z|[+-]\d\d:?\d\d)?\s*"
)
_BSD = re.compile(
    rf"(?:<\d{{1,3}}>)?({'|'.join(_MONTHS)}) [ \d]\d (\d\d):(\d\d):(\d\d)(?:\.(\d{{1,9}}))?\s+"
)
_DAY = re.compile(r"[A-Z][a-z]{2} ([ \d]\d)")
# A program's name has the machine's before it, or its process number: "Via:" is none.
_LEVELS = "(?:DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT)"
_TAG = re.compile(
    rf"(?:\S*[^\s:]\s+(?!{_LEVELS}:)([\w./-]+(?:\[\d+\])?)|([\w./-]+\[\d+\])):(?:\s|$)"
)
_LABEL = re.compile(rf"(?:{_LEVELS}:\s)?(?:<[\w-]+>:\s)?")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*\s*:\s|[a-z]:\s")
_OCTAL = re.compile(r"#(0[0-3][0-7])")
_START = re.compile(
    r"(?:^|(?<=[\s\[\"'|(]))"
    r"(?:[A-Z]{3,12} (?:sips?|tel|urn):[^\s\]]+ SIP/2\.0|SIP/2\.0 [1-6]\d\d[^\r\n]*)(?=\r?\n|$)",
    re.M,
)
_ADDRESS = (
    r"(?:\[?(?:[0-9a-fA-F]{0,4}:){2,8}[0-9a-fA-F.]{0,15}\]?|\d{1,3}(?:\.\d{1,3}){3})"  # bounded
)
_ENDS = re.compile(
    rf"(?<![\w.])({_ADDRESS}):(\d{{1,5}})\s*(?:->|=>|→|to)\s*(?:\w+:)?({_ADDRESS}):(\d{{1,5}})"
)
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*(\w+)\s+(\[[0-9a-fA-F:.]+\]|[^\s:;,]+)(?::(\d{1,5}))?([^,]*)", re.I
)


@dataclass(slots=True)
class _Piece:
    """A line with a time, and the lines that go on after it."""

    capture: int
    first: int
    last: int
    time_ns: int
    tag: str
    text: str
    about: str  # the line before it, which may name the ends


def fits(text: str) -> bool:
    """Whether there is a SIP message in it, and a line with a time at or before it."""
    plain = _plain(text)
    start = _START.search(plain)
    if start is None:
        return False
    end = plain.find("\n", start.end())
    return any(_stamp(line, 1970) for line in plain[: end if end >= 0 else None].splitlines())


def read(files: Sequence[LogFile], year: int) -> Iterable[Message | Anomaly]:
    """The SIP messages of a trace, with the ends that it names, else those of their Via."""
    pairs = _Pairs()
    for piece in _joined(_pieces(files, year)):
        yield from guarded(piece.capture, piece.first, partial(_message, piece, pairs))


def _plain(text: str) -> str:
    """Line ends as they were: rsyslog writes control characters as octal numbers."""
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text)


def _stamp(line: str, year: int) -> tuple[int, int, str] | None:
    """A line's time in ns, its month, and what follows; None if it has no time."""
    match = _ISO.match(line)
    if match is not None:
        numbers = [int(match.group(i)) for i in range(1, 7)]
        zone, fraction = match.group(8), match.group(7) or ""
        return _time(numbers, fraction, zone, line[match.end() :])
    match = _BSD.match(line)
    day = _DAY.search(line)
    if match is None or day is None:
        return None
    month = _MONTHS.index(match.group(1)) + 1
    clock = [int(match.group(i)) for i in range(2, 5)]
    numbers = [year, month, int(day.group(1)), *clock]
    return _time(numbers, match.group(5) or "", None, line[match.end() :])


def _time(
    numbers: Sequence[int], fraction: str, zone: str | None, rest: str
) -> tuple[int, int, str] | None:
    try:
        datetime(*numbers)  # type: ignore[arg-type]
    except ValueError:
        return None
    seconds = timegm((*numbers, 0, 0, 0))
    if zone and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        seconds -= minutes * 60 if zone[0] == "+" else -minutes * 60
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0") or 0), numbers[1], rest


def _pieces(files: Sequence[LogFile], year: int) -> Iterator[_Piece]:
    piece: _Piece | None = None
    last_month = 0
    before = ""
    for file in files:
        for number, line in enumerate(file.text.removesuffix("\n").split("\n"), 1):
            line = line.removesuffix("\r")
            stamp = _stamp(line, year)
            if stamp is not None and stamp[1] < last_month:
                year += 1 if _ISO.match(line) is None else 0  # the log ran past New Year
                stamp = _stamp(line, year)
            if stamp is None:
                if piece is not None and len(piece.text) < MESSAGE_LIMIT:
                    piece.text += "\r\n" + _plain(line)
                    piece.last = number if file.capture == piece.capture else piece.last
                continue
            if piece is not None:
                before = piece.text[:ABOUT_LIMIT]
                yield piece
            time_ns, last_month, rest = stamp
            found = _TAG.match(rest)
            text = rest[found.end() :] if found else rest
            tag = (found.group(1) or found.group(2)) if found else ""
            piece = _Piece(file.capture, number, number, time_ns, tag, _plain(text), before)
    if piece is not None:
        yield piece


def _joined(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """Pieces with a message, and with those of the same program that go on with it."""
    open_: dict[str, tuple[_Piece, Growing]] = {}
    for piece in pieces:
        label = _LABEL.match(piece.text)
        text = piece.text[label.end() :] if label else piece.text
        start = _START.search(piece.text)
        pending = open_.get(piece.tag)
        if start is not None:
            if pending is not None:
                yield _whole(*open_.pop(piece.tag))
            head = piece.text[max(0, start.start() - ABOUT_LIMIT) : start.start()]
            ends = head if _ENDS.search(head) else piece.about + "\n" + head
            own = _dedented(piece.text[start.start() :])
            if head.endswith("[["):
                own = own.rstrip().removesuffix("]]")
            piece.text, piece.about = own, ends
            if complete(own):
                yield piece
            else:
                open_[piece.tag] = piece, Growing(own)
                if len(open_) > MAX_OPEN:  # as far as it came: it says how much of it is there
                    yield _whole(*open_.pop(next(iter(open_))))
        elif pending is not None and pending[1].size < MESSAGE_LIMIT and _fits_on(*pending, text):
            begun, grown = pending
            grown.add("\r\n" + text)
            begun.last = piece.first if piece.capture == begun.capture else begun.last
            if grown.complete:
                yield _whole(*open_.pop(piece.tag))
    for begun, grown in open_.values():
        yield _whole(begun, grown)


def _whole(piece: _Piece, grown: Growing) -> _Piece:
    piece.text = grown.text
    return piece


_Ends = tuple[Endpoint, Endpoint]  # sender, receiver
_Over = Literal["tcp", "udp"]


def _fits_on(pending: _Piece, grown: Growing, text: str) -> bool:
    """Whether a line can go on with a message; without a program's name it has to look so."""
    if pending.tag or not text.strip() or grown.has_head:
        return True
    return _HEADER.match(text) is not None


def _dedented(text: str) -> str:
    """Without the blanks that journalctl puts before the lines of one message."""
    first, *rest = text.split("\r\n")
    margin = min((len(line) - len(line.lstrip(" ")) for line in rest if line.strip()), default=0)
    if margin < 4:
        return text
    return "\r\n".join([first, *(line[margin:] for line in rest)])


class _Pairs:
    """Connections by their ends: the client is who sent the first request on it."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, frozenset[Endpoint]], Connection] = {}
        self._count = 0

    def place(self, piece: _Piece, ends: _Ends, request: bool, over: _Over) -> Place:
        sender, receiver = ends
        key = piece.capture, over, frozenset(ends)
        connection = self._known.get(key)
        if connection is None:
            if len(self._known) >= MAX_PAIRS:
                self._known.clear()
            client, server = (sender, receiver) if request else (receiver, sender)
            connection = Connection(piece.capture, over, self._count, client, server)
            self._known[key] = connection
            self._count += 1
        direction: Direction = 0 if sender == connection.client else 1
        span = Span(piece.first, piece.time_ns, piece.last, piece.time_ns)
        return Place(connection, direction, span)


def _message(piece: _Piece, pairs: _Pairs) -> Iterator[SipMessage]:
    request = not piece.text.startswith("SIP/2.0")
    via = _VIA.search(piece.text)
    transport = _transport(via.group(1) if via else "udp")
    ends = _ends(piece.about) or _by_via(via, request)
    over: _Over = "udp" if transport == "udp" else "tcp"
    found = message(piece.text, pairs.place(piece, ends, request, over), transport)
    if found is not None:
        yield found


_TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "tls": "tls", "ws": "ws", "wss": "ws"}


def _transport(word: str) -> Transport:
    return _TRANSPORTS.get(word.lower(), "udp")


def _ends(text: str) -> _Ends | None:
    """The last "address:port -> address:port" of a text."""
    found = list(_ENDS.finditer(text))
    if not found:
        return None
    match = found[-1]
    one, other = match.group(1).strip("[]"), match.group(3).strip("[]")
    return Endpoint(one, int(match.group(2))), Endpoint(other, int(match.group(4)))


def _by_via(via: re.Match[str] | None, request: bool) -> _Ends:
    """Ends from the topmost Via (RFC 3261 §18.2): who sent a request, and gets the response."""
    server = Endpoint("server", 0)
    if via is None:
        return Endpoint("client", 0), server
    received = re.search(r";\s*received\s*=\s*([^;\s]+)", via.group(4))
    address = (received.group(1) if received else via.group(2)).strip("[]")
    port = re.search(r";\s*rport\s*=\s*(\d{1,5})", via.group(4))
    number = int(port.group(1)) if port else int(via.group(3) or 5060)
    client = Endpoint(address, number)
    return (client, server) if request else (server, client)


READER = LogReader(
    "SIP trace", fits, read, "a SIP trace: a syslog of Kamailio, or text of sngrep or ngrep"
)
