"""The messages of some packets by stream, read without any key; and what each was read from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dissect.capture import Packet
from dissect.export import clear
from dissect.export.locate import Side, Stream
from dissect.export.segments import Text
from dissect.export.traces import Trace, Traced, is_clear
from dissect.model import (
    Anomaly,
    Connection,
    Direction,
    Endpoint,
    HttpRequest,
    HttpResponse,
    Message,
    Output,
    Secret,
    Span,
    StreamParser,
    TlsConnection,
)
from dissect.protocols.base import Layer
from dissect.protocols.sniff import opener
from dissect.protocols.sniff_udp import open_udp
from dissect.protocols.tls.secrets import SecretStore
from dissect.redaction.policy import Policy
from dissect.transport import Assembler
from dissect.transport.delivery import endpoint


def open_tcp(connection: Connection) -> StreamParser:
    """A parser that knows no keys."""
    open_child = opener(SecretStore())
    return open_child(Layer(connection, open_child))


class Parsed:
    """`clear` are the messages outside of TLS, `tls` the rows of TLS connections. If `texts`
    are given, `traces` and `datagrams` tell what the messages were read from."""

    def __init__(
        self, index: int, packets: Iterable[Packet], texts: Mapping[Side, Text] | None = None
    ) -> None:
        self.clear: dict[Stream, list[Message]] = {}
        self.tls: dict[Stream, TlsConnection] = {}
        self.traces: dict[Stream, Trace] = {}
        self.datagrams: dict[Stream, dict[bytes, list[Message]]] = {}
        self._texts: dict[Stream, dict[Endpoint, Text]] | None = None
        if texts is not None:
            self._texts = {}
            for (stream, key), text in texts.items():
                self._texts.setdefault(stream, {})[sender(key)] = text
        assembler = Assembler(index, self._tcp, self._udp, self._emit)
        assembler.feed(packets)
        assembler.finish()

    def _tcp(self, connection: Connection) -> StreamParser:
        parser = open_tcp(connection)
        if self._texts is None:
            return parser
        stream = "tcp", connection.stream
        known = self._texts.get(stream, {})
        one, other = (known.get(end, Text()) for end in (connection.client, connection.server))
        trace = self.traces[stream] = Trace(connection, (one, other))
        return Traced(parser, trace)

    def _udp(self, connection: Connection) -> StreamParser:
        open_child = opener(SecretStore())
        parser = open_udp(Layer(connection, open_child))
        if self._texts is None:
            return parser
        return _Noted(parser, self.datagrams.setdefault(("udp", connection.stream), {}))

    def _emit(self, output: Message | Anomaly) -> None:
        if isinstance(output, Anomaly):
            return  # what could not be read is what no message accounts for
        connection = output.place.connection
        stream = connection.transport, connection.stream
        if isinstance(output, TlsConnection) and output.inside is None:
            self.tls[stream] = output
        elif is_clear(output):
            self.clear.setdefault(stream, []).append(output)

    def secrets(self, policy: Policy) -> Iterator[Secret]:
        for messages in self.clear.values():
            for message in messages:
                yield from clear.secrets_of(policy, message)


def sender(key: bytes) -> Endpoint:
    """Who sends, by the addresses and ports of a direction."""
    size = (len(key) - 4) // 2
    return endpoint(key[:size], int.from_bytes(key[2 * size : 2 * size + 2]))


class _Noted:
    """A parser of datagrams; what each told is noted."""

    def __init__(self, parser: StreamParser, told: dict[bytes, list[Message]]) -> None:
        self._parser = parser
        self._told = told

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        datagram = bytes(view)
        out = list(self._parser.data(direction, view, span))
        self._told[datagram] = [m for m in out if not isinstance(m, Anomaly) and is_clear(m)]
        return out

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return self._parser.gap(direction, length, span)

    def end(self, direction: Direction, span: Span) -> Output:
        return self._parser.end(direction, span)


def switched(messages: list[Message]) -> bool:
    """Whether nothing was read behind a CONNECT or Upgrade that was granted (RFC 9110 §7.8,
    §9.3.6); without TLS, that is."""
    tunnels = {
        message.exchange
        for message in messages
        if isinstance(message, HttpRequest) and message.method == "CONNECT"
    }
    granted = [
        number
        for number, message in enumerate(messages)
        if isinstance(message, HttpResponse)
        and (message.status == 101 or (message.exchange in tunnels and message.status // 100 == 2))
    ]
    return bool(granted) and granted[-1] == len(messages) - 1
