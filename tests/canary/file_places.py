"""Positions in what lies beside a capture: key logs, phone logs, definitions; and in TLS hellos."""

from __future__ import annotations

import datetime
import ssl
import struct
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

RANDOM = "ab" * 32


def _line(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


# Lines of a key log that a reader passes over or complains of.
KEY_LINES: dict[str, Callable[[str], str]] = {
    "comment": lambda t: f"# {t}", "no-label": lambda t: t, "label-only": lambda t: f"CLIENT_RANDOM {t}",
    "secret-no-hex": lambda t: f"CLIENT_RANDOM {RANDOM} {t}", "unknown-label": lambda t: f"ZETA_SECRET {RANDOM} {t}",
    "secret-odd": lambda t: f"CLIENT_TRAFFIC_SECRET_0 {RANDOM} {t.encode().hex()}a",
    "secret-short": lambda t: f"CLIENT_RANDOM {RANDOM} {t.encode().hex()}", "label": lambda t: f"{t.upper()} {RANDOM} 00",
    "random": lambda t: f"CLIENT_RANDOM {t.encode().hex()} {'00' * 48}", "behind": lambda t: f"CLIENT_RANDOM {RANDOM} {'00' * 48} {t}",
    "glued": lambda t: f"CLIENT_RANDOM {RANDOM} {t}CLIENT_RANDOM {RANDOM} {'00' * 48}", "rsa": lambda t: f"RSA {t} {t}",
    "session-id": lambda t: f"RSA Session-ID:{t} Master-Key:{t}", "pem": lambda t: f"-----BEGIN PRIVATE KEY----- {t}",
}  # fmt: skip


def key_log(own: dict[str, str]) -> bytes:
    return "".join(_line(KEY_LINES[n](own[n])) + "\n" for n in KEY_LINES if n in own).encode()


_ENTRIES: dict[str, str] = {
    "vvx.password": "cfg|4|00|Prm|reg.1.auth.password[{p}]", "vvx.setting": "cfg|4|00|Set reg.1.auth.password={p}",
    "vvx.quoted": 'cfg|4|00|reg.1.auth.password="{p}" reg.1.address="bob"', "vvx.user-code": "Devic|2|00|parseDeviceInformation: user_code[{p}] device_code[1]",
    "vvx.device-code": "Devic|2|00|parseDeviceInformation: user_code[ABCDEFGH] device_code[{p}]", "vvx.token": "Devic|2|00|parseIDRefreshTokenData: access_token[{p}]",
    "vvx.unknown-field": "Devic|2|00|DeviceConfiguration Data: ClientId[1] Zeta[{p}]", "vvx.url": "Devic|2|00|Sent request for Device Configuration:https://h.example/a?zeta={p}",
    "vvx.userinfo": "Devic|2|00|Sent request for Device Configuration:https://bob:{p}@h.example/a", "vvx.error": "Devic|2|00|parseIDRefreshTokenData: error[{p}] code[{p}]",
    "vvx.free": "app1|4|00|the user typed {p}", "vvx.json": 'app1|4|00|{"zeta": "{p}"}', "vvx.website": "Devic|2|00|DeviceConfiguration Data: DevicePairingWebsiteUrl[http://h.example/a?zeta={p}]",
    "vvx.uri": "Devic|2|00|Policy Dest Got User Certificate Uri:bob:{p}@a.example", "vvx.continued": "app1|4|00|one\n{p}",
}  # fmt: skip
LOG_SIP: dict[str, tuple[str, str]] = {
    "vvx.sip.authorization": ("Authorization", 'Digest username="bob", response="{p}"'), "vvx.sip.unknown": ("X-Zeta", "{p}"),
    "vvx.sip.contact": ("Contact", "<sip:bob@192.0.2.1;pn-prid={p}>"), "vvx.sip.gssapi": ("Authorization", 'TLS-DSK gssapi-data="{p}'),
}  # fmt: skip
PHONE_LOG = (*_ENTRIES, *LOG_SIP)
SYSLOG = (
    "syslog.free",
    "syslog.sip.authorization",
    "syslog.sip.unknown",
    "syslog.sip.body",
    "syslog.sip.password",
)


def phone_log(own: dict[str, str]) -> bytes:
    """A VVX phone's log: entries, and SIP messages as it writes them."""
    lines: list[str] = []
    for name, template in _ENTRIES.items():
        if name in own:
            filled = template.replace("{p}", _line(own[name]))
            component, _, rest = filled.partition("|")
            lines.append(f"1125080223|{component:5}|{rest}" if "|" in filled else filled)
    for number, (name, (field, value)) in enumerate(LOG_SIP.items()):
        if name in own:
            message = [
                "REGISTER sip:a.example SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKl", "From: <sip:bob@a.example>;tag=1",
                "To: <sip:bob@a.example>", f"Call-ID: log-{number}", "CSeq: 1 REGISTER", f"{field}: {value.replace('{p}', _line(own[name]))}", "Content-Length: 0",
            ]  # fmt: skip
            lines += [f"1125080224|sip  |0|00|    {line}" for line in message]
            lines.append("1125080224|sip  |0|00|>>> End of data send")
    return ("\n".join(lines) + "\n").encode()


def syslog(own: dict[str, str]) -> bytes:
    """A SIP proxy's log with whole messages in a line."""
    values = {name: _line(own[name]) for name in SYSLOG}
    message = (
        f"REGISTER sip:bob:{values['syslog.sip.password']}@a.example SIP/2.0#015#012Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKs#015#012"
        "From: <sip:bob@a.example>;tag=1#015#012To: <sip:bob@a.example>#015#012Call-ID: sys-1#015#012CSeq: 1 REGISTER#015#012"
        f'Authorization: Digest username="bob", response="{values["syslog.sip.authorization"]}"#015#012X-Zeta: {values["syslog.sip.unknown"]}#015#012'
        f"Content-Type: text/plain#015#012Content-Length: {len(values['syslog.sip.body'])}#015#012#015#012{values['syslog.sip.body']}"
    )
    return (
        f"Nov 25 08:02:23 proxy kamailio[7]: INFO: <script>: 192.0.2.1:5060 -> 192.0.2.2:5060 {message}\n"
        f"Nov 25 08:02:24 proxy kamailio[7]: INFO: <script>: the user typed {values['syslog.free']}\n"
    ).encode()


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!HH", kind, len(data)) + data


HELLO = (
    "tls.session-id",
    "tls.ticket",
    "tls.psk-identity",
    "tls.cookie",
    "tls.unknown-extension",
    "tls.early-data",
    "tls.random",
)


def hello(own: dict[str, str]) -> bytes:
    """A ClientHello (RFC 8446 §4.1.2) with secrets in what opens a session again; early data."""
    value = {name: own.get(name, "").encode()[:180] for name in HELLO}
    identity = value["tls.psk-identity"]
    psk = (
        struct.pack("!H", len(identity) + 6)
        + struct.pack("!H", len(identity))
        + identity
        + bytes(4)
    )
    psk += struct.pack("!HB", 33, 32) + bytes(32)
    name = b"login.example"
    extensions = _extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name)
    extensions += _extension(35, value["tls.ticket"]) + _extension(43, b"\x04\3\4\3\3")
    extensions += _extension(44, struct.pack("!H", len(value["tls.cookie"])) + value["tls.cookie"])
    extensions += (
        _extension(65300, value["tls.unknown-extension"])
        + _extension(42, b"")
        + _extension(41, psk)
    )
    session = value["tls.session-id"][:32]
    body = b"\3\3" + value["tls.random"][:32].ljust(32, b"r") + bytes((len(session),)) + session
    body += b"\0\2\x13\1\1\0" + struct.pack("!H", len(extensions)) + extensions
    handshake = b"\1" + len(body).to_bytes(3) + body
    early = value["tls.early-data"].ljust(48, b"e")
    return (
        b"\x16\3\1"
        + struct.pack("!H", len(handshake))
        + handshake
        + b"\x17\3\3"
        + struct.pack("!H", len(early))
        + early
    )


