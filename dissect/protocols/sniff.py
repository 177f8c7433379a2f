"""Which protocol a TCP connection carries: ALPN first, then its first bytes, the port last.

`opener` gives what the transport opens TCP streams with and what TLS, CONNECT and Upgrade
open their insides with. Parsers are imported when the first connection needs them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dissect.errors import ProtocolError
from dissect.model import Anomaly, Direction, Message, Output, Span, StreamParser
from dissect.protocols.base import Layer, StreamReader, Upgrade
from dissect.protocols.header_sections import tail_of_start
from dissect.protocols.outbox import Outbox
from dissect.protocols.recognise import (
    MORE,
    NOTHING,
    by_port,
    find_start,
    is_record_start,
    recognise,
)

if TYPE_CHECKING:
    from dissect.protocols.tls.secret_store import SecretStore

MAX_DEPTH = 6  # layers on one connection: three times TLS in a CONNECT tunnel
MAX_KEPT = 64 * 1024  # bytes of both directions kept while the protocol is not known
MAX_SEARCH = 1024 * 1024  # bytes looked through for a start before a connection is given up
MAX_WINDOW = 4096  # bytes of a direction looked at together with the next chunk

_ALPN = {
    "h2": "http2",
    "h2c": "http2",
    "http/1.1": "http1",
    "http/1.0": "http1",
    "http/0.9": "http1",
    "sip": "sip",
    "sip/2": "sip",
}


class Ignore:
    """A `StreamParser` for what nobody reads."""

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        return ()

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return ()

    def end(self, direction: Direction, span: Span) -> Output:
        return ()


class _TooDeep(Ignore):
    """For what is inside of too many layers: that is reported, and it is not read."""

    def __init__(self, layer: Layer) -> None:
        self._out = Outbox(layer)

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        sentence = f"more than {MAX_DEPTH} layers in one another: what is inside is not read"
        self._out.limit("limit.layers", sentence, span.last_frame)
        return self._out.flush()


def opener(
    secrets: SecretStore,
    readers: Sequence[StreamReader] = (),
    tap: Callable[[Layer, StreamParser], StreamParser] | None = None,
) -> Callable[[Layer], StreamParser]:
    """The function that opens a parser for a layer; it is each `Layer.open_child`. `readers`
    are those of plugins, `tap` gets each parser and gives what stands for it.

    What it opens raises nothing: a parser's `ProtocolError` becomes an `Anomaly`, and the
    layers below go on.
    """

    streams = [reader for reader in readers if reader.transport == "tcp"]

    def open_layer(layer: Layer) -> StreamParser:
        if layer.depth >= MAX_DEPTH:
            return _TooDeep(layer)
        sniffer = Sniffer(layer, lambda name: _parser(name, layer, secrets), streams)
        return sniffer if tap is None else tap(layer, sniffer)

    return open_layer


def _parser(name: str, layer: Layer, secrets: SecretStore) -> StreamParser:
    if name == "tls":
        from dissect.protocols.tls.parser import TlsParser

        return TlsParser(layer, secrets)
    if name == "http2":
        from dissect.protocols.http2 import Http2Parser

        return Http2Parser(layer, upgrades=_UPGRADES)
    if name == "http1":
        from dissect.protocols.http1 import Http1Parser

        return Http1Parser(layer, _UPGRADES)
    if name == "sip":
        from dissect.protocols.sip import SipParser

        return SipParser(layer, secrets)
    if name == "dns":
        from dissect.protocols.dns import DnsParser

        return DnsParser(layer)
    if name == "proxy":
        from dissect.protocols.haproxy import ProxyParser

        return ProxyParser(layer)
    return Ignore()


def _open_h2c(layer: Layer, upgrade: Upgrade) -> StreamParser:
    from dissect.protocols.http2 import Http2Parser

    settings = b"".join(upgrade.asked.get(b"http2-settings", []))
    return Http2Parser(layer, (upgrade.exchange, settings), _UPGRADES)


def _open_websocket(layer: Layer, upgrade: Upgrade) -> StreamParser:
    """SIP in WebSocket (RFC 7118); other subprotocols are ignored."""
    if upgrade.accepted.get(b"sec-websocket-protocol") != [b"sip"]:
        return Ignore()
    from dissect.protocols.sip import SipDatagrams
    from dissect.protocols.websocket import WebSocketParser

    return WebSocketParser(layer, SipDatagrams(layer, "ws"))


_UPGRADES = {"h2c": _open_h2c, "websocket": _open_websocket}


class _Kept(NamedTuple):
    """A chunk, or a gap of `length` bytes if the chunk is None."""

    direction: Direction
    chunk: bytes | None
    length: int
    span: Span


class Sniffer:
    """Keeps bytes until they tell the protocol, then hands all to its parser.

    Where a capture begins inside a connection the first bytes tell nothing: it goes on
    looking for the start of a message, at the start of each chunk and inside, until
    MAX_SEARCH bytes; then the port decides.
    """

    def __init__(
        self,
        layer: Layer,
        open_parser: Callable[[str], StreamParser],
        readers: Sequence[StreamReader] = (),
    ) -> None:
        self._layer = layer
        self._open = open_parser
        self._readers = readers
        self._parser: StreamParser | None = None
        self._kept: deque[_Kept] = deque()
        self._kept_size = 0
        self._windows = (bytearray(), bytearray())
        self._out_of_sync = [False, False]  # the direction's first bytes begin no protocol
        self._searched = 0
        # Directions of TLS joined late that wait for the start of a record.
        self._unaligned: set[Direction] = set()
        if name := _ALPN.get(layer.alpn or ""):
            self._parser = open_parser(name)

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        if self._parser is None:
            return self._look(direction, bytes(view), span)
        if self._unaligned and direction in self._unaligned:
            if not is_record_start(view):
                return ()
            self._unaligned.discard(direction)
        try:
            return listed(self._parser.data(direction, view, span))
        except ProtocolError as error:
            return self._failed(error, span)

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        if self._parser is None:
            # What came before can't be joined with what follows.
            self._out_of_sync[direction] = True
            self._windows[direction].clear()
            self._keep(_Kept(direction, None, length, span))
            return ()
        try:
            return listed(self._parser.gap(direction, length, span))
        except ProtocolError as error:
            return self._failed(error, span)

    def end(self, direction: Direction, span: Span) -> Output:
        out: list[Message | Anomaly] = []
        if self._parser is None and self._readers:
            out += self._without_plugins()
        # Bytes that tell nothing are no message, but a TLS connection has a row of its own.
        if self._parser is None and self._kept and by_port(self._layer) == "tls":
            out += self._begin("tls")
        if self._parser is not None:
            try:
                out += self._parser.end(direction, span)
            except ProtocolError as error:
                out += self._failed(error, span)
        return out

    def _failed(self, error: ProtocolError, span: Span) -> list[Message | Anomaly]:
        self._parser = Ignore()
        connection = self._layer.connection
        return [
            Anomaly(error.kind, str(error), connection.capture, span.last_frame, connection.stream)
        ]

    # ------------------------------------------------------------ undecided

    def _look(self, direction: Direction, chunk: bytes, span: Span) -> Output:
        self._keep(_Kept(direction, chunk, len(chunk), span))
        self._searched += len(chunk)
        name = self._decide(direction, chunk)
        if name is None and self._searched > MAX_SEARCH:
            name = by_port(self._layer) or "ignored"
        return self._begin(name) if name else ()

    def _decide(self, direction: Direction, chunk: bytes) -> str | None:
        window = self._windows[direction]
        window += chunk
        if not self._out_of_sync[direction]:
            head = bytes(window[:MAX_KEPT])
            if self._readers and (asked := self._ask(head)) is not None:
                return asked or None
            verdict = recognise(head, self._layer)
            if verdict not in (MORE, NOTHING):
                return verdict
            if verdict == MORE and len(window) < MAX_KEPT:
                return None
            self._out_of_sync[direction] = True
        found = find_start(bytes(window), chunk)
        del window[: max(tail_of_start(window), len(window) - MAX_WINDOW)]
        return found

    def _ask(self, head: bytes) -> str | None:
        """The plugin's parser for this start: its name, "" if one waits for more, else None."""
        waits = False
        for reader in self._readers:
            answer = reader.begins(head, self._layer)
            if answer:
                self._open = _opens(reader, self._layer)
                return reader.name
            waits = waits or answer is None
        return "" if waits and len(head) < MAX_KEPT else None

    def _without_plugins(self) -> list[Message | Anomaly]:
        """What the bytes are if a plugin waited for more that never came."""
        self._readers = ()
        for direction, window in enumerate(self._windows):
            if window and not self._out_of_sync[direction]:
                verdict = recognise(bytes(window[:MAX_KEPT]), self._layer)
                if verdict not in (MORE, NOTHING):
                    return self._begin(verdict)
        return []

    def _keep(self, item: _Kept) -> None:
        self._kept.append(item)
        self._kept_size += item.length if item.chunk is not None else 0
        while self._kept_size > MAX_KEPT and len(self._kept) > 1:
            dropped = self._kept.popleft()
            if dropped.chunk is not None:
                self._kept_size -= dropped.length
            self._out_of_sync[dropped.direction] = True

    def _begin(self, name: str) -> list[Message | Anomaly]:
        """Open the parser and give it what was kept."""
        kept = list(self._kept)
        self._kept.clear()
        for window in self._windows:
            window.clear()
        self._parser = self._open(name)
        out: list[Message | Anomaly] = []
        if name == "tls" and any(self._out_of_sync):
            started = {item.direction for item in kept}
            directions: tuple[Direction, Direction] = (0, 1)
            self._unaligned = {d for d in directions if self._out_of_sync[d] or d not in started}
            for direction in sorted(self._unaligned & started):
                span = next(item.span for item in kept if item.direction == direction)
                out += self.gap(direction, 0, span)
        for direction, chunk, length, span in kept:
            if chunk is None:
                out += self.gap(direction, length, span)
            else:
                out += self.data(direction, chunk, span)
        return out


def _opens(reader: StreamReader, layer: Layer) -> Callable[[str], StreamParser]:
    return lambda name: reader.open(layer)


def listed(output: Output) -> Output:
    """Run a parser that answers with a generator while its view is valid."""
    return output if isinstance(output, (list, tuple)) else list(output)
