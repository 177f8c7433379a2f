"""Driving stream parsers with bytes: whole, split anywhere, with holes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from dissect.model import Anomaly, Connection, Direction, Endpoint, Message, Span, StreamParser
from dissect.protocols.base import Layer
from dissect.protocols.sniff import Ignore

C: Direction = 0
S: Direction = 1

CONNECTION = Connection(3, "tcp", 7, Endpoint("10.0.0.1", 50000), Endpoint("192.0.2.80", 3128))
UDP = replace(CONNECTION, transport="udp")

Part = tuple[Direction, bytes | int]  # bytes, or the length of a gap
Found = list[Message | Anomaly]


def layer(**changes: object) -> Layer:
    return replace(Layer(CONNECTION, lambda _: Ignore()), **changes)  # type: ignore[arg-type]


def span(frame: int) -> Span:
    return Span(frame, frame * 1000, frame, frame * 1000)


def drive(parser: StreamParser, parts: Iterable[Part], *, end: bool = True) -> Found:
    """Each part is one frame, counted from 1; the ends come in the frame after the last."""
    found: Found = []
    frame = 0
    for frame, (direction, content) in enumerate(parts, 1):
        if isinstance(content, int):
            found += parser.gap(direction, content, span(frame))
        else:
            # A view that dies after the call, as the transport's does.
            backing = bytearray(content)
            view = memoryview(backing)
            found += list(parser.data(direction, view, span(frame)))
            view.release()
            backing[:] = b"\xee" * len(backing)
    if end:
        for direction in (C, S):
            found += parser.end(direction, span(frame + 1))
    return found


def messages(found: Found) -> list[Message]:
    return [item for item in found if not isinstance(item, Anomaly)]


def kinds(found: Found) -> list[str]:
    return [item.kind for item in found if isinstance(item, Anomaly)]


def bare(found: Found) -> list[Message]:
    """The messages without frames, to compare the same bytes in different pieces."""
    out = []
    for item in messages(found):
        changes: dict[str, object] = {"place": replace(item.place, span=span(0))}
        if hasattr(item, "head_frame"):
            changes["head_frame"] = 0
        out.append(replace(item, **changes))  # type: ignore[arg-type]
    return out


def bytewise(parts: Sequence[Part]) -> list[Part]:
    out: list[Part] = []
    for direction, content in parts:
        if isinstance(content, int):
            out.append((direction, content))
        else:
            out += [(direction, bytes([byte])) for byte in content]
    return out


def splits(parts: Sequence[Part]) -> Iterable[list[Part]]:
    """Every way to cut one of the parts in two."""
    for index, (direction, content) in enumerate(parts):
        if isinstance(content, bytes):
            for cut in range(1, len(content)):
                yield [
                    *parts[:index],
                    (direction, content[:cut]),
                    (direction, content[cut:]),
                    *parts[index + 1 :],
                ]


def same_however_cut(make: Callable[[], StreamParser], parts: Sequence[Part]) -> Found:
    """Drive whole, byte by byte and at every split; all must give the same messages."""
    whole = drive(make(), parts)
    expected = bare(whole)
    assert bare(drive(make(), bytewise(parts))) == expected
    for variant in splits(parts):
        assert bare(drive(make(), variant)) == expected
    return whole


def hole(parts: Sequence[Part], start: int, length: int) -> list[Part]:
    """The parts without `length` bytes of one part from offset `start` of all bytes on.

    The hole stays inside the part it begins in.
    """
    out: list[Part] = []
    for direction, content in parts:
        if isinstance(content, int) or start < 0 or start >= len(content):
            out.append((direction, content))
            start -= 0 if isinstance(content, int) else len(content)
            continue
        lost = min(length, len(content) - start)
        if start:
            out.append((direction, content[:start]))
        out.append((direction, lost))
        if content[start + lost :]:
            out.append((direction, content[start + lost :]))
        start = -1
    return out
