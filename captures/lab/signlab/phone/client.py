"""The desk phone's Web Sign-in from its first request to REGISTER.

`python -m signlab.phone.client RUNDIR`. The display is `screen.json` in the run's folder; the user
at the browser reads the code from it. SIGTERM ends it, as switching the phone off does.
"""

from __future__ import annotations

import base64
import json
import secrets
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from lxml import etree

from ..config import Run
from ..pki import Issuer, new_key
from ..services.world import render
from ..tlsdsk import Identity
from ..truth import Truth, outcomes
from .log import PhoneLog, shortened
from .registration import Registration
from .web import Answer, Web, tls_context

SAML = "urn:oasis:names:tc:SAML:1.0:assertion"
SOAP_CERT = "http://schemas.microsoft.com/OCS/AuthWebServices/GetAndPublishCert"
SOAP_TICKET = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue"
DISCOVER_ACCEPT = "application/vnd.microsoft.rtc.autodiscover+xml;v=1"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PENDING = ("authorization_pending", "slow_down")
AFTER_SIGN_IN = 1.5  # seconds it stays on the line after the last answer


class Switched(Exception):
    """SIGTERM: the phone is switched off."""


class Phone:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.names = run.names
        self.knobs = run.scenario.phone
        self.truth = Truth(run, "phone")
        self.log = PhoneLog(run.directory / "phone.log")
        self.context = tls_context(run)
        self.web = Web(run, self.truth, self.context)
        self.machine = f"DevicePairingStateMachine(0x{secrets.randbits(28) | 0x40000000:x})"
        self.correlation = str(uuid.uuid4())
        self.key = new_key()
        self.access_token = ""

    # The pairing state machine's log lines

    def _entered(self, state: str, context: int, before: str = "") -> None:
        self.log.pairing(f"S/E({state},{before}),rO(5)")
        self.log.pairing(f"<\\SM>(302){self.machine}:Ctx(({context}),(5),Ticks(0))")

    def _received(self, context: int, request: int) -> None:
        event = "(301)kEDevicePairOnRecvDataResponse"
        self.log.pairing(f"<SM>(302){self.machine}:Ctx(({context}),{event},Ticks(0))")
        self.log.pairing(f"parseAndSaveRequiredInfo -> eRequestID ({request})")

    # Step 2: configuration and device code

    def configure(self) -> dict[str, str]:
        host = self.names.hosts.pairing.name
        url = f"https://{host}:443/api/DeviceConfig/Polycom/Default?api-version=1.0"
        self.log.pairing(f"Sent request for Device Configuration:{url} (0X{id(self) % 2**31})")
        self._entered("sSDevicePairGetAADUrlAndClientID", 304, "kBaseEventInit")
        answer = self.web.request("GET", url, {"Accept": "application/json"})
        found: dict[str, str] = json.loads(answer.body)
        self._received(304, 1)
        self.log.pairing(
            f"DeviceConfiguration Data: AadEndpointUrl[{found['AadEndpointUrl']}] "
            f"ClientId[{found['ClientId']}]  "
            f"DevicePairingWebsiteUrl[{found['DevicePairingWebsiteUrl']}] "
            f"GraphAPIUrl [{found['GraphAPIUrl']}] AutoDiscoverUrl [{found['AutoDiscoverUrl']}] "
            f"ExchangeOnlineAutoDUrl [{found['ExchangeOnlineAutoDUrl']}]"
        )
        return found

    def _oauth(self, config: dict[str, str], endpoint: str, form: dict[str, str]) -> Answer:
        tenant = self.names.organisation.tenant_path
        v2 = self.knobs.oauth == "v2"
        url = f"{config['AadEndpointUrl']}{tenant}/oauth2/{'v2.0/' if v2 else ''}{endpoint}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "client-request-id": self.correlation,
            "return-client-request-id": "true",
        }
        query = "" if v2 else "?api-version=1.0"
        return self.web.request("POST", url + query, headers, urlencode(form).encode())

    def _resource(self) -> dict[str, str]:
        resource = f"https://{self.names.hosts.autodiscover.name}"
        if self.knobs.oauth == "v2":
            return {"scope": f"{resource}/.default openid offline_access"}
        return {"resource": resource}

    def device_code(self, config: dict[str, str]) -> dict[str, Any]:
        self._entered("sSDevicePairGetUserAndDeviceCode", 305, "kEDevicePairOnRecvDataResponse")
        form = {"client_id": config["ClientId"], **self._resource()}
        found: dict[str, Any] = json.loads(self._oauth(config, "devicecode", form).body)
        url = found.get("verification_url") or found["verification_uri"]
        self._received(305, 2)
        self.log.pairing(
            f"parseDeviceInformation: user_code[{found['user_code']}] "
            f"device_code[{found['device_code']}]  verification_url[{url}]  "
            f"expires_in[{found['expires_in']}]  interval[{found['interval']}]"
        )
        screen = {
            "website": config["DevicePairingWebsiteUrl"],
            "verification_url": url,
            "user_code": found["user_code"],
        }
        path = self.run.directory / "screen.json"
        path.with_suffix(".new").write_text(json.dumps(screen))
        path.with_suffix(".new").rename(path)
        return found

    # Step 6: the poll

    def poll(self, config: dict[str, str], code: dict[str, Any]) -> str:
        """Poll until tokens or refusal; the OAuth error that ended it, "" when there are tokens."""
        form = {"grant_type": "device_code", "client_id": config["ClientId"]}
        if self.knobs.oauth == "v2":
            form.update(grant_type=DEVICE_GRANT, device_code=code["device_code"])
        else:
            form.update(code=code["device_code"], **self._resource())
        after_browser = 0
        while True:
            time.sleep(int(code["interval"]))
            after_browser += "browser" in outcomes(self.run.directory)
            self._entered("sSDevicePairGetRefreshAndIdTokens", 306)
            stop = "(Timer),Count/Size(1/1),Stop? (Yes)"
            self.log.pairing(f"DevicePairingService's Ticked,Reason{stop}", 3)
            answer = self._oauth(config, "token", form)
            found = json.loads(answer.body)
            self._received(306, 3)
            if answer.status == 200:
                self.access_token = found["access_token"]
                tokens = " ".join(
                    f"{kind}[{shortened(found[kind])}]"
                    for kind in ("access_token", "refresh_token", "id_token")
                )
                text = f"parseIDRefreshTokenData: {tokens}token_type [{found['token_type']}]"
                self.log.pairing(text)
                return ""
            error = str(found["error"])
            text = f"parseIDRefreshTokenData: error[{error}] code{found['error_codes']}"
            self.log.pairing(text, 2 if error in PENDING else 4)
            if error not in PENDING:
                return error
            if after_browser == self.knobs.polls_after_browser:
                self.truth.outcome("still-polling")  # and so it goes on, beyond the capture

    # Step 7: discovery, ticket, certificate, REGISTER

    def discover(self, root: str) -> tuple[str, int, str]:
        """(SIP host, port, CertProv URL) from autodiscover."""
        domain = quote(self.names.organisation.domain)
        accept = {"Accept": DISCOVER_ACCEPT}
        first = self.web.request("GET", f"{root}originalDomain={domain}", accept)
        link = etree.fromstring(first.body).find(".//Link[@token='OAuth']")
        assert link is not None
        url = f"{link.get('href')}?originalDomain={domain}"
        refused = self.web.request("GET", url, accept)
        if self.knobs.autodiscover == "webticket":
            ticket = self.web_ticket(refused.headers["X-MS-WebTicketURL"], url)
            encoded = base64.b64encode(ticket.encode()).decode()
            self.truth.secret("web_ticket", encoded)
            credential = {"X-MS-WebTicket": f"opaque={encoded}"}
        else:
            credential = {"Authorization": f"Bearer {self.access_token}"}
        found = etree.fromstring(self.web.request("GET", url, {**accept, **credential}).body)
        edge = found.find(".//SipClientExternalAccess")
        certificates = found.find(".//Link[@token='External/CertProvisioning']")
        assert edge is not None
        assert certificates is not None
        return str(edge.get("fqdn")), int(str(edge.get("port"))), str(certificates.get("href"))

    def web_ticket(self, url: str, target: str) -> str:
        entropy = base64.b64encode(secrets.token_bytes(32)).decode()
        self.truth.secret("binary_secret", entropy)
        body = render(
            "ticket_request.xml",
            message_id=f"urn:uuid:{uuid.uuid4()}",
            url=url,
            context=str(uuid.uuid4()),
            target=target,
            user=self.names.user.sip,
            entropy=entropy,
        )
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "SOAPAction": f'"{SOAP_TICKET}"',
            "Authorization": f"Bearer {self.access_token}",
        }
        answer = self.web.request("POST", url, headers, body.encode())
        assertion = etree.fromstring(answer.body).find(f".//{{{SAML}}}Assertion")
        assert assertion is not None
        ticket = etree.tostring(assertion, encoding="unicode", with_tail=False)
        return self.truth.secret("web_ticket", ticket)

    def user_certificate(self, url: str) -> Identity:
        host = url.split("/")[2]
        ticket = self.web_ticket(f"https://{host}/WebTicket/WebTicketService.svc", url)
        user = self.names.user.sip
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        der = request.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        encoded = self.truth.secret("security_token", base64.b64encode(der).decode())
        body = render(
            "cert_request.xml",
            ticket=ticket,
            device=f"{{{self.names.device.instance}}}",
            entity=user,
            request=encoded,
            request_id=secrets.randbelow(9000) + 1000,
        )
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{SOAP_CERT}"'}
        self._auth_service(205, "AuthSvcAOServiceRequestKey", -1, "IndicationCode(0)", url)
        answer = self.web.request("POST", url, headers, body.encode())
        tree = etree.fromstring(answer.body)
        der = base64.b64decode(str(tree.xpath("string(//*[local-name()='BinarySecurityToken'])")))
        indication = f"IndicationCode({answer.status})Got User Certificate"
        self._auth_service(206, "AuthSvcAOServiceReplyKey", -1, indication, url)
        stamp = int(time.time())
        self.log.write(
            "AuthS",
            0,
            "Reqponse(-1)AuthSvc,(102)AuthServiceUCMsgKey,(-1)pps,(14),"
            f"(Expiry,TransactionId,Time,Type):(-1,-1,{stamp},1)"
            "IndicationCode:(200)Got User Certificate",
        )
        self.log.write("app1", 2, "MsgAppRegistrationInternalState: Received, State 3")
        self.log.sip(f"SipGotNewUserCert: pstNewUserCert[{secrets.randbits(31)}]", 1)
        authority = Issuer.load(self.run.directory / "sign" / "communications").certificate
        return Identity(x509.load_der_x509_certificate(der), self.key, [authority])

    def _auth_service(self, key: int, name: str, caller: int, indication: str, url: str) -> None:
        user = self.names.user.sip
        self.log.write(
            "AuthS",
            0,
            f"Policy Dest:(201)AuthServicePolicyServiceKey:(102)AuthServiceUCMsgKey:({key}){name}",
            f"Caller Service({caller}):{indication}",
            f",TransactionID(-1)Data:SD:Key Data(User Key/Operation Key/Url Key):Uri:{user}",
            f"User/Domain:{user},",
            "Url:",
            "",
            "Operation:(102)AuthServiceUCMsgKey,Caller Service:(-1)Url,TransactionId:,-1",
            f"UrlKey(Operation,CallerService,Url):(-1),(-1),{url}",
            "Secondary Key:",
        )

    def sign_in(self) -> str:
        """The whole of it; the outcome in a word."""
        config = self.configure()
        code = self.device_code(config)
        error = self.poll(config, code)
        if error:
            return error
        host, port, certificates = self.discover(config["AutoDiscoverUrl"])
        early: Identity | None = None
        if self.knobs.certificate == "before-sip":
            early = self.user_certificate(certificates)
        registration = Registration(self.run, self.truth, self.log, self.context, (host, port))
        status = registration.register(lambda uri: early or self.user_certificate(uri))
        registration.keep_alive()
        time.sleep(AFTER_SIGN_IN)
        registration.close()
        return "registered" if status == 200 else f"sip-{status}"


def main(directory: Path) -> None:
    def switch_off(*_: object) -> None:
        raise Switched

    signal.signal(signal.SIGTERM, switch_off)
    phone = Phone(Run.load(directory))
    try:
        phone.truth.outcome(phone.sign_in())
    except Switched:
        phone.log.pairing("Application is going down", 4)
    finally:
        phone.web.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
