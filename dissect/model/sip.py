"""SIP messages (RFC 3261)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from dissect.model.content import EMPTY_BODY, Body, Headers
from dissect.model.secrets import Opaque
from dissect.model.wire import Place


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A SIP request or response (RFC 3261). `method` is the CSeq's in a response.

    Header names are as sent; `header()` knows the compact forms. `retransmission` is set
    when the same message (Via branch, CSeq, status) was seen before on the stream.
    `tls_dsk` names the TLS messages inside a `gssapi-data` of the TLS-DSK scheme.
    """

    place: Place
    kind: Literal["request", "response"]
    method: str
    uri: Opaque
    status: int | None
    reason: str
    headers: Headers
    body: Body = EMPTY_BODY
    transport: Literal["udp", "tcp", "tls", "ws"] = "tcp"
    retransmission: bool = False
    tls_dsk: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        found = self.headers.get(name)
        compact = SIP_COMPACT.get(name.lower()) if found is None else None
        return self.headers.get(compact) if compact else found

    def header_all(self, name: str) -> Iterator[str]:
        found = self.headers.all(name)
        compact = SIP_COMPACT.get(name.lower())
        return found if compact is None else chain(found, self.headers.all(compact))


SIP_COMPACT: Mapping[str, str] = {
    "call-id": "i",
    "contact": "m",
    "content-encoding": "e",
    "content-length": "l",
    "content-type": "c",
    "from": "f",
    "subject": "s",
    "supported": "k",
    "to": "t",
    "via": "v",
    "event": "o",
    "allow-events": "u",
    "refer-to": "r",
}
