"""All messages together: what parsers return, and what a parser is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dissect.model.http import HttpRequest, HttpResponse
from dissect.model.network import (
    DhcpMessage,
    DnsMessage,
    NtpMessage,
    ProxyHeader,
    TcpConnection,
    Unreachable,
)
from dissect.model.secrets import Fact, Opaque
from dissect.model.sip import SipMessage
from dissect.model.tls import TlsConnection
from dissect.model.wire import Anomaly, Direction, Place, Span


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a phone's own log; its frames are line numbers of the file.

    `component` and `level` are the log's; `text` may hold secrets, so it is `Opaque`.
    """

    place: Place
    component: str
    level: str
    text: Opaque


@dataclass(frozen=True, slots=True)
class PluginMessage:
    """A message of a protocol that only a plugin knows. It becomes the event `event`, a dotted
    name that begins with `protocol` ("mqtt.connect.sent"), with these facts; what is secret in
    them is a `Secret`."""

    place: Place
    protocol: str
    event: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


# What parsers return. Rows of TLS and TCP connections come when the connection ends.
Message = (
    HttpRequest
    | HttpResponse
    | SipMessage
    | DnsMessage
    | DhcpMessage
    | NtpMessage
    | TlsConnection
    | TcpConnection
    | LogEntry
    | PluginMessage
    | ProxyHeader
    | Unreachable
)


Output = Iterable[Message | Anomaly]


class StreamParser(Protocol):
    """Bytes of one connection in, messages out; no I/O, no clock, only `ProtocolError`.

    Both directions come in order of capture. `data` brings the next bytes of a direction, from
    `span.offset` on; the view is only valid during the call. `gap` says that `length` bytes will
    never come (0: unknown). `end` closes a direction; after both the parser has given all it knows.
    """

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output: ...

    def gap(self, direction: Direction, length: int, span: Span) -> Output: ...

    def end(self, direction: Direction, span: Span) -> Output: ...
