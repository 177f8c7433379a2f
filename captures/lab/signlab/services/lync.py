"""Skype for Business Online over HTTPS: autodiscover, web ticket, certificate provisioning.

[MS-OCDISCWS] §3.1 for autodiscover and its 401 with X-MS-WebTicketURL; [MS-OCAUTHWS] §3.2 for the
web ticket and §3.1.4.1 for GetAndPublishCert. The pool believes Azure AD's access token, a ticket
of its own signing, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.exceptions import InvalidInput, InvalidSignature
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..pki import user_certificate
from .tokens import SAML, instant, read_jwt, saml_assertion, verify_assertion
from .world import World, guid, opaque, render

TICKET_PATH = "/WebTicket/WebTicketService.svc"
CERT_PATH = "/CertProv/CertProvisioningService.svc"
ROOT_PATH = "/autodiscover/autodiscoverservice.svc/root"
TICKET_LIFE = timedelta(hours=8)
DISCOVER_XML = "application/vnd.microsoft.rtc.autodiscover+xml"
NO_TOKEN = '28020;reason="No valid security token."'
INVALID_TICKET = '28032;reason="The web ticket is invalid."'
INVALID_TOKEN = '28055;reason="The OAuth token is invalid.";faultcode="wsse:FailedAuthentication"'
OCS = "{http://schemas.microsoft.com/OCS/AuthWebServices/}"
SECEXT = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


class Refused(Exception):
    """The caller's credential is not good; the text goes into X-Ms-diagnostics."""


