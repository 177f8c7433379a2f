"""The tables of the HTML report: timing, redirects, TLS, oddities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dissect.model import Source
from dissect.render import words
from dissect.render.details import AnomalyView, ExchangeView, HopView, TlsView

MAX_CHAINS = 100
MIN_BAR = 0.4  # percent: what is too short to be seen is still drawn


def exchange_rows(
    exchanges: Sequence[ExchangeView], zero_ns: int
) -> tuple[list[dict[str, Any]], str]:
    """Rows with bars on a common axis, and what the axis spans."""
    if not exchanges:
        return [], ""
    start = min(row.start_ns for row in exchanges)
    end = max(max(row.start_ns, row.end_ns or 0) for row in exchanges)
    span = max(1, end - start)
    rows = []
    for row in exchanges:
        took = None if row.end_ns is None else max(0, row.end_ns - row.start_ns)
        left = 100 * (row.start_ns - start) / span
        width = max(MIN_BAR, 100 * (took or 0) / span)
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
    axis = f"{words.clock(start - zero_ns)} to {words.clock(end - zero_ns)}"
    return rows, axis


def frames(source: Source) -> str:
    last = source.last_frame
    numbers = f"{source.first_frame}" + (f"–{last}" if last != source.first_frame else "")
    return f"{numbers} of {source.capture.replace(chr(92), '/').rpartition('/')[2]}"


def redirect_chains(hops: Sequence[HopView]) -> list[list[dict[str, Any]]]:
    """Hops by chain."""
    chains: dict[int, list[dict[str, Any]]] = {}
    for hop in hops:
        chains.setdefault(hop.chain, []).append(
            {
                "start": hop.start,
                "target": hop.target,
                "status": hop.status or "–",
                "kind": hop.kind,
                "carried": hop.carried,
                "frames": frames(hop.source),
                "followed": hop.followed,
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
