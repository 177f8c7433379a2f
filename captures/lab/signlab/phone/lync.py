"""Skype for Business over HTTPS as the phone sees it: autodiscover, web ticket, certificate."""

from __future__ import annotations

import base64
import secrets
import time
import uuid
from collections.abc import Callable
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from lxml import etree

from ..config import Run
from ..pki import Issuer, new_key
from ..services.world import render
from ..tlsdsk import Identity
from ..truth import Truth
from .log import PhoneLog
from .web import Refused, Web, insist

SAML = "urn:oasis:names:tc:SAML:1.0:assertion"
SOAP_CERT = "http://schemas.microsoft.com/OCS/AuthWebServices/GetAndPublishCert"
SOAP_TICKET = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue"
DISCOVER_ACCEPT = "application/vnd.microsoft.rtc.autodiscover+xml;v=1"


class TicketRefused(Refused):
    """The web ticket service has given none."""


class CertificateRefused(Refused):
    """CertProv has given no certificate."""


class LyncWeb:
    """The services behind an OAuth access token."""

    def __init__(
        self, run: Run, truth: Truth, log: PhoneLog, web: Web, token_for: Callable[[str], str]
    ) -> None:
        """`token_for(host)` gives an access token that is good at a server."""
        self._run = run
        self._names = run.names
        self._knobs = run.scenario.phone
        self._truth = truth
        self._log = log
        self._web = web
        self._key = new_key()
        self._token_for = token_for

    def discover(self, root: str) -> tuple[str, int, str]:
        """(SIP host, port, CertProv URL) from autodiscover."""
        domain = quote(self._names.organisation.domain)
        accept = {"Accept": DISCOVER_ACCEPT}
        first = self._web.request("GET", f"{root}originalDomain={domain}", accept)
        link = etree.fromstring(first.body).find(".//Link[@token='OAuth']")
        assert link is not None
        url = f"{link.get('href')}?originalDomain={domain}"
        refused = self._web.request("GET", url, accept)
        if self._knobs.autodiscover == "webticket":
            ticket = self._web_ticket(refused.headers["X-MS-WebTicketURL"], url)
            encoded = base64.b64encode(ticket.encode()).decode()
            self._truth.secret("web_ticket", encoded)
            credential = {"X-MS-WebTicket": f"opaque={encoded}"}
        else:
            credential = {"Authorization": f"Bearer {self._token_for(url.split('/')[2])}"}
        answer = self._web.request("GET", url, {**accept, **credential})
        if answer.status != 200:
            self._log.write("AuthS", 4, f"autodiscover refused: {answer.status}")
            raise Refused(f"autodiscover-{answer.status}")
        found = etree.fromstring(answer.body)
        edge = found.find(".//SipClientExternalAccess")
        certificates = found.find(".//Link[@token='External/CertProvisioning']")
        assert edge is not None
        assert certificates is not None
        return str(edge.get("fqdn")), int(str(edge.get("port"))), str(certificates.get("href"))

    def _web_ticket(self, url: str, target: str) -> str:
        """A web ticket for `target`, asked for again while it is refused."""
        return insist(self._knobs, lambda: self._ask_ticket(url, target), TicketRefused)

    def _ask_ticket(self, url: str, target: str) -> str:
        entropy = base64.b64encode(secrets.token_bytes(32)).decode()
        self._truth.secret("binary_secret", entropy)
        body = render(
            "ticket_request.xml",
            message_id=f"urn:uuid:{uuid.uuid4()}",
            url=url,
            context=str(uuid.uuid4()),
            target=target,
            user=self._run.user.sip,
            entropy=entropy,
        )
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "SOAPAction": f'"{SOAP_TICKET}"',
            "Authorization": f"Bearer {self._token_for(url.split('/')[2])}",
        }
        answer = self._web.request("POST", url, headers, body.encode())
        found = etree.fromstring(answer.body) if answer.status == 200 else None
        assertion = None if found is None else found.find(f".//{{{SAML}}}Assertion")
        if assertion is None:
            self._log.write("AuthS", 4, f"web ticket refused: {answer.status}")
            raise TicketRefused(f"webticket-{answer.status}")
        ticket = etree.tostring(assertion, encoding="unicode", with_tail=False)
        return self._truth.secret("web_ticket", ticket)

    def user_certificate(self, url: str) -> Identity:
        """The user's certificate from CertProv, asked for again while refused."""
        return insist(self._knobs, lambda: self._ask_certificate(url), CertificateRefused)

    def _ask_certificate(self, url: str) -> Identity:
        host = url.split("/")[2]
        ticket = self._web_ticket(f"https://{host}/WebTicket/WebTicketService.svc", url)
        user = self._run.user.sip
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        der = request.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        encoded = self._truth.secret("security_token", base64.b64encode(der).decode())
        body = render(
            "cert_request.xml",
            ticket=ticket,
            device=f"{{{self._run.device.instance}}}",
            entity=user,
            request=encoded,
            request_id=secrets.randbelow(9000) + 1000,
        )
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{SOAP_CERT}"'}
        self._auth_service(205, "AuthSvcAOServiceRequestKey", -1, "IndicationCode(0)", url)
        answer = self._web.request("POST", url, headers, body.encode())
        tree = etree.fromstring(answer.body)
        der = base64.b64decode(str(tree.xpath("string(//*[local-name()='BinarySecurityToken'])")))
        if not der:
            self._log.write("AuthS", 4, f"no certificate in the answer: {answer.status}")
            raise CertificateRefused("certprov-error")
        indication = f"IndicationCode({answer.status})Got User Certificate"
        self._auth_service(206, "AuthSvcAOServiceReplyKey", -1, indication, url)
        stamp = int(time.time())
        self._log.write(
            "AuthS",
            0,
            "Reqponse(-1)AuthSvc,(102)AuthServiceUCMsgKey,(-1)pps,(14),"
            f"(Expiry,TransactionId,Time,Type):(-1,-1,{stamp},1)"
            "IndicationCode:(200)Got User Certificate",
        )
        self._log.write("app1", 2, "MsgAppRegistrationInternalState: Received, State 3")
        self._log.sip(f"SipGotNewUserCert: pstNewUserCert[{secrets.randbits(31)}]", 1)
        authority = Issuer.load(self._run.directory / "sign" / "communications").certificate
        return Identity(x509.load_der_x509_certificate(der), self._key, [authority])

    def _auth_service(self, key: int, name: str, caller: int, indication: str, url: str) -> None:
        user = self._run.user.sip
        self._log.write(
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
