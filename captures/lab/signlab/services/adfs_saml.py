"""ADFS as a SAML 2.0 identity provider: reads a signed AuthnRequest, answers with a Response."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree
from starlette.responses import HTMLResponse, Response

from .saml_sp import RSA_SHA256, SAML2
from .tokens import instant, saml_assertion
from .world import World, guid, render

LIMIT = 1 << 16  # bytes of an AuthnRequest after inflating
LIFE = timedelta(hours=1)


@dataclass(frozen=True)
class AuthnRequest:
    request_id: str
    issuer: str
    acs: str
    relay_state: str


def read_request(world: World, query: str) -> AuthnRequest:
    """The AuthnRequest of a redirect (SAML bindings §3.4.4.1).

    Raises ValueError unless its signature is the service provider's, whom ADFS knows.
    """
    found = {name: values[0] for name, values in parse_qs(query).items()}
    signed, _, signature = query.rpartition("&Signature=")
    if found.get("SigAlg") != RSA_SHA256:
        raise ValueError("unknown signature algorithm")
    public_key = world.key("sp").certificate.public_key()
    assert isinstance(public_key, rsa.RSAPublicKey)
    try:
        raw = base64.b64decode(unquote_plus(signature))
        public_key.verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        text = zlib.decompressobj(-15).decompress(base64.b64decode(found["SAMLRequest"]), LIMIT)
        tree = etree.fromstring(text)
    except (InvalidSignature, KeyError, zlib.error, etree.XMLSyntaxError):
        raise ValueError("the request is not the service provider's") from None
    return AuthnRequest(
        request_id=str(tree.get("ID")),
        issuer=str(tree.findtext(f"{{{SAML2}}}Issuer")),
        acs=str(tree.get("AssertionConsumerServiceURL")),
        relay_state=found.get("RelayState", ""),
    )


def respond(world: World, asked: AuthnRequest, user: str) -> Response:
    """The self-posting form with the Response: an assertion, or the status that is staged."""
    refused = world.run.scenario.adfs.saml_status
    truth = world.truth("adfs")
    assertion = ""
    if not refused:
        assertion = saml_assertion(
            world.key("adfs"),
            "saml2_assertion.xml",
            LIFE,
            "ID",
            adfs=world.hosts.adfs.name,
            user=user,
            audience=asked.issuer,
            acs=asked.acs,
            request_id=asked.request_id,
            session=f"_{guid()}",
        )
        truth.secret("saml_assertion", assertion)
    text = render(
        "saml2_response.xml",
        response_id=f"_{guid()}",
        now=instant(),
        acs=asked.acs,
        request_id=asked.request_id,
        adfs=world.hosts.adfs.name,
        refused=refused,
        assertion=assertion,
    ).strip()
    encoded = truth.secret("SAMLResponse", base64.b64encode(text.encode()).decode())
    page = render(
        "adfs_saml_post.html", action=asked.acs, response=encoded, relay_state=asked.relay_state
    )
    return HTMLResponse(page)
