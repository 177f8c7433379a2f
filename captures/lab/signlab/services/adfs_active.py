"""ADFS towards clients without a browser: WS-Trust 2005 at …/usernamemixed.

A phone that was given name and password comes here itself, which in Web Sign-in it never does.
A wrong password is answered with HTTP 500 and a SOAP fault.
"""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .adfs import is_right
from .tokens import instant, saml_assertion
from .world import World, render

PATH = "/adfs/services/trust/2005/usernamemixed"
SOAP = "application/soap+xml; charset=utf-8"
SECEXT = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
ADDRESSING = "{http://www.w3.org/2005/08/addressing}"


class AdfsActive:
    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("adfs")
        self.routes = [Route(PATH, self.issue, methods=["POST"])]

    async def issue(self, request: Request) -> Response:
        question = etree.fromstring(await request.body())
        message_id = question.findtext(f".//{ADDRESSING}MessageID") or ""
        user = question.findtext(f".//{SECEXT}Username") or ""
        password = question.findtext(f".//{SECEXT}Password") or ""
        self._truth.secret("password", password)
        if not is_right(self._world.run, user, password):
            return self._answer(render("adfs_active_fault.xml", message_id=message_id), 500)
        assertion = saml_assertion(
            self._world.key("adfs"),
            "adfs_assertion.xml",
            adfs=self._world.hosts.adfs.name,
            upn=user,
            immutable_id=base64.b64encode(secrets.token_bytes(16)).decode(),
        )
        self._truth.secret("saml_assertion", assertion)
        rstr = render(
            "adfs_rstr.xml", assertion=assertion, now=instant(), until=instant(timedelta(hours=1))
        ).strip()
        return self._answer(render("adfs_active_answer.xml", message_id=message_id, rstr=rstr), 200)

    @staticmethod
    def _answer(text: str, status: int) -> Response:
        response = Response(text, status, media_type=SOAP)
        response.headers["server"] = "Microsoft-HTTPAPI/2.0"
        return response
