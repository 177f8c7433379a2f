"""What a file without secrets shows of messages that were sent without TLS.

Only what is accounted for stays: bytes of messages that were read, TLS records, headers.
Secrets and all other bytes are overwritten, so that lengths, sequence numbers and framing
stay; where nothing can be read, or the messages read back differ, the frames are cut behind
their headers. Both is said.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from dissect.capture import Packet
from dissect.export import clear, records
from dissect.export.changes import Masked
from dissect.export.headers import FILLER
from dissect.export.locate import Stream
from dissect.export.parsed import Parsed, open_tcp, switched
from dissect.export.segments import Segment, Segments, Text
from dissect.export.traces import Extent, Oddity, extents
from dissect.export.units import BLANKS, NOTHING, UNREAD, Fill, Unit, blank, gaps, merged, unit
from dissect.model import (
    UNKNOWN,
    Direction,
    HttpRequest,
    HttpResponse,
    Message,
    SipMessage,
)
from dissect.redaction.masking import SHORTEST, Masks
from dissect.redaction.policy import Policy

Packets = Callable[[], Iterable[Packet]]

_DIRECTIONS: tuple[Direction, Direction] = (0, 1)
_NEAR = 4  # blanks around unread bytes, which stay, are odd with them
_TWICE = "its bytes came twice and differed"
_LONG = "it is too long to be looked through"
_UNKNOWN = "its protocol is not known"


def masked(index: int, packets: Packets, policy: Policy) -> Masked:
    """How the packets of a capture can leave without secrets.

    `packets` gives them as often as it is asked; `policy` is that of the session, which
    knows the secrets of all messages, encrypted ones too.
    """
    places = Segments(index)
    places.feed(packets())
    before = Parsed(index, packets(), places.texts)
    values = {s for s in before.secrets(policy) if len(s.value) >= SHORTEST}
    everywhere = [secret for secret in values if secret.kind != UNKNOWN]
    masks = clear.known([*policy.book.known(), *everywhere])
    work = _Work(places, before, masks, policy)
    streams: dict[Stream, list[Text]] = {}
    for (stream, _), text in places.texts.items():
        streams.setdefault(stream, []).append(text)
    for stream, texts in sorted(streams.items()):
        work.stream(stream, texts)
    result = work.result
    after = Parsed(index, result.packets(packets()))
    hidden = {secret.value for secret in values}
    for stream, texts in streams.items():
        if stream not in result.left_out and not work.same(stream, after, hidden):
            reason = "its secrets can't be overwritten without changing it"
            work.leave_out(stream, texts, reason)
    for piece in places.pieces:
        result.tell(piece.stream, piece.reason, piece.frame, 0)
    for frame, heads in places.heads.items():
        if heads.reason:
            result.tell(None, heads.reason, frame, 0)
    return result


class _Work:
    """Goes through the streams of one capture."""

    def __init__(self, places: Segments, before: Parsed, masks: Masks, policy: Policy) -> None:
        self.result = Masked(places.heads)
        self._before = before
        self._masks = masks
        self._policy = policy
        self._kept: dict[Stream, list[Message]] = {}

    def leave_out(self, stream: Stream, texts: Iterable[Text], reason: str) -> None:
        self.result.left_out[stream] = reason
        for text in texts:
            self.result.leave_out(stream, text.segments)

    def stream(self, stream: Stream, texts: Sequence[Text]) -> None:
        """Overwrite what has to be, or say why the whole has to stay out."""
        row = self._before.tls.get(stream)
        known = stream in self._before.clear or row is not None
        reason = "" if known else _UNKNOWN
        if any(text.far for text in texts):
            reason = reason or "its sequence numbers are too far apart"
        if row is not None and "NULL" in (row.cipher_suite or ""):
            reason = "its cipher suite does not encrypt"
        if not reason:
            reason = self._tcp(stream, texts) if stream[0] == "tcp" else self._udp(stream, texts)
        if reason:
            self.leave_out(stream, texts, reason)

    # ------------------------------------------------------------ streams

    def _tcp(self, stream: Stream, texts: Sequence[Text]) -> str:
        trace = self._before.traces.get(stream)
        found: tuple[list[Extent], list[Oddity]] | None = ([], [])
        if trace is not None and stream in self._before.clear:
            found = None if trace.astray else extents(trace, open_tcp)
        if trace is None or found is None:
            return "where its messages are can't be told"
        messages, oddities = found
        tls = stream in self._before.tls
        reason = UNREAD
        if not tls and switched(self._before.clear.get(stream, [])):
            reason = "the protocol that it switched to is not known"
        search = clear.Search()
        for direction in _DIRECTIONS:
            text = trace.texts[direction]
            here = [extent for extent in messages if extent.message.place.direction == direction]
            here.sort(key=lambda extent: extent.start)
            odd = sorted((at, kind) for way, at, kind in oddities if way == direction)
            fills = [*self._messages(stream, here, text, search), *_around(here, text, tls)]
            fills = [_explained(fill, odd, reason) for fill in fills]
            self._overwrite(stream, text, fills)
        # Texts of ends that the connection does not know are nobody's.
        for text in texts:
            if all(text is not known for known in trace.texts):
                self._overwrite(stream, text, [Fill(0, len(text.data), NOTHING, UNREAD)])
        return ""

    def _messages(
        self, stream: Stream, here: Iterable[Extent], text: Text, search: clear.Search
    ) -> Iterator[Fill]:
        for message, start, stop in here:
            data = bytes(text.data[start:stop])
            if any(first < stop and start < last for first, last in text.conflicts):
                done = blank(data, _TWICE)
            elif any(a - text.base < stop and start < b - text.base for a, b in text.torn):
                done = blank(data, "some of it came in IP fragments")
            else:
                done = unit(self._policy, message, data, self._masks, search)
            yield from self._done(stream, message, done, start)

    def _done(self, stream: Stream, message: Message, done: Unit, start: int) -> Iterator[Fill]:
        self.result.values += done.values
        if not done.gone:
            self._kept.setdefault(stream, []).append(message)
        return (fill.moved(start) for fill in done.fills)

    # ------------------------------------------------------------ datagrams

    def _udp(self, stream: Stream, texts: Sequence[Text]) -> str:
        told = self._before.datagrams.get(stream, {})
        search = clear.Search()
        seen: dict[bytes, list[Fill] | None] = {}
        for text in texts:
            for segment in text.segments:
                start = segment.position - text.base
                data = bytes(text.data[start : start + segment.end - segment.start])
                if len(data) < segment.end - segment.start:
                    continue  # beyond the bound; `_overwrite` cuts it
                if data not in seen:
                    seen[data] = self._datagram(stream, data, told.get(data, []), search)
                fills = seen[data]
                if fills is None:
                    self.result.cut(segment.frame, segment.start)
                    reason = "a datagram of another kind"
                    self.result.tell(stream, reason, segment.frame, len(data))
                    continue
                for fill in fills:
                    self._fill(stream, segment, fill)
            self._beyond(stream, text)
        return ""

    def _datagram(
        self, stream: Stream, data: bytes, messages: Sequence[Message], search: clear.Search
    ) -> list[Fill] | None:
        """None if nothing in it can be read."""
        if not data.strip(BLANKS):
            return []
        row = self._before.tls.get(stream)
        if not messages and row is not None and row.quic is not None:
            known = records.quic(data)
            return [Fill(a, b, NOTHING, UNREAD) for a, b in gaps(known, data)] if known else None
        if len(messages) != 1:
            return None
        done = unit(self._policy, messages[0], data, self._masks, search)
        return list(self._done(stream, messages[0], done, 0))

    # ------------------------------------------------------------ frames

    def _overwrite(self, stream: Stream, text: Text, fills: Iterable[Fill]) -> None:
        segments = sorted(text.segments, key=lambda segment: segment.position)
        longest = max((segment.end - segment.start for segment in segments), default=0)
        starts = [segment.position - text.base for segment in segments]
        for fill in fills:
            told = False
            number = bisect_left(starts, fill.start - longest)
            while number < len(segments) and starts[number] < fill.stop:
                segment, place = segments[number], starts[number]
                number += 1
                if place + segment.end - segment.start <= fill.start:
                    continue
                self._fill(stream, segment, fill.moved(-place), told)
                told = True
        for segment in segments:
            if segment.frame in text.stale:
                size = segment.end - segment.start
                keepalive = size == 1
                reason = "" if keepalive else _TWICE
                self._fill(stream, segment, Fill(0, size, NOTHING, reason))
        self._beyond(stream, text)

    def _fill(self, stream: Stream, segment: Segment, fill: Fill, told: bool = False) -> None:
        first, last = max(fill.start, 0), min(fill.stop, segment.end - segment.start)
        self.result.overwrite(segment, first, last, fill.value)
        if fill.reason and not told:
            self.result.tell(stream, fill.reason, segment.frame, fill.stop - fill.start)

    def _beyond(self, stream: Stream, text: Text) -> None:
        """Cut what is beyond the bound."""
        for segment in text.segments:
            size = segment.end - segment.start
            if text.long and segment.position - text.base + size > len(text.data):
                self.result.cut(segment.frame, segment.start)
                self.result.tell(stream, _LONG, segment.frame, size)

    # ------------------------------------------------------------ read again

    def same(self, stream: Stream, after: Parsed, hidden: set[str]) -> bool:
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


def _around(here: Sequence[Extent], text: Text, tls: bool) -> Iterator[Fill]:
    """What no message accounts for, nor a TLS record."""
    parts = merged((start, stop) for _, start, stop in here)
    if tls:
        starts = sorted({segment.position - text.base for segment in text.segments})
        parts += records.tls(text.data, parts[-1][1] if parts else 0, starts)
    for start, stop in gaps(parts, text.data):
        yield Fill(start, stop, NOTHING, UNREAD)


def _explained(fill: Fill, odd: Sequence[tuple[int, str]], reason: str) -> Fill:
    """With what the parser said of those bytes."""
    if fill.reason != UNREAD or fill.value == FILLER:
        return fill
    number = bisect_left(odd, (fill.start - _NEAR, ""))
    if number < len(odd) and odd[number][0] <= fill.stop + _NEAR:
        return fill._replace(reason=f"it could not be read ({odd[number][1]})")
    return fill._replace(reason=reason)


def _shape(message: Message) -> tuple[object, ...]:
    if isinstance(message, HttpRequest | HttpResponse):
        word: object = message.method if isinstance(message, HttpRequest) else message.status
        return type(message), word, len(message.headers), message.body.wire_size
    if isinstance(message, SipMessage):
        return message.kind, message.method, message.status, len(message.headers)
    return (type(message), message.place.direction)
