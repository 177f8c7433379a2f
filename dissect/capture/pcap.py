"""The classic capture file (draft-ietf-opsawg-pcap): one header, then records.

Read in windows with one precompiled struct a record. Both byte orders, microseconds and
nanoseconds, and the variants that others write: Kuznetzov's longer record header
(libpcap of old Red Hat and SuSE), and Ixia's two magics with a size after the header.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from dissect.capture.linktypes import NATIVE
from dissect.capture.source import Source, refill
from dissect.capture.tally import MAX_PACKET, Packet, Tally

# magic as a number -> (ns per unit of the fraction, bytes of a record header, after header)
_KINDS = {
    0xA1B2C3D4: (1000, 16, 0),
    0xA1B23C4D: (1, 16, 0),
    0xA1B2CD34: (1000, 24, 0),
    0x1C0001AC: (1, 16, 4),
    0x1C0001AB: (1000, 16, 4),
}
_HEADER = 24
_LONGEST_EXTRA = 4
_FAR_FUTURE = 1 << 80

Stripper = Callable[[int, bytes], bytes | None]


def is_pcap(head: bytes) -> bool:
    """Whether a file beginning with `head` (4 bytes at least) is a pcap file."""
    return _order(head) is not None


def _order(head: bytes) -> str | None:
    for order in "<>":
        if len(head) >= 4 and struct.unpack_from(order + "I", head)[0] in _KINDS:
            return order
    return None


def walk_pcap(source: Source, tally: Tally, strip: Stripper) -> Iterator[Packet]:
    """Every whole packet of the file; a cut or damage is one anomaly in `tally`.

    `strip` finds the IP packet in a link type that is not in `NATIVE`; such packets are
    handed on as raw IP (LINKTYPE_RAW 101), the rest as they are.
    """
    buf = refill(source, b"", _HEADER + _LONGEST_EXTRA)
    order = _order(buf) or "<"
    (magic,) = struct.unpack_from(order + "I", buf)
    unit, head, extra = _KINDS[magic]
    if len(buf) < _HEADER + extra:
        tally.anomaly("capture.cut", source.damage or "the file ends inside its header")
        return
    (minor,) = struct.unpack_from(order + "H", buf, 6)
    # Before version 2.3 the two lengths stood the other way round; in 2.3 some wrote them so.
    swapped = minor < 3
    mixed = minor <= 3
    snaplen, network = struct.unpack_from(order + "II", buf, 16)
    link = network & 0x03FFFFFF  # the top bits give the length of a frame check sequence
    tally.limit(snaplen)
    tally.links[link] = None
    native = link in NATIVE

    unpack = struct.Struct(order + "IIII").unpack_from
    frame, first, last = 0, _FAR_FUTURE, -1
    off, end, base = _HEADER + extra, len(buf), 0
    caplen = 0
    try:
        while True:
            limit = end - head
            while off <= limit:
                sec, fraction, caplen, length = unpack(buf, off)
                if mixed and (swapped or caplen > length):
                    caplen, length = length, caplen
                start = off + head
                after = start + caplen
                if after > end or caplen > MAX_PACKET:
                    break
                off = after
                frame += 1
                ns = sec * 1_000_000_000 + fraction * unit
                if ns > last:
                    last = ns
                if ns < first:
                    first = ns
                if native:
                    yield frame, ns, link, buf, start, caplen, length
                else:
                    yield _stripped(frame, ns, link, buf, start, caplen, length, strip)
            if caplen > MAX_PACKET:
                tally.anomaly(
                    "capture.damaged",
                    f"the record at offset {base + off} claims {caplen} bytes, more than any "
                    f"packet has: the file is damaged there; {frame} packets before it were read",
                )
                return
            tally.count(frame, first, last)
            left = end - off
            buf = refill(source, buf[off:], head + caplen)
            base += off
            off, end = 0, len(buf)
            if end == left:
                break
        if source.damage or off != end:
            what = source.damage or "the file is cut short"
            tally.anomaly(
                "capture.cut",
                f"{what}: record {frame + 1} at offset {base + off} is incomplete; "
                f"{frame} packets before it were read",
            )
    finally:
        tally.count(frame, first, last)


def _stripped(
    frame: int,
    ns: int,
    link: int,
    buf: bytes,
    start: int,
    caplen: int,
    length: int,
    strip: Stripper,
) -> Packet:
    """The packet as raw IP if `strip` finds IP in it, else as it is."""
    inner = strip(link, buf[start : start + caplen])
    if inner is None:
        return frame, ns, link, buf, start, caplen, length
    return frame, ns, 101, inner, 0, len(inner), len(inner) + max(0, length - caplen)
