"""Events as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.render.words import when
from dissect.stages.keep import nothing
from dissect.tables import COMMON, Column, Row, Table

if TYPE_CHECKING:
    from dissect.pipeline import Session

_LINE = Column("line", "the line, of an event of a log")
COLUMNS = (
    *COMMON[:4],
    _LINE,
    *COMMON[4:],
    Column("event", "the event's name: `dissect events --list` has all"),
    Column("actor", "who did it: an address, or in a log the device's word"),
    Column("peer", "whom it was done to: the host's name where it is known"),
    Column("host", "the server's name"),
    Column("facts", "what the message says, by name, without secrets"),
)


def rows(run: Session) -> Iterator[Row]:
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
            "time": when(event.time_ns, event.source),
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


TABLE = Table(
    "events",
    "Messages of CAPTURE... that are steps of sign-in protocols.",
    COLUMNS,
    (
        "time",
        "first_frame",
        "event",
        "actor",
        "peer",
        "facts",
    ),
    rows,
    ("host",),
    keep=nothing,
)
