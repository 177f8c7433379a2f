"""SIP dialogs as rows: calls, subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import SipMessage
from dissect.protocols.sip_dialogs import calls
from dissect.render.words import rfc3339
from dissect.stages.keep import only
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

COLUMNS = (
    *COMMON,
    Column("dialog", "number of the dialog, as in the table of SIP messages"),
    Column("method", "what began it: INVITE, SUBSCRIBE, REFER"),
    Column("call_id", "the Call-ID", "sip.Call-ID"),
    Column("from", "who began it"),
    Column("to", "whom it was for"),
    Column("state", "early, confirmed, ended or failed"),
    Column("status", "the status of the last final response", "sip.Status-Code"),
    Column("answered", "when it was answered"),
    Column("ended", "when it ended"),
    Column("ended_by", "who ended it"),
    Column("messages", "how many messages it has"),
    Column("media", "media that SDP describes"),
)


def rows(run: Session) -> Iterator[Row]:
    """One row a SIP dialog: a call, a subscription; by time of its first message."""
    messages = (m for m in run.messages if isinstance(m, SipMessage))
    for dialog in calls(messages, run.noted):
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


def _uri(run: Session, uri: str) -> str:
    return run.policy.show(run.policy.header("from", uri, sip_message=True))


TABLE = Table(
    "sip_dialogs",
    "One row a dialog (a call, a subscription) of CAPTURE...",
    COLUMNS,
    (
        "time",
        "stream",
        "first_frame",
        "method",
        "from",
        "to",
        "state",
        "status",
        "media",
    ),
    rows,
    (
        "host",
        "method",
        "status",
    ),
    keep=only(SipMessage),
)