CERTIFICATE = (
    "tls.certificate.serial-number",
    "tls.certificate.unknown-extension",
    "tls.certificate.description",
)


def certificate(folder: Path, own: dict[str, str]) -> Path:
    """A server's certificate with its key (PEM); what a subject says beyond names is a secret here."""
    key = ec.generate_private_key(ec.SECP256R1())
    extra = own.get("tls.certificate.unknown-extension", "x").encode()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "login.example")])
    start = datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=3650))
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.311.99"), extra), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "server.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


class Tls:
    """Client and server in memory; what each writes is what was on the wire (RFC 8446, RFC 5246)."""

    def __init__(
        self, folder: Path, version: ssl.TLSVersion, protocol: str, own: dict[str, str]
    ) -> None:
        keys = folder / "peers.keys"
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate(folder, own))
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.keylog_filename = str(keys)
        client.minimum_version = client.maximum_version = version
        for context in (client, server):
            context.set_alpn_protocols([protocol])
        # What an end writes, and what it has still to read.
        self.out = {True: ssl.MemoryBIO(), False: ssl.MemoryBIO()}
        self.came = {True: ssl.MemoryBIO(), False: ssl.MemoryBIO()}
        self.ends = {
            True: client.wrap_bio(self.came[True], self.out[True], server_hostname="login.example"),
            False: server.wrap_bio(self.came[False], self.out[False], server_side=True),
        }
        self.said: list[tuple[bool, bytes]] = []
        self.keys = keys
        waiting = {True, False}
        while waiting:
            for end in (True, False):
                try:
                    self.ends[end].do_handshake()
                    waiting.discard(end)
                except ssl.SSLWantReadError:
                    pass
                self._move(end)

    def _move(self, end: bool) -> None:
        """What an end has written is on the wire, and at the other end."""
        data = self.out[end].read()
        if data:
            self.said.append((end, data))
            self.came[not end].write(data)

    def say(self, end: bool, data: bytes) -> None:
        for at in range(0, len(data), 9000):
            self.ends[end].write(data[at : at + 9000])
        self._move(end)
        try:
            while self.ends[not end].read(1 << 16):
                pass
        except ssl.SSLWantReadError:
            pass
