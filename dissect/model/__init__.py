"""The vocabulary of dissect: what the stages hand to each other.

Frames and streams are numbered as Wireshark numbers them; times are integer
nanoseconds since the epoch, UTC. Everything is frozen. What every stage needs is imported
from here; a module of this package holds one concept.
"""

from __future__ import annotations

from dissect.model.capture import CaptureInfo
from dissect.model.chart import (
    Actor,
    Arrow,
    ArrowStatus,
    Cause,
    KeyArrow,
    SequenceChart,
    Step,
    StepStatus,
)
from dissect.model.content import EMPTY_BODY, MAX_NAMES, Body, Headers, wire_text
from dissect.model.events import UNREACHABLE, Event, Source
from dissect.model.http import HttpRequest, HttpResponse
from dissect.model.messages import LogEntry, Message, Output, PluginMessage, StreamParser
from dissect.model.network import (
    DhcpMessage,
    DnsMessage,
    NtpMessage,
    ProxyHeader,
    TcpConnection,
    Unreachable,
)
from dissect.model.secrets import NOTHING, UNKNOWN, Fact, Opaque, Secret, Text
from dissect.model.sip import SIP_COMPACT, SipMessage
from dissect.model.tls import (
    UNKNOWN_QUIC,
    Alert,
    Certificate,
    RecordSize,
    TlsConnection,
    TlsReason,
)
from dissect.model.wire import (
    CLIENT_TO_SERVER,
    SERVER_TO_CLIENT,
    Anomaly,
    Connection,
    Direction,
    Endpoint,
    Place,
    Range,
    Ranges,
    Span,
)

__all__ = [
    "CLIENT_TO_SERVER",
    "EMPTY_BODY",
    "MAX_NAMES",
    "NOTHING",
    "SERVER_TO_CLIENT",
    "SIP_COMPACT",
    "UNKNOWN",
    "UNKNOWN_QUIC",
    "UNREACHABLE",
    "Actor",
    "Alert",
    "Anomaly",
    "Arrow",
    "ArrowStatus",
    "Body",
    "CaptureInfo",
    "Cause",
    "Certificate",
    "Connection",
    "DhcpMessage",
    "Direction",
    "DnsMessage",
    "Endpoint",
    "Event",
    "Fact",
    "Headers",
    "HttpRequest",
    "HttpResponse",
    "KeyArrow",
    "LogEntry",
    "Message",
    "NtpMessage",
    "Opaque",
    "Output",
    "Place",
    "PluginMessage",
    "ProxyHeader",
    "Range",
    "Ranges",
    "RecordSize",
    "Secret",
    "SequenceChart",
    "SipMessage",
    "Source",
    "Span",
    "Step",
    "StepStatus",
    "StreamParser",
    "TcpConnection",
    "Text",
    "TlsConnection",
    "TlsReason",
    "Unreachable",
    "wire_text",
]
