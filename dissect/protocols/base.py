"""What surrounds the bytes that a stream parser reads.

TLS, CONNECT and Upgrade carry another protocol. They don't know which parsers exist:
they ask `Layer.open_child` for one, so parsers never import each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal, NamedTuple

from dissect.model import Connection, Direction, Place, Ranges, Span, StreamParser
from dissect.protocols.content import Allowance
from dissect.protocols.header_sections import Index


@dataclass(frozen=True, slots=True)
class Layer:
    """The connection below a parser, and what the layers between have learnt.

    `alpn` is the protocol agreed in TLS; `via` the proxy (`address:port`) of a tunnel.
    `exchanges` numbers the HTTP exchanges of the connection; all its layers share it, so
    that a number is unique on the connection whatever is tunnelled or upgraded. `allowance` is
    what compressed bodies may unpack to; all connections of a capture share it. `stream` tells
    which bytes the offsets count that parsers of this layer get (`model.Ranges`).
    """

    connection: Connection
    open_child: Callable[[Layer], StreamParser]
    encrypted: bool = False
    server_name: str | None = None
    alpn: str | None = None
    via: str | None = None
    depth: int = 0
    allowance: Allowance = field(default_factory=Allowance, compare=False, repr=False)
    exchanges: Iterator[int] = field(default_factory=lambda: count(1), compare=False, repr=False)
    stream: tuple[int, ...] = ()

    def child(self, **changes: object) -> StreamParser:
        """A parser for what is inside this layer; `changes` are fields of it."""
        return self.open_child(replace(self, depth=self.depth + 1, **changes))  # type: ignore[arg-type]

    def place(self, direction: Direction, span: Span, ranges: Ranges | None = None) -> Place:
        """Where a message is. `ranges` are those of its bytes, whose offsets count from
        `span.offset` of the data that brought them; without them an export leaves it out."""
        if span.offset:
            span = span.moved(0)  # a message's span tells its frames alone
        if ranges is not None and self.stream:
            ranges = tuple.__new__(Ranges, (*ranges[:7], self.stream))
        return Place(self.connection, direction, span, self.encrypted, ranges)


class Upgrade(NamedTuple):
    """A switch of protocols: its exchange, the request's fields and those of the answer."""

    exchange: int
    asked: Index
    accepted: Index


@dataclass(frozen=True, slots=True)
class StreamReader:
    """A parser that a plugin adds, and which connections are its.

    `begins` is asked before the built-in protocols, with the first bytes of a direction (at
    most 64 KB) or one datagram, and the layer below, whose `connection` has the ports: True
    if the connection is its, False if not, None if that takes more bytes. `open` gives a
    fresh parser, which keeps to `model.StreamParser`: it raises `ProtocolError` for bytes that
    break the protocol and returns messages, of its own protocol as `model.PluginMessage`.
    """

    name: str
    begins: Callable[[bytes, Layer], bool | None]
    open: Callable[[Layer], StreamParser]
    transport: Literal["tcp", "udp"] = "tcp"


OpenUpgrade = Callable[[Layer, Upgrade], StreamParser]
