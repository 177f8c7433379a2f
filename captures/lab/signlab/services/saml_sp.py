"""A service provider that signs its users in with SAML 2.0: AuthnRequest out, Response in.

HTTP-Redirect with DEFLATE and a signature for the request, HTTP-POST for the Response (SAML
bindings §3.4, §3.5). The Response is believed only if the assertion's signature verifies, it
answers a request of this provider, is meant for it and has not expired.
"""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from signxml.exceptions import InvalidInput, InvalidSignature
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .tokens import instant, verify_assertion
from .world import World, form_of, guid, opaque, render, set_cookie

SAML2 = "urn:oasis:names:tc:SAML:2.0:assertion"
SAML2P = "urn:oasis:names:tc:SAML:2.0:protocol"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
NAMES = {"a": SAML2, "p": SAML2P}
SESSION = "timesheet_session"


class Refused(Exception):
    """The Response is not good; the text is what the page says."""


class ServiceProvider:
    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("sp")
        self._base = f"https://{world.hosts.sp.name}"
        self._asked: set[str] = set()  # ids of requests without an answer yet
        self._sessions: dict[str, str] = {}
        self.routes = [
            Route("/", self.home),
            Route("/saml/acs", self.consume, methods=["POST"]),
        ]

    async def home(self, request: Request) -> Response:
        user = self._sessions.get(request.cookies.get(SESSION, ""))
        if user:
            return HTMLResponse(render("sp_home.html", user=user))
        return RedirectResponse(self._request(), 302, {"cache-control": "no-store"})

    def _request(self) -> str:
        """The IdP's address with a signed AuthnRequest (SAML bindings §3.4.4.1)."""
        request_id = f"_{guid().replace('-', '')}"
        self._asked.add(request_id)
        idp = f"https://{self._world.hosts.adfs.name}/adfs/ls/"
        text = render(
            "saml_request.xml",
            request_id=request_id,
            now=instant(),
            destination=idp,
            acs=f"{self._base}/saml/acs",
            issuer=f"{self._base}/saml/metadata",
        )
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(text.encode()) + packer.flush()
        relay = self._truth.secret("relay_state", opaque(18))
        query = "&".join(
            f"{name}={quote(value, safe='')}"
            for name, value in (
                ("SAMLRequest", base64.b64encode(packed).decode()),
                ("RelayState", relay),
                ("SigAlg", RSA_SHA256),
            )
        )
        key = self._world.key("sp").key
        signature = key.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{idp}?{query}&Signature={quote(base64.b64encode(signature).decode(), safe='')}"

    async def consume(self, request: Request) -> Response:
        """The assertion consumer service."""
        form = await form_of(request)
        self._truth.secret("SAMLResponse", form.get("SAMLResponse", ""))
        try:
            user = self._user(form.get("SAMLResponse", ""))
        except Refused as refused:
            return HTMLResponse(render("sp_error.html", text=str(refused)), 403)
        session = opaque(32)
        self._sessions[session] = user
        response = RedirectResponse(f"{self._base}/", 303)
        set_cookie(response, self._truth, SESSION, session)
        return response

    def _user(self, encoded: str) -> str:
        """The NameID of a good Response; Refused otherwise."""
        try:
            tree = etree.fromstring(base64.b64decode(encoded))
        except (ValueError, etree.XMLSyntaxError):
            raise Refused("The response could not be read.") from None
        codes = [str(value) for value in tree.xpath("//p:StatusCode/@Value", namespaces=NAMES)]
        if codes[:1] != [SUCCESS]:
            last = codes[-1].rpartition(":")[2] if codes else "none"
            raise Refused(f"The identity provider did not sign you in ({last}).")
        if tree.get("InResponseTo") not in self._asked:
            raise Refused("The response answers no request.")
        assertion = tree.find(f"{{{SAML2}}}Assertion")
        if assertion is None:
            raise Refused("The response holds no assertion.")
        try:
            signed = verify_assertion(self._world.key("adfs"), assertion, "ID")
        except (InvalidSignature, InvalidInput, ValueError):
            raise Refused("The assertion is not signed by the identity provider.") from None
        audience = signed.findtext(f".//{{{SAML2}}}Audience")
        conditions = signed.find(f"{{{SAML2}}}Conditions")
        if conditions is None or audience != f"{self._base}/saml/metadata":
            raise Refused("The assertion is for somebody else.")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        if not str(conditions.get("NotBefore")) <= now < str(conditions.get("NotOnOrAfter")):
            raise Refused("The assertion is not valid now.")
        self._asked.discard(str(tree.get("InResponseTo")))
        if not self._world.run.scenario.adfs.knows_user:
            raise Refused("You have no account here.")
        return str(signed.findtext(f".//{{{SAML2}}}NameID"))
