"""The second reader: scapy's raw readers behind the same tuples, to compare the walk with.

Chosen by `open_capture(..., reader="scapy")`. What scapy 2.8 does differently (a test
shows each): a file that is cut ends without a word; interfaces of a section are added to
those of the section before; if_tsoffset, custom blocks and simple packets' times are not
known; packets are cut to 65,535 bytes; key logs go only to scapy's global `conf`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Literal

from dissect.capture.source import Source
from dissect.capture.tally import Packet, Tally

_NS = 1_000_000_000


class _Stream(io.RawIOBase):
    """A source as a file object."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._rest or self._source.read(len(buffer))
        size = min(len(data), len(buffer))
        buffer[:size] = data[:size]
        self._rest = data[size:]
        return size


def read_with_scapy(
    source: Source, tally: Tally, form: Literal["pcap", "pcapng"]
) -> Iterator[Packet]:
    """The packets as scapy reads them; notes only frames, times and link types."""
    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapNgReader, RawPcapReader

    kind: Any = RawPcapReader if form == "pcap" else RawPcapNgReader
    frame, first, last = 0, 1 << 80, -1
    try:
        reader = kind(io.BufferedReader(_Stream(source)))
        for data, meta in reader:
            frame += 1
            if form == "pcap":
                link = reader.linktype & 0x03FFFFFF
                ns = meta.sec * _NS + meta.usec * (1 if reader.nano else 1000)
            else:
                link = meta.linktype
                ticks = (meta.tshigh or 0) << 32 | (meta.tslow or 0)
                ns = ticks * _NS // meta.tsresol if meta.tshigh is not None else max(last, 0)
            first, last = min(first, ns), max(last, ns)
            tally.links[link] = None
            yield frame, ns, link, data, 0, len(data), meta.wirelen
    except Scapy_Exception as error:
        tally.anomaly("capture.damaged", f"scapy can't read the file ({type(error).__name__})")
    finally:
        tally.count(frame, first, last)
