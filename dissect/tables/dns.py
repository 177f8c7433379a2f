"""DNS messages as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import DnsMessage
from dissect.stages.keep import only
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

COLUMNS = (
    *COMMON,
    Column("kind", "query or response"),
    Column("name", "the name that is asked for", "dns.qry.name"),
    Column("type", "the type that is asked for", "dns.qry.type"),
    Column("rcode", "the response code in words", "dns.flags.rcode"),
    Column("answers", "type and data of each answer"),
)


def rows(run: Session) -> Iterator[Row]:
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


TABLE = Table(
    "dns",
    "DNS questions and answers of CAPTURE...",
    COLUMNS,
    (
        "time",
        "stream",
        "first_frame",
        "client",
        "kind",
        "name",
        "type",
        "rcode",
        "answers",
    ),
    rows,
    (
        "host",
        "status",
    ),
    words=True,
    keep=only(DnsMessage),
    rules=False,
)
