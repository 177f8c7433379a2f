"""SIP messages as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import SipMessage
from dissect.protocols import sdp
from dissect.protocols.sip_diagnostics import Diagnostic, diagnostics
from dissect.protocols.sip_dialogs import DialogTracker, Position
from dissect.signin import error_catalogue
from dissect.signin.authentication import legs, schemes
from dissect.stages.keep import only
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

COLUMNS = (
    *COMMON,
    Column("kind", "request or response"),
    Column("method", "of a response that of its CSeq", "sip.Method"),
    Column("status", "the status code; null for a request", "sip.Status-Code"),
    Column("reason", "the reason phrase, without what may be secret"),
    Column("call_id", "the Call-ID", "sip.Call-ID"),
    Column("cseq", "the CSeq", "sip.CSeq"),
    Column("from", "the From field, without what may be secret", "sip.From"),
    Column("to", "the To field, likewise", "sip.To"),
    Column("transport", "udp, tcp, tls or ws"),
    Column("auth", "schemes of authentication"),
    Column("diagnostics", "ms-diagnostics or Warning, without what may be secret"),
    Column(
        "retransmission", "whether the same message was seen before on the stream", "sip.resend"
    ),
    Column("auth_legs", "steps of authentication"),
    Column("explanation", "ms-diagnostics, Warning and Reason in words, and what a refusal means"),
    Column("transaction", "number of the transaction"),
    Column("dialog", "number of the dialog"),
    Column("media", "media that SDP describes"),
    Column("problem", "what the body lacks, in words"),
    Column("sender", "address and port of who sent it"),
)


def rows(run: Session) -> Iterator[Row]:
    """One row a SIP message."""
    ladder = DialogTracker(run.noted)
    for message in run.messages:
        if isinstance(message, SipMessage):
            yield _sip_row(run, message, ladder.add(message))


def _sip_row(run: Session, message: SipMessage, position: Position) -> Row:
    row = common(run, message.place)
    found = legs(message.headers, message.tls_dsk)
    reported = next(filter(message.header, _DIAGNOSTIC_FIELDS), "")
    reasons = diagnostics(message)
    described = sdp.descriptions(message.header("content-type"), message.body.text)
    media = [str(item) for one in described for item in one.media]
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
        diagnostics=_field(run, message, reported) if reported else None,
        retransmission=message.retransmission,
        auth_legs=[str(leg) for leg in found],
        explanation=_explanation(run, message, reasons),
        transaction=position.transaction,
        dialog=position.dialog,
        media=[run.policy.show(run.policy.media(item)) for item in media],
        problem="; ".join(filter(None, (message.body.problem, *(one.problem for one in described))))
        or None,
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


def _explanation(run: Session, message: SipMessage, reasons: list[Diagnostic]) -> str | None:
    """A refusal in words: what the message says, then what that means."""
    reported = [str(item) for item in reasons]
    if message.status is not None and (message.status >= 400 and message.status not in (401, 407)):
        number = next((str(r.code) for r in reasons if r.field.startswith("ms-")), "")
        known = error_catalogue.sip(str(message.status), number)
        if known is not None:
            reported.append(known.text)
    return run.policy.show(run.policy.words("; ".join(reported))) or None


TABLE = Table(
    "sip",
    "SIP messages of CAPTURE...",
    COLUMNS,
    (
        "time",
        "stream",
        "first_frame",
        "client",
        "method",
        "status",
        "reason",
        "cseq",
        "auth",
    ),
    rows,
    (
        "host",
        "method",
        "status",
    ),
    body=True,
    keep=only(SipMessage),
    sip_events=False,
)
