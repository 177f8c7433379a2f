"""DHCP and NTP: tshark says which frames hold them, dissect's own parsers read the payload.

They are a few fields that a phone's start is judged by; a second reading of them from
tshark's fields would compare little. `crosscheck` leaves them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dissect.engines.tshark.frames import FrameTable, StreamKey
from dissect.engines.tshark.pdml import PdmlUnit
from dissect.model import Anomaly, Message, StreamParser
from dissect.protocols.base import Layer
from dissect.protocols.dhcp import DhcpParser
from dissect.protocols.ntp import NtpParser

PARSERS: dict[str, Callable[[Layer], StreamParser]] = {"dhcp": DhcpParser, "ntp": NtpParser}


class Datagrams:
    """A parser for each pair of endpoints; an NTP answer needs its request."""

    def __init__(self, table: FrameTable) -> None:
        self._table = table
        self._parsers: dict[StreamKey, StreamParser] = {}

    def take(self, unit: PdmlUnit) -> list[Message]:
        """The messages of a datagram. What its parser finds odd is not told: with this
        engine anomalies are tshark's."""
        key = unit.frame.key
        place = self._table.place(unit.first, unit.frame, False)
        parser = self._parsers.get(key)
        if parser is None:
            layer = Layer(place.connection, _nothing_inside)
            parser = self._parsers[key] = PARSERS[unit.name](layer)
        found = parser.data(place.direction, unit.payload, place.span)
        # tshark does not tell offsets in streams.
        return [
            replace(item, place=replace(item.place, ranges=None))
            for item in found
            if not isinstance(item, Anomaly)
        ]


def _nothing_inside(layer: Layer) -> StreamParser:
    raise AssertionError(f"a datagram of {layer.connection} carries no other protocol")
