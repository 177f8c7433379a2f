"""Real TLS peers for the tests: Python's ssl over memory BIOs, and a child that records.

What a session sent is known from the peers themselves, never from the code under test.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import ssl
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

from dissect.model import Anomaly, Direction, Output, Span, TlsConnection
from dissect.protocols.base import Layer
from dissect.protocols.tls.parser import TlsParser
from dissect.protocols.tls.secret_store import SecretStore

from ..drive import CONNECTION, C, Found, Part, S, drive

SERVER_NAME = "login.lab.test"
NOT_BEFORE = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
FFDHE2048 = int(
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE"
    "249B3EF97D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3"
    "B557135E7F57C935984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE73530ACCA4F483A797ABC0AB182"
    "B324FB61D108A94BB2C8E3FBB96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D70"
    "9E02FCE1CDF7E2ECC03404CD28342F619172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC"
    "2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA886B423861285C97FFFFFFFFFFFFFFFF",
    16,
)
NOT_AFTER = datetime.datetime(2035, 1, 1, tzinfo=datetime.UTC)


class Unsupported(Exception):
    """The peers here don't do this."""


class Recorder:
    """A child that keeps what it gets: bytes a direction, and the calls."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.got = [b"", b""]
        self.calls: list[tuple[str, Direction, int]] = []
        self.spans: list[Span] = []

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        self.got[direction] += bytes(view)
        self.calls.append(("data", direction, len(view)))
        self.spans.append(span)
        return ()

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        self.calls.append(("gap", direction, length))
        return ()

    def end(self, direction: Direction, span: Span) -> Output:
        self.calls.append(("end", direction, 0))
        return ()


@dataclass
class Seen:
    """What the parser made of a connection."""

    row: TlsConnection
    children: list[Recorder]
    found: Found

    @property
    def got(self) -> tuple[bytes, bytes]:
        """Plaintext of client and server."""
        client = b"".join(child.got[0] for child in self.children)
        return client, b"".join(child.got[1] for child in self.children)

    @property
    def kinds(self) -> list[str]:
        return [item.kind for item in self.found if isinstance(item, Anomaly)]


def store_of(*key_logs: bytes | str) -> SecretStore:
    store = SecretStore()
    for number, text in enumerate(key_logs, 1):
        assert (
            store.add_key_log(text.encode() if isinstance(text, str) else text, f"log {number}")
            == []
        )
    return store


def look(parts: Iterable[Part], secrets: SecretStore, *, layer: Layer | None = None) -> Seen:
    """Run the parser over the parts of one connection."""
    children: list[Recorder] = []

    def open_child(inner: Layer) -> Recorder:
        children.append(Recorder(inner))
        return children[-1]

    parser = TlsParser(Layer(CONNECTION, open_child), secrets)
    found = drive(parser, parts)
    rows = [item for item in found if isinstance(item, TlsConnection)]
    assert len(rows) == 1, "each connection ends with one row"
    assert found[-1] is rows[0]
    return Seen(rows[0], children, found)


@dataclass
class Session:
    """A recorded connection: what was on the wire, the key log, and what was really sent."""

    wire: list[Part] = field(default_factory=list)
    keys: str = ""
    reused: bool = False  # as both peers say
    client_certificate: bytes | None = None  # as the server has got it
    sent: list[bytes] = field(default_factory=lambda: [b"", b""])

    @property
    def plaintext(self) -> tuple[bytes, bytes]:
        return self.sent[0], self.sent[1]


@dataclass
class Recorded:
    """One connection: its parts, the key log, and what client and server sent.

    `sent` may be pieces that the plaintext must hold where the rest is a peer's own
    (`whole` False); `earlier` are connections that came before on the same key log. `unsaid`
    is what the peers' own output should say of the feature and does not.
    """

    parts: list[Part]
    keys: str | bytes
    sent: tuple[bytes, bytes]
    whole: bool = True
    earlier: list[list[Part]] = field(default_factory=list)
    sizes: tuple[int, int] | None = None  # of all that each sent, where only that is known
    unsaid: Sequence[str] = ()
    ech: bool = False  # whether the client sends what looks like Encrypted Client Hello


@cache
def certificate(kind: str = "ec") -> tuple[bytes, Path]:
    """A self-signed certificate (DER) and a file with it and its key (PEM)."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey
    if kind == "ec":
        key = ec.generate_private_key(ec.SECP256R1())
    elif kind == "dsa":
        key = dsa.generate_private_key(2048)
    else:
        key = rsa.generate_private_key(65537, 2048)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, SERVER_NAME),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab"),
        ]
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), False)
        .sign(key, hashes.SHA256())
    )
    path = Path(tempfile.mkdtemp(prefix="tls-peer-")) / f"{kind}.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return built.public_bytes(serialization.Encoding.DER), path


