"""Containers, link layers and tunnels, and the reassembly of TCP."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random

from dissect.capture import Packet, open_capture
from dissect.errors import CaptureError
from dissect.model import Anomaly, Connection, Direction, Message, Output, Span, StreamParser
from dissect.protocols.sniff import Ignore
from dissect.transport import Assembler
from tests.fuzz import container, dialogue, mutate
from tests.fuzz.material import MAX_FILE, Material
from tests.fuzz.target import Broken, Target

PIECE = 7  # bytes of a read from a slow pipe


class _Pipe(io.RawIOBase):
    """Bytes that come a few at a time and only once."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer)  # type: ignore[arg-type]
        size = min(len(target), PIECE, len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _read(source: io.RawIOBase | io.BytesIO) -> list[tuple[int, int, int, bytes, int]] | None:
    """Its packets; None where it is no capture."""
    found = []
    try:
        with open_capture(source) as capture:  # type: ignore[arg-type]
            for frame, ns, link, buffer, start, size, length in capture.packets():
                if size < 0 or start < 0 or start + size > len(buffer):
                    raise Broken("a packet lies outside its buffer")
                found.append((frame, ns, link, bytes(buffer[start : start + size]), length))
            capture.info()
    except CaptureError:
        return None
    return found


def capture(data: bytes) -> None:
    """The packets of a file; a pipe that gives a few bytes at a time has the same."""
    whole = _read(io.BytesIO(data))
    if whole is not None and [frame for frame, *_ in whole] != list(range(1, len(whole) + 1)):
        raise Broken("frames are not numbered from 1 on")
    if len(data) <= 4096 and _read(_Pipe(data)) != whole:
        raise Broken("a pipe gives other packets than the file")


def _capture_seeds(material: Material) -> Iterator[bytes]:
    for path in material.captures():
        data = path.read_bytes()
        yield data if len(data) < 60_000 else data[:30_000]


def _whole_seeds(material: Material) -> Iterator[bytes]:
    for path in material.captures():
        if path.stat().st_size <= MAX_FILE:
            yield path.read_bytes()


def frames(data: bytes) -> None:
    """A link type, and frames of it: whatever they carry goes to the parsers."""
    from dissect.protocols.base import Layer
    from dissect.protocols.sniff import opener
    from dissect.protocols.sniff_udp import open_udp
    from dissect.protocols.tls.secret_store import SecretStore

    link = int.from_bytes(data[:2])
    found = [body for _, body in dialogue.parts(data[2:]) if isinstance(body, bytes)]
    reported: list[Message | Anomaly] = []
    child = opener(SecretStore())
    assembler = Assembler(
        0, lambda c: child(Layer(c, child)), lambda c: open_udp(Layer(c, child)), reported.append
    )
    assembler.feed(_numbered(link, found))
    assembler.finish()
    if len(reported) > 8 * len(data) + 100:
        raise Broken("more is told than the frames can hold")
    for item in reported:
        repr(item)


def _numbered(link: int, found: list[bytes]) -> Iterator[Packet]:
    for number, body in enumerate(found, 1):
        yield number, number * 1_000_000, link, body, 0, len(body), len(body)


def _frame_seeds(material: Material) -> Iterator[bytes]:
    for path in material.captures():
        found = container.packets(path.read_bytes())
        for start in (0, len(found) // 2):
            chosen = [p for p in found[start : start + 12] if p.link == found[start].link]
            if chosen:
                yield chosen[0].link.to_bytes(2) + dialogue.joined((0, p.data) for p in chosen)


def _frame_mutation(
    data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]
) -> bytes:
    link = data[:2] if dice.random() > 0.02 else dice.randrange(300).to_bytes(2)
    return link + dialogue.mutated(data[2:], dice, [other[2:] for other in others[:1]], words)


# ------------------------------------------------------------------ TCP reassembly


@cache
def _stream() -> bytes:
    """What a stream holds; a few bytes in a row tell where they stand."""
    return Random(9293).randbytes(0x10000 + 3000)


def _pattern(start: int, size: int) -> bytes:
    return _stream()[start : start + size]


class _Checked:
    """A parser that knows what each place of its streams holds."""

    def __init__(self) -> None:
        self._at = [0, 0]
        self._known = [True, True]

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        if self._known[direction]:
            at = self._at[direction]
            if bytes(view) != _pattern(at, len(view)):
                raise Broken("bytes are delivered at a place that is not theirs")
            self._at[direction] += len(view)
        return ()

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        if length <= 0:
            self._known[direction] = False
        self._at[direction] += length
        return ()

    def end(self, direction: Direction, span: Span) -> Output:
        return ()


_SEGMENT = struct.Struct(">BHHB")  # flags and direction, place, size, acknowledged / 64


def segments(data: bytes) -> None:
    """Segments of one connection in any order; each holds what belongs at its place. Whatever
    comes out must be what belongs there."""

    def opened(connection: Connection) -> StreamParser:
        return _Checked()

    assembler = Assembler(0, opened, lambda connection: Ignore(), lambda output: None)
    assembler.feed(_numbered(101, list(_tcp(data))))
    assembler.finish()


def _tcp(data: bytes) -> Iterator[bytes]:
    base = (1000, 0xFFFFFF00)  # the server's numbers wrap
    ends = (b"\x0a\0\0\1", b"\xc0\0\2\x50")
    for flags in ((0, 0x02), (1, 0x12)):
        yield _packet(ends, base, flags[0], flags[1], base[flags[0]], b"")
    for at in range(0, len(data) - _SEGMENT.size + 1, _SEGMENT.size):
        kind, place, size, acknowledged = _SEGMENT.unpack_from(data, at)
        direction = kind & 1
        # FIN, RST and SYN are rare, PSH and ACK are not.
        flags = (
            0x10
            | (kind & 8)
            | (1 if kind & 0xF0 == 0xF0 else 0)
            | (4 if kind & 0xF0 == 0xE0 else 0)
        )
        payload = _pattern(place, size % 3000)
        number = (base[direction] + 1 + place) & 0xFFFFFFFF
        yield _packet(ends, base, direction, flags, number, payload, acknowledged * 64)


def _packet(
    ends: tuple[bytes, bytes], base: tuple[int, int], direction: int, flags: int, number: int,
    payload: bytes, acknowledged: int = 0,
) -> bytes:  # fmt: skip
    ports = (50000, 8080) if direction == 0 else (8080, 50000)
    other = (base[direction ^ 1] + 1 + acknowledged) & 0xFFFFFFFF
    tcp = struct.pack(">HHIIBBHHH", *ports, number, other, 0x50, flags, 65535, 0, 0) + payload
    pair = ends if direction == 0 else ends[::-1]
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + b"".join(pair) + tcp


def _segment_seeds(material: Material) -> Iterator[bytes]:
    dice = Random(14)
    for _ in range(40):
        place = [0, 0]
        out = b""
        for _ in range(dice.randrange(2, 40)):
            side, size = dice.randrange(2), dice.choice((1, 40, 500, 1460))
            out += _SEGMENT.pack(side, place[side], size, min(255, place[side ^ 1] // 64))
            place[side] = min(60000, place[side] + size)
        yield out


def _segment_mutation(
    data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]
) -> bytes:
    size = _SEGMENT.size
    found = [data[at : at + size] for at in range(0, len(data) - size + 1, size)]
    for _ in range(dice.choice((1, 2, 5))):
        if len(found) < 2:
            break
        one, two = dice.randrange(len(found)), dice.randrange(len(found))
        kind = dice.randrange(4)
        if kind == 0:
            found[one], found[two] = found[two], found[one]
        elif kind == 1:
            found.insert(two, found[one])
        elif kind == 2:
            del found[one]
        else:
            found[one] = mutate.plain(found[one], dice, (), ())[:size].ljust(size, b"\0")
    return b"".join(found)


_PARSERS = ("dissect.protocols", "dissect.transport")
TARGETS = (
    Target(
        "capture", capture, _capture_seeds, ("dissect.capture",), "capture", container.mutated,
        60_000,
    ),
    Target("frames", frames, _frame_seeds, _PARSERS, None, _frame_mutation, per_byte_us=300),
    Target(
        "tcp", segments, _segment_seeds, ("dissect.transport",), None, _segment_mutation, 2048,
        per_byte_us=1000,
    ),
)  # fmt: skip
