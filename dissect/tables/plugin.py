"""The table of a protocol that a plugin declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import PluginMessage
from dissect.protocols.record import Protocol
from dissect.stages.keep import only
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

EVENT = Column("event", "what the message is: the name of its event")


def table_of(protocol: Protocol) -> Table:
    """Rows of its messages: where each was, its event, then the declared facts."""

    def rows(run: Session) -> Iterator[Row]:
        for message in run.messages:
            if isinstance(message, PluginMessage) and message.protocol == protocol.name:
                row = common(run, message.place)
                row[EVENT.name] = message.event
                for column in protocol.columns:
                    fact = message.facts.get(column.name)
                    plain = isinstance(fact, int) or fact is None  # bool is one, too
                    row[column.name] = fact if plain else run.policy.show(fact)
                yield row

    shown = protocol.shows or tuple(column.name for column in protocol.columns)
    return Table(
        protocol.name,
        protocol.about,
        (*COMMON, EVENT, *protocol.columns),
        ("time", "stream", "first_frame", "client", EVENT.name, *shown),
        rows,
        ("host",),
        keep=only(PluginMessage),
    )
