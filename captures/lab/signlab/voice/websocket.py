"""A telephone in a web page: SIP over a WebSocket (RFC 7118), digest authentication.

`python -m signlab.voice.websocket RUNDIR`, in the phone's namespace. The WebSocket is the package
websocket-client's, TLS is OpenSSL's, which writes the key log.
"""

from __future__ import annotations

import hashlib
import secrets
import ssl
import sys
import time
from dataclasses import dataclass, field

from websocket import WebSocket

from ..config import Run
from ..services.world import render
from ..sip import SipMessage, auth_parameters
from ..truth import Truth
from .messages import note_secrets, parse_message

PATH = "/"
EXPIRES = 600
CHALLENGES = {  # status → header of the challenge, header of the answer
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
COUNT = "00000001"  # of requests with one nonce
READ_SECONDS = 10.0
STAYS_SECONDS = 1.0
USER_AGENT = "Talk Web Phone 2.4"


def digest(
    user: str, password: str, method: str, uri: str, challenge: dict[str, str], own: str
) -> dict[str, str]:
    """The parameters of a first digest with qop=auth and MD5 (RFC 7616 §3.4.1).

    `own` is the client's nonce.
    """

    def hashed(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    realm, nonce = challenge["realm"], challenge["nonce"]
    known, asked = hashed(user, realm, password), hashed(method, uri)
    response = hashed(known, nonce, COUNT, own, "auth", asked)
    return {
        "username": user,
        "realm": realm,
        "nonce": nonce,
        "uri": uri,
        "response": response,
        "cnonce": own,
    }


@dataclass
class Dialog:
    """What the requests to one target have in common."""

    method: str
    uri: str
    to: str
    call_id: str = field(default_factory=lambda: secrets.token_urlsafe(15))
    tag: str = field(default_factory=lambda: secrets.token_hex(5))
    cseq: int = 0


class WebPhone:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._truth = Truth(run, "phone")
        self._name = run.user.sip.partition("@")[0]
        self._own_host = f"{secrets.token_hex(6)}.invalid"  # RFC 7118 §5: it has no address to tell
        domain = run.names.organisation.domain
        self._registration = Dialog("REGISTER", f"sip:{domain}", f"<sip:{run.user.sip}>")
        context = ssl.create_default_context(cafile=str(run.directory / "ca.crt"))
        context.keylog_filename = str(run.directory / "phone.keys")
        self._socket = WebSocket(sslopt={"context": context})

    def open(self) -> None:
        """The handshake with subprotocol `sip`."""
        host = self._run.names.hosts.sip.name
        facts: dict[str, object] = {"method": "GET", "scheme": "https", "host": host, "path": PATH}
        self._truth.message("http", "registrar", "sent", facts)
        origin = f"https://phone.{self._run.names.organisation.domain}"
        self._socket.connect(  # type: ignore[no-untyped-call]
            f"wss://{host}{PATH}",
            subprotocols=["sip"],
            origin=origin,
            header=[f"User-Agent: {USER_AGENT}"],
            timeout=READ_SECONDS,
        )
        answer = {**facts, "status": self._socket.getstatus()}
        self._truth.message("http", "registrar", "received", answer)

    def _send(self, request: SipMessage) -> None:
        note_secrets(self._truth, request)
        self._truth.message("sip", "registrar", "sent", request.facts())
        self._socket.send(request.encode().decode())

    def _final(self) -> SipMessage:
        """The next answer that is final."""
        while True:
            received = self._socket.recv()
            answer = parse_message(received.encode() if isinstance(received, str) else received)
            self._truth.message("sip", "registrar", "received", answer.facts())
            if answer.status >= 200:
                return answer

    def _headers(self, dialog: Dialog) -> list[tuple[str, str]]:
        user = self._run.user
        return [
            ("Via", f"SIP/2.0/WSS {self._own_host};branch=z9hG4bK{secrets.randbelow(10**7)}"),
            ("Max-Forwards", "69"),
            ("To", dialog.to),
            ("From", f'"{user.display}" <sip:{user.sip}>;tag={dialog.tag}'),
            ("Call-ID", dialog.call_id),
            ("CSeq", f"{dialog.cseq} {dialog.method}"),
        ]

    def _ask(self, dialog: Dialog, extra: list[tuple[str, str]], body: str) -> SipMessage:
        dialog.cseq += 1
        common = [
            ("Allow", "INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO"),
            ("Supported", "path,gruu,outbound"),
            ("User-Agent", USER_AGENT),
        ]
        if body:
            common.append(("Content-Type", "application/sdp"))
        headers = [*self._headers(dialog), *extra, *common]
        request = SipMessage(f"{dialog.method} {dialog.uri} SIP/2.0", headers, body.encode())
        self._send(request)
        answer = self._final()
        if dialog.method == "INVITE":  # RFC 3261 §17.1.1.3: what was refused is confirmed
            confirmed = [*headers[:2], ("To", answer.get("To")), *headers[3:5]]
            confirmed.append(("CSeq", f"{dialog.cseq} ACK"))
            self._send(SipMessage(f"ACK {dialog.uri} SIP/2.0", confirmed))
        return answer

    def ask(self, dialog: Dialog, extra: list[tuple[str, str]], body: str = "") -> int:
        """The request and, after a challenge, the same with a digest; the last status."""
        answer = self._ask(dialog, extra, body)
        if answer.status not in CHALLENGES:
            return answer.status
        asked, answers = CHALLENGES[answer.status]
        _, challenge = auth_parameters(answer.get(asked))
        password = self._truth.secret("password", self._run.password)
        own = secrets.token_hex(8)
        values = digest(self._name, password, dialog.method, dialog.uri, challenge, own)
        text = ", ".join(f'{key}="{value}"' for key, value in values.items())
        value = f"Digest algorithm=MD5, {text}, qop=auth, nc={COUNT}"
        return self._ask(dialog, [(answers, value), *extra], body).status

    def register(self, expires: int) -> int:
        contact = f"<sip:{self._name}@{self._own_host};transport=ws>;expires={expires}"
        return self.ask(self._registration, [("Contact", contact), ("Expires", str(expires))])

    def call(self) -> int:
        """Call the second user with what a browser offers as media; the last status."""
        target = f"sip:{self._run.names.user2.sip}"
        contact = f"<sip:{self._name}@{self._own_host};transport=ws;ob>"
        offer = render(
            "webrtc_offer.sdp",
            session=secrets.randbelow(10**18),
            fragment=secrets.token_urlsafe(3),
            password=self._truth.secret("ice_password", secrets.token_urlsafe(18)),
            fingerprint=secrets.token_hex(32).upper(),
        )
        return self.ask(Dialog("INVITE", target, f"<{target}>"), [("Contact", contact)], offer)

    def sign_in(self) -> str:
        """All of it; the outcome in a word."""
        self.open()
        status = self.register(EXPIRES)
        if status != 200:
            return f"sip-{status}"
        outcome = "registered"
        if self._run.scenario.voice.web_call:
            outcome = f"call-{self.call()}"
        time.sleep(STAYS_SECONDS)
        self.register(0)
        self._socket.close()
        return outcome


def main(arguments: list[str]) -> None:
    run = Run.from_arguments(arguments)
    outcome = WebPhone(run).sign_in()
    Truth(run, "phone").outcome(outcome)


if __name__ == "__main__":
    main(sys.argv[1:])
