"""The keys of each table's rows, for a run without rows: tests compare them with rows."""

from __future__ import annotations

_COMMON = (
    "capture", "stream", "first_frame", "last_frame", "time", "client",
    "server", "encrypted",
)  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "http": (
        *_COMMON, "version", "method", "scheme", "host", "path", "status", "interim",
        "location", "request_type", "response_type", "response_size", "server_name",
        "via", "pushed", "auth", "auth_legs", "problem",
    ),
    "sip": (
        *_COMMON, "kind", "method", "status", "reason", "call_id", "cseq", "from", "to",
        "transport", "auth", "diagnostics", "retransmission", "auth_legs",
        "explanation", "transaction", "dialog", "media", "problem", "sender",
    ),
    "tls": (
        *_COMMON, "server_name", "alpn", "version", "cipher_suite", "resumed",
        "decrypted", "reason", "sentence", "secret_source", "certificates", "alerts",
        "inside", "quic", "group", "groups", "alpn_offered", "retried", "early_data",
        "ech", "round_trips_ns", "ja3", "ja3s", "ja4", "bytes_decrypted",
        "certificate_chain", "client_certificates", "alert_senders", "alert_frames",
    ),
    "dns": (
        *_COMMON, "kind", "name", "type", "rcode", "answers",
    ),
    "events": (
        "capture", "stream", "first_frame", "last_frame", "line", "time", "client",
        "server", "encrypted", "event", "actor", "peer", "host", "facts",
    ),
    "redirects": (
        *_COMMON, "chain", "hop", "from", "to", "status", "kind", "why", "cookies",
        "followed", "to_frame",
    ),
    "dhcp": (
        *_COMMON, "kind", "ident", "hardware", "address", "dhcp_server", "host_name",
        "vendor_class", "asked", "name_servers", "time_servers", "sip_servers",
        "options",
    ),
    "ntp": (
        *_COMMON, "mode", "version", "stratum", "unsynchronized", "kiss", "origin",
        "receive", "transmit", "client_ahead_ns", "delay_ns",
    ),
    "sip_dialogs": (
        *_COMMON, "dialog", "method", "call_id", "from", "to", "state", "status",
        "answered", "ended", "ended_by", "messages", "media",
    ),
}  # fmt: skip
