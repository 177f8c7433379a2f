"""A parser that can't be made, or breaks, costs its own stream and no other."""

from __future__ import annotations

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from dissect.errors import ProtocolError
from dissect.model import Anomaly, Connection, Message, TcpConnection
from dissect.transport import Assembler

from .segments import MS, Recorder, handshake, segment

SECRET = b"hunter2"


class Broken(Recorder):
    """Raises what is no ProtocolError, with the captured bytes in its text."""

    def data(self, direction: object, view: bytes | memoryview, span: object) -> list[object]:
        raise KeyError(bytes(view))


def run(frames: list[bytes], fail: object) -> tuple[list[Recorder], list[Message | Anomaly]]:
    """Port 80 (TCP) and 7000 (UDP) get what fails, all others a recorder."""
    made: list[Recorder] = []

    def opened(connection: Connection) -> Recorder:
        if connection.server.port in (80, 7000):
            if isinstance(fail, Exception):
                raise fail
            return Broken(connection)
        made.append(Recorder(connection))
        return made[-1]

    reported: list[Message | Anomaly] = []
    assembler = Assembler(0, opened, opened, reported.append)
    assembler.feed(
        (number, number * MS, 1, frame, 0, len(frame), len(frame))
        for number, frame in enumerate(frames, 1)
    )
    assembler.finish()
    return made, reported


def tcp() -> list[bytes]:
    frames = []
    for ports in ((40000, 80), (40001, 81)):
        frames += [*handshake(ports=ports), segment(0, data=SECRET, ports=ports)]
    return [*frames, segment(0, 7, b"more", ports=(40000, 80))]


def udp() -> list[bytes]:
    head = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    ip = IP(src="10.0.0.1", dst="10.0.0.2")
    return [
        bytes(head / ip / UDP(sport=40000, dport=port) / data)
        for port, data in ((7000, SECRET), (7001, SECRET), (7000, b"more"))
    ]


def check(frames: list[bytes], fail: object, kind: str, frame: int) -> None:
    made, reported = run(frames, fail)
    (anomaly,) = [item for item in reported if isinstance(item, Anomaly)]
    assert (anomaly.kind, anomaly.frame, anomaly.stream) == (kind, frame, 0)
    assert SECRET.decode() not in repr(anomaly)
    (other,) = made
    assert other.sent(0) == SECRET


def test_a_parser_that_refuses_the_connection() -> None:
    error = ProtocolError("test.refused", "not mine")
    check(tcp(), error, "test.refused", 4)
    check(udp(), error, "test.refused", 1)


def test_a_parser_that_can_not_be_made() -> None:
    check(tcp(), ValueError(SECRET), "internal.error", 4)
    check(udp(), ValueError(SECRET), "internal.error", 1)


def test_a_parser_with_a_bug() -> None:
    check(tcp(), None, "internal.error", 4)
    check(udp(), None, "internal.error", 1)


def test_the_connection_is_reported_all_the_same() -> None:
    _, reported = run(tcp(), ValueError())
    rows = [item for item in reported if isinstance(item, TcpConnection)]
    assert [row.payload for row in rows] == [(len(SECRET) + 4, 0), (len(SECRET), 0)]
