"""Decrypted messages without their secrets, as Wireshark's exported PDUs.

To put other values into TLS records would take payloads of the same length, but HTTP/2 field
blocks and compressed bodies have none to spare. So the records stay undecrypted, and each message
follows them once more as a frame of its own: link type 252, whose tags name the dissector,
the ends and the frame that it was read from (Wireshark's wsutil/exported_pdu_tlvs.h).
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from dissect.engines.again import Stream
from dissect.model import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    Message,
    Place,
    Secret,
    SipMessage,
    Text,
    wire_text,
)
from dissect.pipeline import Session
from dissect.render.escape import visible
from dissect.report.reread_bodies import with_bodies
from dissect.report.session_texts import SessionTexts

LINK_TYPE = 252  # LINKTYPE_WIRESHARK_UPPER_PDU

_END, _DISSECTOR = 0, 12
_ADDRESSES = {4: (20, 21), 6: (22, 23)}
_PORT_TYPE, _SOURCE_PORT, _DESTINATION_PORT, _FRAME = 24, 25, 26, 30
_TCP, _UDP = 2, 3
# What says how the body was sent; here it is as it was meant, of another length.
_FRAMING = frozenset({"content-length", "l", "transfer-encoding", "content-encoding", "e"})


_TOKEN_SCHEME = re.compile(r"^(Negotiate|NTLM|Kerberos)\s+(?=‹)", re.I)


class Pdu(NamedTuple):
    """A message as a frame: where it was, when (ns), the bytes, and what it is in words."""

    capture: int
    time_ns: int
    data: bytes
    comment: str


def pdus(run: Session, streams: dict[int, frozenset[Stream]]) -> list[Pdu]:
    """The decrypted HTTP and SIP messages of some streams, in the order of their frames."""
    shown = SessionTexts(run)
    found: list[tuple[Place, str, list[str]]] = []
    behind: dict[tuple[int, Stream], int] = {}
    chosen = [m for m in run.messages if _stream(m) in streams.get(_capture(m), ())]
    for message in with_bodies(run, chosen):
        place = message.place
        stream = place.connection.transport, place.connection.stream
        key = place.connection.capture, stream
        if isinstance(message, HttpRequest) and message.method == "CONNECT":
            port = wire_text(message.target).rpartition(":")[2]
            behind[key] = int(port) if port.isdecimal() and len(port) < 6 else 443
        if key in behind:
            place = _through(place, behind[key])
        if place.encrypted:
            if isinstance(message, HttpRequest | HttpResponse):
                found.append((place, "http", list(_http(shown, message))))
            elif isinstance(message, SipMessage):
                found.append((place, "sip", list(_sip(shown, message))))
    # Secrets that no rule knew are masked in all texts, so all have to be there first.
    texts = shown.masked([lines for _, _, lines in found])
    return [
        Pdu(
            place.connection.capture,
            place.span.last_ns,
            _tags(name, place) + _joined(lines),
            f"Decrypted message of {place.connection.transport}.stream {place.connection.stream}, "
            f"frames {place.span.first_frame}–{place.span.last_frame} of the capture; secrets are "
            "replaced, the body may be written anew",
        )
        for (place, name, _), lines in zip(found, texts, strict=True)
    ]


def _stream(message: Message) -> Stream:
    return message.place.connection.transport, message.place.connection.stream


def _capture(message: Message) -> int:
    return message.place.connection.capture


def _through(place: Place, port: int) -> Place:
    """The place with the server's port for that of the proxy, where Wireshark, having seen the
    CONNECT, would take all that follows for TLS."""
    connection = place.connection
    server = replace(connection.server, port=port)
    return replace(place, connection=replace(connection, server=server))


def _joined(lines: list[str]) -> bytes:
    """Head and, last, the body, whose length is known only now."""
    body = lines[-1].encode("utf-8", "replace")
    head = [*lines[:-1], f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode("utf-8", "replace") + body


def _tags(dissector: str, place: Place) -> bytes:
    port_type = _TCP if place.connection.transport == "tcp" else _UDP
    tags = [
        (_DISSECTOR, dissector.encode()),
        *_address(place.sender, 0),
        *_address(place.receiver, 1),
        (_PORT_TYPE, struct.pack(">I", port_type)),
        (_SOURCE_PORT, struct.pack(">I", place.sender.port)),
        (_DESTINATION_PORT, struct.pack(">I", place.receiver.port)),
        (_FRAME, struct.pack(">I", place.span.last_frame)),
        (_END, b""),
    ]
    return b"".join(
        struct.pack(">HH", tag, len(value) + -len(value) % 4) + value + bytes(-len(value) % 4)
        for tag, value in tags
    )


def _address(end: Endpoint, which: int) -> Iterator[tuple[int, bytes]]:
    try:
        address = ipaddress.ip_address(end.address)
    except ValueError:
        return  # no address: nothing to tell
    yield _ADDRESSES[address.version][which], address.packed


# ------------------------------------------------------------------ as lines, the body last


def _http(shown: SessionTexts, message: HttpRequest | HttpResponse) -> Iterator[str]:
    """As HTTP/1.1, whatever version it was."""
    version = message.version if message.version != "2" else "1.1"
    if isinstance(message, HttpRequest):
        target = _url(shown, shown.policy.target(message))
        yield f"{visible(message.method)} {target} HTTP/{version}"
        if message.headers.get("host") is None and message.host:
            yield f"Host: {visible(shown.show(message.host))}"
    else:
        reason = visible(shown.words(wire_text(message.reason)))
        yield f"HTTP/{version} {message.status:03d} {reason}".rstrip()
    kind = message.headers.get("content-type")
    yield from _rest(shown, message, kind)


def _sip(shown: SessionTexts, message: SipMessage) -> Iterator[str]:
    if message.kind == "request":
        uri = shown.show(shown.policy.uri(wire_text(message.uri)))
        yield f"{visible(message.method)} {visible(uri)} SIP/2.0"
    else:
        yield f"SIP/2.0 {message.status or 0:03d} {visible(shown.words(message.reason))}".rstrip()
    yield from _rest(shown, message, message.header("content-type"))


def _rest(
    shown: SessionTexts, message: HttpRequest | HttpResponse | SipMessage, kind: str | None
) -> Iterator[str]:
    sip = isinstance(message, SipMessage)
    for name, value in shown.policy.fields(message.headers, sip):
        field = shown.show(name)
        if field.lower() not in _FRAMING:
            # Behind these schemes Wireshark would decode the label as if it were the token.
            text = _TOKEN_SCHEME.sub(r"\1: ", shown.show(value))
            yield f"{visible(field)}: {visible(text)}"
    content, note = _content(shown, message, kind)
    if note:
        yield f"X-Dissect-Body: {visible(note)}"
    yield content


def _content(
    shown: SessionTexts, message: HttpRequest | HttpResponse | SipMessage, kind: str | None
) -> tuple[str, str]:
    """The body as far as it may be shown, and what is to be reported of it."""
    body, posted = message.body, isinstance(message, HttpRequest)
    if not body.data:
        return "", ""
    if kind and "urlencoded" in kind.lower():
        items = (
            f"{quote_plus(shown.parts((name,)))}={quote_plus(shown.parts(tuple(value)))}"
            for _, name, value in shown.policy.form(body.text)
        )
        return "&".join(items), ""
    text, note = shown.policy.body(body, kind, posted)
    if text is None:
        return "", note
    return "\n".join(map(visible, shown.show(text).split("\n"))), ""


def _url(shown: SessionTexts, text: Text) -> str:
    """A target whose secrets' labels hold no space."""
    parts = (
        quote(shown.show(Text((part,))), safe="")
        if isinstance(part, Secret)
        else visible(shown.show(Text((part,)))).replace(" ", "%20")
        for part in text.parts
    )
    return "".join(parts)
