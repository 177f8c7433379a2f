"""What a Teams phone meets after its tokens: device registration, Intune, Teams.

[MS-DVRJ] §3.1.5.1 for the device object, [MS-MDE2] §3.1 and §3.4 for the enrolment with its fault
(§2.2.10). Each service believes an access token for itself and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..pki import user_certificate
from .tokens import audience_claims, bearer_claims
from .world import World, guid, opaque, render, utc_text

REGISTRATION = "urn:ms-drs:enterpriseregistration.windows.net"
SPACES = "https://api.spaces.skype.com"
SOAP = "application/soap+xml; charset=utf-8"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
ACTIVATION = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/rstrc/wstep"
FAULTS = {  # subcode → HRESULT's message and the text of the reason
    "DeviceCapReached": "The user has enrolled too many devices already.",
    "Authorization": "This user is not allowed to enrol.",
    "UserLicense": "The user's licence does not permit an enrolment.",
}


class Registration:
    """enterpriseregistration.windows.net."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._base = f"https://{world.hosts.drs.name}"
        domain = world.names.organisation.domain
        self.routes = [
            Route(f"/{domain}/Discover", self.discover),
            Route("/EnrollmentServer/device/", self.register, methods=["POST"]),
        ]

    async def discover(self, request: Request) -> Response:
        service = {
            "RegistrationEndpoint": f"{self._base}/EnrollmentServer/device/",
            "RegistrationResourceId": REGISTRATION,
            "ServiceVersion": "1.0",
        }
        azuread = self._world.hosts.azuread.name
        content = {
            "DiscoveryService": {
                "DiscoveryEndpoint": f"{self._base}/EnrollmentServer/Discover",
                "ServiceVersion": "1.6",
            },
            "DeviceRegistrationService": service,
            "AuthenticationService": {
                "OAuth2": {
                    "AuthCodeEndpoint": f"https://{azuread}/common/oauth2/authorize",
                    "TokenEndpoint": f"https://{azuread}/common/oauth2/token",
                }
            },
        }
        return _dressed(JSONResponse(content))

    async def register(self, request: Request) -> Response:
        try:
            claims = bearer_claims(self._world.key("azuread"), request, REGISTRATION)
            order = json.loads(await request.body())
            der = base64.b64decode(order["CertificateRequest"]["Data"])
            csr = x509.load_der_x509_csr(der)
            certificate = user_certificate(csr, self._world.key("drs"))
        except (ValueError, KeyError) as error:
            return self._refused(str(error))
        reason = self._world.run.scenario.teams.registration
        if reason:
            user, kind = claims["oid"], order["DeviceType"]
            text = f"User '{user}' is not eligible to enroll a device of type '{kind}'. "
            text += f"Reason '{reason}'."
            return self._refused(text, "error_directory_quota_exceeded")
        raw = certificate.public_bytes(serialization.Encoding.DER)
        content = {
            "Certificate": {
                "Thumbprint": hashlib.sha1(raw).hexdigest().upper(),
                "RawBody": base64.b64encode(raw).decode(),
            },
            "User": {"Upn": claims["upn"]},
            "MembershipChanges": [],
        }
        return _dressed(JSONResponse(content))

    @staticmethod
    def _refused(text: str, subcode: str = "error_invalid_token") -> Response:
        content = {
            "code": "invalid_request",
            "subcode": subcode,
            "message": text,
            "operation": "DeviceJoin",
            "requestid": guid(),
            "time": utc_text("%d-%m-%Y %H:%M:%SZ"),
        }
        return _dressed(JSONResponse(content, 400))


