"""The PROXY protocol header, versions 1 and 2: what a load balancer says of the client.

The header stands before everything else that one side sends; the other side sends none.
https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt §2
"""

from __future__ import annotations

import ipaddress
import re

from dissect.model import (
    Anomaly,
    Direction,
    Endpoint,
    Message,
    ProxyHeader,
    Ranges,
    Span,
    StreamParser,
)
from dissect.protocols.base import Layer
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.outbox import Outbox

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
MAX_LINE = 107  # of version 1, with its end
_HEADER = 16  # of version 2, before the addresses
_LINE = re.compile(
    rb"PROXY (?:UNKNOWN[^\r\n]*|TCP[46] ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5})"
    rb" ([0-9]{1,5}))\r\n"
)
_ADDRESS_SIZES = {1: 4, 2: 16}  # by address family: IPv4, IPv6


class ProxyParser:
    """A `StreamParser` that reads the header and leaves the rest to the layer's sniffer."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._out = Outbox(layer)
        self._child: StreamParser = layer.child()
        self._begun: set[Direction] = set()
        self._buffers = (SpanBuffer(), SpanBuffer())

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        if direction in self._begun:
            self._give(direction, view, span)
            return self._out.flush()
        buffer = self._buffers[direction]
        buffer.append(view, span)
        size = header_size(bytes(buffer.data[: _HEADER + MAX_LINE]))
        if size is not None and len(buffer) >= size:
            self._begin(direction, size)
        return self._out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        self._begin(direction, 0)
        for item in self._child.gap(direction, length, span):
            self._out.add(item)
        return self._out.flush()

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        self._begin(direction, 0)
        for item in self._child.end(direction, span):
            self._out.add(item)
        return self._out.flush()

    def _begin(self, direction: Direction, size: int) -> None:
        """The header's `size` bytes (0: there is none) are here; the rest is the child's."""
        buffer = self._buffers[direction]
        self._begun.add(direction)
        if size:
            span, at = buffer.span(size), buffer.at
            header = buffer.take(size)
            client, server = named_ends(header)
            # Behind the addresses stand fields (§2.2) that nobody reads here.
            known = ((direction, at, _addressed(header)),)
            ranges = Ranges(((direction, at, size),), understood=known)
            who = f"the client is {client}" if client else "the proxy speaks for itself"
            text = f"a PROXY header says that {who}"
            self._out.anomaly("proxy_protocol.header", text, span.last_frame)
            if client is not None:
                place = self._layer.place(direction, span, ranges)
                self._out.add(ProxyHeader(place, client, server))
        for piece, span in buffer.pieces():
            self._give(direction, piece, span)

    def _give(self, direction: Direction, view: bytes | memoryview, span: Span) -> None:
        for item in self._child.data(direction, view, span):
            self._out.add(item)


def header_size(data: bytes) -> int | None:
    """The size of the header that `data` begins with, 0 if none does, None if it is cut."""
    if data.startswith(SIGNATURE[: len(data)]):
        if len(data) < _HEADER:
            return None
        return _HEADER + int.from_bytes(data[14:16], "big") if data[12] >> 4 == 2 else 0
    if data.startswith(b"PROXY "[: len(data)]):
        end = data.find(b"\n", 0, MAX_LINE)
        if end < 0:
            return None if len(data) < MAX_LINE else 0
        return end + 1 if _LINE.match(data) else 0
    return 0


def _addressed(header: bytes) -> int:
    """The size of a header without what follows its addresses."""
    if header.startswith(b"PROXY "):
        return len(header)
    size = _ADDRESS_SIZES.get(header[13] >> 4, 0)
    return min(len(header), _HEADER + (2 * size + 4 if size else 0))


def named_ends(header: bytes) -> tuple[Endpoint | None, Endpoint | None]:
    """Client and server that a whole header names, None for LOCAL, UNKNOWN and Unix sockets."""
    if header.startswith(b"PROXY "):
        match = _LINE.match(header)
        if match is None or match[1] is None:
            return None, None
        return (
            _endpoint(match[1].decode("ascii"), int(match[3])),
            _endpoint(match[2].decode("ascii"), int(match[4])),
        )
    size = _ADDRESS_SIZES.get(header[13] >> 4)
    if header[12] & 15 != 1 or size is None or len(header) < _HEADER + 2 * size + 4:
        return None, None
    ports = _HEADER + 2 * size

    def end(index: int) -> Endpoint:
        address = header[_HEADER + index * size : _HEADER + (index + 1) * size]
        port = header[ports + 2 * index : ports + 2 * index + 2]
        return Endpoint(str(ipaddress.ip_address(address)), int.from_bytes(port, "big"))

    return end(0), end(1)


def _endpoint(address: str, port: int) -> Endpoint | None:
    try:
        return Endpoint(str(ipaddress.ip_address(address)), port)
    except ValueError:
        return None
