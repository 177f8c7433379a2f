"""The next generation capture file (draft-ietf-opsawg-pcapng), read in windows.

Sections of either byte order, interfaces declared late, any time resolution; blocks
that are not known are skipped by their length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from dissect.capture import blocks
from dissect.capture.blocks import NOWHERE, NS, Interface
from dissect.capture.linktypes import LINKTYPE_RAW, NATIVE, NO_LINK
from dissect.capture.pcap import Stripper
from dissect.capture.source import Source, refill
from dissect.capture.tally import MAX_PACKET, Packet, Tally
from dissect.errors import TruncatedCapture
from dissect.model import Opaque

_EPB_HEAD = 28
_FAR_FUTURE = 1 << 80


def walk_pcapng(
    source: Source,
    tally: Tally,
    strip: Stripper,
    on_secrets: Callable[[Opaque], None],
) -> Iterator[Packet]:
    """Every whole packet of the file; a cut or damage is one anomaly in `tally`.

    `strip` as in `walk_pcap`. `on_secrets` gets each TLS key log as its block comes by.
    """
    walk = _Walk(tally, on_secrets)
    buf = refill(source, b"", _EPB_HEAD)
    off, end, base, after = 0, len(buf), 0, 0
    # While more may come a block is looked at when the longest fixed head is there; at the
    # end of the file the buffer is padded so that the same struct reads the short blocks.
    need, number = _EPB_HEAD, 0
    unpack = struct.Struct("<7I").unpack_from
    interfaces = walk.interfaces
    # The interface of the packet before; any other block may have changed what is declared.
    current, face = -1, NOWHERE
    link, scale, offset, native = face.link, face.scale, face.offset, face.native
    frame, first, last = 0, _FAR_FUTURE, -1
    try:
        while True:
            limit = end - need
            after = off
            while off <= limit:
                kind, size, iface, high, low, caplen, length = unpack(buf, off)
                after = off + size + (-size & 3)
                if kind == 6 and size >= 32 and after <= end:
                    start = off + 28
                    if caplen > size - 32 or caplen > MAX_PACKET:
                        raise TruncatedCapture(
                            f"claims {caplen} bytes of packet in a block of {size}", base + off
                        )
                    off = after
                    number += 1
                    frame += 1
                    if iface != current:
                        if iface >= len(interfaces):
                            walk.undeclared(iface, frame)
                            yield frame, max(last, 0), NO_LINK, buf, start, caplen, length
                            continue
                        current, face = iface, interfaces[iface]
                        link, scale, offset, native = (
                            face.link,
                            face.scale,
                            face.offset,
                            face.native,
                        )
                    if scale:
                        ns = (high << 32 | low) * scale + offset
                    else:
                        ns = (high << 32 | low) * NS // face.units + offset
                    if ns > last:
                        last = ns
                    if ns < first:
                        first = ns
                    if native:
                        yield frame, ns, link, buf, start, caplen, length
                        continue
                    inner = strip(link, buf[start : start + caplen])
                    if inner is None:
                        yield frame, ns, link, buf, start, caplen, length
                    else:
                        cut = max(0, length - caplen)
                        yield frame, ns, LINKTYPE_RAW, inner, 0, len(inner), len(inner) + cut
                    continue

                current = -1
                if kind == blocks.SECTION:
                    walk.section(buf, off, end, base)
                    unpack = struct.Struct(walk.order + "7I").unpack_from
                    size = unpack(buf, off)[1]
                    after = off + size + (-size & 3)
                if not blocks.SHORTEST_BLOCK <= size <= blocks.LONGEST_BLOCK:
                    raise TruncatedCapture(f"claims a length of {size} bytes", base + off)
                if after > end:
                    break
                body = buf[off + 8 : off + size - 4]
                at, off = off, after
                number += 1
                if kind in blocks.NUMBERED:
                    frame += 1
                    yield frame, max(last, 0), NO_LINK, body, 0, len(body), len(body)
                elif kind in (blocks.SIMPLE_PACKET, blocks.OLD_PACKET):
                    frame += 1
                    packet = walk.rare_packet(kind, body, frame, max(last, 0), base + at)
                    if kind == blocks.OLD_PACKET:
                        last, first = max(last, packet[1]), min(first, packet[1])
                    yield walk.strip_rare(packet, strip)
                else:
                    tally.count(frame, first, last)
                    walk.other(kind, body, base + at)
            tally.count(frame, first, last)
            if need != _EPB_HEAD:
                break
            left = end - off
            buf = refill(source, buf[off:], after - off)
            base += off
            off, end = 0, len(buf)
            if end == left:
                need = blocks.SHORTEST_BLOCK
                buf += bytes(_EPB_HEAD)
        if source.damage or off != end:
            what = source.damage or "the file is cut short"
            tally.anomaly(
                "capture.cut",
                f"{what}: block {number + 1}{_kind(walk.order, buf, off, end)} at offset "
                f"{base + off} is incomplete; {frame} packets before it were read",
            )
    except TruncatedCapture as damage:
        tally.anomaly(
            "capture.damaged",
            f"block {number + 1}{_kind(walk.order, buf, off, end)} at offset {damage.offset} "
            f"{damage}: the file is damaged there; {frame} packets before it were read",
        )
    finally:
        tally.count(frame, first, last)


def _kind(order: str, buf: bytes, off: int, end: int) -> str:
    """ " (enhanced packet)" for a block whose head is there, else nothing."""
    if end - off < 4:
        return ""
    kind = struct.unpack_from(order + "I", buf, off)[0]
    return f" ({blocks.BLOCK_NAMES.get(kind, f'type {kind:#x}')})"


class _Walk:
    """What a section has declared, and the blocks that are not enhanced packets."""

    def __init__(self, tally: Tally, on_secrets: Callable[[Opaque], None]) -> None:
        self.tally = tally
        self.order = "<"
        self.interfaces: list[Interface] = []
        self.sections = 0
        self._on_secrets = on_secrets
        self._reported: set[str] = set()

    def section(self, buf: bytes, off: int, end: int, base: int) -> None:
        """A new section: its byte order, and interface numbers from 0 again."""
        order = blocks.BYTE_ORDER_MAGIC.get(buf[off + 8 : min(end, off + 12)])
        if order is None:
            raise TruncatedCapture("has no byte order magic", base + off)
        if end - off >= 16:
            major, minor = struct.unpack_from(order + "HH", buf, off + 12)
            # 1.2 was written by some and means the same (draft-ietf-opsawg-pcapng §4.1).
            if major != 1 or minor not in (0, 2):
                raise TruncatedCapture(f"has the unknown version {major}.{minor}", base + off)
        self.order = order
        self.interfaces.clear()
        self.sections += 1

    def other(self, kind: int, body: bytes, offset: int) -> None:
        """Any block that holds no packet. TruncatedCapture: too short for its kind."""
        order = self.order
        if kind == blocks.INTERFACE:
            if len(body) < 8:
                raise TruncatedCapture("is too short for an interface", offset)
            face = blocks.interface(body, order)
            self.interfaces.append(face)
            self.tally.limit(face.snaplen)
            self.tally.links[face.link] = None
            if len(self.tally.interfaces) < 1000:
                self.tally.interfaces.append(face.title)
        elif kind == blocks.STATISTICS:
            drops = blocks.dropped(body, order)
            if drops:
                self.tally.drops[self.sections, drops[0]] = drops[1]
        elif kind == blocks.NAMES:
            for address, name in blocks.names(body, order):
                self.tally.names.setdefault(address, name)
        elif kind == blocks.SECRETS:
            text = blocks.key_log(body, order)
            if text is not None:
                self._on_secrets(text)

    def rare_packet(self, kind: int, body: bytes, frame: int, now: int, offset: int) -> Packet:
        """A simple packet (no time: `now` is used) or one of the obsolete packet block."""
        if kind == blocks.SIMPLE_PACKET:
            if len(body) < 4:
                raise TruncatedCapture("is too short for a packet", offset)
            (length,) = struct.unpack_from(self.order + "I", body)
            if not self.interfaces:
                self.undeclared(0, frame)
                return frame, now, NO_LINK, body, 4, len(body) - 4, length
            face = self.interfaces[0]
            if "time" not in self._reported:
                self._reported.add("time")
                self.tally.anomaly(
                    "capture.no_time",
                    f"frame {frame} has no time (simple packet block); the time of the packet "
                    "before it stands for it, and so for others of the kind",
                    frame,
                )
            caplen = min(length, len(body) - 4, face.snaplen or length)
            return frame, now, face.link, body, 4, caplen, length
        if len(body) < 20:
            raise TruncatedCapture("is too short for a packet", offset)
        number, high, low, caplen, length = struct.unpack_from(self.order + "H2x4I", body)
        if caplen > len(body) - 20 or caplen > MAX_PACKET:
            raise TruncatedCapture(f"claims {caplen} bytes of packet", offset)
        if number >= len(self.interfaces):
            self.undeclared(number, frame)
            return frame, now, NO_LINK, body, 20, caplen, length
        face = self.interfaces[number]
        ns = (high << 32 | low) * NS // face.units + face.offset
        return frame, ns, face.link, body, 20, caplen, length

    def strip_rare(self, packet: Packet, strip: Stripper) -> Packet:
        """The packet as raw IP where its link type needs scapy and scapy finds IP."""
        frame, ns, link, buf, start, caplen, length = packet
        if link == NO_LINK or link in NATIVE:
            return packet
        inner = strip(link, buf[start : start + caplen])
        if inner is None:
            return packet
        return frame, ns, LINKTYPE_RAW, inner, 0, len(inner), len(inner) + max(0, length - caplen)

    def undeclared(self, number: int, frame: int) -> None:
        """Note the first packet of an interface that its section never declared."""
        if f"interface {number}" not in self._reported and len(self._reported) < 1000:
            self._reported.add(f"interface {number}")
            self.tally.anomaly(
                "capture.unknown_interface",
                f"frame {frame} is of interface {number}, which no block has declared: its "
                "link type is unknown, so it is skipped",
                frame,
            )
