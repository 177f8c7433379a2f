"""What becomes of the bytes of one message: its secrets and what nobody read are overwritten.

Which bytes were read, and as what, its parser has declared (`model.Ranges`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dissect.export import clear
from dissect.export.packet_headers import FILLER, Span
from dissect.model import (
    DnsMessage,
    HttpRequest,
    HttpResponse,
    Message,
    Range,
    Ranges,
    SipMessage,
)
from dissect.redaction.masking import Masks
from dissect.redaction.policy import Policy

NOTHING = b"\0"  # in place of what nobody read
UNREAD = "bytes that belong to no message"
BLANKS = b"\r\n\0 \t"  # keep-alives (RFC 5626 §3.5.1) and line ends tell nothing


class Fill(NamedTuple):
    """Bytes to overwrite, with which one; `reason` where that is to be reported."""

    start: int
    stop: int
    value: bytes
    reason: str = ""

    def moved(self, by: int) -> Fill:
        return self._replace(start=self.start + by, stop=self.stop + by)


@dataclass(slots=True)
class Unit:
    """The fills of one message, and how many secrets they are; `gone`: nothing of it is left."""

    fills: list[Fill] = field(default_factory=list)
    values: int = 0
    gone: bool = False


def unit(policy: Policy, message: Message, text: bytes | bytearray, masks: Masks) -> Unit:
    """What to overwrite in `text`, the bytes of the message's direction, for a message."""
    ranges = message.place.ranges
    if ranges is None or not ranges.verbatim:
        return blank(message, _packed(message))
    if isinstance(message, HttpRequest | HttpResponse | SipMessage) and not ranges.head:
        return blank(message, "its header section has no end")
    start, stop = extent(ranges)
    read = _read(policy, message, ranges, text)
    spans = list(clear.in_fields(policy, message, text))
    data = bytes(text[start:stop])
    spans += ((start + a, start + b) for a, b in masks.found(data.decode("latin-1")))
    result = Unit()
    body = _spans(ranges.body)
    content = b"".join(text[a:b] for a, b in body)
    if content:
        try:
            spans += _back(clear.in_body(policy, message, content, masks), body)
        except clear.NotMaskable as why:
            result.fills += (Fill(a, b, FILLER, str(why)) for a, b in body)
    secrets = merged(spans)
    result.values = len(secrets)
    result.fills += (Fill(a, b, FILLER) for a, b in secrets)
    result.fills += _rest(message, read, data, start)
    return result


def blank(message: Message, reason: str) -> Unit:
    """Nothing is left."""
    ranges = message.place.ranges
    whole = _spans(ranges.whole) if ranges is not None else []
    return Unit([Fill(a, b, NOTHING, reason) for a, b in whole], gone=True)


def extent(ranges: Ranges) -> Span:
    """Where a message begins and ends."""
    return ranges.whole[0][1], ranges.whole[-1][1] + ranges.whole[-1][2]


def _packed(message: Message) -> str:
    if isinstance(message, HttpRequest | HttpResponse) and message.version == "2":
        return "HTTP/2 without TLS: its fields are compressed"
    if isinstance(message, SipMessage):
        return "SIP in a WebSocket without TLS: it is masked or compressed"
    return "its bytes are not as it reads, or in too many pieces"


def _read(policy: Policy, message: Message, ranges: Ranges, text: bytes | bytearray) -> list[Span]:
    """What its parser understood of a message."""
    found = _spans((*ranges.head, *ranges.body, *ranges.understood))
    if isinstance(message, DnsMessage):  # TXT records hold anything
        for number in range(len(ranges.fields) // 2):
            start, size = ranges.field(number)
            if clear.published(policy, bytes(text[start : start + size])):
                found.append((start, start + size))
    return merged(found)


def _rest(message: Message, read: Sequence[Span], data: bytes, at: int) -> Iterator[Fill]:
    """What nobody read of a message: inside a text it becomes text."""
    parts = [(start - at, stop - at) for start, stop in read]
    texts = isinstance(message, HttpRequest | HttpResponse | SipMessage)
    for start, stop in gaps(parts, data):
        inside = texts and parts and parts[0][0] < start and stop < parts[-1][1]
        yield Fill(start + at, stop + at, FILLER if inside else NOTHING, UNREAD)


def gaps(parts: Sequence[Span], data: bytes | bytearray) -> Iterator[Span]:
    """What is between and around `parts` (in order, apart), but for blanks at the ends."""
    at = 0
    for start, stop in [*parts, (len(data), len(data))]:
        content = bytes(data[at:start])
        if bare := content.strip(BLANKS):
            first = at + len(content) - len(content.lstrip(BLANKS))
            yield first, first + len(bare)
        at = max(at, stop)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, overlapping ones as one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        elif start < end:
            found.append((start, end))
    return found


def _spans(ranges: Iterable[Range]) -> list[Span]:
    return [(start, start + size) for _, start, size in ranges]


def _back(spans: Iterable[Span], parts: Sequence[Span]) -> Iterator[Span]:
    """Spans of joined parts as spans of what the parts were taken from."""
    number = at = 0
    for first, last in sorted(spans):
        while number < len(parts) and at + _size(parts[number]) <= first:
            at += _size(parts[number])
            number += 1
        place, here = at, number
        while here < len(parts) and place < last:
            start = parts[here][0]
            stop = min(parts[here][1], start + last - place)
            yield start + max(0, first - place), stop
            place += _size(parts[here])
            here += 1


def _size(span: Span) -> int:
    return span[1] - span[0]
