"""HTTP and SIP messages by hand, for rules that no recording provokes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from dissect.model import (
    Body,
    Connection,
    Endpoint,
    Headers,
    HttpRequest,
    HttpResponse,
    Opaque,
    Place,
    SipMessage,
    Span,
)
from dissect.signin.exchange import Exchange

CONNECTION = Connection(0, "tcp", 0, Endpoint("192.0.2.1", 40000), Endpoint("192.0.2.2", 443))


def place(response: bool = False, frame: int = 1) -> Place:
    return Place(CONNECTION, 1 if response else 0, Span(frame, frame, frame, frame), True)


def exchange(
    method: str = "GET",
    url: str = "https://host.test/",
    form: Mapping[str, str] | None = None,
    status: int | None = 200,
    headers: Mapping[str, str] | None = None,
    body: str | Mapping[str, object] = "",
    response_headers: Mapping[str, str] | None = None,
    request_body: str = "",
) -> Exchange:
    """An exchange; a mapping as `body` is sent as JSON, `status` None is no answer."""
    host, _, rest = url.partition("://")[2].partition("/")
    sent = dict(headers or {})
    text = request_body
    if form is not None:
        text = urlencode(form)
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    request = HttpRequest(
        place=place(),
        exchange=0,
        version="1.1",
        method=method,
        target=Opaque(f"/{rest}".encode()),
        scheme="https",
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
            place=place(True, 2),
            exchange=0,
            version="1.1",
            status=status,
            reason=Opaque(b""),
            headers=_headers(got),
            body=Body(Opaque(body.encode())),
        )
    return pair


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
