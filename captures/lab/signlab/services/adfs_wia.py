"""ADFS's Windows integrated authentication: /adfs/ls/wia, HTTP Negotiate with Kerberos in it."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..gss import accept
from .world import World

PATH = "/adfs/ls/wia"


def to_wia(world: World, request: Request) -> Response:
    """A user inside the organisation is sent to the path that asks by HTTP."""
    return RedirectResponse(f"https://{world.hosts.adfs.name}{PATH}?{request.url.query}", 302)


def negotiated(world: World, request: Request) -> tuple[str, str]:
    """(UPN, answer for WWW-Authenticate) of a request; UPN "" when it proves nobody."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "negotiate" or not encoded:
        return "", ""
    truth = world.truth("adfs")
    truth.secret("negotiate_token", encoded)
    try:
        principal, answer = accept(base64.b64decode(encoded))
    except (ValueError, binascii.Error):
        return "", ""
    user = f"{principal.partition('@')[0]}@{world.names.organisation.domain}"
    return user, truth.secret("negotiate_token", base64.b64encode(answer).decode())


def challenge() -> Response:
    """401: Negotiate, or NTLM for who cannot."""
    response = Response("", 401)
    response.headers.append("www-authenticate", "Negotiate")
    response.headers.append("www-authenticate", "NTLM")
    return response
