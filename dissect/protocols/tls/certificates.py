"""What certificates say about themselves (RFC 5280). Nothing is verified here.

Real chains hold certificates that break the rules; whatever can still be read is given,
the rest stays empty.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from dissect.errors import ProtocolError
from dissect.model import Certificate

if TYPE_CHECKING:
    from cryptography import x509

MAX_CHAIN = 16  # certificates read of one chain
MAX_CACHED = 8192  # bytes of a certificate that is remembered as read
MAX_UNPACKED = 1 << 20  # bytes of a compressed chain after decompression

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def read_chain(chain: Iterable[bytes]) -> tuple[Certificate, ...]:
    """The certificates of a chain (DER), in the order sent; unreadable ones say so."""
    return tuple(
        _read_again(bytes(der)) if len(der) <= MAX_CACHED else _read(bytes(der))
        for der in islice(chain, MAX_CHAIN)
    )


@lru_cache(maxsize=512)  # the same few chains come with every connection of a capture
def _read_again(der: bytes) -> Certificate:
    return _read(der)


def _read(der: bytes) -> Certificate:
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(der)
    except Exception as error:  # the library raises many kinds for hostile DER
        return Certificate("", f"unreadable certificate ({type(error).__name__})", (), 0, 0, "")
    return Certificate(
        subject=_tolerant(lambda: _name(certificate.subject), ""),
        issuer=_tolerant(lambda: _name(certificate.issuer), ""),
        names=_tolerant(lambda: _alternative_names(certificate), ()),
        not_before_ns=_tolerant(lambda: _nanoseconds(certificate.not_valid_before_utc), 0),
        not_after_ns=_tolerant(lambda: _nanoseconds(certificate.not_valid_after_utc), 0),
        key=_tolerant(lambda: _key(certificate), "unknown"),
    )


def _tolerant(read: Callable[[], T], otherwise: T) -> T:
    """The field, or `otherwise` where the certificate breaks the rules in this field."""
    try:
        return read()
    except Exception:  # ValueError, UnsupportedAlgorithm, and what a release adds to them
        return otherwise


def _nanoseconds(when: datetime) -> int:
    return (when - _EPOCH) // _MICROSECOND * 1000


def _name(name: x509.Name) -> str:
    """`CN=…, O=…` where there is one, else the whole name (RFC 4514)."""
    from cryptography.x509.oid import NameOID

    parts = []
    for label, oid in (("CN", NameOID.COMMON_NAME), ("O", NameOID.ORGANIZATION_NAME)):
        parts += [f"{label}={_text(one.value)}" for one in name.get_attributes_for_oid(oid)]
    return ", ".join(parts) or name.rfc4514_string()


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    plain = (x509.DNSName, x509.IPAddress, x509.RFC822Name, x509.UniformResourceIdentifier)
    return tuple(str(one.value) for one in extension.value if isinstance(one, plain))


def _key(certificate: x509.Certificate) -> str:
    """`RSA 2048`, `EC secp256r1`, `Ed25519`, or the key's object identifier."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    try:
        key: Any = certificate.public_key()
    except Exception:  # a kind of key that the library doesn't know
        return certificate.public_key_algorithm_oid.dotted_string
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removesuffix("PublicKey")


def decompress(algorithm: int, data: bytes, length: int) -> bytes:
    """The Certificate message inside a CompressedCertificate (RFC 8879 §4).

    Raises ProtocolError where it is larger than it says, or than `MAX_UNPACKED`.
    """
    if length > MAX_UNPACKED:
        raise ProtocolError("tls.certificate", f"a compressed certificate of {length} bytes")
    try:
        unpacked = _unpack(algorithm, data, length)
    except Exception as error:
        raise ProtocolError(
            "tls.certificate", f"a compressed certificate is damaged ({type(error).__name__})"
        ) from None
    if len(unpacked) != length:
        raise ProtocolError("tls.certificate", "a compressed certificate has the wrong length")
    return unpacked


def _unpack(algorithm: int, data: bytes, length: int) -> bytes:
    if algorithm == 1:
        return zlib.decompressobj().decompress(data, length + 1)
    if algorithm == 2:
        import brotli

        unpacked: bytes = brotli.Decompressor().process(data, output_buffer_limit=length + 1)
        return unpacked
    if algorithm == 3:
        import zstandard

        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            return bytes(reader.read(length + 1))
    raise ValueError("unknown algorithm")