class Lync:
    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("sfb")
        ticket = Route(TICKET_PATH, self.web_ticket, methods=["POST"])
        self.autodiscover_routes = [
            Route(ROOT_PATH, self.root),
            Route(f"{ROOT_PATH}/oauth/user", self.user),
            ticket,
        ]
        self.pool_routes = [ticket, Route(CERT_PATH, self.certificate, methods=["POST"])]

    # Credentials

    def _bearer(self, request: Request) -> str:
        """The user of the OAuth access token; Refused when absent or not good."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(NO_TOKEN)
        try:
            claims = read_jwt(self._world.key("azuread"), token)
        except ValueError:
            raise Refused(INVALID_TOKEN) from None
        if str(claims["aud"]).rstrip("/") not in self._resources(request):
            raise Refused(INVALID_TOKEN)
        return str(claims["upn"])

    def _resources(self, request: Request) -> list[str]:
        """What a token must be for: this server, or online any of the service."""
        hosts = self._world.hosts
        names = [hosts.autodiscover.name, hosts.pool.name]
        if self._world.run.scenario.sfb.place == "on-premises":
            names = [request.headers["host"]]
        return [f"https://{name}" for name in names]

    def _ticket_user(self, xml: bytes | etree._Element) -> str:
        """The user of a web ticket; Refused unless this pool signed it."""
        try:
            element = etree.fromstring(xml) if isinstance(xml, bytes) else xml
            signed = verify_assertion(self._world.key("pool"), element)
        except (etree.XMLSyntaxError, InvalidSignature, InvalidInput, ValueError):
            raise Refused(INVALID_TICKET) from None
        return str(signed.findtext(f".//{{{SAML}}}NameIdentifier")).removeprefix("sip:")

    # Autodiscover

    async def root(self, request: Request) -> Response:
        page = render("autodiscover_root.xml", host=self._world.hosts.autodiscover.name)
        return self.finish(Response(page, media_type=f"{DISCOVER_XML};v=1"))

    async def user(self, request: Request) -> Response:
        names = self._world.names
        ticket = request.headers.get("x-ms-webticket", "")
        try:
            if ticket.startswith("opaque="):
                try:
                    self._ticket_user(base64.b64decode(ticket.removeprefix("opaque=")))
                except binascii.Error:
                    raise Refused(INVALID_TICKET) from None
            else:
                self._bearer(request)
        except Refused as refused:
            response = Response("", 401)
            url = f"https://{names.hosts.autodiscover.name}{TICKET_PATH}"
            response.headers["x-ms-webticketurl"] = url
            response.headers["x-ms-webticketsupported"] = "cwt,saml"
            response.headers["www-authenticate"] = self._issuers()
            source = f'{refused};source="{names.organisation.home_server}"'
            response.headers["x-ms-diagnostics"] = source
            return self.finish(response)
        page = render(
            "autodiscover_user.xml",
            host=names.hosts.autodiscover.name,
            pool=names.hosts.pool.name,
            sip=names.hosts.sip.name,
            port=self._world.run.sip_port,
        )
        return self.finish(Response(page, media_type=f"{DISCOVER_XML};v=1"))

    def _issuers(self) -> str:
        """Whose tokens are believed; where to get one, if that is not the same organisation's."""
        names = self._world.names
        local = self._world.run.scenario.sfb.place == "on-premises"
        tenant = names.organisation.tenant_id if local else "*"
        offer = (
            f'Bearer trusted_issuers="00000001-0000-0000-c000-000000000000@{tenant}", '
            'client_id="00000004-0000-0ff1-ce00-000000000000"'
        )
        if local:
            host, path = names.hosts.azuread.name, names.organisation.tenant_path
            offer += f', authorization_uri="https://{host}/{path}/oauth2/authorize"'
        return offer

    # Web ticket

    async def web_ticket(self, request: Request) -> Response:
        try:
            user = self._bearer(request)
        except Refused as refused:
            return self._refuse(refused)
        if self._world.run.scenario.sfb.ticket == "fault":
            return self._fault()
        return self.issue(user, etree.fromstring(await request.body()))

    def issue(self, user: str, question: etree._Element) -> Response:
        """A web ticket for `user` in answer to this RequestSecurityToken."""
        names = self._world.names
        context = question.xpath("string(//@Context)")
        message_id = question.xpath("string(//*[local-name()='MessageID'])")
        target = question.xpath("string(//*[local-name()='AppliesTo']//*[local-name()='Address'])")
        assertion = saml_assertion(
            self._world.key("pool"),
            "ticket_assertion.xml",
            life=TICKET_LIFE,
            ticket_issuer=f"https://{names.hosts.pool.name}{TICKET_PATH}",
            audience=target,
            sip=f"sip:{user}",
        )
        entropy = self._truth.secret(
            "binary_secret", base64.b64encode(opaque(24).encode()).decode()
        )
        self._truth.secret("web_ticket", assertion)
        page = render(
            "ticket_answer.xml",
            message_id=message_id,
            context=context,
            assertion=assertion,
            assertion_id=etree.fromstring(assertion).get("AssertionID"),
            target=target,
            now=instant(),
            until=instant(TICKET_LIFE),
            entropy=entropy,
        )
        return self.finish(Response(page, media_type="text/xml; charset=utf-8"))

    # Certificate

    async def certificate(self, request: Request) -> Response:
        question = etree.fromstring(await request.body())
        ticket = question.find(f".//{{{SAML}}}Assertion")
        try:
            if ticket is None:
                raise Refused(NO_TOKEN)
            user = self._ticket_user(ticket)
        except Refused as refused:
            return self._refuse(refused)
        order = question.find(f".//{OCS}GetAndPublishCert")
        encoded = question.xpath("string(//s:BinarySecurityToken)", namespaces={"s": SECEXT})
        if order is None or order.get("Entity") != user:
            return self._refuse(Refused('28027;reason="The entity is not the ticket\'s user."'))
        if self._world.run.scenario.sfb.certificate == "error-info":
            page = render(
                "cert_error.xml",
                device=order.get("DeviceId"),
                entity=user,
                request_id=question.xpath("string(//*[local-name()='RequestID'])"),
            )
            return self.finish(Response(page, media_type="text/xml; charset=utf-8"))
        try:
            request_der = base64.b64decode(str(encoded))
            certificate = user_certificate(
                x509.load_der_x509_csr(request_der), self._world.key("communications")
            )
        except ValueError as error:
            return self._refuse(Refused(f'28030;reason="{error}"'))
        der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        page = render(
            "cert_answer.xml",
            device=order.get("DeviceId"),
            entity=user,
            certificate=self._truth.secret("security_token", der),
            request_id=question.xpath("string(//*[local-name()='RequestID'])"),
        )
        return self.finish(Response(page, media_type="text/xml; charset=utf-8"))

    def _fault(self) -> Response:
        """HTTP 500 with a SOAP fault, as when the user's pool is not there."""
        number, reason = 28000, "The user's home pool cannot be reached."
        page = render("ticket_fault.xml", number=number, reason=reason)
        response = Response(page, 500, media_type="text/xml; charset=utf-8")
        source = self._world.names.organisation.home_server
        response.headers["x-ms-diagnostics"] = f'{number};source="{source}";reason="{reason}"'
        return self.finish(response)

    def _refuse(self, refused: Refused) -> Response:
        response = Response("", 401)
        source = self._world.names.organisation.home_server
        response.headers["x-ms-diagnostics"] = f'{refused};source="{source}"'
        response.headers["www-authenticate"] = self._issuers()
        return self.finish(response)

    def finish(self, response: Response) -> Response:
        response.headers["server"] = "Microsoft-IIS/8.5"
        response.headers["cache-control"] = "private"
        response.headers["x-ms-server-fqdn"] = self._world.names.organisation.home_server
        response.headers["x-ms-correlation-id"] = guid()
        response.headers["x-powered-by"] = "ASP.NET"
        return response
