"""Where something was in a capture: frames, endpoints, connections, bytes of a stream.

Frames and streams are numbered as Wireshark numbers them; times are integer nanoseconds
since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

CLIENT_TO_SERVER = 0


SERVER_TO_CLIENT = 1


Direction = Literal[0, 1]


class Span(NamedTuple):
    """The frames that carried some bytes, first and last, and their times (ns).

    `last_frame` is the frame in which the bytes became readable: the one that filled a
    hole before them, if there was one. Wireshark names reassembled data by that frame.
    `after_ns` is not 0 where acknowledgments prove that the bytes followed others that were
    captured later: the time of those. It puts things in order and is never shown. `cut`
    is set for a gap of bytes that were in the frame and that the capture left out (snaplen).
    `offset` is set where bytes are handed on: that of the first in its direction of the stream.
    Messages keep it as `Ranges`.
    """

    first_frame: int
    first_ns: int
    last_frame: int
    last_ns: int
    after_ns: int = 0
    cut: bool = False
    offset: int = 0

    def moved(self, offset: int) -> Span:
        """The same frames, for bytes at another offset."""
        return tuple.__new__(Span, (*self[:6], offset))

    def to(self, last: Span) -> Span:
        """From the start of this span to the end of `last`."""
        return Span(
            min(self.first_frame, last.first_frame),
            min(self.first_ns, last.first_ns),
            max(self.last_frame, last.last_frame),
            max(self.last_ns, last.last_ns),
            self.after_ns,
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address and a port; str() is `address:port`, IPv6 in brackets."""

    address: str
    port: int

    def __str__(self) -> str:
        if ":" in self.address:
            return f"[{self.address}]:{self.port}"
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection or a UDP pair of endpoints.

    `stream` is Wireshark's tcp.stream or udp.stream. `client` sent the SYN; where no SYN
    was captured it is the receiver of a SYN/ACK, else the side with the higher port.
    `capture` is the index of the capture file on the command line.
    """

    capture: int
    transport: Literal["tcp", "udp"]
    stream: int
    client: Endpoint
    server: Endpoint

    def sender(self, direction: Direction) -> Endpoint:
        return self.server if direction else self.client

    def receiver(self, direction: Direction) -> Endpoint:
        return self.client if direction else self.server


Range = tuple[Direction, int, int]
"""Bytes of a stream: direction, offset of the first, how many."""


class Ranges(NamedTuple):
    """Which bytes of a stream a message was read from, in the order of the stream.

    `stream` is () for what the transport carries, whose offsets count the bytes that a side
    sent; each TLS decrypted, and each tunnel through an HTTP/2 stream, adds a number to it.
    `whole` are all bytes of the message, those between that were lost included. The others are
    what its parser understood: `head` the start line and header fields, `body` the content as it
    was sent, without transfer coding, `understood` what only says how the message was sent and
    in which no secret can be. `target` is the value of the start line: target, URI or reason.
    `fields` has offset and length of the value of each header field (of other messages: of each
    value that the parser names), one after the other, in the direction of the message.

    Not `verbatim`: the message is not in these bytes as it reads, they are compressed or masked
    (HPACK, permessage-deflate); then only `whole` and maybe `body` are reported.
    """

    whole: tuple[Range, ...]
    head: tuple[Range, ...] = ()
    target: Range | None = None
    fields: tuple[int, ...] = ()
    body: tuple[Range, ...] = ()
    understood: tuple[Range, ...] = ()
    verbatim: bool = True
    stream: tuple[int, ...] = ()

    def field(self, number: int) -> tuple[int, int]:
        """Offset and length of the value of a field, counted from 0. Raises IndexError."""
        return self.fields[2 * number], self.fields[2 * number + 1]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message was: connection, direction, frames, and whether TLS hid it. `ranges` are
    its bytes, None where they are not told (logs, tshark, rows that no bytes make)."""

    connection: Connection
    direction: Direction
    span: Span
    encrypted: bool = False
    ranges: Ranges | None = field(default=None, compare=False, repr=False)

    @property
    def sender(self) -> Endpoint:
        return self.connection.sender(self.direction)

    @property
    def receiver(self) -> Endpoint:
        return self.connection.receiver(self.direction)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An anomaly, as data: a stable kind, the frame, and one sentence without secrets."""

    kind: str
    sentence: str
    capture: int
    frame: int | None = None
    stream: int | None = None
