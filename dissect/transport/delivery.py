"""What a TCP connection hands to its parser: bytes, gaps, ends; and what goes wrong there."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from dissect.errors import INTERNAL, PASSED, ProtocolError, internal
from dissect.model import Anomaly, Connection, Endpoint, Message, Output, Span, StreamParser
from dissect.transport.tcp_direction import MASK, TcpDirection, null_sink

Emit = Callable[[Message | Anomaly], None]


def endpoint(address: bytes, port: int) -> Endpoint:
    """From an address of 4 or 16 bytes."""
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    return Endpoint(socket.inet_ntop(family, address), port)


class Delivery:
    """The two directions of a connection and the parser that gets their bytes.

    The parser is asked for with the first bytes. `shown_names` stays true when it is gone:
    after both ends, or when it has met bytes that break its protocol.
    """

    __slots__ = (
        "_connection",
        "_emit",
        "_open",
        "_parser",
        "_reported",
        "capture",
        "dead",
        "first",
        "opened",
        "states",
        "stream",
    )

    def __init__(
        self,
        capture: int,
        stream: int,
        states: tuple[TcpDirection, TcpDirection],
        first: tuple[int, int],
        open_tcp: Callable[[Connection], StreamParser],
        emit: Emit,
    ) -> None:
        self.capture = capture
        self.stream = stream
        self.states = states
        self.first = first
        self.dead = False
        self.opened = False
        self._open = open_tcp
        self._emit = emit
        self._parser: StreamParser | None = None
        self._connection: Connection | None = None
        self._reported: tuple[str, ...] = ()
        for state, peer in (states, states[::-1]):
            state.peer, state.data = peer, null_sink

    @property
    def client(self) -> TcpDirection:
        """The half of the side that opened the connection."""
        return self.states[self.states[0].direction]

    def _deliver(self, state: TcpDirection, body: memoryview | bytes, span: Span) -> None:
        size = len(body)
        state.high, state.high_ns = max(
            (state.high, state.high_ns), (span.last_frame, span.last_ns)
        )
        span = span.moved(state.offset)
        state.next = (state.next + size) & MASK
        state.offset += size
        state.payload += size
        self.open()
        self.run(state.data, state.direction, body, span)

    def _gap(self, state: TcpDirection, length: int, span: Span) -> None:
        span = span._replace(offset=state.offset)
        state.next = (state.next + length) & MASK
        state.offset += length
        state.lost += length
        self.open()
        if self._parser is not None:
            self.run(self._parser.gap, state.direction, length, span)

    def _end(self, state: TcpDirection, span: Span) -> None:
        if state.ended:
            return
        state.ended = True
        state.expect = -1
        state.pieces.clear()
        state.trail.clear()
        state.data = null_sink
        if self._parser is not None:
            self.run(self._parser.end, state.direction, span)
        if state.peer.ended:
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
        for state in self.states:
            if not state.ended:
                state.data = self._parser.data
        for state in self.states:
            if state.ended and self._parser is not None:
                at = state.last_frame, state.last_ns
                self.run(self._parser.end, state.direction, Span(*at, *at))

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
        """The parser has a bug: it costs this stream alone, and is reported."""
        self._drop(INTERNAL, internal(error), frame)

    def _drop(self, kind: str, sentence: str, frame: int) -> None:
        self._emit(Anomaly(kind, sentence, self.capture, frame, self.stream))
        self._parser = None
        for state in self.states:
            state.data = null_sink

    def _tell(self, kind: str, sentence: str, frame: int) -> None:
        """An anomaly, once a kind and connection: `TcpConnection` has the totals."""
        if kind not in self._reported:
            self._reported += (kind,)
            self._emit(Anomaly(kind, sentence, self.capture, frame, self.stream))

    def release(self) -> None:
        """Free parser and buffers; the flow stays as the tombstone of its stream number."""
        self.dead = True
        self._parser = None
        for state in self.states:
            state.expect = -1
            state.ended = True
            state.data = null_sink
            state.release()

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
        first, second = self.states
        return max(
            (first.last_frame, first.last_ns),
            (second.last_frame, second.last_ns),
            self.first,
        )
