"""HTTP/1.x start lines and the rules that say how long a body is (RFC 9112).

What an observer needs of the grammar, no more: it never refuses a message that both
peers may have understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from dissect.protocols.header_sections import Index, content_lengths, tokens, values
from dissect.protocols.http.messages import content_codings

Version = Literal["1.0", "1.1"]

METHODS = (
    b"GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE"
    b"|LOCK|UNLOCK|REPORT|SEARCH|MERGE|CHECKOUT|RPC_IN_DATA|RPC_OUT_DATA|BITS_POST|CCM_POST"
)
MAX_START = 16 * 1024
# The target ends where a version and the end of the line follow. Every run of blanks is read once:
# three repeats that all take blanks would need the cube of their number (sip_lines.py likewise).
_VERSION = rb"HTTP/([0-9])\.([0-9])[ \t]*+\Z"
_AHEAD = rb"(?!HTTP/[0-9]\.[0-9][ \t]*+\Z)"
REQUEST_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40})[ \t]++"
    rb"(" + _AHEAD + rb"(?:[^\r\n \t]++|[ \t]++" + _AHEAD + rb")*+|)"
    rb"(?:[ \t]++|(?<=[ \t]{2}))" + _VERSION
)
STATUS_LINE = re.compile(rb"HTTP/([0-9])\.([0-9])[ \t]++([1-9][0-9]{2})(?:[ \t]++([^\r\n]*+))?+\Z")
# A message start inside a stream whose framing was lost: only what can hardly be text.
START_ANYWHERE = re.compile(
    rb"(?:" + METHODS + rb") [^\s]{1,16384} HTTP/1\.[01]\r?\n|HTTP/1\.[01] [1-5][0-9]{2}[ \r]"
)
# What a start line that is cut may look like.
MAY_START = re.compile(rb"HTTP/|(?:" + METHODS + rb")(?: |\Z)")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,64})[ \t]*(?:;[^\r\n]*)?\r?\Z")


class RequestLine(NamedTuple):
    method: str
    target: bytes
    version: Version


class StatusLine(NamedTuple):
    status: int
    reason: bytes
    version: Version


def start_line(line: bytes) -> RequestLine | StatusLine | None:
    """The start line without its line end, or None if it is neither kind."""
    if status := STATUS_LINE.match(line):
        return StatusLine(int(status[3]), status[4] or b"", _version(status[1], status[2]))
    if request := REQUEST_LINE.match(line):
        return RequestLine(
            request[1].decode("latin-1"), request[2], _version(request[3], request[4])
        )
    return None


def value_at(line: bytes, start: RequestLine | StatusLine) -> int:
    """Where in its start line the target, or the reason, begins."""
    if isinstance(start, StatusLine):
        return len(line) - len(start.reason)
    rest = line[len(start.method) :]
    return len(line) - len(rest.lstrip(b" \t"))


def _version(major: bytes, minor: bytes) -> Version:
    return "1.0" if major == b"0" or (major == b"1" and minor == b"0") else "1.1"


class Framing(NamedTuple):
    """How a body ends: a length (0: no body), chunks, or with the connection (None, False)."""

    length: int | None
    chunked: bool = False


NO_BODY = Framing(0)
UNTIL_CLOSE = Framing(None)
CHUNKED = Framing(None, True)


@dataclass(slots=True)
class FramingVerdict:
    """A framing, and in sentences what in the head contradicts itself."""

    framing: Framing
    problems: list[str] = field(default_factory=list)


def request_framing(fields: Index) -> FramingVerdict:
    """RFC 9112 §6.3 for a request: chunked, a length, else no body."""
    return _framing(fields, NO_BODY)


def response_framing(status: int, method: str, fields: Index) -> FramingVerdict:
    """RFC 9112 §6.3 for a response to `method` ("" if the request is not known)."""
    if method == "HEAD" or status < 200 or status in (204, 304):
        return FramingVerdict(NO_BODY)
    if method == "CONNECT" and status < 300:
        return FramingVerdict(NO_BODY)
    return _framing(fields, UNTIL_CLOSE)


def _framing(fields: Index, without: Framing) -> FramingVerdict:
    transfer = tokens(fields, b"transfer-encoding")
    lengths = values(fields, b"content-length")
    verdict = FramingVerdict(without)
    if transfer:
        if lengths:
            verdict.problems.append("both Transfer-Encoding and Content-Length, the first counts")
        if transfer[-1] == "chunked":
            verdict.framing = CHUNKED
        elif without is NO_BODY:
            verdict.problems.append("a request with a Transfer-Encoding other than chunked")
        return verdict
    if lengths:
        length, problem = content_lengths(lengths)
        if problem:
            verdict.problems.append(problem)
        if length is not None:
            verdict.framing = Framing(length)
    return verdict


def chunk_size(line: bytes) -> int | None:
    """The size that a chunk's line gives (RFC 9112 §7.1), None if it is none."""
    match = _CHUNK_SIZE.match(line)
    return int(match[1], 16) if match else None


def line_end(data: bytes | bytearray) -> int | None:
    """The length of the line end that `data` begins with, 0 if none, None if it is cut."""
    if data[:1] == b"\n":
        return 1
    if data[:2] == b"\r\n":
        return 2
    return None if data in (b"", b"\r") else 0


def codings(fields: Index) -> list[str]:
    """Content codings, then transfer codings, in the order they were applied."""
    return content_codings(fields) + [
        name for name in tokens(fields, b"transfer-encoding") if name != "chunked"
    ]


def find_start(data: bytes | bytearray) -> re.Match[bytes] | None:
    """The first message start in `data`; most data is recognised by one fast look for a word."""
    return START_ANYWHERE.search(data) if b"HTTP/1." in data else None


def begins_message(data: bytes | bytearray, response: bool) -> bool | None:
    """Whether `data` begins with a start line of that kind; None if it is too short to tell."""
    if response:
        if len(data) < 13:
            return None if b"HTTP/1."[: len(data)] == data[:7] else False
        return START_ANYWHERE.match(data) is not None and data.startswith(b"HTTP/")
    if b"\n" in data[:MAX_START] or len(data) > MAX_START:
        return START_ANYWHERE.match(data) is not None and not data.startswith(b"HTTP/")
    if data[:5] == b"HTTP/":
        return False
    prefixes = any(method.startswith(data) for method in METHODS.split(b"|"))
    return None if prefixes or MAY_START.match(data) else False
