"""TLS connections as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.model import Certificate, TlsConnection
from dissect.render.words import rfc3339
from dissect.stages.keep import only
from dissect.tables import COMMON, Column, Row, Table
from dissect.tables.place import common

if TYPE_CHECKING:
    from dissect.pipeline import Session

COLUMNS = (
    *COMMON,
    Column(
        "server_name",
        "the name in the client's hello (SNI)",
        "tls.handshake.extensions_server_name",
    ),
    Column("alpn", "the protocol that was agreed on", "tls.handshake.extensions_alpn_str"),
    Column("version", "the TLS version that was agreed on", "tls.handshake.version"),
    Column("cipher_suite", "the suite that was agreed on", "tls.handshake.ciphersuite"),
    Column("resumed", "whether an earlier session went on"),
    Column("decrypted", "whether its records could be decrypted"),
    Column("reason", "a code for why they could not"),
    Column("sentence", "the same in words"),
    Column("secret_source", "where the secrets came from: a key log, the capture, an RSA key"),
    Column("certificates", "subjects of the server's certificates"),
    Column("alerts", "alerts, with their level", "tls.alert_message.desc"),
    Column("inside", "the protocol inside"),
    Column("quic", "the QUIC version, where TLS is inside of QUIC", "quic.version"),
    Column("group", "the group of the key exchange that was chosen"),
    Column("groups", "groups that the client offered"),
    Column("alpn_offered", "protocols that the client offered"),
    Column("retried", "whether the server asked for another hello (RFC 8446 section 4.1.4)"),
    Column("early_data", "whether early data was offered, and taken"),
    Column("ech", "whether the hello was encrypted"),
    Column("round_trips_ns", "round-trip times that the handshake shows, in ns"),
    Column("ja3", "JA3 of the client's hello", "tls.handshake.ja3"),
    Column("ja3s", "JA3S of the server's hello", "tls.handshake.ja3s"),
    Column("ja4", "JA4 of the client's hello", "tls.handshake.ja4"),
    Column("bytes_decrypted", "bytes of application data that were decrypted"),
    Column(
        "certificate_chain",
        "the server's certificates: subject, issuer, names, dates, whether valid then, key",
    ),
    Column("client_certificates", "the client's certificates, likewise"),
    Column("alert_senders", "client or server, for each alert"),
    Column("alert_frames", "the frame of each alert"),
)


def rows(run: Session) -> Iterator[Row]:
    """One row a TLS connection, and a TLS-DSK handshake of a phone's log."""
    for message in (*run.messages, *run.log_handshakes):
        if not isinstance(message, TlsConnection):
            continue
        row = common(run, message.place)
        row.update(
            server_name=message.server_name,
            alpn=message.alpn,
            version=message.version,
            cipher_suite=message.cipher_suite,
            resumed=message.resumed,
            decrypted=message.decrypted,
            reason=message.reason,
            sentence=message.sentence,
            secret_source=message.secret_source,
            certificates=[certificate.subject for certificate in message.certificates],
            alerts=[f"{alert.level} {alert.description}" for alert in message.alerts],
            inside=message.inside,
            quic=message.quic,
            **_hellos(message),
            bytes_decrypted=message.bytes_decrypted,
            certificate_chain=[
                _certificate(item, message.place.span.first_ns) for item in message.certificates
            ],
            client_certificates=[
                _certificate(item, message.place.span.first_ns)
                for item in message.client_certificates
            ],
            alert_senders=["server" if alert.direction else "client" for alert in message.alerts],
            alert_frames=[alert.frame for alert in message.alerts],
        )
        yield row


def _hellos(message: TlsConnection) -> Row:
    """What the hellos of a TLS connection say."""
    return {
        "group": message.group,
        "groups": list(message.groups),
        "alpn_offered": list(message.alpn_offered),
        "retried": message.retried,
        "early_data": message.early_data,
        "ech": message.ech,
        "round_trips_ns": list(message.round_trips_ns),
        "ja3": message.ja3,
        "ja3s": message.ja3s,
        "ja4": message.ja4,
    }


def _certificate(item: Certificate, time_ns: int) -> Row:
    """A certificate; `valid` tells whether it was so when the connection began."""
    begins, ends = rfc3339(item.not_before_ns), rfc3339(item.not_after_ns)
    late = time_ns > item.not_after_ns
    valid = "not yet" if time_ns < item.not_before_ns else "expired" if late else "yes"
    return {
        "subject": item.subject,
        "issuer": item.issuer,
        "names": list(item.names),
        "not_before": begins,
        "not_after": ends,
        "valid": valid if item.not_after_ns else None,
        "key": item.key,
    }


TABLE = Table(
    "tls",
    "TLS connections of CAPTURE..., and for each that stayed shut the reason.",
    COLUMNS,
    (
        "stream",
        "first_frame",
        "client",
        "server_name",
        "version",
        "cipher_suite",
        "decrypted",
        "reason",
        "sentence",
    ),
    rows,
    ("host",),
    keep=only(TlsConnection),
    rules=False,
)
