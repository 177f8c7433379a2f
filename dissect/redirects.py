"""Redirect chains as rows: a sign-in followed across hosts, one row a hop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dissect.pipeline import Session
from dissect.render.words import rfc3339
from dissect.signin.exchange import pair
from dissect.signin.hops import hops, url_of

Row = dict[str, Any]


def redirects(run: Session, warnings: list[str] | None = None) -> Iterator[Row]:
    """One row a hop, by chain and within it by time. A bound that was reached is added to
    `warnings`.

    Keys beside the common ones (of the answer that leads on): `chain` and `hop` count from
    1; `from` and `to` are URLs without query; `status`, `kind` (location, refresh, meta,
    form, script), `why` and `cookies` (lists of names), `followed` and `to_frame`: whether
    the same client went there, and in which frame (null if not captured).
    """
    found = hops(pair(run.messages), warnings)
    for hop in sorted(found, key=lambda item: (item.chain, item.number)):
        response = hop.exchange.response
        place = response.place if response is not None else hop.exchange.place
        connection = place.connection
        yield {
            "capture": run.names[connection.capture],
            "stream": connection.stream,
            "first_frame": place.span.first_frame,
            "last_frame": place.span.last_frame,
            "time": rfc3339(place.span.first_ns),
            "client": str(connection.client),
            "server": str(connection.server),
            "encrypted": place.encrypted,
            "chain": hop.chain,
            "hop": hop.number,
            "from": _shown(run, url_of(hop.exchange)),
            "to": _shown(run, hop.url),
            "status": hop.exchange.status,
            "kind": hop.kind,
            "why": [run.policy.scrub(item) for item in hop.why],
            "cookies": [run.policy.show(run.policy.name(name)) for name in hop.cookies],
            "followed": hop.target is not None,
            "to_frame": hop.target.place.span.first_frame if hop.target is not None else None,
        }


def _shown(run: Session, url: str) -> str:
    """A URL as far as it is no secret: what it carries is named in `why`."""
    bare = url.partition("#")[0].partition("?")[0]
    return run.policy.show(run.policy.url(bare))
