"""The tables of the HTML report: timing, redirects, TLS, anomalies."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dissect.model import Source
from dissect.render import words
from dissect.render.details import AnomalyView, ExchangeView, RedirectView, TlsView
from dissect.render.words import SECOND

MAX_CHAINS = 100
MIN_BAR = 0.4  # percent: what is too short to be seen is still drawn
IDLE_NS = SECOND // 2
"""A time of at least this in which nobody waits for an answer is a mark on the axis."""
MARK = 2.0  # percent of the axis that a mark takes
MAX_MARKED = 40.0  # percent that all marks take


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing table: its rows, what the axis spans, and where (percent) idle time was cut
    out of it, each as (left, width)."""

    rows: tuple[dict[str, Any], ...] = ()
    axis: str = ""
    marks: tuple[tuple[float, float], ...] = ()


class _Axis:
    """Times to percent, long idle times folded, so that what took milliseconds is seen
    though a user typed for half a minute."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        busy: list[list[int]] = []
        for start, end in sorted(spans):
            if busy and start - busy[-1][1] < IDLE_NS:
                busy[-1][1] = max(busy[-1][1], end)
            else:
                busy.append([start, end])
        idle = len(busy) - 1
        self.mark = min(MARK, MAX_MARKED / idle) if idle > 0 else 0.0
        scale = (100 - idle * self.mark) / max(1, sum(end - start for start, end in busy))
        # Where each busy time begins: ns, percent.
        self._starts: list[int] = []
        self._places: list[float] = []
        self.marks: list[tuple[float, float]] = []
        self._scale = scale
        place = 0.0
        for number, (start, end) in enumerate(busy):
            if number:
                self.marks.append((round(place, 2), round(self.mark, 2)))
                place += self.mark
            self._starts.append(start)
            self._places.append(place)
            place += (end - start) * scale

    def place(self, time_ns: int) -> float:
        number = bisect_right(self._starts, time_ns) - 1
        return self._places[number] + (time_ns - self._starts[number]) * self._scale


def timing(exchanges: Sequence[ExchangeView], zero_ns: int) -> Timing:
    """Rows with bars on a common axis."""
    if not exchanges:
        return Timing()
    spans = [(row.start_ns, max(row.start_ns, row.end_ns or 0)) for row in exchanges]
    axis = _Axis(spans)
    rows = []
    for row, (start, end) in zip(exchanges, spans, strict=True):
        took = None if row.end_ns is None else end - start
        left = axis.place(start)
        width = max(MIN_BAR, axis.place(end) - left)
        rows.append(
            {
                "at": words.clock(row.start_ns - zero_ns),
                "method": row.method,
                "host": row.host,
                "url": row.url,
                "location": row.location,
                "status": row.status or "–",
                "bad": row.status >= 400 or row.status == 0,
                "took": "no answer" if took is None else words.duration(took),
                "frames": frames(row.source),
                "x": round(min(left, 100 - width), 2),
                "width": round(width, 2),
            }
        )
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    text = f"{words.clock(first - zero_ns)} to {words.clock(last - zero_ns)}"
    if axis.marks:
        text += f", idle times from {words.duration(IDLE_NS)} cut out"
    return Timing(tuple(rows), text, tuple(axis.marks))


def frames(source: Source) -> str:
    last = source.last_frame
    numbers = f"{source.first_frame}" + (f"–{last}" if last != source.first_frame else "")
    return f"{numbers} of {source.capture.replace(chr(92), '/').rpartition('/')[2]}"


def redirect_chains(hops: Sequence[RedirectView]) -> list[list[dict[str, Any]]]:
    """Hops by chain."""
    chains: dict[int, list[dict[str, Any]]] = {}
    for redirect in hops:
        chains.setdefault(redirect.chain, []).append(
            {
                "start": redirect.start,
                "target": redirect.target,
                "status": redirect.status or "–",
                "kind": redirect.kind,
                "carried": redirect.carried,
                "frames": frames(redirect.source),
                "followed": redirect.followed,
            }
        )
    return list(chains.values())[:MAX_CHAINS]


def tls_rows(rows: Sequence[TlsView]) -> list[dict[str, Any]]:
    return [
        {
            "name": row.name,
            "client": row.client,
            "server": row.server,
            "frames": frames(row.source),
            "version": row.version,
            "suite": row.suite,
            "decrypted": row.decrypted,
            "mark": row.decrypted if row.decrypted in ("full", "partial", "none") else "none",
            "reason": row.reason,
            "why": row.why,
            "log": row.keys,
            "alerts": row.alerts,
        }
        for row in rows
    ]


def anomaly_rows(rows: Sequence[AnomalyView]) -> list[dict[str, Any]]:
    return [
        {"kind": row.kind, "capture": row.capture, "frame": row.frame, "sentence": row.sentence}
        for row in rows
    ]
