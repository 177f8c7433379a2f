"""What a TCP connection hands to its parser: bytes, gaps, ends; and what goes wrong there."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from dissect.errors import INTERNAL, PASSED, ProtocolError, internal
from dissect.model import Anomaly, Connection, Endpoint, Message, Output, Span, StreamParser
from dissect.transport.half import MASK, Half, deaf

Emit = Callable[[Message | Anomaly], None]


def endpoint(address: bytes, port: int) -> Endpoint:
    """From an address of 4 or 16 bytes."""
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    return Endpoint(socket.inet_ntop(family, address), port)


class Delivery:
    """The two directions of a connection and the parser that gets their bytes.

    The parser is asked for with the first bytes. `opened` stays true when it is gone:
    after both ends, or when it has met bytes that break its protocol.
    """

    __slots__ = (
        "_connection",
        "_emit",
        "_open",
        "_parser",
        "_told",
        "capture",
        "dead",
        "first",
        "halves",
        "opened",
        "stream",
    )

    def __init__(
        self,
        capture: int,
        stream: int,
        halves: tuple[Half, Half],
        first: tuple[int, int],
        open_tcp: Callable[[Connection], StreamParser],
        emit: Emit,
    ) -> None:
        self.capture = capture
        self.stream = stream
        self.halves = halves
        self.first = first
        self.dead = False
        self.opened = False
        self._open = open_tcp
        self._emit = emit
        self._parser: StreamParser | None = None
        self._connection: Connection | None = None
        self._told: tuple[str, ...] = ()
        for half, peer in (halves, halves[::-1]):
            half.peer, half.data = peer, deaf

    @property
    def client(self) -> Half:
        """The half of the side that opened the connection."""
        return self.halves[self.halves[0].direction]

    def _deliver(self, half: Half, body: memoryview | bytes, span: Span) -> None:
        size = len(body)
        half.high, half.high_ns = max((half.high, half.high_ns), (span.last_frame, span.last_ns))
        span = span.moved(half.offset)
        half.next = (half.next + size) & MASK
        half.offset += size
        half.payload += size
        self.open()
        self.run(half.data, half.direction, body, span)

    def _gap(self, half: Half, length: int, span: Span) -> None:
        span = span._replace(offset=half.offset)
        half.next = (half.next + length) & MASK
        half.offset += length
        half.lost += length
        self.open()
        if self._parser is not None:
            self.run(self._parser.gap, half.direction, length, span)

    def _end(self, half: Half, span: Span) -> None:
        if half.ended:
            return
        half.ended = True
        half.expect = -1
        half.pieces.clear()
        half.trail.clear()
        half.data = deaf
        if self._parser is not None:
            self.run(self._parser.end, half.direction, span)
        if half.peer.ended:
            self.release()

    def open(self) -> None:
        """Find the parser, now that there are bytes for it."""
        if self.opened:
            return
        self.opened = True
        at = self._last()
        try:
            self._parser = self._open(self.connection)
        except ProtocolError as error:
            self.broken(error, at[0])
            return
        except PASSED:
            raise
        except Exception as error:
            self.failed(error, at[0])
            return
        for half in self.halves:
            if not half.ended:
                half.data = self._parser.data
        for half in self.halves:
            if half.ended and self._parser is not None:
                at = half.last_frame, half.last_ns
                self.run(self._parser.end, half.direction, Span(*at, *at))

    def run(self, verb: Callable[..., Output], *arguments: Any) -> None:
        """Hand something to the parser and its messages on. A parser that breaks is dropped."""
        try:
            for message in verb(*arguments):
                self._emit(message)
        except ProtocolError as error:
            self.broken(error, arguments[-1].last_frame)
        except PASSED:
            raise
        except Exception as error:
            self.failed(error, arguments[-1].last_frame)

    def broken(self, error: ProtocolError, frame: int) -> None:
        """The parser has met bytes that break its protocol: note it, go on without."""
        self._drop(error.kind, str(error), frame)

    def failed(self, error: Exception, frame: int) -> None:
        """The parser has a bug: it costs this stream alone, and is told."""
        self._drop(INTERNAL, internal(error), frame)

    def _drop(self, kind: str, sentence: str, frame: int) -> None:
        self._emit(Anomaly(kind, sentence, self.capture, frame, self.stream))
        self._parser = None
        for half in self.halves:
            half.data = deaf

    def _tell(self, kind: str, sentence: str, frame: int) -> None:
        """An anomaly, once a kind and connection: `TcpConnection` has the totals."""
        if kind not in self._told:
            self._told += (kind,)
            self._emit(Anomaly(kind, sentence, self.capture, frame, self.stream))

    def release(self) -> None:
        """Free parser and buffers; the flow stays as the tombstone of its stream number."""
        self.dead = True
        self._parser = None
        for half in self.halves:
            half.expect = -1
            half.ended = True
            half.data = deaf
            half.bury()

    @property
    def connection(self) -> Connection:
        """Who talks to whom; fixed at the first call."""
        if self._connection is None:
            client = self.client
            self._connection = Connection(
                self.capture, "tcp", self.stream, client.sender, client.peer.sender
            )
        return self._connection

    def _last(self) -> tuple[int, int]:
        first, second = self.halves
        return max(
            (first.last_frame, first.last_ns),
            (second.last_frame, second.last_ns),
            self.first,
        )