@cache
def dh_parameters() -> Path:
    """The group ffdhe2048 (RFC 7919), for servers that offer DHE."""
    path = Path(tempfile.mkdtemp(prefix="tls-dh-")) / "ffdhe2048.pem"
    der = b"\x30\x82\x01\x08\x02\x82\x01\x01\x00" + FFDHE2048.to_bytes(256) + b"\x02\x01\x02"
    path.write_text(
        f"-----BEGIN DH PARAMETERS-----\n{base64.encodebytes(der).decode()}"
        "-----END DH PARAMETERS-----\n"
    )
    return path


@dataclass
class Peers:
    """A client and a server context that talk over memory."""

    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: str | None = None
    kind: str = "ec"
    alpn: Sequence[str] = ("http/1.1",)
    client_certificate: bool = False
    trust: bool = True
    flags: int = 0  # of OpenSSL's options, also those that Python has no name for

    def __post_init__(self) -> None:
        _, pem = certificate(self.kind)
        self.keylog = Path(tempfile.mkdtemp(prefix="tls-keys-")) / "keys"
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.server.load_cert_chain(pem)
        self.server.load_dh_params(str(dh_parameters()))
        if self.trust:
            self.client.load_verify_locations(pem)
        if self.client_certificate:
            self.client.load_cert_chain(pem)
            self.server.verify_mode = ssl.CERT_REQUIRED
            self.server.load_verify_locations(pem)
        self.client.keylog_filename = str(self.keylog)
        for context in (self.client, self.server):
            if self.ciphers:
                context.set_ciphers(self.ciphers + ":@SECLEVEL=0")
            context.minimum_version = context.maximum_version = self.version
            context.options |= self.flags
            if self.alpn:
                context.set_alpn_protocols(list(self.alpn))

    def talk(
        self,
        exchanges: Sequence[tuple[Direction, bytes]] = ((0, b"ping"), (1, b"pong")),
        *,
        session: ssl.SSLSession | None = None,
        close: bool = True,
    ) -> tuple[Session, ssl.SSLSession | None]:
        """Shake hands, send each of `exchanges`, close. Each flight is one part."""
        inboxes = (ssl.MemoryBIO(), ssl.MemoryBIO())
        outboxes = (ssl.MemoryBIO(), ssl.MemoryBIO())
        client = self.client.wrap_bio(
            inboxes[0], outboxes[0], server_hostname=SERVER_NAME, session=session
        )
        server = self.server.wrap_bio(inboxes[1], outboxes[1], server_side=True)
        ends = (client, server)
        record = Session()

        def carry() -> None:
            for direction in (C, S):
                flight = outboxes[direction].read()
                if flight:
                    record.wire.append((direction, flight))
                    inboxes[direction ^ 1].write(flight)

        done = [False, False]
        for _ in range(10):
            for direction in (C, S):
                if not done[direction]:
                    try:
                        ends[direction].do_handshake()
                        done[direction] = True
                    except ssl.SSLWantReadError:
                        pass
                    except ssl.SSLError:
                        carry()
                        self._finish(record)
                        return record, None
                carry()
            if all(done):
                break
        for direction, text in exchanges:
            sender, receiver = ends[direction], ends[direction ^ 1]
            sender.write(text)
            record.sent[direction] += text
            carry()
            got = b""
            while len(got) < len(text):
                got += receiver.read(1 << 16)
            assert got == text
        record.reused = bool(client.session_reused and server.session_reused)
        record.client_certificate = server.getpeercert(binary_form=True)
        ticket = client.session
        if close:
            for direction in (C, S):
                with contextlib.suppress(ssl.SSLWantReadError):
                    ends[direction].unwrap()
                carry()
        self._finish(record)
        return record, ticket

    def _finish(self, record: Session) -> None:
        record.keys = self.keylog.read_text() if self.keylog.exists() else ""
