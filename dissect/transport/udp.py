"""Pairs of UDP endpoints (RFC 768): each datagram is one piece of data for the parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dissect.errors import INTERNAL, PASSED, ProtocolError, internal
from dissect.model import (
    CLIENT_TO_SERVER,
    SERVER_TO_CLIENT,
    Anomaly,
    Connection,
    Direction,
    Endpoint,
    Output,
    Place,
    Span,
    StreamParser,
    Unreachable,
)
from dissect.transport.delivery import Emit
from dissect.transport.trail import COPY_NS

SERVER_PORTS = frozenset({53, 67, 123, 443, 3478, 5060, 5061, 5353})
"""Ports above all others a server's, whoever was seen first."""

MAX_OPEN = 4096
"""Parsers kept at a time; the pair that was silent since the longest gives its up."""


MAX_ERRORS = 64
"""ICMP errors about a pair that are reported: more say nothing new."""

MAX_RECENT = 8
"""Datagrams of a pair that are remembered, to know a copy."""


class UdpPair:
    """Two endpoints that send datagrams to each other.

    `copies` counts datagrams that the capture holds twice though they were sent once. The
    parser doesn't get them: a mirror port must not make two messages of one. `sent` counts the
    bytes of each direction that it got: a datagram's offset is the end of the one before.
    """

    __slots__ = (
        "_open",
        "_parser",
        "_recent",
        "connection",
        "copies",
        "emit",
        "errors",
        "given_up",
        "keys",
        "last_frame",
        "last_ns",
        "sent",
        "tunnel",
    )

    def __init__(
        self,
        connection: Connection,
        open_udp: Callable[[Connection], StreamParser],
        emit: Emit,
        tunnel: int,
        keys: tuple[bytes, bytes] = (b"", b""),
    ) -> None:
        self.connection = connection
        self.emit = emit
        self.tunnel = tunnel
        self.last_frame = 0
        self.last_ns = 0
        self.keys = keys
        self.copies = 0
        self.errors = 0  # of ICMP that were reported
        self.sent = [0, 0]
        self.given_up = False  # others needed the place of its parser
        self._recent: list[tuple[int, int]] = []
        self._parser: StreamParser | None = None
        self._open: Callable[[Connection], StreamParser] | None = None if tunnel else open_udp

    def datagram(
        self, direction: Direction, frame: int, ns: int, data: memoryview | bytes, missing: int
    ) -> None:
        """One datagram; `missing` bytes at its end were not captured."""
        span = Span(frame, ns, frame, ns, 0, False, self.sent[direction])
        if self._open is not None:
            self._begin(self._open, span)
        if self._parser is None or self._is_copy(direction, ns, data):
            return
        self.sent[direction] += len(data)
        self._run(self._parser.data, direction, data, span)
        if missing and self._parser is not None:
            self._run(self._parser.gap, direction, missing, span)

    def _begin(self, open_udp: Callable[[Connection], StreamParser], span: Span) -> None:
        """Find the parser, now that there is a datagram for it."""
        self._open = None

        def opened(_: Span) -> Output:
            self._parser = open_udp(self.connection)
            return ()

        self._run(opened, span)

    def _is_copy(self, direction: Direction, ns: int, data: memoryview | bytes) -> bool:
        mark = hash((direction, bytes(data)))
        recent = self._recent
        if any(mark == known and abs(ns - when) <= COPY_NS for known, when in recent):
            self.copies += 1
            return True
        recent.append((mark, ns))
        if len(recent) > MAX_RECENT:
            del recent[0]
        return False

    def unreachable(self, direction: Direction, span: Span, what: str, by: str) -> None:
        """ICMP says that a datagram of this direction did not arrive."""
        if self.errors < MAX_ERRORS:
            self.errors += 1
            place = Place(self.connection, 0 if direction else 1, span)
            self.emit(Unreachable(place, what, by))

    def finish(self) -> None:
        """End both directions and let the parser go. The pair keeps its stream number."""
        span = Span(self.last_frame, self.last_ns, self.last_frame, self.last_ns)
        for direction in (CLIENT_TO_SERVER, SERVER_TO_CLIENT):
            if self._parser is not None:
                self._run(self._parser.end, direction, span)
        self._parser = self._open = None
        self._recent.clear()

    def _run(self, verb: Callable[..., Output], *arguments: Any) -> None:
        try:
            for message in verb(*arguments):
                self.emit(message)
        except ProtocolError as error:
            self._drop(error.kind, str(error), arguments[-1].last_frame)
        except PASSED:
            raise
        except Exception as error:  # a bug of ours: it costs this pair alone, and is reported
            self._drop(INTERNAL, internal(error), arguments[-1].last_frame)

    def _drop(self, kind: str, sentence: str, frame: int) -> None:
        where = self.connection
        self.emit(Anomaly(kind, sentence, where.capture, frame, where.stream))
        self._parser = None


def swapped(sender: Endpoint, receiver: Endpoint) -> bool:
    """Whether the first sender is the server: its port says so and the other's doesn't."""
    if sender.port in SERVER_PORTS or receiver.port in SERVER_PORTS:
        return receiver.port not in SERVER_PORTS
    return sender.port < 1024 <= receiver.port
