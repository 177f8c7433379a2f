"""DHCP messages as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import DhcpMessage
from dissect.stages.keep import only
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

COLUMNS = (
    *COMMON,
    Column("kind", "the message type: discover, offer, request, ack ...", "dhcp.option.dhcp"),
    Column("ident", "the transaction id", "dhcp.id"),
    Column("hardware", "the client's hardware address", "dhcp.hw.mac_addr"),
    Column("address", "the address that is given or asked for", "dhcp.ip.your"),
    Column("dhcp_server", "the DHCP server's identifier", "dhcp.option.dhcp_server_id"),
    Column("host_name", "the client's name for itself (option 12)", "dhcp.option.hostname"),
    Column("vendor_class", "the kind of device (option 60)", "dhcp.option.vendor_class_id"),
    Column("asked", "codes of the options that the client wants", "dhcp.option.request_list_item"),
    Column("name_servers", "DNS servers", "dhcp.option.domain_name_server"),
    Column("time_servers", "time servers", "dhcp.option.ntp_server"),
    Column("sip_servers", "SIP servers"),
    Column("options", "what sends a phone to its configuration, by option and suboption"),
)


def rows(run: Session) -> Iterator[Row]:
    """One row a DHCP message; `options` are those that send a phone to its configuration."""
    for message in run.messages:
        if isinstance(message, DhcpMessage):
            row = common(run, message.place)
            row.update(
                kind=message.kind,
                ident=message.ident,
                hardware=message.hardware,
                address=message.address,
                dhcp_server=message.server,
                host_name=_shown(run, message.host_name),
                vendor_class=_shown(run, message.vendor_class),
                asked=list(message.asked),
                name_servers=list(message.name_servers),
                time_servers=list(message.time_servers),
                sip_servers=list(message.sip_servers),
                options={
                    place: run.policy.show(run.policy.option(place, bytes(value)))
                    for place, value in message.provisioning
                },
            )
            yield row


def _shown(run: Session, text: str | None) -> str | None:
    return None if text is None else run.policy.show(run.policy.class_identifier(text))


TABLE = Table(
    "dhcp",
    "DHCP messages of CAPTURE..., and where they send a phone for its configuration.",
    COLUMNS,
    (
        "time",
        "first_frame",
        "kind",
        "hardware",
        "address",
        "dhcp_server",
        "vendor_class",
        "name_servers",
        "time_servers",
        "options",
    ),
    rows,
    ("host",),
    keep=only(DhcpMessage),
)
