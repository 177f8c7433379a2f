"""What a pool of Skype for Business Server has for phones that sign in with number and PIN.

GetRootCertChains over plain HTTP for whoever asks, and web tickets for a UsernameToken ([WSS]
username token profile) of extension and PIN. What the PIN's part looks like on the wire no public
source shows; the words of the refusal are those of Lync's PinFailureReason.
"""

from __future__ import annotations

import base64
import hmac

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .lync import CERT_PATH, SECEXT, TICKET_PATH, Lync
from .world import World, render

CHAINS = "GetRootCertChains"
ERROR_ID = 28098


class PinDoor:
    def __init__(self, world: World, lync: Lync) -> None:
        self._world = world
        self._lync = lync
        self.routes = [
            Route(f"{TICKET_PATH}/Auth", self.ticket, methods=["POST"]),
            Route(CERT_PATH, self.certificates, methods=["POST"]),
        ]

    async def ticket(self, request: Request) -> Response:
        run = self._world.run
        question = etree.fromstring(await request.body())
        names = {"wsse": SECEXT}
        number = question.xpath("string(//wsse:UsernameToken/wsse:Username)", namespaces=names)
        pin = question.xpath("string(//wsse:UsernameToken/wsse:Password)", namespaces=names)
        user = run.names.user
        if number == user.extension and hmac.compare_digest(str(pin), run.pin):
            return self._lync.issue(user.sip, question)
        reason = "IncorrectPin" if number == user.extension else "UserDoesNotExist"
        page = render("pin_fault.xml", number=ERROR_ID, reason=reason)
        return self._lync.finish(Response(page, 500, media_type="text/xml; charset=utf-8"))

    async def certificates(self, request: Request) -> Response:
        if CHAINS not in request.headers.get("soapaction", ""):
            return await self._lync.certificate(request)
        folder = self._world.run.directory
        root = x509.load_pem_x509_certificates((folder / "ca.crt").read_bytes())
        issuing = x509.load_pem_x509_certificates((folder / "tls" / "pool.crt").read_bytes())[1:]
        chain = [*root, *issuing]
        encoded = base64.b64encode(pkcs7.serialize_certificates(chain, Encoding.DER)).decode()
        page = render("chains_answer.xml", chain=encoded)
        return self._lync.finish(Response(page, media_type="text/xml; charset=utf-8"))