class Intune:
    """enrollment.manage.microsoft.com."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("intune")
        self._base = f"https://{world.hosts.intune.name}"
        self.routes = [
            Route("/EnrollmentServer/Discovery.svc", self.discover, methods=["POST"]),
            Route("/EnrollmentServer/Enrollment.svc", self.enrol, methods=["POST"]),
        ]

    async def discover(self, request: Request) -> Response:
        question = etree.fromstring(await request.body())
        page = render("intune_discovered.xml", message_id=_message_id(question), base=self._base)
        return _dressed(Response(page, media_type=SOAP))

    async def enrol(self, request: Request) -> Response:
        question = etree.fromstring(await request.body())
        tokens = question.findall(f".//{WSSE}BinarySecurityToken")
        fault: str = self._world.run.scenario.teams.enrolment
        try:
            encoded, csr = (str(token.text) for token in tokens)
            token = base64.b64decode(encoded).decode("ascii")
            audience_claims(self._world.key("azuread"), token, self._base)
            order = x509.load_der_x509_csr(base64.b64decode(csr))
            certificate = user_certificate(order, self._world.key("intune"))
        except (ValueError, binascii.Error):
            fault = "Authentication"
        if fault:
            page = render(
                "intune_fault.xml",
                message_id=_message_id(question),
                activity=guid(),
                action=ACTIVATION,
                subcode=fault,
                reason=FAULTS.get(fault, "The user was not recognised."),
            )
            return _dressed(Response(page, 500, media_type=SOAP))
        raw = certificate.public_bytes(serialization.Encoding.DER)
        provisioning = render(
            "intune_provisioning.xml",
            thumbprint=hashlib.sha1(raw).hexdigest().upper(),
            certificate=base64.b64encode(raw).decode(),
            base=self._base,
        )
        packed = base64.b64encode(provisioning.encode()).decode()
        page = render(
            "intune_answer.xml",
            message_id=_message_id(question),
            action=ACTIVATION,
            provisioning=self._truth.secret("security_token", packed),
        )
        return _dressed(Response(page, media_type=SOAP))


class Teams:
    """config.teams.microsoft.com and the token service of teams.microsoft.com."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("teams")
        self.configuration_routes = [Route("/config/v1/TeamsIPPhone/{version}", self.configuration)]
        self.routes = [Route("/api/authsvc/v1.0/authz", self.authorize, methods=["POST"])]

    async def configuration(self, request: Request) -> Response:
        hosts = self._world.hosts
        content = {
            "TeamsIPPhone": {
                "authority": f"https://{hosts.azuread.name}/common",
                "authzUrl": f"https://{hosts.teams.name}/api/authsvc/v1.0/authz",
                "signInFromAnotherDevice": True,
            },
            "Headers": {"ETag": f'"{guid()}"', "Expires": utc_text("%a, %d %b %Y %H:%M:%S GMT")},
        }
        return _dressed(JSONResponse(content))

    async def authorize(self, request: Request) -> Response:
        try:
            claims = bearer_claims(self._world.key("azuread"), request, SPACES)
        except ValueError as error:
            content = {"errorCode": "InvalidToken", "message": str(error)}
            return _dressed(JSONResponse(content, 401))
        host = self._world.hosts.teams.name
        token = self._truth.secret("skype_token", "eyJhbGciOiJSUzI1NiJ9." + opaque(420))
        answer = {
            "tokens": {
                "skypeToken": token,
                "expiresIn": 86399,
                "tokenType": "SkypeToken",
            },
            "region": "emea",
            "partition": "emea03",
            "regionGtms": {"middleTier": f"https://{host}/api/mt/part/emea-03"},
            "regionSettings": {"isUnifiedPresenceEnabled": True},
            "licenseDetails": {"isFreemium": False, "isTeamsEnabled": bool(claims["upn"])},
        }
        return _dressed(JSONResponse(answer))


def _message_id(question: etree._Element) -> str:
    return str(question.xpath("string(//*[local-name()='MessageID'])"))


def _dressed(response: Response) -> Response:
    response.headers["cache-control"] = "no-store"
    response.headers["request-id"] = guid()
    response.headers["x-content-type-options"] = "nosniff"
    return response
