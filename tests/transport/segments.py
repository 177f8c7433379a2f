"""Segments crafted with scapy, and a parser that writes down what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dissect.errors import ProtocolError
from dissect.model import (
    Anomaly,
    Connection,
    Direction,
    HttpRequest,
    Message,
    Span,
    TcpConnection,
)
from dissect.transport import Assembler

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
CLIENT_ISN, SERVER_ISN = 1000, 5000
MS = 1_000_000


@dataclass
class Recorder:
    """Writes down each call: ("data", direction, bytes), ("gap", …), ("end", …)."""

    connection: Connection
    calls: list[tuple[str, int, Any]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    fail_on: bytes | None = None

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> list[HttpRequest]:
        if self.fail_on is not None and self.fail_on in bytes(view):
            raise ProtocolError("test.bad", "bad bytes")
        self.calls.append(("data", direction, bytes(view)))
        self.spans.append(span)
        return []

    def gap(self, direction: Direction, length: int, span: Span) -> list[HttpRequest]:
        self.calls.append(("gap", direction, length))
        self.spans.append(span)
        return []

    def end(self, direction: Direction, span: Span) -> list[HttpRequest]:
        self.calls.append(("end", direction, None))
        self.spans.append(span)
        return []

    def sent(self, direction: int) -> bytes:
        return b"".join(data for verb, d, data in self.calls if verb == "data" and d == direction)

    def gaps(self, direction: int) -> list[int]:
        return [length for verb, d, length in self.calls if verb == "gap" and d == direction]


@dataclass
class Result:
    """What an assembler made of some packets."""

    parsers: list[Recorder]
    messages: list[Message | Anomaly]
    assembler: Assembler

    @property
    def rows(self) -> list[TcpConnection]:
        return [item for item in self.messages if isinstance(item, TcpConnection)]

    @property
    def anomalies(self) -> list[str]:
        return [item.kind for item in self.messages if isinstance(item, Anomaly)]


def segment(
    direction: int,
    offset: int = 0,
    data: bytes = b"",
    *,
    flags: str = "A",
    ack: int = 0,
    ports: tuple[int, int] = (40000, 80),
    isn: tuple[int, int] = (CLIENT_ISN, SERVER_ISN),
) -> bytes:
    """An Ethernet frame. `offset` and `ack` count the bytes of each side from 0."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether

    source, target = (CLIENT, SERVER) if direction == 0 else (SERVER, CLIENT)
    sport, dport = ports if direction == 0 else ports[::-1]
    first = 0 if "S" in flags else 1
    return bytes(
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        / IP(src=source, dst=target)
        / TCP(
            sport=sport,
            dport=dport,
            flags=flags,
            seq=(isn[direction] + first + offset) & 0xFFFFFFFF,
            ack=(isn[1 - direction] + 1 + ack) & 0xFFFFFFFF if "A" in flags else 0,
        )
        / data
    )


def handshake(**options: Any) -> list[bytes]:
    return [
        segment(0, flags="S", **options),
        segment(1, flags="SA", **options),
        segment(0, **options),
    ]


def assemble(
    frames: Iterable[bytes | tuple[bytes, int]],
    *,
    link: int = 1,
    step_ns: int = MS,
    times: Callable[[int], int] | None = None,
    fail_on: bytes | None = None,
    finish: bool = True,
) -> Result:
    """Frame n is at n · `step_ns`. A frame with a number is cut to so many bytes."""
    parsers: list[Recorder] = []

    def open_parser(connection: Connection) -> Recorder:
        parsers.append(Recorder(connection, fail_on=fail_on))
        return parsers[-1]

    messages: list[Message | Anomaly] = []
    assembler = Assembler(0, open_parser, open_parser, messages.append)
    packets = []
    for number, frame in enumerate(frames, 1):
        data, size = frame if isinstance(frame, tuple) else (frame, len(frame))
        ns = times(number) if times else number * step_ns
        packets.append((number, ns, link, b"\xee" * 3 + data[:size], 3, size, len(data)))
    assembler.feed(packets)
    if finish:
        assembler.finish()
    return Result(parsers, messages, assembler)
