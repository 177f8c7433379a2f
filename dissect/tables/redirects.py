"""Redirect chains as rows: a sign-in followed across hosts, one row a redirect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.signin.redirect_chain import url_of
from dissect.stages.keep import with_redirects
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

COLUMNS = (
    *COMMON,
    Column("chain", "number of the chain, from 1"),
    Column("hop", "number of the hop in its chain, from 1"),
    Column("from", "where the client was, a URL without its query"),
    Column("to", "where it was sent, likewise"),
    Column("status", "the status of the answer that leads on", "http.response.code"),
    Column("kind", "location, refresh, meta, form or script"),
    Column("why", "names of what is carried: wa=wsignin1.0, SAMLRequest, code ..."),
    Column("cookies", "names of the cookies that are set"),
    Column("followed", "whether the same client went there"),
    Column("to_frame", "the frame in which it did; null if that was not captured", "frame.number"),
)


def rows(run: Session) -> Iterator[Row]:
    """One row a redirect, by chain and within it by time."""
    for redirect in sorted(run.redirects, key=lambda item: (item.chain, item.number)):
        response = redirect.exchange.response
        place = response.place if response is not None else redirect.exchange.place
        row = common(run, place)
        row |= {
            "chain": redirect.chain,
            "hop": redirect.number,
            "from": _shown(run, url_of(redirect.exchange)),
            "to": _shown(run, redirect.url),
            "status": redirect.exchange.status,
            "kind": redirect.kind,
            "why": [run.policy.scrub(item) for item in redirect.why],
            "cookies": [run.policy.show(run.policy.name(name)) for name in redirect.cookies],
            "followed": redirect.target is not None,
            "to_frame": redirect.target.place.span.first_frame
            if redirect.target is not None
            else None,
        }
        yield row


def _shown(run: Session, url: str) -> str:
    """A URL as far as it is no secret: what it carries is named in `why`."""
    bare = url.partition("#")[0].partition("?")[0]
    return run.policy.show(run.policy.url(bare))


TABLE = Table(
    "redirects",
    "Redirects of CAPTURE... as chains: from, to, status, why, cookies set.",
    COLUMNS,
    (
        "chain",
        "hop",
        "time",
        "first_frame",
        "from",
        "status",
        "kind",
        "to",
        "why",
        "cookies",
    ),
    rows,
    (
        "host",
        "status",
    ),
    keep=with_redirects,
)
