"""What the sizes and times of encrypted records give away: a client that polls.

A poll has a shape: request and answer of equal sizes every few seconds, on one connection or
on many. So has a phone that tries to renew its token again and again, but for the size of what
it sends. Nothing is read, so what is reported is no more than a likeness.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dissect.model import Fact, Place, TlsConnection

LEAST = 3  # equal exchanges in a row
SHORTEST_NS, LONGEST_NS = 1_000_000_000, 120_000_000_000  # of a poll's interval
JITTER_NS, JITTER = 500_000_000, 0.2  # what a timer and the network may be off
SIZE, SIZE_SHARE = 32, 0.03  # of a request or answer: cookies and ids vary in length
TOKEN_UP = 1200  # bytes of a request: a device code is short, what is larger carries a token
LARGER, LARGER_SHARE = 500, 1.5  # an answer with tokens against one that says "pending"
EXCHANGES_KEPT = 10_000  # of one client with one server


@dataclass(slots=True)
class _Exchange:
    """Records up, then records down: a request and its answer, as far as shapes tell."""

    place: Place
    start_ns: int
    first_frame: int
    last_frame: int
    serial: int
    up: int = 0
    down: int = 0


class Polls:
    """Collects the connections that stayed undecrypted, each with the number it was read as."""

    def __init__(self) -> None:
        self._talks: dict[tuple[int, str, str], list[_Exchange]] = defaultdict(list)
        self._names: dict[tuple[int, str, str], str | None] = {}

    def add(self, row: TlsConnection, serial: int = 0) -> None:
        where = row.place.connection
        if not row.record_sizes or row.inside is not None or where.transport != "tcp":
            return
        key = where.capture, where.client.address, row.server_name or where.server.address
        self._names[key] = row.server_name
        if len(self._talks[key]) < EXCHANGES_KEPT:
            self._talks[key] += _exchanges(row, serial)

    def found(
        self, without: Container[int] = ()
    ) -> Iterator[tuple[Place, str | None, dict[str, Fact]]]:
        """Place, server name and facts of each series of polls: `count`, `interval` (s),
        `bytes_up`, `bytes_down` of one; `answer_bytes` of a last answer that is much larger.
        Connections `without` numbers are reported by another capture."""
        for key, every in self._talks.items():
            talk = [item for item in every if item.serial not in without]
            talk.sort(key=lambda item: (item.start_ns, item.first_frame))
            for series, after in _series(talk):
                yield _place(series, after), self._names[key], _facts(series, after)


def _exchanges(row: TlsConnection, serial: int) -> list[_Exchange]:
    found: list[_Exchange] = []
    answered = True
    for shape in row.record_sizes:
        if shape.direction == 0:
            if answered:
                found.append(_Exchange(row.place, shape.time_ns, shape.frame, shape.frame, serial))
                answered = False
            found[-1].up += shape.length
        elif found:
            answered = True
            found[-1].down += shape.length
        if found:
            found[-1].last_frame = shape.frame
    return found


def _series(talk: Sequence[_Exchange]) -> Iterator[tuple[list[_Exchange], _Exchange | None]]:
    """Runs of like exchanges at even intervals, and the exchange in time after each."""
    start = 0
    while start < len(talk):
        end = start + 1
        while end < len(talk) and _goes_on(talk, start, end):
            end += 1
        if end - start >= LEAST:
            if talk[start].up <= TOKEN_UP:
                yield list(talk[start:end]), talk[end] if end < len(talk) else None
            start = end
        else:
            start += 1


def _goes_on(talk: Sequence[_Exchange], start: int, end: int) -> bool:
    """Whether the exchange at `end` belongs to the series that began at `start`."""
    first, item = talk[start], talk[end]
    usual = talk[start + 1].start_ns - first.start_ns if end > start + 1 else None
    return (
        _alike(first.up, item.up)
        and _alike(first.down, item.down)
        and _in_time(item.start_ns - talk[end - 1].start_ns, usual)
    )


def _in_time(gap: int, usual: int | None) -> bool:
    if not SHORTEST_NS <= gap <= LONGEST_NS:
        return False
    return usual is None or abs(gap - usual) <= max(JITTER_NS, usual * JITTER)


def _alike(one: int, other: int) -> bool:
    return abs(one - other) <= max(SIZE, one * SIZE_SHARE)


def _last(series: Sequence[_Exchange], after: _Exchange | None) -> _Exchange | None:
    """The poll that was answered otherwise: in time, of the same size, with much more back."""
    if after is None or not _alike(series[0].up, after.up):
        return None
    if not _in_time(after.start_ns - series[-1].start_ns, series[1].start_ns - series[0].start_ns):
        return None
    usual = series[0].down
    return after if after.down >= max(usual + LARGER, usual * LARGER_SHARE) else None


def _place(series: Sequence[_Exchange], after: _Exchange | None) -> Place:
    first, end = series[0], _last(series, after) or series[-1]
    place = first.place
    span = place.span._replace(
        first_frame=first.first_frame,
        first_ns=first.start_ns,
        last_frame=end.last_frame,
        last_ns=end.start_ns,
        after_ns=0,
    )
    return Place(place.connection, 0, span, place.encrypted)


def _facts(series: Sequence[_Exchange], after: _Exchange | None) -> dict[str, Fact]:
    from statistics import median  # loads fractions and decimals, which no other run needs

    gaps = [two.start_ns - one.start_ns for one, two in pairwise(series)]
    facts: dict[str, Fact] = {
        "count": len(series),
        "interval": f"{median(gaps) / 1e9:.1f}".removesuffix(".0"),
        "bytes_up": round(median(item.up for item in series)),
        "bytes_down": round(median(item.down for item in series)),
        "ended": "unknown",
    }
    last = _last(series, after)
    if last is not None:
        facts.update(ended="larger answer", answer_bytes=last.down)
    return facts
