"""TLS-DSK ([MS-SIPAE] §3.2): a TLS handshake inside SIP headers, then signed messages.

The handshake is a real one, between two OpenSSL connections over memory BIOs; what it leaves are
the keys for signing, RFC 5705 exporter output with the label "client EAP encryption".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL, crypto

from .sip import SipMessage, tag_of, uri_of

PROTOCOL = "TLS-DSK"
REALM = "SIP Communications Service"
LABEL = b"client EAP encryption"
KEY_MATERIAL = 128  # bytes: two 32-byte encryption keys that SIP has no use for, then these two
CLIENT_KEY, SERVER_KEY = slice(64, 96), slice(96, 128)
VERSIONS = {"1.0": SSL.TLS1_VERSION, "1.1": SSL.TLS1_1_VERSION, "1.2": SSL.TLS1_2_VERSION}
CIPHERS = b"AES256-SHA:AES128-SHA:@SECLEVEL=0"  # level 0: TLS 1.0 signs with MD5 and SHA-1
CHUNK = 1 << 16


class HandshakeFailed(Exception):
    """The inner handshake was refused by this side."""


@dataclass(frozen=True)
class Identity:
    """A certificate with its key and the certificates after it."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    chain: Sequence[x509.Certificate] = ()


class Handshake:
    """One side of the inner TLS connection; `feed` takes the peer's flight and returns ours."""

    def __init__(
        self, identity: Identity, version: str, *, server: bool, trusted: x509.Certificate
    ) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(VERSIONS[version])
        context.set_max_proto_version(VERSIONS[version])
        context.set_cipher_list(CIPHERS)
        context.set_options(SSL.OP_NO_TICKET)
        context.use_privatekey(identity.key)
        context.use_certificate(identity.certificate)
        for certificate in identity.chain:
            context.add_extra_chain_cert(certificate)
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(crypto.X509.from_cryptography(trusted))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        self._context = context
        self._connection = SSL.Connection(context, None)
        if server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self.done = False

    def feed(self, flight: bytes = b"") -> bytes:
        """Hand in the peer's records (none to begin with) and get what must be sent back.

        Raises HandshakeFailed when the peer's flight is not acceptable.
        """
        if flight:
            self._connection.bio_write(flight)
        try:
            self._connection.do_handshake()
            self.done = True
        except SSL.WantReadError:
            self.done = False
        except SSL.Error as error:
            raise HandshakeFailed(str(error)) from error
        answer = bytearray()
        while True:
            try:
                answer += self._connection.bio_read(CHUNK)
            except SSL.WantReadError:
                return bytes(answer)

    def peer_name(self) -> str:
        """The common name of the peer's certificate."""
        peer = self._connection.get_peer_certificate(as_cryptography=True)
        assert peer is not None
        names = peer.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return str(names[0].value)

    def keys(self) -> tuple[bytes, bytes]:
        """(client's, server's) signing key once the handshake is done."""
        material = self._connection.export_keying_material(LABEL, KEY_MATERIAL)
        return material[CLIENT_KEY], material[SERVER_KEY]


def signed_text(
    message: SipMessage, rand: str, num: str, target: str, status: int | None = None
) -> str:
    """The buffer that is signed, version 4: each part between angle brackets.

    Protocol, random, number, realm, target, Call-ID, CSeq number and method, From URI and tag,
    To URI and tag, P-Asserted-Identity as sip and tel (none here), Expires, and in answers the
    status.
    """
    number, _, method = message.get("CSeq").partition(" ")
    sender, receiver = message.get("From"), message.get("To")
    parts = [PROTOCOL, rand, num, REALM, target, message.get("Call-ID"), number, method]
    parts += [uri_of(sender), tag_of(sender), uri_of(receiver), tag_of(receiver)]
    parts += ["", "", message.get("Expires")]
    if status is not None:
        parts.append(str(status))
    return "".join(f"<{part}>" for part in parts)


def sign(key: bytes, text: str) -> str:
    """HMAC-SHA1 (the cipher's hash) of the buffer, in hex."""
    return hmac.new(key, text.encode(), hashlib.sha1).hexdigest()
