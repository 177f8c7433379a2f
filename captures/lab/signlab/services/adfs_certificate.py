"""ADFS's certificate authentication: a port of its own, where TLS asks for the user's certificate.

nginx verifies the chain under the organisation's authority and hands the certificate on.
"""

from __future__ import annotations

from urllib.parse import unquote

from cryptography import x509
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..pki import upn_of
from .world import World, render

PORT = 49443
METHOD = "CertificateAuthentication"


def to_port(world: World, request: Request) -> Response:
    """The page that posts itself to the port where certificates are asked for."""
    target = f"https://{world.hosts.adfs.name}:{PORT}{request.url.path}?{request.url.query}"
    return HTMLResponse(render("adfs_certificate.html", action=target, method=METHOD))


def user_of(world: World, request: Request) -> str:
    """The UPN in the certificate that the browser proved; "" when there is none."""
    pem = unquote(request.headers.get("x-lab-certificate", ""))
    if not pem:
        return ""
    upn = upn_of(x509.load_pem_x509_certificate(pem.encode()))
    return upn if upn in world.run.passwords else ""
