"""HTTP exchanges as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import HttpRequest, HttpResponse, Place
from dissect.signin.authentication import SignedIn, legs, schemes
from dissect.signin.exchange import Exchange, pair
from dissect.stages.keep import only
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

COLUMNS = (
    *COMMON,
    Column("version", "HTTP version: 1.0, 1.1 or 2", "http.request.version"),
    Column("method", "the request's method", "http.request.method"),
    Column("scheme", "http or https"),
    Column(
        "host",
        "the host that was asked: :authority, Host, or the host of an absolute target",
        "http.host",
    ),
    Column("path", "the request target, without what may be secret", "http.request.uri"),
    Column("status", "the status code; null: no answer was captured", "http.response.code"),
    Column("interim", "1xx answers before it"),
    Column("location", "where the answer leads, without what may be secret", "http.location"),
    Column("request_type", "media type of the request's body", "http.content_type"),
    Column("response_type", "media type of the answer's body", "http.content_type"),
    Column("response_size", "bytes of the answer's body as sent, before decompression"),
    Column(
        "server_name", "the name in the client's TLS hello", "tls.handshake.extensions_server_name"
    ),
    Column("via", "address and port of the proxy whose CONNECT it came through"),
    Column("pushed", "whether the server pushed it (HTTP/2)"),
    Column(
        "auth",
        "schemes of authentication; unknown where credentials stand without one that is known",
    ),
    Column(
        "auth_legs", "steps of authentication: NTLM negotiate, Digest offer, NTLM by connection ..."
    ),
    Column("problem", "what a body lacks, in words"),
)


def rows(run: Session) -> Iterator[Row]:
    """One row an exchange, by time of its first message."""
    exchanges = pair(run.messages)
    exchanges.sort(key=lambda item: (item.place.span.first_ns, item.place.span.first_frame))
    signed_in = SignedIn()
    for exchange in exchanges:
        yield _http_row(run, exchange, signed_in)


def _http_row(run: Session, exchange: Exchange, signed_in: SignedIn) -> Row:
    request, response = exchange.request, exchange.response
    place = exchange.place
    span = place.span.to(response.place.span) if response else place.span
    row = common(run, Place(place.connection, place.direction, span, place.encrypted))
    message = request or response or exchange.interim[0]
    location = exchange.location
    asked = legs(request.headers) if request else ()
    offered = legs(response.headers) if response else ()
    silent = tuple(signed_in.exchange(place.connection, asked, exchange.status))
    row.update(
        version=message.version,
        method=request.method if request else None,
        scheme=request.scheme if request else None,
        host=request.host if request else None,
        path=run.policy.show(run.policy.target(request)) if request else None,
        status=response.status if response else None,
        interim=[item.status for item in exchange.interim],
        location=run.policy.show(run.policy.url(location)) if location else None,
        request_type=run.policy.media_type(exchange.request_header("content-type")),
        response_type=run.policy.media_type(exchange.response_header("content-type")),
        response_size=response.body.wire_size if response else None,
        server_name=message.server_name,
        via=request.via if request else None,
        pushed=request.pushed if request else False,
        auth=schemes((*asked, *silent, *offered)),
        auth_legs=[str(leg) for leg in (*asked, *silent, *offered)],
        problem=_problem(request, response),
    )
    return row


def _problem(request: HttpRequest | None, response: HttpResponse | None) -> str | None:
    """What lacks of an exchange's bodies, in words."""
    reported = [
        f"{name}: {message.body.problem}"
        for name, message in (("request", request), ("response", response))
        if message is not None and message.body.problem
    ]
    return "; ".join(reported) or None


TABLE = Table(
    "http",
    "HTTP exchanges of CAPTURE..., requests paired with their responses.",
    COLUMNS,
    (
        "time",
        "stream",
        "first_frame",
        "client",
        "method",
        "host",
        "path",
        "status",
        "response_type",
    ),
    rows,
    (
        "host",
        "method",
        "status",
    ),
    body=True,
    keep=only(HttpRequest, HttpResponse),
)
