"""What a file without secrets shows of messages that were sent without TLS.

Only what is accounted for stays: bytes of messages that parsers have declared as understood,
TLS records, headers. Secrets and all other bytes are overwritten, so that lengths, sequence
numbers and framing stay; where nothing can be read, or the messages read back differ, the frames
are cut behind their headers. Both is reported.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from dissect.capture import Packet
from dissect.engines.again import Openers, Stream, overlapping
from dissect.export import clear, segments
from dissect.export.changes import Masked
from dissect.export.packet_headers import FILLER, Span
from dissect.export.parsed import ParsedMessages, read, switched
from dissect.export.segments import ExportedSegment, Payload, Segments
from dissect.export.units import (
    BLANKS,
    NOTHING,
    UNREAD,
    Fill,
    Unit,
    blank,
    extent,
    gaps,
    merged,
    unit,
)
from dissect.model import (
    UNKNOWN,
    Direction,
    HttpRequest,
    HttpResponse,
    Message,
    Range,
    SipMessage,
)
from dissect.protocols.base import StreamReader
from dissect.protocols.tls.secret_store import SecretStore
from dissect.redaction.masking import SHORTEST, Masks
from dissect.redaction.policy import Policy

Packets = Callable[[], Iterable[Packet]]
Sides = dict[Direction, Payload]

_DIRECTIONS: tuple[Direction, Direction] = (0, 1)
_TWICE = "its bytes came twice and differed"
_TORN = "some of it came in IP fragments"
_LONG = "it is too long to be looked through"
_UNKNOWN = "its protocol is not known"
_OTHER = "a datagram of another kind"
_MAX_INSIDE = 16  # messages of one datagram
_READABLE = re.compile(rb"[\x20-\x7e]{12}")  # once in 200 encrypted packets of full size


def masked(
    index: int, packets: Packets, policy: Policy, readers: Sequence[StreamReader] = ()
) -> Masked:
    """How the packets of a capture can leave without secrets.

    `packets` gives them as often as it is asked; `policy` is that of the session, which
    knows the secrets of all messages, encrypted ones too; `readers` are plugins' parsers.
    """
    openers = Openers(SecretStore(), readers, limit=segments.MAX_TEXT)
    before = ParsedMessages()
    places = Segments(index, openers, before.take)
    places.feed(packets())
    values = {s for s in before.secrets(policy) if len(s.value) >= SHORTEST}
    everywhere = [secret for secret in values if secret.kind != UNKNOWN]
    masks = clear.known([*policy.book.known(), *everywhere])
    work = _Work(places, before, masks, policy)
    streams: dict[Stream, Sides] = {}
    for (stream, direction), payload in places.payloads.items():
        streams.setdefault(stream, {})[direction] = payload
    for stream, sides in sorted(streams.items()):
        work.stream(stream, sides)
    result = work.result
    after = read(index, result.packets(packets()), readers)
    hidden = {secret.value for secret in values}
    for stream, sides in streams.items():
        if stream not in result.left_out and not work.same(stream, after, hidden):
            reason = "its secrets can't be overwritten without changing it"
            work.leave_out(stream, sides, reason)
    for piece in places.pieces:
        result.tell(piece.stream, piece.reason, piece.frame, 0)
    for frame, heads in places.heads.items():
        if heads.reason:
            result.tell(None, heads.reason, frame, 0)
    return result


class _Work:
    """Goes through the streams of one capture."""

    def __init__(
        self, places: Segments, before: ParsedMessages, masks: Masks, policy: Policy
    ) -> None:
        self.result = Masked(places.heads)
        self._before = before
        self._masks = masks
        self._policy = policy
        self._kept: dict[Stream, list[Message]] = {}

    def leave_out(self, stream: Stream, sides: Sides, reason: str) -> None:
        self.result.left_out[stream] = reason
        for payload in sides.values():
            self.result.leave_out(stream, payload.segments)

    def stream(self, stream: Stream, sides: Sides) -> None:
        """Overwrite what has to be, or say why the whole has to stay out."""
        rows, messages = self._before.tls.get(stream, []), self._before.clear.get(stream, [])
        reason = "" if rows or messages else _UNKNOWN
        if any(payload.end > 2 * segments.MAX_TEXT for payload in sides.values()):
            reason = reason or _LONG
        if any("NULL" in (row.cipher_suite or "") for row in rows):
            reason = "its cipher suite does not encrypt"
        if reason:
            self.leave_out(stream, sides, reason)
            return
        tls = [row.place.ranges for row in rows if row.place.ranges is not None]
        why = UNREAD
        if not tls and switched(messages):
            why = "the protocol that it switched to is not known"
        for direction, payload in sides.items():
            here = [m for m in messages if m.place.direction == direction]
            understood = merged(_of(direction, (r for row in tls for r in row.understood)))
            if stream[0] == "tcp":
                self._overwrite(stream, payload, self._tcp(stream, here, payload, understood), why)
            else:
                unsure = merged(_of(direction, (r for row in tls for r in row.body)))
                fills = self._udp(stream, here, payload, understood, unsure)
                self._overwrite(stream, payload, fills, why)

    # ------------------------------------------------------------ bytes to fills

    def _tcp(
        self, stream: Stream, here: Iterable[Message], payload: Payload, understood: list[Span]
    ) -> Iterator[Fill]:
        parts = list(understood)
        for message in here:
            yield from self._message(stream, message, payload)
            parts += _whole(message)
        for start, stop in gaps(merged(parts), payload.text):
            yield Fill(start, stop, NOTHING, UNREAD)

    def _message(self, stream: Stream, message: Message, payload: Payload) -> Iterator[Fill]:
        ranges = message.place.ranges
        start, stop = extent(ranges) if ranges is not None else (0, 0)
        if overlapping(payload.conflicts, start, stop):
            done = blank(message, _TWICE)
        elif overlapping(payload.torn, start, stop):
            done = blank(message, _TORN)
        elif stop > len(payload.text):
            done = blank(message, _LONG)
        else:
            done = unit(self._policy, message, payload.text, self._masks)
        return self._done(stream, message, done)

    def _done(self, stream: Stream, message: Message, done: Unit) -> Iterator[Fill]:
        self.result.values += done.values
        if not done.gone:
            self._kept.setdefault(stream, []).append(message)
        yield from done.fills

    def _udp(
        self,
        stream: Stream,
        here: Sequence[Message],
        payload: Payload,
        understood: list[Span],
        unsure: list[Span],
    ) -> Iterator[Fill]:
        """Datagrams of which nothing is known are cut."""
        wholes = sorted((span, n) for n, message in enumerate(here) for span in _whole(message))
        placed: dict[Span, list[ExportedSegment]] = {}
        for segment in payload.segments:
            start = segment.position
            placed.setdefault((start, start + segment.end - segment.start), []).append(segment)
        done: set[int] = set()
        for (at, stop), carried in sorted(placed.items()):
            if at < 0 or stop > len(payload.text):
                continue
            data = bytes(payload.text[at:stop])
            number = bisect_left(wholes, ((at, 0), 0))
            inside = [item for item in wholes[number : number + _MAX_INSIDE] if item[0][0] < stop]
            parts = [span for span, _ in inside]
            parts += _clipped(understood, at, stop)
            # Headers that tell nothing: what reads as text is no packet.
            parts += (
                (a, b)
                for a, b in _clipped(unsure, at, stop)
                if not _READABLE.search(payload.text[a:b])
            )
            if not parts:
                if data.strip(BLANKS):
                    for segment in carried:
                        self.result.cut(segment.frame, segment.start)
                        self.result.tell(stream, _OTHER, segment.frame, stop - at)
                continue
            for _, n in inside:
                if n not in done:
                    done.add(n)
                    yield from self._message(stream, here[n], payload)
            for a, b in gaps([(a - at, b - at) for a, b in merged(parts)], data):
                yield Fill(at + a, at + b, NOTHING, UNREAD)

    # ------------------------------------------------------------ fills to frames

    def _overwrite(self, stream: Stream, payload: Payload, fills: Iterable[Fill], why: str) -> None:
        placed = sorted(payload.segments, key=lambda segment: segment.position)
        longest = max((segment.end - segment.start for segment in placed), default=0)
        starts = [segment.position for segment in placed]
        for fill in fills:
            first = bisect_left(starts, fill.start - longest)
            last = bisect_left(starts, fill.stop)
            touched = [s for s in placed[first:last] if s.position + s.end - s.start > fill.start]
            reported = self._explained(fill, touched, why)
            for number, segment in enumerate(touched):
                self._fill(stream, segment, reported.moved(-segment.position), number > 0)
        datagrams = stream[0] == "udp"
        for segment, start, stop, differs in payload.strange:
            if datagrams and not differs:
                self.result.cut(segment.frame, segment.start)
                self.result.tell(stream, _OTHER, segment.frame, stop - start)
                continue
            reason = UNREAD if not differs else "" if stop - start == 1 else _TWICE
            self._fill(stream, segment, Fill(start, stop, NOTHING, reason))
        self._beyond(stream, payload)

    def _explained(self, fill: Fill, touched: Iterable[ExportedSegment], why: str) -> Fill:
        """With what a parser said of those bytes."""
        if fill.reason != UNREAD or fill.value == FILLER:
            return fill
        anomaly = next(filter(None, (self._before.anomaly.get(s.frame) for s in touched)), "")
        return fill._replace(reason=f"it could not be read ({anomaly})" if anomaly else why)

    def _fill(
        self, stream: Stream, segment: ExportedSegment, fill: Fill, reported: bool = False
    ) -> None:
        first, last = max(fill.start, 0), min(fill.stop, segment.end - segment.start)
        self.result.overwrite(segment, first, last, fill.value)
        if fill.reason and not reported:
            self.result.tell(stream, fill.reason, segment.frame, fill.stop - fill.start)

    def _beyond(self, stream: Stream, payload: Payload) -> None:
        """Cut what is beyond the bound."""
        for segment in payload.segments:
            size = segment.end - segment.start
            if payload.long and segment.position + size > len(payload.text):
                self.result.cut(segment.frame, segment.start)
                self.result.tell(stream, _LONG, segment.frame, size)

    # ------------------------------------------------------------ read again

    def same(self, stream: Stream, after: ParsedMessages, hidden: set[str]) -> bool:
        """Whether what was kept is read as before, and no secret is."""
        new = after.clear.get(stream, [])
        for secret in (
            secret for message in new for secret in clear.secrets_of(self._policy, message)
        ):
            if secret.value in hidden:
                return False
        kept = self._kept.get(stream, [])
        for direction in _DIRECTIONS:
            shapes = iter([_shape(m) for m in new if m.place.direction == direction])
            wanted = (_shape(m) for m in kept if m.place.direction == direction)
            if not all(shape in shapes for shape in wanted):
                return False
        return True


def _of(direction: Direction, ranges: Iterable[Range]) -> Iterator[Span]:
    return ((at, at + size) for way, at, size in ranges if way == direction)


def _clipped(spans: Sequence[Span], at: int, stop: int) -> list[Span]:
    """What of some spans (in order, apart) is from `at` to `stop`."""
    return [(max(a, at), min(b, stop)) for a, b in overlapping(spans, at, stop)]


def _whole(message: Message) -> list[Span]:
    ranges = message.place.ranges
    return list(_of(message.place.direction, ranges.whole)) if ranges is not None else []


def _shape(message: Message) -> tuple[object, ...]:
    if isinstance(message, HttpRequest | HttpResponse):
        word: object = message.method if isinstance(message, HttpRequest) else message.status
        return type(message), word, len(message.headers), message.body.wire_size
    if isinstance(message, SipMessage):
        return message.kind, message.method, message.status, len(message.headers)
    return (type(message), message.place.direction)
