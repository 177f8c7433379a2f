"""HTTP and SIP messages by hand, for rules that no recording provokes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from dissect.model import (
    Body,
    Connection,
    Endpoint,
    Event,
    Headers,
    HttpRequest,
    HttpResponse,
    Opaque,
    Place,
    SipMessage,
    Span,
)
from dissect.redaction.book import SecretBook
from dissect.signin.exchange import Exchange
from dissect.signin.recogniser import Recogniser

CONNECTION = Connection(0, "tcp", 0, Endpoint("192.0.2.1", 40000), Endpoint("192.0.2.2", 443))


def place(
    response: bool = False, frame: int = 1, at: float | None = None, client: str = ""
) -> Place:
    """A place in frame `frame`, at `at` seconds; the frame's number in ns without."""
    time_ns = frame if at is None else round(at * 1e9)
    connection = CONNECTION
    if client:
        connection = replace(
            CONNECTION, client=Endpoint(client, 40000), stream=int(client.rpartition(".")[2])
        )
    return Place(connection, 1 if response else 0, Span(frame, time_ns, frame, time_ns), True)


def exchange(
    method: str = "GET",
    url: str = "https://host.test/",
    form: Mapping[str, str] | None = None,
    status: int | None = 200,
    headers: Mapping[str, str] | None = None,
    body: str | Mapping[str, object] = "",
    response_headers: Mapping[str, str] | None = None,
    request_body: str = "",
    at: float | None = None,
    client: str = "",
    port: int = 443,
) -> Exchange:
    """An exchange; a mapping as `body` is sent as JSON, `status` None is no answer. `at` is
    the time of the request in seconds (the answer comes 0.1 s later)."""
    host, _, rest = url.partition("://")[2].partition("/")
    sent = dict(headers or {})
    text = request_body
    if form is not None:
        text = urlencode(form)
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    request = HttpRequest(
        place=_at_port(place(at=at, client=client), port),
        exchange=0,
        version="1.1",
        method=method,
        target=Opaque(f"/{rest}".encode()),
        scheme=url.partition("://")[0],
        host=host,
        headers=_headers(sent),
        body=Body(Opaque(text.encode())),
    )
    pair = Exchange(request)
    if status is not None:
        got = dict(response_headers or {})
        if isinstance(body, Mapping):
            got.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        else:
            got.setdefault("Content-Type", "text/html; charset=utf-8")
        pair.response = HttpResponse(
            place=_at_port(place(True, 2, None if at is None else at + 0.1, client), port),
            exchange=0,
            version="1.1",
            status=status,
            reason=Opaque(b""),
            headers=_headers(got),
            body=Body(Opaque(body.encode())),
        )
    return pair


def _at_port(where: Place, port: int) -> Place:
    server = Endpoint(where.connection.server.address, port)
    return replace(where, connection=replace(where.connection, server=server))


def play(*pairs: Exchange, book: SecretBook | None = None) -> list[Event]:
    """The events of some exchanges, as the recogniser gives them: in order, with all facts."""
    recogniser = Recogniser(["capture.pcapng"], book if book is not None else SecretBook())
    for number, pair in enumerate(pairs):
        for message in (pair.request, pair.response):
            if message is not None:
                recogniser.add(replace(message, exchange=number))
    return recogniser.finish()


def jwt(claims: Mapping[str, object], header: Mapping[str, object] | None = None) -> str:
    """A JSON Web Token with these claims and a signature that nobody checks."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header or {"alg": "RS256", "typ": "JWT"}, claims)
    ]
    return ".".join([*parts, "c2lnbmF0dXJlLW9mLW5vdGhpbmc"])


def sip(start: str, headers: Mapping[str, str] | None = None, *more: tuple[str, str]) -> SipMessage:
    """A SIP message from its start line; `more` are further (repeated) header fields."""
    fields = {
        "Call-ID": "1",
        "CSeq": "1 REGISTER",
        "From": "<sip:a@b.test>;tag=1",
        **(headers or {}),
    }
    request = not start.startswith("SIP/2.0")
    words = start.split(" ", 2)
    return SipMessage(
        place=place(not request),
        kind="request" if request else "response",
        method=words[0] if request else fields["CSeq"].split()[1],
        uri=Opaque(words[1].encode() if request else b""),
        status=None if request else int(words[1]),
        reason="" if request else words[2],
        headers=Headers.of([(k.encode(), v.encode()) for k, v in [*fields.items(), *more]]),
        tls_dsk=("client_hello",) if "gssapi-data" in str(list(fields.values())) else (),
    )


def _headers(fields: Mapping[str, str]) -> Headers:
    return Headers.of([(name.encode(), value.encode()) for name, value in fields.items()])
