"""SIP start lines (RFC 3261 §7.1, §7.2)."""

from __future__ import annotations

import re
from typing import NamedTuple

# The URI ends where the version and the end of the line follow; each run of blanks is read once.
_AHEAD = rb"(?!SIP/2\.0[ \t]*+\Z)"
_REQUEST_LINE = re.compile(
    rb"([A-Za-z0-9\-.!%*_+`'~]{1,40})[ \t]++"
    rb"(" + _AHEAD + rb"(?:[^\r\n \t]++|[ \t]++" + _AHEAD + rb")*+|)"
    rb"(?:[ \t]++|(?<=[ \t]{2}))SIP/2\.0[ \t]*+\Z"
)
_STATUS_LINE = re.compile(rb"SIP/2\.0[ \t]++([1-9][0-9]{2})(?:[ \t]++([^\r\n]*+))?+\Z")
START_ANYWHERE = re.compile(
    rb"[A-Z]{3,20} [A-Za-z][A-Za-z0-9+.\-]{1,15}:[^\s]{1,4096} SIP/2\.0\r?\n"
    rb"|SIP/2\.0 [1-6][0-9]{2}[ \r]"
)


class StartLine(NamedTuple):
    """A request (status None) or a response (method and URI empty)."""

    method: str = ""
    uri: bytes = b""
    status: int | None = None
    reason: str = ""


def find_start(data: bytes | bytearray) -> re.Match[bytes] | None:
    """The first message start in `data`; most data is recognised by one fast look for a word."""
    return START_ANYWHERE.search(data) if b"SIP/2.0" in data else None


def start_line(line: bytes) -> StartLine | None:
    """The start line without its line end, or None if it is neither kind."""
    if status := _STATUS_LINE.match(line):
        return StartLine(
            status=int(status[1]), reason=(status[2] or b"").decode("utf-8", "replace")
        )
    if request := _REQUEST_LINE.match(line):
        return StartLine(request[1].decode("latin-1"), request[2])
    return None


def value_in(line: bytes, start: StartLine) -> tuple[int, int]:
    """Where in its start line the URI, or the reason, is: its first byte, and its size."""
    if start.status is None:
        rest = line[len(start.method) :]
        return len(line) - len(rest.lstrip(b" \t")), len(start.uri)
    reason = line[line.index(b"%d" % start.status) + 3 :].lstrip(b" \t")
    return len(line) - len(reason), len(reason)


def describe(start: StartLine | None) -> str:
    if start is None:
        return "a SIP message"
    if start.status is not None:
        return f"a SIP response {start.status}"
    return f"a SIP {start.method} request" if start.method.isalpha() else "a SIP request"
