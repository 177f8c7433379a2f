"""A lab capture taken apart into packets and put together again, otherwise than it was.

What is compared are the messages of the whole engine, decrypted, without frames and times.
"""

from __future__ import annotations

import dataclasses
import functools
import socket
import struct
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from dissect.capture import open_capture
from dissect.engines import CaptureInput, Reading, embedded
from dissect.model import Message, TcpConnection
from tests.capture.containers import pcap

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
MS = 1_000_000

Packets = list[tuple[int, bytes]]
"""(time in ns, Ethernet frame)"""


class Segment(NamedTuple):
    """A frame over Ethernet and IPv4 without options: headers, sequence number, data."""

    head: bytes
    seq: int
    flags: int
    data: bytes

    @property
    def stream(self) -> frozenset[bytes]:
        ends = self.head[26:30] + self.head[34:36], self.head[30:34] + self.head[36:38]
        return frozenset(ends)

    def cut(self, start: int, end: int) -> bytes:
        """A frame with a part of the data; what closes the stream goes with the last byte."""
        return self.with_data(self.data[start:end], self.seq + start, end == len(self.data))

    def with_data(self, data: bytes, seq: int, last: bool = True) -> bytes:
        head = bytearray(self.head)
        struct.pack_into(">H", head, 16, len(head) - 14 + len(data))
        struct.pack_into(">I", head, 38, seq & 0xFFFFFFFF)
        if not last:
            head[47] &= ~0x01
        return bytes(head) + data


def segment(frame: bytes) -> Segment | None:
    """None for what is not TCP over IPv4."""
    if frame[12:15] != b"\x08\x00\x45" or frame[23] != 6:
        return None
    end = 14 + int.from_bytes(frame[16:18])
    body = 34 + (frame[46] >> 4) * 4
    return Segment(frame[:body], int.from_bytes(frame[38:42]), frame[47], frame[body:end])


@functools.cache
def packets(scenario: str, side: str) -> tuple[tuple[int, bytes], ...]:
    with open_capture(CAPTURES / scenario / f"{side}.pcapng") as capture:
        return tuple(
            (ns, buf[start : start + size]) for _, ns, _, buf, start, size, _ in capture.packets()
        )


def keys(scenario: str, side: str) -> tuple[str, ...]:
    return (str(CAPTURES / scenario / f"{side}.keys"),)


def read(folder: Path, changed: Packets, key_logs: tuple[str, ...]) -> Reading:
    """What the engine makes of these packets."""
    path = folder / "changed.pcap"
    path.write_bytes(pcap(changed, nano=True))
    return embedded.read([CaptureInput(str(path), key_logs)])


def content(messages: list[Message]) -> Counter[Any]:
    """Messages with what they say and between whom; how often each occurs."""
    return Counter(_said(message) for message in messages)


def _said(message: Message) -> Any:
    where = message.place.connection
    ends = type(message).__name__, where.client, where.server, message.place.direction
    if isinstance(message, TcpConnection):
        return *ends, message.outcome, message.payload, message.lost
    leave = {"place", "head_frame", "alerts", "record_sizes", "secret_source", "exchange"}
    leave |= {"round_trips_ns"}
    return *ends, *(
        getattr(message, item.name)
        for item in dataclasses.fields(message)
        if item.name not in leave
    )


def address(end: bytes) -> str:
    return socket.inet_ntoa(end[:4])
