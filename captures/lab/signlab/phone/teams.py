"""A Teams phone's sign-in "from another device": broker, device registration, Intune, Teams.

The broker (Android's, on the phone) gets a device code; with the tokens that follow the phone
registers itself ([MS-DVRJ]), enrols with Intune ([MS-MDE2]) and asks Teams for its token. Each
resource has a token of its own, which the first refresh token buys.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from lxml import etree

from ..config import Run
from ..pki import new_key
from ..services.applications import BROKER, COMPANY_PORTAL, TEAMS
from ..services.world import render
from ..truth import Truth
from .web import Answer, Refused, Web

USER_AGENT = "Dalvik/2.1.0 (Linux; U; Android 9; CCX600 Build/PKQ1.190101.001)"
LIBRARY = {
    "x-client-SKU": "MSAL.Android",
    "x-client-Ver": "5.4.0",
    "x-client-OS": "28",
    "x-client-DM": "CCX600",
}
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
REGISTRATION = "urn:ms-drs:enterpriseregistration.windows.net"
SPACES = "https://api.spaces.skype.com"
SOAP = "application/soap+xml; charset=utf-8"
MODEL = "CCX600"


class TeamsPhone:
    def __init__(self, run: Run, truth: Truth, web: Web) -> None:
        self._run = run
        self._hosts = run.names.hosts
        self._truth = truth
        self._web = web
        self._key = new_key()
        self._refresh_token = ""
        self._correlation = str(uuid.uuid4())

    def sign_in(self) -> str:
        """The whole of it; the outcome in a word. Raises Refused."""
        self._configure()
        token = self._device_sign_in()
        self._register(token)
        self._enrol(self._token_for(COMPANY_PORTAL, f"https://{self._hosts.intune.name}"))
        self._use_teams(self._token_for(TEAMS, SPACES))
        graph = f"https://{self._hosts.graph.name}"
        self._get(f"{graph}/v1.0/me", self._token_for(TEAMS, graph))
        return "signed-in"

    # Tokens

    def _oauth(self, endpoint: str, form: dict[str, str]) -> Answer:
        tenant = self._run.names.organisation.tenant_path
        url = f"https://{self._hosts.azuread.name}/{tenant}/oauth2/v2.0/{endpoint}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "client-request-id": self._correlation,
            "return-client-request-id": "true",
            **LIBRARY,
        }
        return self._web.request("POST", url, headers, urlencode(form).encode())

    def _device_sign_in(self) -> str:
        """The access token for device registration, when the user has entered the code."""
        scope = f"{REGISTRATION}/.default openid profile offline_access"
        answer = self._oauth("devicecode", {"client_id": BROKER, "scope": scope})
        code: dict[str, Any] = json.loads(answer.body)
        screen = {
            "verification_url": code["verification_uri"],
            "user_code": code["user_code"],
            "attempt": 1,
        }
        path = self._run.file("screen", ".json")
        path.with_suffix(".new").write_text(json.dumps(screen))
        path.with_suffix(".new").rename(path)
        form = {
            "grant_type": DEVICE_GRANT,
            "client_id": BROKER,
            "device_code": code["device_code"],
        }
        while True:
            time.sleep(int(code["interval"]))
            answer = self._oauth("token", form)
            found = json.loads(answer.body)
            if answer.status == 200:
                return self._take(found)
            if found["error"] not in ("authorization_pending", "slow_down"):
                raise Refused(str(found["error"]))

    def _token_for(self, client_id: str, resource: str) -> str:
        """An access token for another resource (RFC 6749 §6). Raises Refused."""
        form = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "refresh_token": self._refresh_token,
            "scope": f"{resource}/.default openid offline_access",
        }
        answer = self._oauth("token", form)
        found = json.loads(answer.body)
        if answer.status != 200:
            raise Refused(f"azuread-{found['error_codes'][0]}")
        return self._take(found)

    def _take(self, found: dict[str, Any]) -> str:
        self._refresh_token = found["refresh_token"]
        return str(found["access_token"])

    # Services

    def _get(self, url: str, token: str) -> Answer:
        answer = self._web.request("GET", url, {"Authorization": f"Bearer {token}"})
        if answer.status != 200:
            raise Refused(f"get-{answer.status}")
        return answer

    def _configure(self) -> None:
        host = self._hosts.teamsconfig.name
        query = urlencode({"environment": "prod", "audienceGroup": "general", "deviceType": MODEL})
        url = f"https://{host}/config/v1/TeamsIPPhone/1449.1.0.2024?{query}"
        self._web.request("GET", url, {"Accept": "application/json"})

    def _certificate_request(self, name: str) -> str:
        """A PKCS#10 request for the phone's own key, base64."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        signed = request.sign(self._key, hashes.SHA256())
        return base64.b64encode(signed.public_bytes(serialization.Encoding.DER)).decode()

    def _register(self, token: str) -> None:
        """Device registration: discovery, then the device object ([MS-DVRJ] §3.1.5.1)."""
        host, domain = self._hosts.drs.name, self._run.names.organisation.domain
        discovery = f"https://{host}/{domain}/Discover?api-version=1.6"
        found = json.loads(self._web.request("GET", discovery, {}).body)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        order = {
            "CertificateRequest": {
                "Type": "pkcs10",
                "Data": self._certificate_request("7E980AD9-B86D-4306-9425-9AC066FB014A"),
            },
            "TransportKey": base64.b64encode(public).decode(),
            "TargetDomain": domain,
            "DeviceType": "Android",
            "OSVersion": "9.0.0",
            "DeviceDisplayName": f"{MODEL}_{self._run.device.mac}",
            "JoinType": 4,
        }
        url = f"{found['DeviceRegistrationService']['RegistrationEndpoint']}?api-version=1.0"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answer = self._web.request("POST", url, headers, json.dumps(order).encode())
        if answer.status != 200:
            raise Refused(f"drs-{json.loads(answer.body)['subcode']}")

    def _enrol(self, token: str) -> None:
        """Intune: discovery, then the security token ([MS-MDE2] §3.1, §3.4)."""
        host, user = self._hosts.intune.name, self._run.user.sip
        url = f"https://{host}/EnrollmentServer/Discovery.svc"
        body = render("intune_discover.xml", message_id=uuid.uuid4(), url=url, user=user)
        answer = self._web.request("POST", url, {"Content-Type": SOAP}, body.encode())
        tree = etree.fromstring(answer.body)
        service = str(tree.xpath("string(//*[local-name()='EnrollmentServiceUrl'])"))
        body = render(
            "intune_request.xml",
            message_id=uuid.uuid4(),
            url=service,
            token=self._truth.secret("access_token", base64.b64encode(token.encode()).decode()),
            request=self._truth.secret("security_token", self._certificate_request("ConfigMgr")),
            device=self._run.device.instance,
            name=f"{MODEL}_{self._run.device.mac}",
        )
        answer = self._web.request("POST", service, {"Content-Type": SOAP}, body.encode())
        if answer.status != 200:
            fault = etree.fromstring(answer.body)
            codes = fault.xpath("//*[local-name()='Subcode']/*[local-name()='Value']/text()")
            raise Refused(f"intune-{str(codes[0]).rpartition(':')[2]}")

    def _use_teams(self, token: str) -> None:
        url = f"https://{self._hosts.teams.name}/api/authsvc/v1.0/authz"
        headers = {"Authorization": f"Bearer {token}", "Content-Length": "0"}
        answer = self._web.request("POST", url, headers)
        if answer.status != 200:
            raise Refused(f"teams-{answer.status}")
