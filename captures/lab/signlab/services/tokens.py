"""Signed tokens: Azure AD's JWTs (RFC 7515, RS256) and SAML 1.1 assertions (xmldsig)."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.exceptions import InvalidInput
from signxml.exceptions import InvalidSignature as InvalidXmlSignature
from signxml.signer import XMLSigner
from signxml.verifier import XMLVerifier
from starlette.requests import Request

from ..pki import Issuer
from .world import guid, render

UPN_PATH = (
    ".//{urn:oasis:names:tc:SAML:1.0:assertion}Attribute[@AttributeName='UPN']"
    "/{urn:oasis:names:tc:SAML:1.0:assertion}AttributeValue"
)
SAML = "urn:oasis:names:tc:SAML:1.0:assertion"


def _b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt(issuer: Issuer, claims: dict[str, Any]) -> str:
    """A JWT signed RS256; `x5t` names the certificate by its SHA-1 (RFC 7515 §4.1.7)."""
    der = issuer.certificate.public_bytes(serialization.Encoding.DER)
    thumb = _b64url(hashlib.sha1(der).digest())
    head = {"typ": "JWT", "alg": "RS256", "x5t": thumb, "kid": thumb}
    parts = [_b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims)]
    signed = ".".join(parts)
    signature = issuer.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_b64url(signature)}"


def read_jwt(issuer: Issuer, token: str) -> dict[str, Any]:
    """The claims of a JWT that `issuer` signed and that has not expired; ValueError otherwise."""
    signed, _, signature = token.rpartition(".")
    public_key = issuer.certificate.public_key()
    assert isinstance(public_key, rsa.RSAPublicKey)
    try:
        raw = base64.urlsafe_b64decode(signature + "==")
        public_key.verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise ValueError("JWT signature does not verify") from None
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
    if claims["exp"] < datetime.now(UTC).timestamp():
        raise ValueError("JWT has expired")
    return claims


def bearer_claims(issuer: Issuer, request: Request, audience: str) -> dict[str, Any]:
    """The claims of a request's access token (RFC 6750 §2.1) for `audience`.

    Raises ValueError when there is none, it is not good, or it is for another resource.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ValueError("Access token is missing or malformed.")
    return audience_claims(issuer, token, audience)


def audience_claims(issuer: Issuer, token: str, audience: str) -> dict[str, Any]:
    """The claims of an access token for `audience`; ValueError when it is not good or not that."""
    claims = read_jwt(issuer, token)
    if str(claims["aud"]).rstrip("/") != audience:
        raise ValueError("Access token validation failure. Invalid audience.")
    return claims


def federated_user(issuer: Issuer, encoded: str) -> str:
    """The UPN of a base64url SAML assertion that `issuer` signed; "" when it did not."""
    try:
        assertion = etree.fromstring(base64.urlsafe_b64decode(encoded + "=="))
        return verify_assertion(issuer, assertion).findtext(UPN_PATH) or ""
    except (ValueError, etree.XMLSyntaxError, InvalidXmlSignature, InvalidInput):
        return ""


def instant(offset: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + offset).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def saml_assertion(
    issuer: Issuer,
    template: str,
    life: timedelta = timedelta(hours=1),
    id_attribute: str = "AssertionID",
    **values: Any,
) -> str:
    """A signed SAML assertion from a template, as XML text without a declaration.

    The attribute with its id is called AssertionID in SAML 1.1, ID in 2.0.
    """
    text = render(
        template,
        assertion_id=f"_{guid()}",
        now=instant(),
        until=instant(life),
        **values,
    )
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    signed = signer.sign(
        etree.fromstring(text.encode()),
        key=issuer.key,
        cert=[issuer.certificate],
        id_attribute=id_attribute,
    )
    return etree.tostring(signed, encoding="unicode")


def verify_assertion(
    issuer: Issuer, assertion: etree._Element, id_attribute: str = "AssertionID"
) -> etree._Element:
    """The signed part of an assertion; signxml's InvalidSignature or InvalidInput if none."""
    result = XMLVerifier().verify(
        etree.tostring(assertion),
        x509_cert=issuer.certificate,
        id_attribute=id_attribute,
    )
    verified = result[0] if isinstance(result, list) else result
    signed = verified.signed_xml
    if signed is None:
        raise ValueError("the assertion's signature covers nothing")
    return signed
