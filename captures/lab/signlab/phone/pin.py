"""A phone in the office of Skype for Business Server: extension and PIN instead of a password."""

from __future__ import annotations

import base64
import http.client
import secrets
import uuid

from cryptography.hazmat.primitives.serialization import pkcs7
from lxml import etree

from ..config import Run
from ..dhcp import obtain_lease, suboptions
from ..services.world import render
from ..truth import Truth
from .log import PhoneLog
from .lync import SAML, SOAP_TICKET, LyncWeb, TicketRefused
from .web import TIMEOUT, USER_AGENT, Web

SOAP_CHAINS = "http://schemas.microsoft.com/OCS/AuthWebServices/GetRootCertChains"
CONTENT_TYPE = "text/xml; charset=utf-8"
SIP_PORT = 5061


class PinWeb(LyncWeb):
    """The pool's services behind a web ticket that the PIN has bought."""

    def __init__(self, run: Run, truth: Truth, log: PhoneLog, web: Web) -> None:
        super().__init__(run, truth, log, web, lambda host: "")

    def learn_pool(self) -> tuple[str, str]:
        """(CertProv URL, SIP server) from DHCP options 43 and 120."""
        lease = obtain_lease(self._run, self._truth)
        reported = suboptions(lease["opt43"])
        self._log.write(
            "dhcp", 3, f"option 43: {reported[2]}://{reported[3]}:{reported[4]}{reported[5]}"
        )
        return f"{reported[2]}://{reported[3]}:{reported[4]}{reported[5]}", lease["sipsrv"]

    def fetch_chains(self, url: str) -> int:
        """How many certificates GetRootCertChains gave, over plain HTTP."""
        host, path = url.split("/")[2].partition(":")[0], "/" + url.split("/", 3)[3]
        facts = {"method": "POST", "scheme": "http", "host": host, "path": path}
        connection = http.client.HTTPConnection(host, 80, timeout=TIMEOUT)
        connection.connect()
        headers = {"User-Agent": USER_AGENT, "Content-Type": CONTENT_TYPE}
        headers["SOAPAction"] = f'"{SOAP_CHAINS}"'
        self._truth.message("http", "sfb", "sent", facts)
        connection.request("POST", path, render("chains_request.xml").encode(), headers)
        response = connection.getresponse()
        tree = etree.fromstring(response.read())
        self._truth.message("http", "sfb", "received", {**facts, "status": response.status})
        connection.close()
        chain = base64.b64decode(str(tree.xpath("string(//*[local-name()='CertChain'])")))
        return len(pkcs7.load_der_pkcs7_certificates(chain))

    def _ask_ticket(self, url: str, target: str) -> str:
        run = self._run
        url += "/Auth"
        entropy = base64.b64encode(secrets.token_bytes(32)).decode()
        self._truth.secret("binary_secret", entropy)
        pin = run.pin if run.scenario.phone.pin == "right" else run.wrong_pin
        body = render(
            "pin_request.xml",
            message_id=f"urn:uuid:{uuid.uuid4()}",
            url=url,
            context=str(uuid.uuid4()),
            target=target,
            extension=run.user.extension,
            pin=self._truth.secret("pin", pin),
            entropy=entropy,
        )
        headers = {"Content-Type": CONTENT_TYPE, "SOAPAction": f'"{SOAP_TICKET}"'}
        answer = self._web.request("POST", url, headers, body.encode())
        found = etree.fromstring(answer.body) if answer.status == 200 else None
        assertion = None if found is None else found.find(f".//{{{SAML}}}Assertion")
        if assertion is None:
            self._log.write("AuthS", 4, f"PIN not accepted: {answer.status}")
            raise TicketRefused(f"webticket-{answer.status}")
        ticket = etree.tostring(assertion, encoding="unicode", with_tail=False)
        return self._truth.secret("web_ticket", ticket)
