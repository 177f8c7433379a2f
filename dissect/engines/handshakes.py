"""The TLS-DSK handshakes in SIP messages, whoever gave the messages: a phone's log, tshark.

The embedded engine meets them as it reads SIP (`protocols.sip_messages`).
"""

from __future__ import annotations

from collections.abc import Iterable

from dissect.model import Anomaly, Connection, Message, SipMessage, TlsConnection
from dissect.protocols.base import Layer
from dissect.protocols.sip_dsk import logged_blobs
from dissect.protocols.sniff import Ignore


def rows(messages: Iterable[Message]) -> list[TlsConnection]:
    """A row a handshake; `messages` are in the order of their time."""
    from dissect.protocols.tls.dsk import DskHandshakes

    known: dict[Connection, DskHandshakes] = {}
    calls: dict[Connection, str] = {}
    found: list[Message | Anomaly] = []
    for message in messages:
        if not isinstance(message, SipMessage) or message.retransmission:
            continue
        blobs = list(logged_blobs(list(message.headers)))
        if not blobs:
            continue
        place = message.place
        connection, span = place.connection, place.span
        handshakes = known.get(connection)
        if handshakes is None:
            layer = Layer(connection, lambda _: Ignore(), place.encrypted)
            handshakes = known[connection] = DskHandshakes(layer)
        # A log that cuts a message has no Call-ID for it: it answers the last one.
        call = calls[connection] = message.header("call-id") or calls.get(connection, "")
        for blob, cut in blobs:
            found += handshakes.add(call, place.direction, blob, span)
            if cut:
                handshakes.lost(call, place.direction, span)
    for handshakes in known.values():
        found += handshakes.finish()
    return [item for item in found if isinstance(item, TlsConnection)]
