"""What a report shows beside the charts, as plain text without secrets: made by `report`,
drawn by `render.html`. Times are ns UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dissect.model import Source

Pair = tuple[str, str]

EvidenceKey = tuple[str, str, int | None, int | None]
"""(capture, transport, stream, first frame): joins an arrow's evidence to its messages. For a
phone log the line stands for the frame and there is no stream."""


def evidence_key(source: Source) -> EvidenceKey:
    if source.line is not None:
        return source.capture, "log", None, source.line
    return source.capture, source.transport, source.stream, source.first_frame


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message: what it is in a line, where it was, its header fields and its body."""

    title: str
    source: Source
    time_ns: int
    facts: tuple[Pair, ...] = ()
    headers: tuple[Pair, ...] = ()
    body: str | None = None
    body_note: str = ""


@dataclass(frozen=True, slots=True)
class ExchangeView:
    """A row of the timing table. `end_ns` is None where no response was captured."""

    source: Source
    start_ns: int
    end_ns: int | None
    method: str
    url: str
    host: str
    status: int
    location: str = ""


@dataclass(frozen=True, slots=True)
class RedirectView:
    """A hop of a redirect chain: URLs without query, and what they carried by name."""

    source: Source
    chain: int
    start: str
    target: str
    status: int
    kind: str
    carried: str
    followed: bool


@dataclass(frozen=True, slots=True)
class TlsView:
    """A row of the TLS table; `why` explains a connection that stayed undecrypted."""

    source: Source
    client: str
    server: str
    name: str
    version: str
    suite: str
    decrypted: str
    reason: str
    why: str
    keys: str
    alerts: str


@dataclass(frozen=True, slots=True)
class SipView:
    """A row of the SIP ladder; `sender` and `receiver` are `address:port`."""

    source: Source
    time_ns: int
    sender: str
    receiver: str
    label: str
    note: str
    call: str
    failed: bool
    repeated: bool


@dataclass(frozen=True, slots=True)
class AnomalyView:
    kind: str
    capture: str
    frame: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Details:
    """All of it. `key_logs` are the files that opened each capture, for command lines."""

    messages: Mapping[EvidenceKey, tuple[MessageView, ...]] = field(default_factory=dict)
    exchanges: tuple[ExchangeView, ...] = ()
    redirects: tuple[RedirectView, ...] = ()
    tls: tuple[TlsView, ...] = ()
    sip: tuple[SipView, ...] = ()
    clocks: tuple[str, ...] = ()
    anomalies: tuple[AnomalyView, ...] = ()
    environment: tuple[Pair, ...] = ()
    key_logs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
