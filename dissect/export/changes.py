"""What to change in the frames of a capture so that they can leave, and what is to be reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from dissect.capture import Packet
from dissect.engines.again import Stream
from dissect.export.packet_headers import Heads, rewritten
from dissect.export.segments import ExportedSegment


class ChangedPart(NamedTuple):
    """Bytes of a stream (None: frames of none) that are not in the file as they were: how
    many, from which frame on, and why."""

    stream: Stream | None
    reason: str
    frame: int
    size: int


@dataclass(slots=True)
class Masked:
    """Bytes to overwrite by frame and offset, and frames to end at an offset.

    `values` counts the secrets overwritten; `left_out` says of which streams only headers
    leave, and why.
    """

    heads: dict[int, Heads]
    values: int = 0
    left_out: dict[Stream, str] = field(default_factory=dict)
    _parts: dict[tuple[Stream | None, str], ChangedPart] = field(default_factory=dict)
    _changes: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    _cuts: dict[int, int] = field(default_factory=dict)
    _first: dict[Stream, int] = field(default_factory=dict)

    def overwrite(self, segment: ExportedSegment, start: int, end: int, value: bytes) -> None:
        """Bytes of a segment's payload, with `value` each."""
        change = segment.start + start, value * (end - start)
        self._changes.setdefault(segment.frame, []).append(change)

    def cut(self, frame: int, offset: int) -> None:
        self._cuts[frame] = min(offset, self._cuts.get(frame, offset))

    def leave_out(self, stream: Stream, segments: Iterable[ExportedSegment]) -> None:
        """End all frames of a stream behind their headers."""
        for segment in segments:
            self.cut(segment.frame, segment.start)
            first = self._first.setdefault(stream, segment.frame)
            self._first[stream] = min(first, segment.frame)

    def tell(self, stream: Stream | None, reason: str, frame: int, size: int) -> None:
        """Note what does not leave of a stream that does."""
        known = self._parts.get((stream, reason), ChangedPart(stream, reason, frame, 0))
        first = min(frame, known.frame)
        self._parts[stream, reason] = ChangedPart(stream, reason, first, known.size + size)

    def apply(self, frame: int, data: bytes, whole: bool) -> bytes:
        """The bytes of a frame as they may leave; `whole`: it was captured to its end."""
        heads = self.heads.get(frame)
        if heads is None:
            return b""
        cuts = [cut for cut in (self._cuts.get(frame), heads.cut) if cut is not None]
        cut = min(cuts) if cuts else None
        return rewritten(data, heads, self._changes.get(frame, ()), cut, whole)

    def reported(self) -> Iterator[tuple[str, int, str]]:
        """Transport, first frame and reason for each stream that is left out."""
        for (transport, number), reason in self.left_out.items():
            yield transport.upper(), self._first.get((transport, number), 0), reason

    def parts(self) -> Iterator[ChangedPart]:
        """What is left out of streams that are not left out as a whole."""
        return (part for part in self._parts.values() if part.stream not in self.left_out)

    def packets(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        for frame, ns, link, buf, start, caplen, length in packets:
            data = self.apply(frame, bytes(buf[start : start + caplen]), caplen == length)
            yield frame, ns, link, data, 0, len(data), length
