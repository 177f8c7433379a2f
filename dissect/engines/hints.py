"""Telling tshark what the embedded engine has recognised by content.

tshark goes by ports first: TLS on 443 is HTTP to it, also when a Lync Edge speaks SIP
there, and a port that another protocol has registered is never tried for TLS.
"""

from __future__ import annotations

from collections.abc import Iterable

from dissect.model import (
    DnsMessage,
    Message,
    ProxyHeader,
    SipMessage,
    TcpConnection,
    TlsConnection,
)

# Ports that tshark's defaults take for TLS, and for SIP.
TLS_PORTS = frozenset((443, 636, 853, 989, 990, 992, 993, 994, 995, 5061))
DNS_PORT, SIP_PORT, SIPS_PORT = 53, 5060, 5061
MAX_HINTS = 400  # a command line has its limits; 32 KB on Windows


class Hints:
    """Collects them from the messages of one capture, in any order."""

    def __init__(self) -> None:
        self._wanted: dict[str, set[str]] = {}
        self._plain: set[int] = set()
        self._tls_streams: set[int] = set()
        self._late: set[int] = set()  # TLS that begins after another protocol: StartTLS
        self._headed: set[int] = set()  # with a PROXY header, which tshark takes for no protocol
        self._clients: dict[int, set[int]] = {}

    def add(self, message: Message) -> None:
        wanted = self._wanted
        connection = message.place.connection
        found = _selector(message)
        if found is not None:
            wanted.setdefault(found[0], set()).add(found[1])
        if isinstance(message, TcpConnection):
            if any(message.payload):
                self._clients.setdefault(connection.client.port, set()).add(connection.stream)
        elif isinstance(message, SipMessage | DnsMessage):
            return
        elif isinstance(message, TlsConnection) and not (message.inside or message.quic):
            self._tls_streams.add(connection.stream)
            if _begins_late(message):
                self._late.add(connection.stream)
        elif connection.transport == "tcp" and not message.place.encrypted:
            if isinstance(message, ProxyHeader):
                self._headed.add(connection.stream)
            self._plain.add(connection.stream)

    def decode_as(self) -> tuple[list[str], list[str]]:
        """`-d` selectors for connections that tshark would not recognise, and warnings.

        A connection is named by its client's port, which is its own; the port of a server may
        serve several protocols. A client port that connections of different protocols have
        used one after the other can't be given.
        """
        hints, warnings = [], []
        for selector, protocols in self._wanted.items():
            port = int(selector.partition("==")[2])
            streams = self._clients.get(port, set())
            if selector.startswith("tcp") and "tls" in protocols:
                if streams <= self._tls_streams & (self._plain | self._late - self._headed):
                    # TLS in a CONNECT tunnel, or after StartTLS: tshark follows what comes first,
                    # and would see neither if it were told that all is TLS.
                    continue
                if not streams <= self._tls_streams:
                    warnings.append(
                        f"port {port} is used by TLS and by others: tshark may miss TLS"
                    )
                    continue
            hints += [f"{selector},{protocol}" for protocol in sorted(protocols)]
        if len(hints) > MAX_HINTS:
            warnings.append(f"tshark is told of the first {MAX_HINTS} of {len(hints)} odd ports")
        return hints[:MAX_HINTS], warnings


def _begins_late(message: TlsConnection) -> bool:
    """Whether the client had sent something else before its first record."""
    ranges = message.place.ranges
    starts = [start for way, start, _ in ranges.whole if way == 0] if ranges is not None else []
    return bool(starts) and min(starts) > 0


def decode_as(messages: Iterable[Message]) -> tuple[list[str], list[str]]:
    """As `Hints.decode_as`, of messages that are all there."""
    found = Hints()
    for message in messages:
        found.add(message)
    return found.decode_as()


def _selector(message: Message) -> tuple[str, str] | None:
    """The port and the protocol that tshark must be reported for this message."""
    connection = message.place.connection
    ports = client, server = connection.client.port, connection.server.port
    if isinstance(message, SipMessage):
        if message.transport == "tls" and SIPS_PORT not in ports:
            return f"tls.port=={client}", "sip"
        if message.transport in ("tcp", "udp") and SIP_PORT not in ports:
            return f"{connection.transport}.port=={client}", "sip"
    elif isinstance(message, DnsMessage):
        if DNS_PORT not in ports:
            return f"{connection.transport}.port=={server}", "dns"
    elif isinstance(message, TlsConnection):
        outermost = not (message.inside or message.quic)
        if outermost and TLS_PORTS.isdisjoint(ports):
            return f"tcp.port=={client}", "tls"
    return None
