"""pyshark's packets as a list of protocol units, each with the frames that carried it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dissect.engines.tshark.frames import Frame, FrameTable

MESSAGES = ("http", "http2", "sip", "dns", "dhcp", "ntp")
APPLICATION_DATA = "23"


class PdmlLayer:
    """One protocol layer of a frame: every occurrence of each of its fields.

    Reads the fields that pyshark's XmlLayer has collected. Its own look-up compares every
    name it knows when a field is absent, which most fields are.
    """

    def __init__(self, layer: Any) -> None:
        self.name: str = layer.layer_name
        self._fields: dict[str, Any] = layer._all_fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def all(self, name: str) -> list[Any]:
        """The occurrences of a field, in the order of the layer."""
        found = self._fields.get(name)
        return list(found.all_fields) if found is not None else []

    def shown(self, name: str) -> list[str]:
        """What tshark shows for each occurrence."""
        return [item.show or "" for item in self.all(name)]

    def first(self, name: str) -> str | None:
        return next(iter(self.shown(name)), None)

    def number(self, name: str, otherwise: int = 0) -> int:
        """The first occurrence as a number, decimal or 0x…; `otherwise` if it is absent."""
        text = self.first(name)
        return int(text, 0) if text else otherwise

    def true(self, name: str) -> bool:
        """Whether a flag is set; versions before 4.4 write 1, later ones True."""
        return self.first(name) in ("1", "True")

    def raw(self, name: str) -> list[bytes]:
        """The bytes of each occurrence as they were sent."""
        return [_bytes(item) for item in self.all(name)]

    def raw_first(self, name: str) -> bytes:
        return next(iter(self.raw(name)), b"")

    def labels(self) -> list[tuple[str, bytes]]:
        """The lines of the tree that are no field: their text and bytes."""
        return [(item.show or "", _bytes(item)) for item in self.all("")]


def _bytes(item: Any) -> bytes:
    value = item.raw_value
    # A field within a byte has the value of its bits alone, the byte is "unmasked".
    if not value or len(value) % 2:
        return b""
    try:
        return bytes.fromhex(value)
    except ValueError:
        return b""


@dataclass(frozen=True, slots=True)
class PdmlUnit:
    """A message, or a part of one, as tshark shows it in a frame.

    `first` is the frame that its bytes began in; `pieces` are the frames and sizes of what
    it was joined from (empty: it is all in this frame).
    """

    layer: PdmlLayer
    frame: Frame
    first: int
    encrypted: bool
    websocket: bool
    pieces: tuple[tuple[int, int], ...] = ()
    text: bytes = b""  # the whole message, where tshark shows its lines (SIP)
    payload: bytes = b""  # of the datagram, for what is in UDP

    @property
    def name(self) -> str:
        return self.layer.name

    def frame_of(self, offset: int) -> int:
        """The frame that brought the byte at `offset` of the unit."""
        for number, size in self.pieces:
            if offset < size:
                return number
            offset -= size
        return self.frame.number


class Records:
    """The kinds of TLS records that each frame completed, for `Splitter`."""

    def __init__(self) -> None:
        self._kinds: dict[int, list[str]] = {}

    def add(self, frame: int, kinds: list[str]) -> None:
        if len(kinds) > 1:
            self._kinds[frame] = kinds

    def begins(self, frame: Frame, parts: int) -> int:
        """The first frame of the record that the last `parts` data records of a frame start with.

        A record that took several segments is shown in the last of them; only the first
        record that a frame completes can be such a one.
        """
        if not frame.segments:
            return frame.number
        kinds = self._kinds.get(frame.number, [APPLICATION_DATA])
        data = [index for index, kind in enumerate(kinds) if kind == APPLICATION_DATA]
        index = data[max(0, len(data) - parts)] if data else 0
        return min(frame.segments) if index == 0 else frame.number


def units(packet: Any, table: FrameTable, records: Records) -> list[PdmlUnit]:
    """The messages of a frame, every layer of it, in order."""
    number = int(packet.number)
    frame = table.frames.get(number)
    found: list[PdmlUnit] = []
    if frame is None:
        return found
    record: list[tuple[int, int]] = []
    tcp: list[tuple[int, int]] = []  # what was joined, until the layer that it is for
    tls: list[tuple[int, int]] = []
    encrypted = websocket = False
    payload = b""
    in_record = 0  # messages seen in the current TLS layer
    for item in packet.layers:
        layer = PdmlLayer(item)
        tcp = _joined(layer, "tcp.segment") or tcp
        tls = _joined(layer, "tls.segment") or tls
        if layer.name in ("tcp", "udp"):
            payload = layer.raw_first("udp.payload")
        elif layer.name == "tls":
            encrypted, in_record = True, 0
            record, tcp = tcp, []
        elif layer.name == "websocket":
            websocket = True
        elif layer.name == "raw_sip" and found:
            found[-1] = replace(found[-1], text=b"".join(layer.raw("raw_sip.line")))
        elif layer.name in MESSAGES:
            first = number
            pieces: list[tuple[int, int]] = []
            if tls:
                pieces, tls = tls, []
                begin = table.frames.get(pieces[0][0], frame)
                parts = sum(piece[0] == begin.number for piece in pieces)
                first = records.begins(begin, parts)
            elif encrypted:
                if not in_record and record:
                    first = min(piece[0] for piece in record)
            elif tcp:
                pieces, tcp = tcp, []
                first = min(piece[0] for piece in pieces)
            in_record += 1
            found.append(
                PdmlUnit(layer, frame, first, encrypted, websocket, tuple(pieces), b"", payload)
            )
    return found


def _joined(layer: PdmlLayer, name: str) -> list[tuple[int, int]]:
    """Frames and sizes of the parts that tshark has put together."""
    return [
        (int(item.show), int(item.size or 0))
        for item in layer.all(name)
        if item.show and item.show.isdigit()
    ]
