"""Messages and events as rows: the keys that `--format json` promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dissect.model import (
    Certificate,
    DnsMessage,
    HttpRequest,
    HttpResponse,
    Place,
    SipMessage,
    TlsConnection,
)
from dissect.pipeline import Session
from dissect.protocols import sdp
from dissect.protocols.sip_diagnostics import Diagnostic, diagnostics
from dissect.protocols.sip_dialogs import Ladder, Position, calls
from dissect.render.words import rfc3339
from dissect.signin import advice
from dissect.signin.authentication import SignedIn, legs, schemes
from dissect.signin.exchange import Exchange, pair

Row = dict[str, Any]


def common(run: Session, place: Place) -> Row:
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
    said = [
        f"{name}: {message.body.problem}"
        for name, message in (("request", request), ("response", response))
        if message is not None and message.body.problem
    ]
    return "; ".join(said) or None


def sip(run: Session) -> Iterator[Row]:
    """One row a SIP message."""
    _ = run.events  # as in `http`
    ladder = Ladder()
    for message in run.messages:
        if isinstance(message, SipMessage):
            yield _sip_row(run, message, ladder.add(message))


def _sip_row(run: Session, message: SipMessage, position: Position) -> Row:
    row = common(run, message.place)
    found = legs(message.headers, message.tls_dsk)
    told = next(filter(message.header, _DIAGNOSTIC_FIELDS), "")
    reasons = diagnostics(message)
    media = [
        str(item)
        for described in sdp.descriptions(message.header("content-type"), message.body.text)
        for item in described.media
    ]
    row.update(
        kind=message.kind,
        method=message.method,
        status=message.status,
        reason=run.policy.show(run.policy.words(message.reason))
        if message.kind == "response"
        else None,
        call_id=_field(run, message, "call-id"),
        cseq=_field(run, message, "cseq"),
        **{"from": _field(run, message, "from"), "to": _field(run, message, "to")},
        transport=message.transport,
        auth=schemes(found),
        diagnostics=_field(run, message, told) if told else None,
        retransmission=message.retransmission,
        auth_legs=[str(leg) for leg in found],
        explanation=_explanation(run, message, reasons),
        transaction=position.transaction,
        dialog=position.dialog,
        media=[run.policy.show(run.policy.media(item)) for item in media],
        problem=message.body.problem,
        sender=str(message.place.sender),
    )
    return row


_DIAGNOSTIC_FIELDS = ("ms-diagnostics", "ms-diagnostics-public", "warning")


def _field(run: Session, message: SipMessage, name: str) -> str | None:
    """A field's value; what is not known to be harmless in it is masked."""
    value = message.header(name)
    return (
        run.policy.show(run.policy.header(name, value, sip_message=True))
        if value is not None
        else None
    )


def _uri(run: Session, uri: str) -> str:
    return run.policy.show(run.policy.header("from", uri, sip_message=True))


def _explanation(run: Session, message: SipMessage, reasons: list[Diagnostic]) -> str | None:
    """A refusal in words: what the message says, then what that means."""
    said = [str(item) for item in reasons]
    if message.status is not None and (message.status >= 400 and message.status not in (401, 407)):
        number = next((str(r.code) for r in reasons if r.field.startswith("ms-")), "")
        known = advice.sip(str(message.status), number)
        if known is not None:
            said.append(known.text)
    return run.policy.show(run.policy.words("; ".join(said))) or None


def sip_dialogs(run: Session) -> Iterator[Row]:
    """One row a SIP dialog: a call, a subscription; by time of its first message."""
    _ = run.events  # as in `http`
    for dialog in calls(m for m in run.messages if isinstance(m, SipMessage)):
        if dialog.first is None:
            continue
        row = common(run, dialog.first.place)
        row.update(
            dialog=dialog.number,
            method=dialog.method,
            call_id=run.policy.show(run.policy.header("call-id", dialog.call_id, sip_message=True)),
            **{"from": _uri(run, dialog.caller), "to": _uri(run, dialog.callee)},
            state=dialog.state,
            status=dialog.status,
            answered=rfc3339(dialog.answered_ns) if dialog.answered_ns is not None else None,
            ended=rfc3339(dialog.ended_ns) if dialog.ended_ns is not None else None,
            ended_by=dialog.ended_by,
            messages=dialog.messages,
            media=[run.policy.show(run.policy.media(item)) for item in dialog.media],
        )
        row["last_frame"] = dialog.last_frame
        yield row


def tls(run: Session) -> Iterator[Row]:
    """One row a TLS connection, and a TLS-DSK handshake of a phone's log."""
    for message in (*run.messages, *run.log_handshakes):
        if not isinstance(message, TlsConnection):
            continue
        row = common(run, message.place)
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
            inside=message.inside,
            quic=message.quic,
            **_hellos(message),
            bytes_decrypted=message.bytes_decrypted,
            certificate_chain=[
                _certificate(item, message.place.span.first_ns) for item in message.certificates
            ],
            client_certificates=[
                _certificate(item, message.place.span.first_ns)
                for item in message.client_certificates
            ],
            alert_senders=["server" if alert.direction else "client" for alert in message.alerts],
            alert_frames=[alert.frame for alert in message.alerts],
        )
        yield row


def _hellos(message: TlsConnection) -> Row:
    """What the hellos of a TLS connection say."""
    return {
        "group": message.group,
        "groups": list(message.groups),
        "alpn_offered": list(message.alpn_offered),
        "retried": message.retried,
        "early_data": message.early_data,
        "ech": message.ech,
        "round_trips_ns": list(message.round_trips_ns),
        "ja3": message.ja3,
        "ja3s": message.ja3s,
        "ja4": message.ja4,
    }


def _certificate(item: Certificate, time_ns: int) -> Row:
    """A certificate; `valid` tells whether it was so when the connection began."""
    begins, ends = rfc3339(item.not_before_ns), rfc3339(item.not_after_ns)
    late = time_ns > item.not_after_ns
    valid = "not yet" if time_ns < item.not_before_ns else "expired" if late else "yes"
    return {
        "subject": item.subject,
        "issuer": item.issuer,
        "names": list(item.names),
        "not_before": begins,
        "not_after": ends,
        "valid": valid if item.not_after_ns else None,
        "key": item.key,
    }


def dns(run: Session) -> Iterator[Row]:
    """One row a DNS message."""
    for message in run.messages:
        if isinstance(message, DnsMessage):
            name, kind = message.questions[0] if message.questions else ("", "")
            row = common(run, message.place)
            row.update(
                kind="response" if message.is_response else "query",
                name=name,
                type=kind,
                rcode=message.rcode if message.is_response else None,
                answers=[
                    f"{kind} {run.policy.show(run.policy.answer(kind, data))}"
                    for _, kind, data in message.answers
                ],
            )
            yield row


def events(run: Session) -> Iterator[Row]:
    """One row an event; its facts without secrets."""
    for event in run.events:
        source = event.source
        facts = {name: run.policy.show(fact) for name, fact in event.facts.items()}
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
            "host": event.host,
            "facts": facts,
        }
