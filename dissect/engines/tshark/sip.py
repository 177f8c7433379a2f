"""SIP messages out of tshark's `sip` layers."""

from __future__ import annotations

from typing import Literal

from dissect.engines.tshark.frames import FrameTable
from dissect.engines.tshark.pdml import PdmlUnit
from dissect.errors import ProtocolError
from dissect.model import EMPTY_BODY, Body, Headers, Opaque, SipMessage
from dissect.protocols.header_sections import parse_fields, split_lines
from dissect.protocols.sip_dsk import tls_dsk_names

Transport = Literal["udp", "tcp", "tls", "ws"]


def message(unit: PdmlUnit, table: FrameTable) -> SipMessage | None:
    """The message of a layer; None for one without start line (a keep-alive, a fragment).

    tshark frames the message and splits its start line; the header section's lines and
    what a TLS-DSK `gssapi-data` holds ([MS-SIPAE]), which tshark does not look into, are
    distinguished by the embedded engine's own functions.
    """
    layer = unit.layer
    request = layer.raw_first("sip.Request-Line")
    answer = layer.raw_first("sip.Status-Line")
    if not request and not answer:
        return None
    fields, _ = parse_fields(split_lines(layer.raw_first("sip.msg_hdr")))
    headers = Headers.of(fields)
    try:
        names = tls_dsk_names(fields)
    except ProtocolError:
        names = ()  # the embedded engine has an anomaly for it
    words = (request or answer).split(None, 2)
    cseq = (headers.get("cseq") or "").split()
    method = words[0].decode("latin-1") if request else (cseq[1] if len(cseq) > 1 else "")
    status = int(words[1]) if answer and len(words) > 1 and words[1].isdigit() else None
    return SipMessage(
        place=table.place(unit.first, unit.frame, unit.encrypted),
        kind="request" if request else "response",
        method=method,
        uri=Opaque(words[1] if request and len(words) > 1 else b""),
        status=status,
        reason=words[2].decode("utf-8", "replace") if answer and len(words) > 2 else "",
        headers=headers,
        body=_body(unit),
        transport=_transport(unit),
        retransmission=layer.true("sip.resend"),
        tls_dsk=names,
    )


def _transport(unit: PdmlUnit) -> Transport:
    if unit.websocket:
        return "ws"
    if unit.encrypted:
        return "tls"
    return unit.frame.key[0]


def _body(unit: PdmlUnit) -> Body:
    """The last bytes of the message: the body itself is a branch of tshark's tree."""
    size = next((int(item.size or 0) for item in unit.layer.all("sip.msg_body")), 0)
    data = unit.text[len(unit.text) - size :] if size <= len(unit.text) else b""
    if not size:
        return EMPTY_BODY
    return Body(Opaque(data), size, None if data else "tshark does not show its bytes")
