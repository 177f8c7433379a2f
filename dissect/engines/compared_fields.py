"""The fields of a message that a cross-check compares, and how a difference is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from dissect.model import (
    DnsMessage,
    HttpRequest,
    HttpResponse,
    Message,
    SipMessage,
    TcpConnection,
    TlsConnection,
)
from dissect.redaction.judge import Judge


def fields_of(message: Message) -> dict[str, Any]:
    """What is compared of a message: name → value."""
    place = message.place
    common: dict[str, Any] = {
        "client": str(place.connection.client),
        "server": str(place.connection.server),
    }
    if isinstance(message, TlsConnection):
        return common | _tls(message)
    if isinstance(message, TcpConnection):
        return common | {
            "outcome": message.outcome,
            "frames": message.frames,
            "payload": message.payload,
            "lost": message.lost,
            "syn_count": message.syn_count,
            "handshake_seen": message.handshake_seen,
            "reset_by": message.reset_by,
        }
    common |= {
        "first_frame": place.span.first_frame,
        "last_frame": place.span.last_frame,
        "first_ns": place.span.first_ns,
        "direction": place.direction,
        "encrypted": place.encrypted,
    }
    if isinstance(message, HttpRequest | HttpResponse):
        return common | _http(message)
    if isinstance(message, SipMessage):
        return common | _sip(message)
    return common | (_dns(message) if isinstance(message, DnsMessage) else {})


def _http(message: HttpRequest | HttpResponse) -> dict[str, Any]:
    found: dict[str, Any] = {
        "head_frame": message.head_frame,
        "version": message.version,
        "headers": _pairs(message.headers),
        "body": bytes(message.body.data),
        "wire_size": message.body.wire_size,
        "server_name": message.server_name,
    }
    if isinstance(message, HttpRequest):
        return found | {
            "method": message.method,
            "target": bytes(message.target),
            "scheme": message.scheme,
            "host": message.host,
            "via": message.via,
            "pushed": message.pushed,
        }
    return found | {
        "status": message.status,
        "reason": bytes(message.reason),
        "interim": message.interim,
    }


def _sip(message: SipMessage) -> dict[str, Any]:
    return {
        "method": message.method,
        "target": bytes(message.uri),
        "status": message.status,
        "reason": message.reason,
        "headers": _pairs(message.headers),
        "body": bytes(message.body.data),
        "transport": message.transport,
        "retransmission": message.retransmission,
        "tls_dsk": message.tls_dsk,
    }


def _dns(message: DnsMessage) -> dict[str, Any]:
    return {
        "ident": message.ident,
        "rcode": message.rcode,
        "questions": message.questions,
        # Only the names and types where the data's words are not those of one field.
        "answers": [
            (name, kind, data if kind not in ("SVCB", "HTTPS", "NAPTR") else "")
            for name, kind, data in message.answers
        ],
    }


def _tls(message: TlsConnection) -> dict[str, Any]:
    if message.quic:  # tshark opens more of it than its hellos, given a key log
        return {
            "quic": message.quic,
            "server_name": message.server_name,
            "version": message.version,
            "cipher_suite": message.cipher_suite,
        }
    return {
        "server_name": message.server_name,
        "alpn": message.alpn,
        "version": message.version,
        "cipher_suite": message.cipher_suite,
        "resumed": message.resumed,
        "decrypted": message.decrypted,
        "certificates": [item.subject for item in message.certificates],
        "client_certificates": [item.subject for item in message.client_certificates],
        "alerts": [(item.direction, item.level, item.description) for item in message.alerts],
    }


def _pairs(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value).strip()) for name, value in headers]


def same(name: str, one: Any, other: Any, first: Message, second: Message) -> bool:
    """Whether two values of a field agree, within the tolerances of `crosscheck`."""
    if one == other:
        return True
    if name in ("body", "wire_size"):
        bodies = getattr(first, "body", None), getattr(second, "body", None)
        return any(body is not None and body.problem for body in bodies)
    return False


def shown(name: str, one: Any, other: Any) -> tuple[str, str]:
    """Two values as text in which no captured secret stands."""
    if name == "body":
        return f"{len(one)} bytes", f"{len(other)} bytes{_where(one, other)}"
    if name == "headers":
        ours, theirs = Counter(one) - Counter(other), Counter(other) - Counter(one)
        if not ours and not theirs:
            return "the same fields", "in another order"
        return _field_names(ours), _field_names(theirs)
    if name == "target":
        return _url(one), _url(other)
    if name == "reason":
        return _words(one), _words(other)
    if isinstance(one, bytes):
        return one.decode("latin-1"), other.decode("latin-1")
    return str(one), str(other)


def _words(value: bytes | str) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return "".join(map(str, Judge().words(text)))


def _url(target: bytes) -> str:
    return str(Judge().url(target.decode("latin-1")))


def _where(one: bytes, other: bytes) -> str:
    at = next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), -1)
    return f", first difference at byte {at}" if at >= 0 else ""


def _field_names(found: Counter[tuple[bytes, bytes]]) -> str:
    words = [f"{name.decode('latin-1')} ({len(value)} bytes)" for name, value in found]
    return ", ".join(words[:6]) or "-"
