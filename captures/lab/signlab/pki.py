"""The lab's certificates and keys, fresh for every recording.

`tls/ROLE.{crt,key}` are the servers' TLS certificates under the lab's root `ca.crt`; `sign/` holds
what signs tokens (Azure AD's JWTs, ADFS's SAML assertion, the pool's web ticket) and the pool's
own authority, which issues the phone's user certificate and stands behind the TLS-DSK handshake.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .config import Run

KEY_BITS = 2048
SERVER_LIFE = timedelta(days=200)
USER_LIFE = timedelta(days=180)
EXPIRED_FOR = timedelta(days=20)
UPN_OID = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")  # szOID_NT_PRINCIPAL_NAME
UTF8_STRING = 0x0C  # its DER tag


@dataclass(frozen=True)
class Issuer:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def save(self, path: Path, *chain: Issuer) -> None:
        """Write path.crt (with the chain after it) and path.key."""
        path.parent.mkdir(parents=True, exist_ok=True)
        certificates = b"".join(issuer.pem() for issuer in (self, *chain))
        path.with_name(path.name + ".crt").write_bytes(certificates)
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.with_name(path.name + ".key").write_bytes(key)

    @classmethod
    def load(cls, path: Path) -> Issuer:
        certificate = x509.load_pem_x509_certificate(
            path.with_name(path.name + ".crt").read_bytes()
        )
        key = serialization.load_pem_private_key(
            path.with_name(path.name + ".key").read_bytes(), None
        )
        assert isinstance(key, rsa.RSAPrivateKey)
        return cls(certificate, key)


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, KEY_BITS)


def _name(common_name: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: rsa.RSAPublicKey,
    life: timedelta,
    *,
    ago: timedelta = timedelta(),
) -> x509.CertificateBuilder:
    """A certificate that is valid from a day before now (or `ago` before now) for `life`."""
    now = datetime.now(UTC) - ago
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + life)
    )


def authority(common_name: str, organisation: str, parent: Issuer | None = None) -> Issuer:
    """A certificate authority, self-signed or under `parent`."""
    key = new_key()
    subject = _name(common_name, organisation)
    issuer = parent.certificate.subject if parent else subject
    life = timedelta(days=3650)
    builder = _builder(subject, issuer, key.public_key(), life).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    builder = builder.add_extension(
        x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        ),
        critical=True,
    )
    return Issuer(builder.sign(parent.key if parent else key, hashes.SHA256()), key)


def server(host: str, issuer: Issuer, *, expired: bool = False) -> Issuer:
    """A TLS server certificate for `host`; `expired`: its time is over."""
    key = new_key()
    ago = SERVER_LIFE + EXPIRED_FOR if expired else timedelta()
    subject, parent = _name(host), issuer.certificate.subject
    builder = _builder(subject, parent, key.public_key(), SERVER_LIFE, ago=ago)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
    ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return Issuer(builder.sign(issuer.key, hashes.SHA256()), key)


def user_certificate(request: x509.CertificateSigningRequest, issuer: Issuer) -> x509.Certificate:
    """What CertProv makes of the phone's PKCS#10 request; the signature in it is verified.

    Raises ValueError when the request is not signed by its own key.
    """
    public_key = request.public_key()
    if not request.is_signature_valid or not isinstance(public_key, rsa.RSAPublicKey):
        raise ValueError("certificate request is not signed by its key")
    builder = _builder(request.subject, issuer.certificate.subject, public_key, USER_LIFE)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
    )
    return builder.sign(issuer.key, hashes.SHA256())


def personal_certificate(upn: str, issuer: Issuer) -> Issuer:
    """A user's certificate for signing in, with the UPN as Windows writes it."""
    key = new_key()
    subject, parent = _name(upn), issuer.certificate.subject
    encoded = upn.encode()
    other = x509.OtherName(UPN_OID, bytes([UTF8_STRING, len(encoded)]) + encoded)
    builder = _builder(subject, parent, key.public_key(), USER_LIFE)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([other]), critical=False
    ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return Issuer(builder.sign(issuer.key, hashes.SHA256()), key)


def upn_of(certificate: x509.Certificate) -> str:
    """The UPN of a user's certificate; "" if it has none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    others = names.get_values_for_type(x509.OtherName)
    return next((o.value[2:].decode() for o in others if o.type_id == UPN_OID), "")


def make_all(run: Run) -> None:
    """Create every certificate and key of a recording under the run's folder."""
    names = run.names
    brand = names.organisation.brand
    root = authority("Lab Root CA", "Lab Trust Services")
    root.save(run.directory / "ca")
    issuing = authority("Lab Issuing CA 1", "Lab Trust Services", root)
    stranger = authority("Inspection CA", brand)  # which no phone has heard of
    trust = run.scenario.trust
    for role, host in names.hosts.by_role().items():
        parent = stranger if role in trust.unknown else issuing
        certificate = server(host.name, parent, expired=role in trust.expired)
        certificate.save(run.directory / "tls" / role, parent)
    sign = run.directory / "sign"
    authority("accounts token signing", "Lab Cloud").save(sign / "azuread")
    authority(f"ADFS Signing - {names.hosts.adfs.name}", brand).save(sign / "adfs")
    communications = authority("Communications Server", "Lab Voice")
    communications.save(sign / "communications")
    enterprise = authority(f"{brand} Enterprise CA", brand)
    enterprise.save(sign / "enterprise")
    person = personal_certificate(names.user.sip, enterprise)
    (run.directory / "user.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"user",
            person.key,
            person.certificate,
            [enterprise.certificate],
            serialization.NoEncryption(),
        )
    )
    authority("web ticket signing", "Lab Voice").save(sign / "pool")
    authority("MS-Organization-Access", "Lab Cloud").save(sign / "drs")
    authority("Intune MDM Device CA", "Lab Cloud").save(sign / "intune")
    authority("time sheets request signing", "Lab Sheets").save(sign / "sp")
    home = server(names.organisation.home_server, communications)
    home.save(sign / "home", communications)
