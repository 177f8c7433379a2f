"""Of a message's bytes: which are its head, which its body, which only say how it was sent.

What is none of these (chunk extensions, lines that are no fields, payload of WebSocket's
control frames) nobody has read, so it does not stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dissect.export.headers import Span
from dissect.export.records import dhcp, dns, ntp
from dissect.model import (
    DhcpMessage,
    DnsMessage,
    HttpRequest,
    HttpResponse,
    Message,
    NtpMessage,
    ProxyHeader,
    SipMessage,
)
from dissect.protocols.haproxy import SIGNATURE
from dissect.protocols.heads import HEAD_END
from dissect.protocols.http1_framing import chunk_size
from dissect.protocols.sip_lines import find_start, start_line

_LINE = re.compile(rb"[^\n]*(?:\n|\Z)")
_FIELD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}[ \t]*:")  # a token (RFC 9110 §5.6.2)
_SIZE = re.compile(rb"[ \t]*[0-9A-Fa-f]+[ \t]*;?")
_PROXY_HEAD = 16  # of version 2, before the addresses
_PROXY_ADDRESSES = {1: 12, 2: 36, 3: 216}  # by family: IPv4, IPv6, Unix


@dataclass(slots=True)
class Layout:
    """Where in a message's bytes are start line and fields (`head`), the content as it was
    sent (`body`), and what stays as it is because it only frames (`frame`)."""

    head: list[Span] = field(default_factory=list)
    body: list[Span] = field(default_factory=list)
    frame: list[Span] = field(default_factory=list)


class NoLayout(Exception):
    """A message's bytes can't be told apart; says why."""


def layout(message: Message, data: bytes) -> Layout:
    """The layout of a message in `data`, which begins and ends with it. Raises NoLayout."""
    if isinstance(message, HttpRequest | HttpResponse):
        if message.version == "2":
            raise NoLayout("HTTP/2 without TLS: its fields are compressed")
        return _http(data)
    if isinstance(message, SipMessage):
        if message.transport == "ws":
            raise NoLayout("SIP in a WebSocket without TLS: it is masked or compressed")
        return _sip(data)
    if isinstance(message, DnsMessage):
        if message.place.connection.transport == "tcp":
            return Layout(frame=[(0, 2), *((a + 2, b + 2) for a, b in dns(data[2:]))])
        return Layout(frame=dns(data))
    if isinstance(message, NtpMessage):
        return Layout(frame=ntp(data))
    if isinstance(message, DhcpMessage):
        return Layout(head=dhcp(data))
    if isinstance(message, ProxyHeader):
        return Layout(frame=[(0, _proxy(data))])
    raise NoLayout("its secrets are not known")


def _proxy(data: bytes) -> int:
    """The size of a PROXY header without what follows the addresses."""
    if not data.startswith(SIGNATURE):
        return len(data)
    return min(len(data), _PROXY_HEAD + _PROXY_ADDRESSES.get(data[13] >> 4, 0))


def _lines(data: bytes, start: int, end: int) -> list[Span]:
    """The lines from `start` to `end` that are fields, folded ones included, and line ends
    of those that are none."""
    found: list[Span] = []
    known = False
    for match in _LINE.finditer(data, start, end):
        first, last = match.span()
        if first == last:
            break
        if data[first : first + 1] not in (b" ", b"\t"):
            known = _FIELD.match(data, first, last) is not None
        bare = data[first:last].rstrip(b"\r\n")
        found.append((first if known else first + len(bare), last))
    return found


def _head(data: bytes, start: int) -> tuple[list[Span], int]:
    """Start line and fields, and where the body begins."""
    border = HEAD_END.search(data, start)
    if border is None:
        raise NoLayout("its header section has no end")
    end = border.end()
    line = data.find(b"\n", start, end) + 1 or end
    return [(start, line), *_lines(data, line, end)], end


def _http(data: bytes) -> Layout:
    head, end = _head(data, 0)
    fields = b"".join(data[a:b] for a, b in head[1:])
    if not re.search(rb"^transfer-encoding[ \t]*:[^\r\n]*chunked[ \t]*\r?$", fields, re.I | re.M):
        return Layout(head, [(end, len(data))] if end < len(data) else [])
    return _chunks(data, end, Layout(head))


def _chunks(data: bytes, at: int, found: Layout) -> Layout:
    """Chunks (RFC 9112 §7.1) without their extensions, and trailer fields. What follows a
    damaged chunk is not in the layout."""
    while at < len(data):
        newline = data.find(b"\n", at)
        size = chunk_size(data[at:newline]) if newline >= 0 else None
        digits = _SIZE.match(data, at)
        if size is None or digits is None:
            return found
        end = newline - (data[newline - 1 : newline] == b"\r")
        found.frame += [digits.span(), (end, newline + 1)]
        at = newline + 1
        if not size:
            found.head += _lines(data, at, len(data))
            return found
        stop = min(at + size, len(data))
        found.body.append((at, stop))
        ended = re.compile(rb"\r?\n?").match(data, stop)
        at = ended.end() if ended else stop
        found.frame.append((stop, at))
    return found


def _sip(data: bytes) -> Layout:
    """A message, in a datagram maybe behind bytes that are none."""
    start = len(data) - len(data.lstrip(b"\r\n\0"))
    if start_line(data[start:].partition(b"\n")[0].removesuffix(b"\r")) is None:
        match = find_start(data)
        if match is None:
            raise NoLayout("its start line is nowhere")
        start = match.start()
    head, end = _head(data, start)
    return Layout(head, [(end, len(data))] if end < len(data) else [])
