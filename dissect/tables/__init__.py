"""Tables: what a kind of message is as rows, each table declared once, with its columns.

What is declared here is what JSON, CSV, the terminal, `--fields` and docs/tables.md show. A
plugin's protocol brings a table of its own (`plugin.table_of`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dissect.protocols.record import Column
from dissect.stages.keep import Keep, everything

if TYPE_CHECKING:
    from dissect.pipeline import Session

__all__ = ["COMMON", "NAMES", "Column", "Row", "Table", "table"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its rows' `columns` in their order, and those that a terminal `shows`.

    `about` is the help of its command, `filters` are the options beside those that all tables
    have, `rows` makes them from a run; `words`: whether a status is one of letters, as in DNS.
    `keep` is what the rows need of messages; without `rules` no secrets are looked for, which only
    a table without captured texts may do. Without `sip_events` SIP messages are looked through for
    secrets, but not for sign-ins."""

    name: str
    about: str
    columns: tuple[Column, ...]
    shows: tuple[str, ...]
    rows: Callable[[Session], Iterator[Row]]
    filters: tuple[str, ...] = ()
    body: bool = False
    words: bool = False
    keep: Keep = everything
    rules: bool = True
    sip_events: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a row, in its order."""
        return tuple(column.name for column in self.columns)


COMMON = (
    Column("capture", "the file, as it was named"),
    Column(
        "stream",
        "as Wireshark counts, but that it numbers each direction of media that SDP announced",
        "tcp.stream, udp.stream",
    ),
    Column("first_frame", "the first frame that carried a byte of it", "frame.number"),
    Column("last_frame", "the frame in which it became readable", "frame.number"),
    Column("time", "of the first frame: RFC 3339, nanoseconds, UTC", "frame.time_epoch"),
    Column("client", "address and port of the client"),
    Column("server", "address and port of the server"),
    Column("encrypted", "whether it was inside of TLS"),
)

_MODULES: Mapping[str, str] = {
    "http": "dissect.tables.http",
    "sip": "dissect.tables.sip",
    "sip_dialogs": "dissect.tables.sip_dialogs",
    "tls": "dissect.tables.tls",
    "dns": "dissect.tables.dns",
    "dhcp": "dissect.tables.dhcp",
    "ntp": "dissect.tables.ntp",
    "events": "dissect.tables.events",
    "redirects": "dissect.tables.redirects",
}
NAMES = tuple(_MODULES)


def table(name: str) -> Table:
    """A shipped table; its module is loaded when it is asked for. Raises KeyError."""
    found: Table = importlib.import_module(_MODULES[name]).TABLE
    return found
