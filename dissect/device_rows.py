"""What sets a device up, as rows: DHCP and NTP."""

from __future__ import annotations

from collections.abc import Iterator

from dissect.model import DhcpMessage, NtpMessage
from dissect.pipeline import Session
from dissect.render.words import rfc3339
from dissect.rows import Row, common


def dhcp(run: Session) -> Iterator[Row]:
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


def ntp(run: Session) -> Iterator[Row]:
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
