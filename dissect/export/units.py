"""What becomes of the bytes of one message: its secrets and what nobody read are overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dissect.export import clear
from dissect.export.headers import FILLER, Span
from dissect.export.layouts import Layout, NoLayout, layout
from dissect.model import HttpRequest, HttpResponse, Message, SipMessage
from dissect.redaction.masking import Masks
from dissect.redaction.policy import Policy

NOTHING = b"\0"  # in place of what nobody read
UNREAD = "bytes that belong to no message"
BLANKS = b"\r\n\0 \t"  # keep-alives (RFC 5626 §3.5.1) and line ends tell nothing


class Fill(NamedTuple):
    """Bytes to overwrite, with which one; `reason` where that is to be told."""

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


def unit(policy: Policy, message: Message, data: bytes, masks: Masks, search: clear.Search) -> Unit:
    """What to overwrite in `data`, which begins and ends with the message."""
    try:
        found = layout(message, data)
        head = _joined(data, found.head)
        spans = list(_back(clear.in_head(policy, message, head, search), found.head))
    except (NoLayout, clear.NotMaskable) as why:
        return blank(data, str(why))
    spans += masks.found(data.decode("latin-1"))
    _shorten(found, message)
    result = Unit()
    content = _joined(data, found.body)
    if content:
        try:
            spans += _back(clear.in_body(policy, message, content, masks), found.body)
        except clear.NotMaskable as why:
            result.fills += (Fill(a, b, FILLER, str(why)) for a, b in found.body)
    secrets = merged(spans)
    result.values = len(secrets)
    result.fills += (Fill(start, stop, FILLER) for start, stop in secrets)
    result.fills += _rest(message, found, data)
    return result


def blank(data: bytes, reason: str) -> Unit:
    """Nothing is left."""
    return Unit([Fill(0, len(data), NOTHING, reason)], gone=True)


def _shorten(found: Layout, message: Message) -> None:
    """End the body where its length says (RFC 3261 §18.3: in a datagram more may follow)."""
    if not isinstance(message, HttpRequest | HttpResponse | SipMessage):
        return
    left = message.body.wire_size
    kept: list[Span] = []
    for start, stop in found.body:
        stop = min(stop, start + left)
        if start < stop:
            kept.append((start, stop))
            left -= stop - start
    found.body = kept


def _rest(message: Message, found: Layout, data: bytes) -> Iterator[Fill]:
    """What is in no part of the layout: inside a text it becomes text."""
    parts = merged([*found.head, *found.body, *found.frame])
    texts = isinstance(message, HttpRequest | HttpResponse | SipMessage)
    for start, stop in gaps(parts, data):
        inside = texts and parts and parts[0][0] < start and stop < parts[-1][1]
        yield Fill(start, stop, FILLER if inside else NOTHING, UNREAD)


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


def _joined(data: bytes, parts: Iterable[Span]) -> bytes:
    return b"".join(data[start:stop] for start, stop in parts)


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
