"""Which protocol a pair of UDP endpoints speaks: by its port, else by what its datagrams say.

Parsers are imported when the first pair needs them.
"""

from __future__ import annotations

from collections.abc import Sequence

from dissect.errors import ProtocolError
from dissect.model import Anomaly, Direction, Message, Output, Span, StreamParser
from dissect.protocols.base import Layer, StreamReader
from dissect.protocols.quic_packets import is_quic_datagram, is_short_datagram
from dissect.protocols.recognise import is_dns_datagram, is_sip_datagram
from dissect.protocols.sniff import Ignore, listed

QUIC_PORT = 443  # of HTTP/3, as of HTTPS
MAX_DATAGRAMS = 64  # datagrams looked at before a pair of endpoints is given up

# Multicast DNS, LLMNR and NetBIOS names look like DNS and ask nobody that a sign-in needs.
_NOT_OURS = frozenset((137, 5353, 5355))


def open_udp(layer: Layer, readers: Sequence[StreamReader] = ()) -> StreamParser:
    """A parser for a pair of UDP endpoints: by its port, else by what its datagrams say."""
    datagrams = [reader for reader in readers if reader.transport == "udp"]
    if datagrams:
        return _PluginDatagrams(layer, datagrams)
    return _open_known(layer)


def _open_known(layer: Layer) -> StreamParser:
    ports = {layer.connection.client.port, layer.connection.server.port}
    if ports & _NOT_OURS:
        return Ignore()
    if 53 in ports:
        from dissect.protocols.dns import DnsParser

        return DnsParser(layer)
    if ports & {67, 68}:
        from dissect.protocols.dhcp import DhcpParser

        return DhcpParser(layer)
    if 123 in ports:
        from dissect.protocols.ntp import NtpParser

        return NtpParser(layer)
    return _DatagramSniffer(layer)


class _PluginDatagrams:
    """Asks plugins for the first datagram that is theirs; all others go the usual way."""

    def __init__(self, layer: Layer, readers: Sequence[StreamReader]) -> None:
        self._layer = layer
        self._readers = readers
        self._known: StreamParser | None = None
        self._parser: StreamParser | None = None
        self._left = MAX_DATAGRAMS

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        if self._parser is None and self._left > 0:
            self._left -= 1
            head = bytes(view)
            for reader in self._readers:
                if reader.begins(head, self._layer):
                    self._parser = reader.open(self._layer)
                    break
        parser = self._parser
        if parser is None:
            parser = self._known = self._known or _open_known(self._layer)
        try:
            return listed(parser.data(direction, view, span))
        except ProtocolError as error:
            if parser is not self._parser:
                raise
            connection = self._layer.connection
            place = connection.capture, span.last_frame, connection.stream
            return [Anomaly(error.kind, str(error), *place)]

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return ()

    def end(self, direction: Direction, span: Span) -> Output:
        out: list[Message | Anomaly] = []
        for parser in (self._known, self._parser):
            if parser is not None:
                out += parser.end(direction, span)
        return out


class _DatagramSniffer:
    """Looks at the first datagrams of a pair of endpoints; SIP, DNS or QUIC opens its parser."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._parser: StreamParser | None = None
        self._left = MAX_DATAGRAMS
        self._short: dict[Direction, tuple[bytes, Span]] | None = {}

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        if self._parser is not None:
            return self._parser.data(direction, view, span)
        self._left -= 1
        if is_dns_datagram(view):
            from dissect.protocols.dns import DnsParser

            self._parser = DnsParser(self._layer)
            return self._parser.data(direction, view, span)
        if is_sip_datagram(view):
            from dissect.protocols.sip import SipDatagrams

            self._parser = SipDatagrams(self._layer)
            return self._parser.data(direction, view, span)
        if is_quic_datagram(view):
            from dissect.protocols.quic import QuicParser

            self._parser = QuicParser(self._layer)
            return self._parser.data(direction, view, span)
        if self._left <= 0:
            self._parser = Ignore()
            return ()
        return self._maybe_quic(direction, view, span)

    def _maybe_quic(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        """QUIC that began before the capture: on its usual port, all that both sides send
        has the form of its short header. Nothing else about it is in clear."""
        connection = self._layer.connection
        usual = QUIC_PORT in (connection.server.port, connection.client.port)
        if self._short is None or not usual or not is_short_datagram(view):
            self._short = None
            return ()
        self._short.setdefault(direction, (bytes(view), span))
        if len(self._short) < 2:
            return ()
        from dissect.protocols.quic import QuicParser

        self._parser = QuicParser(self._layer)
        out: list[Message | Anomaly] = []
        for way, (datagram, where) in self._short.items():
            out += self._parser.data(way, datagram, where)
        return out

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return ()

    def end(self, direction: Direction, span: Span) -> Output:
        return self._parser.end(direction, span) if self._parser is not None else ()
