"""What a file without secrets shows of messages that were sent without TLS.

Their secrets are overwritten, byte by byte, so that lengths, sequence numbers and framing
stay. Where that can't be done (compressed, encoded, not understood, or the messages read
back differ) the frames are cut behind their headers, and it is said of which stream.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from dissect.capture import Packet
from dissect.errors import ProtocolError
from dissect.export import clear
from dissect.export.locate import Stream
from dissect.export.segments import Segment, Segments, Text, rewritten
from dissect.model import (
    Anomaly,
    Connection,
    Direction,
    HttpRequest,
    HttpResponse,
    Message,
    Output,
    Secret,
    SipMessage,
    Span,
    StreamParser,
    TcpConnection,
    TlsConnection,
)
from dissect.protocols.base import Layer
from dissect.protocols.sniff import opener
from dissect.protocols.sniff_udp import open_udp
from dissect.protocols.tls.secrets import SecretStore
from dissect.signin.masking import SHORTEST, Masks
from dissect.transport import Assembler

Packets = Callable[[], Iterable[Packet]]

# Oddities after which a parser has nevertheless told all that it was given.
_HARMLESS = ("tls.", "sip.tls_dsk", "http2.goaway", "http2.reset", "tcp.order", "capture.")
# The first record of a TLS connection: a client hello, a server hello (RFC 8446 §5.1, §4).
_HELLO = re.compile(rb"\x16\x03[\x00-\x04][\x00-\x48].[\x01\x02]\x00", re.S)


@dataclass(slots=True)
class Masked:
    """What to change: bytes by frame and offset, and frames to end at an offset.

    `values` counts the secrets overwritten; `left_out` says of which streams what is missing.
    """

    values: int = 0
    left_out: dict[Stream, str] = field(default_factory=dict)
    _changes: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    _segments: dict[int, Segment] = field(default_factory=dict)
    _cuts: dict[int, int] = field(default_factory=dict)
    _first: dict[Stream, int] = field(default_factory=dict)

    def overwrite(self, segment: Segment, start: int, end: int) -> None:
        self._segments[segment.frame] = segment
        change = segment.start + start, clear.FILLER * (end - start)
        self._changes.setdefault(segment.frame, []).append(change)

    def cut(self, frame: int, offset: int) -> None:
        self._cuts[frame] = min(offset, self._cuts.get(frame, offset))

    def apply(self, frame: int, data: bytes, whole: bool) -> bytes:
        """The bytes of a frame as they may leave; `whole`: it was captured to its end."""
        cut = self._cuts.get(frame)
        if cut is not None:
            return data[:cut]
        changes = self._changes.get(frame)
        return rewritten(data, self._segments[frame], changes, whole) if changes else data

    def told(self) -> Iterator[tuple[str, int, str]]:
        """Transport, first frame and reason for each stream that is left out."""
        for (transport, number), reason in self.left_out.items():
            yield transport.upper(), self._first.get((transport, number), 0), reason

    def packets(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        for frame, ns, link, buf, start, caplen, length in packets:
            data = self.apply(frame, bytes(buf[start : start + caplen]), caplen == length)
            yield frame, ns, link, data, 0, len(data), length


def masked(index: int, packets: Packets, book: Iterable[Secret]) -> Masked:
    """How the packets of a capture can leave without secrets.

    `packets` gives them as often as it is asked; `book` are the secrets that the session
    knows from all messages, encrypted ones too.
    """
    places = Segments(index)
    places.feed(packets())
    before = _Parsed(index, packets())
    everything = [*book, *before.secrets()]
    masks = clear.known(secret for secret in everything if len(secret.value) >= SHORTEST)
    result = Masked()
    streams = sorted({stream for stream, _ in places.texts})
    for stream in streams:
        texts = [text for (of, _), text in places.texts.items() if of == stream]
        _mask(result, stream, texts, before, masks)
    _cut(result, places)
    values = {secret.value for secret in before.secrets() if len(secret.value) >= SHORTEST}
    after = _Parsed(index, result.packets(packets()))
    for stream in streams:
        if stream not in result.left_out and not _same(before, after, stream, values):
            result.left_out[stream] = "its secrets can't be overwritten without changing it"
    _cut(result, places)
    return result


def _mask(result: Masked, stream: Stream, texts: list[Text], before: _Parsed, masks: Masks) -> None:
    """Overwrite the secrets of one stream, or say why not."""
    reason = before.unreadable(stream)
    messages, tls = before.clear.get(stream, []), stream in before.tls
    borders = [_border(text, tls) for text in texts]
    if not reason and any(text.conflict for text in texts) and (messages or not tls):
        reason = "some of its bytes came twice and differed, or in IP fragments"
    if not reason and any(text.long for text in texts) and not tls:
        reason = "it is too long to be looked through"
    if reason:
        result.left_out[stream] = reason
        return
    # Both directions in one text, with something between them that no value holds.
    joined, starts = b"", []
    for text, border in zip(texts, borders, strict=True):
        starts.append(len(joined))
        joined += bytes(text.data[:border]) + b"\0\0"
    values = list(masks.found(joined.decode("latin-1")))
    try:
        spans = _joined([*clear.spans(messages, joined, values), *values])
    except clear.NotMaskable as why:
        result.left_out[stream] = str(why)
        return
    result.values += len(spans)
    for start, end in spans:
        number = max(n for n, first in enumerate(starts) if first <= start)
        _overwrite(result, texts[number], start - starts[number], end - starts[number])


def _joined(spans: Iterable[clear.Span]) -> list[clear.Span]:
    """Spans in order, overlapping ones as one."""
    found: list[clear.Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def _overwrite(result: Masked, text: Text, start: int, end: int) -> None:
    for segment in text.segments:
        place = segment.position - text.base
        first = max(start, place)
        last = min(end, place + segment.end - segment.start)
        if first < last:
            result.overwrite(segment, first - place, last - place)


def _border(text: Text, tls: bool) -> int:
    """How many bytes of a direction come before its TLS: all, if there is none."""
    hello = _HELLO.search(text.data) if tls else None
    return hello.start() if hello else len(text.data)


def _cut(result: Masked, places: Segments) -> None:
    """End the frames of the streams that are left out behind their headers, and quotations
    and fragments of all whose payload was changed."""
    changed = {segment.side[0] for segment in result._segments.values()}
    for (stream, _), text in places.texts.items():
        if stream in result.left_out:
            for segment in text.segments:
                result.cut(segment.frame, segment.start)
                first = result._first.setdefault(stream, segment.frame)
                result._first[stream] = min(first, segment.frame)
    for piece in places.pieces:
        if piece.stream in changed or piece.stream in result.left_out:
            result.cut(piece.frame, piece.start)


class _Watched:
    """A parser of datagrams; `unread` is called where one is more than the messages in it."""

    def __init__(self, parser: StreamParser, unread: Callable[[], None]) -> None:
        self._parser = parser
        self._unread = unread

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        datagram = bytes(view)
        try:
            out = list(self._parser.data(direction, view, span))
        except ProtocolError:
            self._unread()
            raise
        messages = [item for item in out if not isinstance(item, Anomaly)]
        content = datagram.strip(b"\r\n\0 \t")  # keep-alives (RFC 5626 §3.5.1) tell nothing
        more = any(isinstance(item, SipMessage) and _longer(datagram, item) for item in messages)
        if more or (content and not messages):
            self._unread()
        return out

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return self._parser.gap(direction, length, span)

    def end(self, direction: Direction, span: Span) -> Output:
        return self._parser.end(direction, span)


def _longer(datagram: bytes, message: SipMessage) -> bool:
    """Whether bytes follow a message (RFC 3261 §18.3), or its head has no end."""
    _, border, rest = datagram.replace(b"\r\n", b"\n").partition(b"\n\n")
    body = bytes(message.body.data).replace(b"\r\n", b"\n")
    return not border or len(rest.rstrip(b"\n\0 \t")) > len(body)


class _Parsed:
    """The messages of some packets by stream, read without any key."""

    def __init__(self, index: int, packets: Iterable[Packet]) -> None:
        self.clear: dict[Stream, list[Message]] = {}
        self.tls: dict[Stream, TlsConnection] = {}
        self.anomalies: dict[Stream, str] = {}
        open_child = opener(SecretStore())

        def open_tcp(connection: Connection) -> StreamParser:
            return open_child(Layer(connection, open_child))

        def open_datagrams(connection: Connection) -> StreamParser:
            layer = Layer(connection, open_child)
            return _Watched(open_udp(layer), partial(self._unread, connection))

        assembler = Assembler(index, open_tcp, open_datagrams, self._emit)
        assembler.feed(packets)
        assembler.finish()

    def _unread(self, connection: Connection) -> None:
        self.anomalies.setdefault(("udp", connection.stream), "a datagram of another kind")

    def _emit(self, output: Message | Anomaly) -> None:
        if isinstance(output, Anomaly):
            # Those of datagrams are told by `_Watched`: they name no transport.
            if output.stream is not None and not output.kind.startswith(_HARMLESS):
                self.anomalies.setdefault(("tcp", output.stream), output.kind)
            return
        connection = output.place.connection
        stream = connection.transport, connection.stream
        if isinstance(output, TlsConnection):
            if output.inside is None:
                self.tls[stream] = output
        elif not isinstance(output, TcpConnection) and not output.place.encrypted:
            self.clear.setdefault(stream, []).append(output)

    def secrets(self) -> Iterator[Secret]:
        for messages in self.clear.values():
            for message in messages:
                yield from clear.secrets_of(message)

    def unreadable(self, stream: Stream) -> str:
        """Why nobody can tell what is secret in a stream; empty if one can."""
        row = self.tls.get(stream)
        if row is not None and "NULL" in (row.cipher_suite or ""):
            return "its cipher suite does not encrypt"
        if stream in self.clear:
            kind = self.anomalies.get(stream)
            if kind:
                return f"not all of it could be read ({kind})"
            if row is None and _switched(self.clear[stream]):
                return "the protocol that it switched to is not known"
            return ""
        return "" if row is not None else "its protocol is not known"


def _switched(messages: list[Message]) -> bool:
    """Whether nothing was read behind a CONNECT or Upgrade that was granted (RFC 9110 §7.8,
    §9.3.6); without TLS, that is."""
    tunnels = {
        message.exchange
        for message in messages
        if isinstance(message, HttpRequest) and message.method == "CONNECT"
    }
    granted = [
        number
        for number, message in enumerate(messages)
        if isinstance(message, HttpResponse)
        and (message.status == 101 or (message.exchange in tunnels and message.status // 100 == 2))
    ]
    return bool(granted) and granted[-1] == len(messages) - 1


def _same(before: _Parsed, after: _Parsed, stream: Stream, values: set[str]) -> bool:
    """Whether the messages are the same but for their secrets, of which none is left."""
    old, new = before.clear.get(stream, []), after.clear.get(stream, [])
    left = (secret.value for message in new for secret in clear.secrets_of(message))
    return [*map(_shape, old)] == [*map(_shape, new)] and values.isdisjoint(left)


def _shape(message: Message) -> tuple[object, ...]:
    if isinstance(message, HttpRequest | HttpResponse):
        word: object = message.method if isinstance(message, HttpRequest) else message.status
        return type(message), word, len(message.headers), message.body.wire_size
    if isinstance(message, SipMessage):
        return message.kind, message.method, message.status, len(message.headers)
    return (type(message), message.place.direction)
