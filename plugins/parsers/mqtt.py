"""An example to copy: a parser for a protocol that dissect does not know, and a flow of it.

    dissect flow capture.pcapng --plugin plugins/parsers/mqtt.py --flow mqtt-connect
    dissect table mqtt capture.pcapng --plugin plugins/parsers/mqtt.py
    dissect crosscheck capture.pcapng --plugin plugins/parsers/mqtt.py

It reads the first packets of MQTT (OASIS MQTT 3.1.1 §3.1, §3.2): who connects, and whether the
broker lets them. A parser does no I/O, keeps little, and raises only `ProtocolError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dissect.errors import ProtocolError
from dissect.model import Direction, Fact, Output, PluginMessage, Ranges, Secret, Span
from dissect.plugins import Registry
from dissect.protocols.base import Layer, StreamReader
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.record import Column, Protocol

CONNECT, CONNACK = 1, 2
MAX_PACKET = 64 * 1024  # of those that are read; longer ones carry data
REASONS = (
    "accepted", "protocol version refused", "client id refused", "server unavailable",
    "wrong user name or password", "not authorized",
)  # fmt: skip


def begins(head: bytes, layer: Layer) -> bool | None:
    """A CONNECT packet: 0x10, a length of one to four bytes, then the name MQTT."""
    if head[:1] != b"\x10":
        return False
    for size in range(1, 5):
        name = head[1 + size : 7 + size]
        if name == b"\x00\x04MQTT":
            return True
        if len(name) < 6 and b"\x00\x04MQTT".startswith(name):
            return None  # not all of it is there yet
    return False


class MqttParser:
    """One connection; `data`, `gap` and `end` as `dissect.model.StreamParser` says."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._kept = (SpanBuffer(), SpanBuffer())
        self._lost = [False, False]  # after a gap the start of a packet is not known

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        if self._lost[direction]:
            return
        kept = self._kept[direction]
        kept.append(view, span)
        while (packet := _packet(kept.data)) is not None:
            at, span = kept.at, kept.span(packet.size)
            kept.drop(packet.size)
            event = _event(packet)
            if event is not None:
                # `dissect export` shows what is understood, and nothing else of a stream.
                ranges = Ranges(
                    whole=((direction, at, packet.size),),
                    understood=((direction, at, _without_secrets(packet)),),
                )
                place = self._layer.place(direction, span, ranges)
                yield PluginMessage(place, "mqtt", event[0], event[1])

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        self._lost[direction] = True
        return ()

    def end(self, direction: Direction, span: Span) -> Output:
        return ()


class _Packet(NamedTuple):
    kind: int
    size: int
    body: bytes


def _packet(kept: bytearray) -> _Packet | None:
    """The first packet, once it is whole (§2.2)."""
    length = 0
    for index, byte in enumerate(kept[1:5]):
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if length > MAX_PACKET:
                raise ProtocolError("mqtt.length", f"an MQTT packet of {length} bytes is not read")
            size = 2 + index + length
            body = bytes(kept[2 + index : size])
            return _Packet(kept[0] >> 4, size, body) if len(kept) >= size else None
    if len(kept) > 4:
        raise ProtocolError("mqtt.length", "the length of an MQTT packet has no end")
    return None


def _event(packet: _Packet) -> tuple[str, dict[str, Fact]] | None:
    if packet.kind == CONNACK and len(packet.body) >= 2:
        code = packet.body[1]
        reason = REASONS[code] if code < len(REASONS) else f"code {code}"
        return "mqtt.connect.answered", {"code": code, "reason": reason}
    if packet.kind != CONNECT:
        return None
    fields = _strings(packet.body[10:])
    flags = packet.body[7] if len(packet.body) > 7 else 0
    facts: dict[str, Fact] = {"client_id": next(fields, "")}
    if flags & 0x04:  # a will: its topic and message
        next(fields, "")
        next(fields, "")
    if flags & 0x80:
        facts["user"] = next(fields, "")
    if flags & 0x40:
        facts["password"] = Secret("password", next(fields, ""))
    return "mqtt.connect.sent", facts


def _without_secrets(packet: _Packet) -> int:
    """How many bytes hold none: all up to the will or the password of a CONNECT (§3.1.3)."""
    flags = packet.body[7] if packet.kind == CONNECT and len(packet.body) > 7 else 0
    if not flags & 0x44:
        return packet.size
    at = 10
    for _ in range(2 if flags & 0x84 == 0x80 else 1):  # client id, and user name
        at += 2 + int.from_bytes(packet.body[at : at + 2], "big")
    return packet.size - len(packet.body) + at


def _strings(body: bytes) -> Iterator[str]:
    while len(body) >= 2:
        end = 2 + int.from_bytes(body[:2], "big")
        if end > len(body):
            raise ProtocolError("mqtt.string", "a string of an MQTT CONNECT ends outside of it")
        yield body[2:end].decode("utf-8", "replace")
        body = body[end:]


FLOW = """
schema = 1
name = "mqtt-connect"
title = "MQTT connection"
subject = ["user", "client_id"]

[instance]
keys = []
anchors = ["mqtt.connect.sent"]

[[actor]]
id = "client"
title = "Client"
kind = "client"

[[actor]]
id = "broker"
title = "Broker"

[[step]]
number = 1
title = "The broker lets the client in"
between = ["client", "broker"]
done_when = [["mqtt.accepted"]]

[[step.arrow]]
event = "mqtt.connect.sent"
from = "client"
to = "broker"
label = "CONNECT {client_id}[ as {user}]"

[[step.arrow]]
id = "mqtt.accepted"
event = "mqtt.connect.answered"
from = "broker"
to = "client"
where = { code = 0 }
label = "CONNACK: {reason}"

[[step.arrow]]
id = "mqtt.refused"
event = "mqtt.connect.answered"
from = "broker"
to = "client"
label = "CONNACK: {reason}"

[step.arrow.fails]
code = "mqtt.{code}"
text = "the broker refused the client: {reason}"
remedy = "Look at the broker's log, and at the user name and password of the client."
"""


def register(registry: Registry) -> None:
    """Called by dissect with its registry."""
    registry.add_protocol(
        Protocol(
            StreamReader("mqtt", begins, MqttParser),
            "Connections of MQTT clients to their broker, and its answers.",
            (
                Column("client_id", "the client identifier", "mqtt.clientid"),
                Column("user", "the user name", "mqtt.username"),
                Column("password", "the password; never shown", "mqtt.passwd"),
                Column("code", "the broker's answer as a number", "mqtt.conack.val"),
                Column("reason", "the same in words"),
            ),
            shows=("client_id", "user", "code", "reason"),
            wireshark="mqtt.msgtype == 1 || mqtt.msgtype == 2",
        )
    )
    registry.add_flow(FLOW)
