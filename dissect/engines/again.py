"""A second look at a capture: the bytes that messages were read from.

A message tells its ranges (`model.Ranges`), its bytes are not kept. Who needs them reads the
capture again: the same tables number the streams, the same parsers count the bytes, also of
what TLS hid, so that the offsets are those of the first time. Only the streams asked for get a
parser.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dissect.capture import CaptureFile, Packet, open_capture
from dissect.capture.spool import Spool
from dissect.engines import CaptureInput
from dissect.engines.key_material import secret_store
from dissect.model import (
    Anomaly,
    Body,
    Connection,
    Direction,
    HttpRequest,
    HttpResponse,
    Message,
    Output,
    Place,
    Range,
    SipMessage,
    Span,
    StreamParser,
)
from dissect.protocols.base import Layer, StreamReader
from dissect.protocols.content import Allowance
from dissect.protocols.sniff import Ignore, opener
from dissect.protocols.sniff_udp import open_udp
from dissect.protocols.tls.secret_store import SecretStore
from dissect.transport import Assembler

MAX_BYTES = 64 << 20
"""Bytes of one direction of a stream that are kept."""

Stream = tuple[str, int]
"""("tcp" or "udp", number)"""
StreamDirection = tuple[Stream, tuple[int, ...], Direction]
"""A direction of a stream; the numbers are `Ranges.stream`."""

BodyKey = tuple[Stream, int, tuple[int, ...], tuple[Range, ...]]

_WAYS: tuple[Direction, Direction] = (0, 1)


@dataclass(slots=True)
class Text:
    """The bytes of a direction, by their offsets, up to `limit`; `long`: there are more, up to
    `end`. `holes` begin and end where bytes were lost."""

    limit: int
    data: bytearray = field(default_factory=bytearray)
    holes: list[tuple[int, int]] = field(default_factory=list)
    long: bool = False
    end: int = 0

    def add(self, offset: int, view: bytes | memoryview) -> None:
        """Bytes that were handed to a parser; what it had already is not taken again."""
        end = len(self.data)
        if offset < end:
            view = view[end - offset :]
            offset = end
        if not len(view):
            return
        self.end = max(self.end, offset + len(view))
        if self.long or self.end > self.limit:
            self.long = True
            return
        if offset > end:
            self.holes.append((end, offset))
            self.data += bytes(offset - end)
        self.data += view

    def read(self, offset: int, size: int) -> bytes | None:
        """Some of the bytes; None if they are not all here."""
        stop = offset + size
        if stop > len(self.data) or overlapping(self.holes, offset, stop):
            return None
        return bytes(self.data[offset:stop])


def overlapping(
    spans: Sequence[tuple[int, int]], start: int, stop: int
) -> Sequence[tuple[int, int]]:
    """Those of `spans` (in order, apart) that have something of what is from `start` to `stop`."""
    first = bisect_right(spans, start, key=_last)
    return spans[first : bisect_left(spans, stop, key=_first)]


def _first(span: tuple[int, int]) -> int:
    return span[0]


def _last(span: tuple[int, int]) -> int:
    return span[1]


class Openers:
    """Opens the parsers of a second look, and keeps what they get: `texts`, of each direction
    `limit` bytes. `wanted` are the streams that get one (None: all), `deep` says whether what is
    inside TLS is kept, too."""

    def __init__(
        self,
        store: SecretStore,
        plugins: Sequence[StreamReader] = (),
        wanted: frozenset[Stream] | None = None,
        deep: bool = False,
        limit: int = MAX_BYTES,
    ) -> None:
        self.texts: dict[StreamDirection, Text] = {}
        self._plugins = plugins
        self._wanted = wanted
        self._deep = deep
        self._limit = limit
        self._allowance = Allowance()
        self._open_child = opener(store, plugins, self._kept)

    def tcp(self, connection: Connection) -> StreamParser:
        if not self._is_wanted(connection):
            return Ignore()
        return self._open_child(Layer(connection, self._open_child, allowance=self._allowance))

    def udp(self, connection: Connection) -> StreamParser:
        if not self._is_wanted(connection):
            return Ignore()
        layer = Layer(connection, self._open_child, allowance=self._allowance)
        return self._kept(layer, open_udp(layer, self._plugins))

    def _is_wanted(self, connection: Connection) -> bool:
        return self._wanted is None or (connection.transport, connection.stream) in self._wanted

    def _kept(self, layer: Layer, parser: StreamParser) -> StreamParser:
        if not self._limit or (layer.stream and not self._deep):
            return parser
        stream = layer.connection.transport, layer.connection.stream
        one, other = (
            self.texts.setdefault((stream, layer.stream, way), Text(self._limit)) for way in _WAYS
        )
        return _KeptStreams(parser, (one, other))


class _KeptStreams:
    """A parser; what it is given is kept as well."""

    def __init__(self, parser: StreamParser, texts: tuple[Text, Text]) -> None:
        self._parser = parser
        self._texts = texts

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        self._texts[direction].add(span.offset, view)
        return self._parser.data(direction, view, span)

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return self._parser.gap(direction, length, span)

    def end(self, direction: Direction, span: Span) -> Output:
        return self._parser.end(direction, span)


@dataclass(slots=True)
class Again:
    """What a second look at some streams of one capture gave."""

    messages: list[Message]
    texts: dict[StreamDirection, Text]

    def read(self, place: Place, wanted: Iterable[Range]) -> bytes | None:
        """The bytes of some ranges of a message, joined; None if they are not all here."""
        ranges, connection = place.ranges, place.connection
        found = []
        for direction, offset, size in wanted if ranges is not None else ():
            stream = connection.transport, connection.stream
            text = self.texts.get((stream, ranges.stream, direction)) if ranges else None
            part = text.read(offset, size) if text is not None else None
            if part is None:
                return None
            found.append(part)
        return b"".join(found) if ranges is not None else None


def again(
    item: CaptureInput,
    index: int,
    wanted: frozenset[Stream],
    plugins: Sequence[StreamReader] = (),
    spool: Spool | None = None,
) -> Again:
    """The messages of some streams of a capture once more, with their bytes, also of what
    `item`'s keys decrypt. `spool` has what came on standard input.

    Raises CaptureError, UsageError as reading did.
    """
    with reopened(item, index, spool) as capture:
        store, _, _ = secret_store(capture, item)
        openers = Openers(store, plugins, wanted, deep=True)
        messages: list[Message] = []

        def emit(output: Message | Anomaly) -> None:
            if not isinstance(output, Anomaly):
                messages.append(output)

        parsed(index, openers, emit, capture.packets())
    return Again(messages, openers.texts)


def bodies(
    inputs: Sequence[CaptureInput],
    places: Iterable[Place],
    plugins: Sequence[StreamReader] = (),
    spool: Spool | None = None,
) -> dict[BodyKey, Body]:
    """The bodies of messages at some places, decoded as when they were first read, by `key`.
    A message whose ranges are not told has none here.

    Raises CaptureError, UsageError as reading did.
    """
    wanted: dict[int, set[BodyKey]] = {}
    for place in places:
        if place.ranges is not None:
            wanted.setdefault(place.connection.capture, set()).add(body_key(place))
    found: dict[BodyKey, Body] = {}
    for index, keys in wanted.items():
        _collect(inputs[index], index, keys, found, plugins, spool)
    return found


def _collect(
    item: CaptureInput,
    index: int,
    keys: set[BodyKey],
    found: dict[BodyKey, Body],
    plugins: Sequence[StreamReader],
    spool: Spool | None,
) -> None:
    """Add the bodies of a capture's messages with these keys; no others are held."""

    def emit(output: Message | Anomaly) -> None:
        if isinstance(output, HttpRequest | HttpResponse | SipMessage):
            which = body_key(output.place)
            if which in keys:
                found[which] = output.body

    with reopened(item, index, spool) as capture:
        store, _, _ = secret_store(capture, item)
        streams = frozenset(stream for stream, *_ in keys)
        openers = Openers(store, plugins, streams, limit=0)
        parsed(index, openers, emit, capture.packets())


def body_key(place: Place) -> BodyKey:
    """What tells a message from all others: its capture, its stream, its bytes."""
    connection, ranges = place.connection, place.ranges
    stream = connection.transport, connection.stream
    if ranges is None:
        return stream, connection.capture, (), ()
    return stream, connection.capture, ranges.stream, ranges.whole


def parsed(
    index: int,
    openers: Openers,
    emit: Callable[[Message | Anomaly], None],
    packets: Iterable[Packet],
) -> None:
    """Run some packets through the parsers."""
    assembler = Assembler(index, openers.tcp, openers.udp, emit)
    assembler.feed(packets)
    assembler.finish()


def reopened(item: CaptureInput, index: int, spool: Spool | None) -> CaptureFile:
    """A capture to read again. Raises CaptureError, and UsageError as `Spool.again` says."""
    if item.name != "-":
        return open_capture(item.name, index)
    return (spool or Spool()).again(index)
