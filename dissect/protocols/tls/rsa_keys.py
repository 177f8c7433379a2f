"""RSA private keys of servers: they open connections whose key exchange is RSA.

With (EC)DHE the private key only signs, so such connections need a key log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dissect.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PREMASTER_SIZE = 48


@dataclass(frozen=True, slots=True, repr=False)
class RsaKey:
    """A private key and the name of its file."""

    key: RSAPrivateKey
    origin: str

    @property
    def modulus(self) -> int:
        return self.key.public_key().public_numbers().n

    @property
    def pem(self) -> bytes:
        """The key without a password (PKCS#1), for programs that take files."""
        from cryptography.hazmat.primitives import serialization as form

        return self.key.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
        )

    def premaster(self, encrypted: bytes) -> bytes | None:
        """The premaster secret that a client sent (RFC 5246 §7.4.7.1), or None.

        A library may answer a wrong padding with random bytes instead of an error, so
        only a record's tag proves that the result is right.
        """
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        try:
            secret = self.key.decrypt(encrypted, PKCS1v15())
        except ValueError:
            return None
        return secret if len(secret) == PREMASTER_SIZE else None


def load_rsa_key(data: bytes, origin: str, password: bytes | None = None) -> RsaKey:
    """A private key from PEM or DER (PKCS#1, PKCS#8) or PKCS#12.

    Raises UsageError, in a sentence without anything of the key, where it can't be read.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_der_private_key,
        load_pem_private_key,
        pkcs12,
    )

    def load_pkcs12(data: bytes, password: bytes | None) -> Any:
        return pkcs12.load_key_and_certificates(data, password)[0]

    key: Any = None
    pem = b"-----BEGIN" in data
    loaders: list[Callable[[bytes, bytes | None], Any]] = (
        [load_pem_private_key] if pem else [load_der_private_key, load_pkcs12]
    )
    needs_password = False
    for load in loaders:
        try:
            key = load(data, password)
        except TypeError:  # encrypted and no password, or the other way round
            needs_password = True
        except Exception:  # ValueError, UnsupportedAlgorithm and their kin
            continue
        if key is not None:
            break
    if key is None and needs_password:
        given = (
            "no password was needed"
            if password
            else "it needs a password; put it into a file and pass that with --rsa-password"
        )
        raise UsageError(f"{origin}: the key can't be read, {given}")
    if key is None:
        raise UsageError(f"{origin}: no private key that can be read, or the password is wrong")
    if not isinstance(key, RSAPrivateKey):
        raise UsageError(f"{origin}: the key is no RSA key")
    return RsaKey(key, origin)


def open_rsa_key(data: bytes, origin: str, passwords: Sequence[bytes] = ()) -> RsaKey:
    """A private key that one of the passwords may open.

    Raises UsageError where it can't be read.
    """
    for password in passwords:
        try:
            return load_rsa_key(data, origin, password)
        except UsageError:  # of another key, or none is needed
            continue
    try:
        return load_rsa_key(data, origin)
    except UsageError:
        if passwords:
            raise UsageError(f"{origin}: none of the passwords given opens the key") from None
        raise


def needs_password(data: bytes) -> bool:
    """Whether a key file is locked, as far as its form tells."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if b"-----BEGIN" in data:
            load_pem_private_key(data, None)
        elif data[:1] == b"\x30":
            load_rsa_key(data, "", None)
        return False
    except TypeError:
        return True
    except UsageError:  # DER that is no key in clear: PKCS#12 tells no more without a password
        return b"\x2a\x86\x48\x86\xf7\x0d\x01\x07" in data[:64]
    except Exception:  # no key at all: the loader will say so
        return False


def matches(key: RsaKey, certificate: bytes) -> bool:
    """Whether the key is that of a certificate (DER); unreadable ones match none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        public = x509.load_der_x509_certificate(certificate).public_key()
    except Exception:  # hostile DER raises many kinds
        return False
    return isinstance(public, RSAPublicKey) and public.public_numbers().n == key.modulus
