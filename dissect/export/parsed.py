"""The messages of some packets by stream, read without any key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dissect.capture import Packet
from dissect.engines.again import Openers, Stream, parsed
from dissect.export import clear
from dissect.model import (
    Anomaly,
    HttpRequest,
    HttpResponse,
    Message,
    Secret,
    TcpConnection,
    TlsConnection,
)
from dissect.protocols.base import StreamReader
from dissect.protocols.tls.secret_store import SecretStore
from dissect.redaction.policy import Policy

_OF_TRANSPORT = ("tcp.", "capture.", "limit.")


class ParsedMessages:
    """`clear` are the messages outside of TLS that tell their bytes, `tls` the rows of TLS and
    QUIC, `malformed` the kind of what parsers found odd by its frame."""

    def __init__(self) -> None:
        self.clear: dict[Stream, list[Message]] = {}
        self.tls: dict[Stream, list[TlsConnection]] = {}
        self.anomaly: dict[int, str] = {}

    def take(self, output: Message | Anomaly) -> None:
        if isinstance(output, Anomaly):
            if output.frame is not None and not output.kind.startswith(_OF_TRANSPORT):
                self.anomaly.setdefault(output.frame, output.kind)
            return
        connection = output.place.connection
        stream = connection.transport, connection.stream
        ranges = output.place.ranges
        if ranges is None or ranges.stream or isinstance(output, TcpConnection):
            return  # in a tunnel through an HTTP/2 stream: its offsets are not those of frames
        if isinstance(output, TlsConnection):
            self.tls.setdefault(stream, []).append(output)
        elif not output.place.encrypted:
            self.clear.setdefault(stream, []).append(output)

    def secrets(self, policy: Policy) -> Iterator[Secret]:
        for messages in self.clear.values():
            for message in messages:
                yield from clear.secrets_of(policy, message)


def read(index: int, packets: Iterable[Packet], readers: Sequence[StreamReader]) -> ParsedMessages:
    """What some packets tell; nothing is kept of their bytes."""
    reported = ParsedMessages()
    parsed(index, Openers(SecretStore(), readers, limit=0), reported.take, packets)
    return reported


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
