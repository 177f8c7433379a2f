"""The phone's SIP: one TLS connection to the edge, REGISTER by way of TLS-DSK."""

from __future__ import annotations

import base64
import secrets
import ssl
from collections.abc import Callable

from ..config import Run
from ..sip import SipMessage, auth_parameters, take
from ..tlsdsk import PROTOCOL, REALM, Handshake, Identity, sign, signed_text
from ..truth import Truth
from .log import PhoneLog
from .web import TIMEOUT, USER_AGENT, insist, reach

METHODS = (
    "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, MESSAGE, SUBSCRIBE, NOTIFY, PRACK, UPDATE, "
    "REFER, BENOTIFY"
)
SUPPORTED = (
    "msrtc-event-categories,adhoclist,ms-cluster-failover,ms-userservices-state-notification,"
    "gruu-10,gruu"
)
READ = 1 << 15


class Registration:
    """The dialog with the registrar; `register` runs it to its end and returns the last status."""

    def __init__(
        self, run: Run, truth: Truth, log: PhoneLog, context: ssl.SSLContext, edge: tuple[str, int]
    ) -> None:
        self._run = run
        self._truth = truth
        self._log = log
        self._context = context
        self._socket = insist(run.scenario.phone, lambda: self._connect(edge), OSError)
        self._buffer = bytearray()
        self._cseq = 0
        self._call_id = secrets.token_hex(16)
        self._tag = f"{secrets.token_hex(4)}-{secrets.token_hex(4)}".upper()

    def _connect(self, edge: tuple[str, int]) -> ssl.SSLSocket:
        wrapped = self._context.wrap_socket(reach(*edge), server_hostname=edge[0])
        wrapped.settimeout(TIMEOUT)
        return wrapped

    def close(self) -> None:
        self._socket.close()

    def keep_alive(self) -> None:
        """A double CRLF as ms-keep-alive asks for."""
        self._socket.sendall(b"\r\n\r\n")

    def register(self, identity_from: Callable[[str], Identity]) -> int:
        """Register; `identity_from(sts_uri)` gives the user certificate. Returns the status.

        A handshake that the registrar breaks off is begun again, as often as the phone tries.
        """
        for _ in range(self._run.scenario.phone.tries - 1):
            status = self._register(identity_from)
            if status != 401:
                return status
            self._log.sip("TLS-DSK: the handshake was not accepted", 4)
        return self._register(identity_from)

    def _register(self, identity_from: Callable[[str], Identity]) -> int:
        reply = self._exchange("")
        offers = dict(auth_parameters(v) for v in reply.all("WWW-Authenticate"))
        if reply.status != 401 or PROTOCOL not in offers:
            return reply.status
        target = offers[PROTOCOL]["targetname"]
        identity = identity_from(offers[PROTOCOL]["sts-uri"])
        handshake = Handshake(
            identity, self._run.scenario.sip.dsk_tls, server=False, trusted=identity.chain[0]
        )
        flight, opaque = handshake.feed(), ""
        while flight:
            data = self._truth.secret("gssapi_data", base64.b64encode(flight).decode())
            named = f'opaque="{opaque}", ' if opaque else ""
            reply = self._exchange(
                f'{PROTOCOL} qop="auth", realm="{REALM}", {named}targetname="{target}", '
                f'gssapi-data="{data}", version=4'
            )
            offers = dict(auth_parameters(v) for v in reply.all("WWW-Authenticate"))
            answer = offers.get(PROTOCOL, {})
            if reply.status != 401 or "gssapi-data" not in answer:
                return reply.status
            opaque = answer["opaque"]
            flight = handshake.feed(base64.b64decode(answer["gssapi-data"]))
        if not handshake.done:
            return reply.status
        self._log.sip("TLS-DSK: security association established", 2)
        client_key, server_key = handshake.keys()
        return self._signed(client_key, server_key, opaque, target)

    def _signed(self, client_key: bytes, server_key: bytes, opaque: str, target: str) -> int:
        rand, num = secrets.token_hex(4), "1"
        request = self._request("")
        proof = sign(client_key, signed_text(request, rand, num, target))
        self._truth.secret("sip_response", proof)
        reply = self._send(
            self._authorized(
                request,
                f'{PROTOCOL} qop="auth", realm="{REALM}", opaque="{opaque}", '
                f'targetname="{target}", crand="{rand}", cnum="{num}", response="{proof}", '
                "version=4",
            )
        )
        info = auth_parameters(reply.get("Authentication-Info"))[1]
        if info:
            text = signed_text(reply, info["srand"], info["snum"], target, reply.status)
            if sign(server_key, text) != info["rspauth"]:
                raise ValueError("the registrar's signature does not verify")
        return reply.status

    def _exchange(self, authorization: str) -> SipMessage:
        return self._send(self._authorized(self._request(""), authorization))

    @staticmethod
    def _authorized(request: SipMessage, authorization: str) -> SipMessage:
        if authorization:
            request.headers.insert(-1, ("Authorization", authorization))
        return request

    def _request(self, body: str) -> SipMessage:
        self._cseq += 1
        names = self._run.names
        user, device = self._run.user, self._run.device
        address, port = self._socket.getsockname()[:2]
        name = user.sip.partition("@")[0]
        mac = "-".join(device.mac[i : i + 2] for i in range(0, 12, 2)).upper()
        subnet = address.rpartition(".")[0] + ".0"
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        contact = (
            f'<sip:{name}@{address}:{port};transport=tls>;methods="{METHODS}";proxy=replace;'
            f'+sip.instance="<urn:uuid:{device.instance}>"'
        )
        headers = [
            ("Via", f"SIP/2.0/TLS {address}:{port};branch={branch}"),
            ("From", f'"{user.display}" <sip:{user.sip}>;tag={self._tag};epid={device.mac}'),
            ("To", f"<sip:{user.sip}>"),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Call-ID", self._call_id),
            ("Contact", contact),
            ("User-Agent", USER_AGENT),
            ("Accept-Language", "en"),
            (
                "Ms-device-info",
                f"MAC={mac}, vendor=POLYCOM, version=PolycomVVX-VVX_600-5.5.1.11526",
            ),
            ("ms-keep-alive", "UAC;hop-hop=yes"),
            ("Supported", SUPPORTED),
            ("Event", "registration"),
            ("ms-subnet", subnet),
            ("Max-Forwards", "70"),
        ]
        domain = names.organisation.domain
        return SipMessage(f"REGISTER sip:{domain};transport=tls SIP/2.0", headers, body.encode())

    def _send(self, request: SipMessage) -> SipMessage:
        raw = request.encode()
        self._log.sip_message(raw)
        self._log.sip(">>> End of data send")
        sent = f"TotalLen {len(raw)} loop count 1 maxQueueDepth 40000"
        self._log.sip(f"CTcpSocket::SendData TLS queuedTxData = 0 {sent}", 1)
        self._truth.message("sip", "sfb", "sent", request.facts())
        self._socket.sendall(raw)
        self._log.sip(f"CTcpSocket::SendData TLS Sent {len(raw)} loop count 1", 1)
        while True:
            while (reply := take(self._buffer)) is None:
                data = self._socket.recv(READ)
                if not data:
                    raise ConnectionError("the SIP edge has closed the connection")
                self._buffer += data
            self._truth.message("sip", "sfb", "received", reply.facts())
            self._log.sip("<<< Data received TLS")
            self._log.sip_message(reply.encode())
            if reply.status >= 200:
                return reply
