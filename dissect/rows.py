"""Messages and events as rows: the keys that `--format json` promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dissect.model import (
    CLIENT_TO_SERVER,
    DnsMessage,
    Place,
    SipMessage,
    TlsConnection,
)
from dissect.pipeline import Session
from dissect.render.words import rfc3339
from dissect.signin import harvest, registration
from dissect.signin.exchange import Exchange, pair
from dissect.signin.redaction import redact_url

Row = dict[str, Any]


def _common(run: Session, place: Place) -> Row:
    """The keys that every table has."""
    return {
        "capture": run.names[place.connection.capture],
        "stream": place.connection.stream,
        "first_frame": place.span.first_frame,
        "last_frame": place.span.last_frame,
        "time": rfc3339(place.span.first_ns),
        "client": str(place.connection.client),
        "server": str(place.connection.server),
        "encrypted": place.encrypted,
    }


def http(run: Session) -> Iterator[Row]:
    """One row an exchange, by time of its first message."""
    _ = run.events  # the rules have met every secret, so all of them can be masked
    exchanges = pair(run.messages)
    exchanges.sort(key=lambda item: (item.place.span.first_ns, item.place.span.first_frame))
    for exchange in exchanges:
        yield _http_row(run, exchange)


def _http_row(run: Session, exchange: Exchange) -> Row:
    request, response = exchange.request, exchange.response
    place = exchange.place
    span = place.span.to(response.place.span) if response else place.span
    row = _common(run, Place(place.connection, place.direction, span, place.encrypted))
    message = request or response or exchange.interim[0]
    location = exchange.location
    row.update(
        version=message.version,
        method=request.method if request else None,
        scheme=request.scheme if request else None,
        host=request.host if request else None,
        path=run.book.show(harvest.target(request)) if request else None,
        status=response.status if response else None,
        interim=[item.status for item in exchange.interim],
        location=run.book.show(redact_url(location)) if location else None,
        request_type=_media_type(exchange.request_header("content-type")),
        response_type=exchange.response_type or None,
        response_size=response.body.wire_size if response else None,
        server_name=message.server_name,
        via=request.via if request else None,
        pushed=request.pushed if request else False,
    )
    return row


def _media_type(header: str | None) -> str | None:
    return header.partition(";")[0].strip().lower() if header else None


def sip(run: Session) -> Iterator[Row]:
    """One row a SIP message."""
    for message in run.messages:
        if not isinstance(message, SipMessage):
            continue
        harvest.sip(message, run.book)
        row = _common(run, message.place)
        diagnostics = message.header("ms-diagnostics") or message.header("ms-diagnostics-public")
        row.update(
            kind=message.kind,
            method=message.method,
            status=message.status,
            reason=message.reason if message.kind == "response" else None,
            call_id=message.header("call-id"),
            cseq=message.header("cseq"),
            **{"from": message.header("from"), "to": message.header("to")},
            transport=message.transport,
            auth=list(registration.challenge_schemes(message)),
            diagnostics=run.book.scrub(diagnostics) if diagnostics else None,
            retransmission=message.retransmission,
        )
        if message.place.direction != CLIENT_TO_SERVER:
            row["sender"] = str(message.place.sender)
        yield row


def tls(run: Session) -> Iterator[Row]:
    """One row a TLS connection."""
    for message in run.messages:
        if not isinstance(message, TlsConnection):
            continue
        row = _common(run, message.place)
        row.update(
            server_name=message.server_name,
            alpn=message.alpn,
            version=message.version,
            cipher_suite=message.cipher_suite,
            resumed=message.resumed,
            decrypted=message.decrypted,
            reason=message.reason,
            sentence=message.sentence,
            secret_source=message.secret_source,
            certificates=[certificate.subject for certificate in message.certificates],
            alerts=[f"{alert.level} {alert.description}" for alert in message.alerts],
        )
        yield row


def dns(run: Session) -> Iterator[Row]:
    """One row a DNS message."""
    for message in run.messages:
        if isinstance(message, DnsMessage):
            name, kind = message.questions[0] if message.questions else ("", "")
            row = _common(run, message.place)
            row.update(
                kind="response" if message.is_response else "query",
                name=name,
                type=kind,
                rcode=message.rcode if message.is_response else None,
                answers=[f"{kind} {data}" for _, kind, data in message.answers],
            )
            yield row


def events(run: Session) -> Iterator[Row]:
    """One row an event; its facts without secrets."""
    for event in run.events:
        source = event.source
        facts = {name: run.book.show(fact) for name, fact in event.facts.items()}
        yield {
            "capture": source.capture,
            "stream": source.stream,
            "first_frame": source.first_frame,
            "last_frame": source.last_frame,
            "line": source.line,
            "time": rfc3339(event.time_ns),
            "client": str(event.client) if event.client else None,
            "server": str(event.server) if event.server else None,
            "encrypted": source.encrypted,
            "event": event.name,
            "actor": event.sender,
            "peer": event.host
            if event.host and not (event.client and event.receiver == event.client.address)
            else event.receiver,
            "facts": facts,
        }
