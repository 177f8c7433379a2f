"""TLS connections as rows: what is known of each, and why it could not be decrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dissect.model.wire import Direction, Place


@dataclass(frozen=True, slots=True)
class Alert:
    """A TLS alert (RFC 8446 §6): who sent it, in which frame."""

    direction: Direction
    level: str
    description: str
    frame: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says about itself; nothing of it is verified. Times in ns UTC."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before_ns: int
    not_after_ns: int
    key: str


UNKNOWN_QUIC = "unknown"  # the version of QUIC whose beginning was not captured


TlsReason = Literal[
    "no_client_hello",
    "no_server_hello",
    "no_secret_for_random",
    "secret_incomplete",
    "resumed_without_secret",
    "lost_segment",
    "cut_by_snaplen",
    "cipher_unsupported",
    "wrong_secret",
    "damaged_record",
    "rsa_key_wrong",
    "handshake_failed",
    "one_direction_only",
    "secrets_after_packets",
    "quic_not_decrypted",
]


@dataclass(frozen=True, slots=True)
class RecordSize:
    """One application data record of a connection that stayed undecrypted: when, which way,
    size."""

    time_ns: int
    direction: Direction
    length: int
    frame: int


@dataclass(frozen=True, slots=True)
class TlsConnection:
    """What is known of a TLS connection when it ends or the capture does.

    `place.span` runs from the first to the last frame with TLS data. `sentence` explains
    `reason` and what to do about it. `record_sizes` (bounded) is kept only where `decrypted`
    is not "full". `transport` parsers inside (TLS-DSK) set `inside` to "sip".
    `group` is that of the key exchange, `groups` and `alpn_offered` are what the client
    offered. `ech` tells that the client hello is the outer one of Encrypted Client Hello, or
    pretends to be: the true server name may be another. `quic` is the version of QUIC ("1",
    "2", or "unknown" where its beginning was not captured), None over TCP. `round_trips_ns`
    are the times from a flight of the client's handshake to the server's answer. `ja3` and
    `ja4` fingerprint the client hello, `ja3s` the server's.
    `early_data` is what became of 0-RTT data.
    """

    place: Place
    server_name: str | None = None
    alpn: str | None = None
    version: str | None = None
    cipher_suite: str | None = None
    resumed: bool = False
    decrypted: Literal["full", "partial", "none"] = "none"
    reason: TlsReason | None = None
    sentence: str | None = None
    secret_source: str | None = None
    certificates: tuple[Certificate, ...] = ()
    client_certificates: tuple[Certificate, ...] = ()
    alerts: tuple[Alert, ...] = ()
    record_sizes: tuple[RecordSize, ...] = ()
    bytes_decrypted: int = 0
    inside: str | None = None
    group: str | None = None
    groups: tuple[str, ...] = ()
    alpn_offered: tuple[str, ...] = ()
    retried: bool = False
    early_data: Literal["accepted", "rejected"] | None = None
    ech: bool = False
    quic: str | None = None
    round_trips_ns: tuple[int, ...] = ()
    ja3: str | None = None
    ja3s: str | None = None
    ja4: str | None = None
