"""Which bytes of a TCP direction each message was read from.

Parsers tell frames, not bytes. So what a parser was given is noted, and given once more to
a fresh one, with positions in place of frames, cut ever finer where messages begin and end:
a message's span then is its place. Every parser of streams can be asked so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from dissect.errors import INTERNAL, PASSED, ProtocolError
from dissect.export.segments import Text
from dissect.model import (
    Anomaly,
    Connection,
    Direction,
    Message,
    Output,
    Span,
    StreamParser,
    TcpConnection,
    TlsConnection,
)

MAX_MESSAGES = 20_000  # of one connection whose places are looked for
_SECOND = 1 << 40  # what positions of the second direction begin with
_NS = 1  # positions take the place of frames, times that of nothing


class Call(NamedTuple):
    """What a parser was told: bytes, a gap or the end of a direction; positions in its text."""

    verb: Literal["data", "gap", "end"]
    direction: Direction
    start: int
    stop: int


class Extent(NamedTuple):
    """A message, and where it stands in the text of its direction."""

    message: Message
    start: int
    stop: int


@dataclass(slots=True)
class Trace:
    """All calls of one connection's parser. `texts` are those of its directions; `astray` is
    set where what the parser got is not what stands there."""

    connection: Connection
    texts: tuple[Text, Text]
    calls: list[Call] = field(default_factory=list)
    astray: bool = False
    _shift: list[int | None] = field(default_factory=lambda: [None, None])
    _at: list[int] = field(default_factory=lambda: [0, 0])

    def data(self, direction: Direction, view: bytes | memoryview) -> None:
        text = self.texts[direction]
        at, size = self._at[direction], len(view)
        if self._shift[direction] is None:
            self._shift[direction] = _found(text, bytes(view), at)
        start = at + (self._shift[direction] or 0)
        self._at[direction] += size
        if text.long and start + size > len(text.data):
            return  # beyond the bound: nobody will look at it
        if start < 0 or bytes(text.data[start : start + size]) != bytes(view):
            self.astray = True
        self.calls.append(Call("data", direction, start, start + size))

    def gap(self, direction: Direction, length: int) -> None:
        start = self._at[direction] + (self._shift[direction] or 0)
        self.calls.append(Call("gap", direction, start, start + length))
        self._at[direction] += length

    def end(self, direction: Direction) -> None:
        start = self._at[direction] + (self._shift[direction] or 0)
        self.calls.append(Call("end", direction, start, start))


def _found(text: Text, view: bytes, at: int) -> int | None:
    """How far the text's positions are ahead of what is counted by bytes that were read."""
    for start in (-text.base, 0, 1 - text.base, text.data.find(view)):
        if start >= 0 and text.data[start : start + len(view)] == view:
            return start - at
    return None


class Traced:
    """A parser whose calls are noted."""

    def __init__(self, parser: StreamParser, trace: Trace) -> None:
        self._parser = parser
        self._trace = trace

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        self._trace.data(direction, view)
        return self._parser.data(direction, view, span)

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        self._trace.gap(direction, length)
        return self._parser.gap(direction, length, span)

    def end(self, direction: Direction, span: Span) -> Output:
        self._trace.end(direction)
        return self._parser.end(direction, span)


Oddity = tuple[Direction, int, str]
"""A direction, a position in it, and the kind of an anomaly there."""


def extents(
    trace: Trace, open_parser: Callable[[Connection], StreamParser]
) -> tuple[list[Extent], list[Oddity]] | None:
    """The messages outside of TLS with their places, and what was odd where; None if that
    can't be found out."""
    cuts: tuple[set[int], set[int]] = (set(), set())
    told: list[type] | None = None
    while True:
        replay = _Replay(trace, cuts)
        replay.run(open_parser(trace.connection))
        kinds = [type(extent.message) for extent in replay.messages]
        if len(kinds) > MAX_MESSAGES or (told is not None and kinds != told):
            return None
        told = kinds
        if not replay.refine():
            return replay.messages, replay.oddities


class _Replay:
    """One pass over the calls, cut at some positions."""

    def __init__(self, trace: Trace, cuts: tuple[set[int], set[int]]) -> None:
        self.messages: list[Extent] = []
        self.oddities: list[Oddity] = []
        self._trace = trace
        self._cuts = cuts
        # By direction: the end of each piece by its start, and the other way round.
        self._stops: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._starts: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def run(self, parser: StreamParser) -> None:
        marks = [sorted(cuts) for cuts in self._cuts]
        try:
            for call in self._trace.calls:
                if call.verb != "data":
                    span = _span(call.direction, call.start, call.stop)
                    if call.verb == "gap":
                        self._take(parser.gap(call.direction, call.stop - call.start, span))
                    else:
                        self._take(parser.end(call.direction, span))
                    continue
                known = marks[call.direction]
                inside = known[bisect_right(known, call.start) : bisect_left(known, call.stop)]
                for start, stop in pairwise((call.start, *inside, call.stop)):
                    self._piece(parser, call.direction, start, stop)
        except ProtocolError as error:
            self.oddities.append((call.direction, call.start, error.kind))
        except PASSED:
            raise
        except Exception:  # a bug of ours, told when the capture was read
            self.oddities.append((call.direction, call.start, INTERNAL))

    def _piece(self, parser: StreamParser, direction: Direction, start: int, stop: int) -> None:
        self._stops[direction][start] = stop
        self._starts[direction][stop] = start
        view = bytes(self._trace.texts[direction].data[start:stop])
        self._take(parser.data(direction, view, _span(direction, start, stop)))

    def _take(self, output: Output) -> None:
        for item in output:
            if isinstance(item, Anomaly):
                frame = item.frame or 0
                direction: Direction = 1 if frame >= _SECOND else 0
                self.oddities.append((direction, frame - direction * _SECOND, item.kind))
            elif is_clear(item):
                span, origin = item.place.span, item.place.direction * _SECOND
                start, stop = span.first_frame - origin, span.last_frame - origin
                self.messages.append(Extent(item, start, stop))

    def refine(self) -> bool:
        """Cut the pieces in which messages begin and end; False if they are bytes already."""
        finer = False
        for message, first, last in self.messages:
            direction = message.place.direction
            begins = first, self._stops[direction].get(first, first)
            ends = self._starts[direction].get(last, last), last
            for start, stop in (begins, ends):
                if stop - start > 1:
                    self._cuts[direction].add((start + stop) // 2)
                    finer = True
        return finer


def is_clear(message: Message) -> bool:
    """Whether a message was sent without TLS."""
    rows = TlsConnection, TcpConnection
    return not isinstance(message, rows) and not message.place.encrypted


def _span(direction: Direction, start: int, stop: int) -> Span:
    origin = direction * _SECOND
    return Span(origin + start, _NS, origin + stop, _NS)
