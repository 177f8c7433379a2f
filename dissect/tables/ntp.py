"""NTP messages as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import NtpMessage
from dissect.render.words import rfc3339
from dissect.stages.keep import only
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

COLUMNS = (
    *COMMON,
    Column("mode", "client, server, broadcast ...", "ntp.flags.mode"),
    Column("version", "the version of NTP", "ntp.flags.vn"),
    Column("stratum", "how far from a reference clock", "ntp.stratum"),
    Column("unsynchronized", "whether the sender says that its clock is not set", "ntp.flags.li"),
    Column("kiss", "the code of a kiss-o'-death, such as RATE", "ntp.refid"),
    Column("origin", "when the request was sent, by the client's clock", "ntp.org"),
    Column("receive", "when it came, by the server's clock", "ntp.rec"),
    Column("transmit", "when this message was sent, by the sender's clock", "ntp.xmt"),
    Column("client_ahead_ns", "how far the client's clock is ahead of the server's, in ns"),
    Column("delay_ns", "the round trip without the server's part, in ns"),
)


def rows(run: Session) -> Iterator[Row]:
    """One row an NTP message; an answer tells how far the client's clock is ahead."""
    for message in run.messages:
        if isinstance(message, NtpMessage):
            row = common(run, message.place)
            row.update(
                mode=message.mode,
                version=message.version,
                stratum=message.stratum,
                unsynchronized=message.unsynchronized,
                kiss=message.kiss,
                origin=_moment(message.origin_ns),
                receive=_moment(message.receive_ns),
                transmit=_moment(message.transmit_ns),
                client_ahead_ns=message.client_ahead_ns,
                delay_ns=message.delay_ns,
            )
            yield row


def _moment(time_ns: int | None) -> str | None:
    return rfc3339(time_ns) if time_ns is not None else None


TABLE = Table(
    "ntp",
    "NTP messages of CAPTURE..., and how far a client's clock is ahead.",
    COLUMNS,
    (
        "time",
        "first_frame",
        "client",
        "server",
        "mode",
        "stratum",
        "transmit",
        "client_ahead_ns",
        "delay_ns",
    ),
    rows,
    ("host",),
    keep=only(NtpMessage),
    rules=False,
)
