"""Pairs of UDP endpoints (RFC 768): each datagram is one piece of data for the parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dissect.errors import ProtocolError
from dissect.model import (
    CLIENT_TO_SERVER,
    SERVER_TO_CLIENT,
    Anomaly,
    Connection,
    Direction,
    Endpoint,
    Output,
    Span,
    StreamParser,
)
from dissect.transport.delivery import Emit

SERVER_PORTS = frozenset({53, 443, 3478, 5060, 5061, 5353})
"""Ports above all others a server's, whoever was seen first."""

MAX_OPEN = 4096
"""Parsers kept at a time; the pair that was silent since the longest gives its up."""


class Pair:
    """Two endpoints that send datagrams to each other."""

    __slots__ = ("_parser", "connection", "emit", "last_frame", "last_ns", "tunnel")

    def __init__(
        self,
        connection: Connection,
        open_udp: Callable[[Connection], StreamParser],
        emit: Emit,
        tunnel: int,
    ) -> None:
        self.connection = connection
        self.emit = emit
        self.tunnel = tunnel
        self.last_frame = 0
        self.last_ns = 0
        self._parser: StreamParser | None = None if tunnel else open_udp(connection)

    def datagram(
        self, direction: Direction, frame: int, ns: int, data: memoryview | bytes, missing: int
    ) -> None:
        """One datagram; `missing` bytes at its end were not captured."""
        if self._parser is None:
            return
        span = Span(frame, ns, frame, ns)
        self._run(self._parser.data, direction, data, span)
        if missing and self._parser is not None:
            self._run(self._parser.gap, direction, missing, span)

    def finish(self) -> None:
        """End both directions and let the parser go. The pair keeps its stream number."""
        span = Span(self.last_frame, self.last_ns, self.last_frame, self.last_ns)
        for direction in (CLIENT_TO_SERVER, SERVER_TO_CLIENT):
            if self._parser is not None:
                self._run(self._parser.end, direction, span)
        self._parser = None

    def _run(self, verb: Callable[..., Output], *arguments: Any) -> None:
        try:
            for message in verb(*arguments):
                self.emit(message)
        except ProtocolError as error:
            where = self.connection
            self.emit(
                Anomaly(
                    error.kind, str(error), where.capture, arguments[-1].last_frame, where.stream
                )
            )
            self._parser = None


def swapped(sender: Endpoint, receiver: Endpoint) -> bool:
    """Whether the first sender is the server: its port says so and the other's doesn't."""
    if sender.port in SERVER_PORTS or receiver.port in SERVER_PORTS:
        return receiver.port not in SERVER_PORTS
    return sender.port < 1024 <= receiver.port
