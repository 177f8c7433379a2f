"""The registrar of the home pool behind Kamailio: REGISTER with TLS-DSK ([MS-SIPAE] §4.4)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass

from ..sip import SipMessage, auth_parameters, tag_of, take, uri_of
from ..tlsdsk import PROTOCOL, REALM, Handshake, HandshakeFailed, Identity, sign, signed_text
from .lync import CERT_PATH
from .world import World, utc_text

DATE = "%a, %d %b %Y %H:%M:%S GMT"
EXPIRES = 600
READ = 1 << 16


@dataclass
class Association:
    """A security association: the inner handshake, then its keys."""

    opaque: str
    handshake: Handshake
    user: str
    answers: int = 0


class Registrar:
    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth("sfb")
        self._target = world.names.organisation.home_server
        self._associations: dict[str, Association] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection from the edge, for as long as it lasts."""
        buffer = bytearray()
        while data := await reader.read(READ):
            buffer += data
            while (message := take(buffer)) is not None:
                if message.is_response:
                    continue
                self._truth.message("sip", "phone", "received", message.facts())
                answer = self.answer(message)
                self._truth.message("sip", "phone", "sent", answer.facts())
                writer.write(answer.encode())
                await writer.drain()
        writer.close()

    def answer(self, message: SipMessage) -> SipMessage:
        """The answer to one request; pure but for the associations and the notebook."""
        if message.method != "REGISTER":
            return self._reply(message, 405, "Method Not Allowed")
        scheme, values = auth_parameters(message.get("Authorization"))
        if scheme != PROTOCOL:
            return self._challenge(message)
        try:
            if "gssapi-data" in values:
                return self._handshake(message, values)
            if "response" in values:
                return self._signed(message, values)
        except (HandshakeFailed, binascii.Error, ValueError):
            return self._challenge(message)
        return self._challenge(message)

    def _reply(self, message: SipMessage, status: int, reason: str) -> SipMessage:
        to = message.get("To")
        if not tag_of(to):
            to += f";tag={secrets.token_hex(16).upper()}"
        address, _, port = message.get("X-Lab-Received").partition(":")
        vias = message.all("Via")
        if port:  # the last Via is the phone's own
            vias[-1] += f";received={address};ms-received-port={port};ms-received-cid=3A41C00"
        headers = [("ms-user-logon-data", "RemoteUser"), ("Date", utc_text(DATE))]
        headers += [("Via", via) for via in vias]
        headers += [("From", message.get("From")), ("To", to)]
        headers += [("Call-ID", message.get("Call-ID")), ("CSeq", message.get("CSeq"))]
        headers.append(("Server", "RTC/6.0"))
        return SipMessage(f"SIP/2.0 {status} {reason}", headers)

    def _challenge(self, message: SipMessage) -> SipMessage:
        reply = self._reply(message, 401, "Unauthorized")
        pool = self._world.hosts.pool.name
        common = f'realm="{REALM}", targetname='
        offers = (
            f'NTLM {common}"{self._target}", version=4',
            f'Kerberos {common}"sip/{self._target}", version=4',
            (
                f'{PROTOCOL} {common}"{self._target}", version=4, '
                f'sts-uri="https://{pool}:443{CERT_PATH}"'
            ),
        )
        reply.headers[2:2] = [("WWW-Authenticate", value) for value in offers]
        return reply

    def _handshake(self, message: SipMessage, values: dict[str, str]) -> SipMessage:
        flight = base64.b64decode(values["gssapi-data"], validate=True)
        association = self._associations.get(values.get("opaque", ""))
        if association is None:
            home, authority = self._world.key("home"), self._world.key("communications")
            handshake = Handshake(
                Identity(home.certificate, home.key, [authority.certificate]),
                self._world.run.scenario.sip.dsk_tls,
                server=True,
                trusted=authority.certificate,
            )
            user = uri_of(message.get("From"))
            association = Association(secrets.token_hex(4).upper(), handshake, user)
            self._associations[association.opaque] = association
        data = base64.b64encode(association.handshake.feed(flight)).decode()
        if association.handshake.done and self._world.run.scenario.sip.dsk == "restarts":
            return self._challenge(message)  # as a pool does that does not know the certificate
        self._truth.secret("gssapi_data", data)
        reply = self._reply(message, 401, "Unauthorized")
        value = (
            f'{PROTOCOL} opaque="{association.opaque}", gssapi-data="{data}", '
            f'targetname="{self._target}", realm="{REALM}", version=4'
        )
        reply.headers.insert(2, ("WWW-Authenticate", value))
        return reply

    def _signed(self, message: SipMessage, values: dict[str, str]) -> SipMessage:
        association = self._associations.get(values.get("opaque", ""))
        if association is None or not association.handshake.done:
            return self._challenge(message)
        client_key, server_key = association.handshake.keys()
        text = signed_text(message, values.get("crand", ""), values.get("cnum", ""), self._target)
        if not hmac.compare_digest(sign(client_key, text), values["response"]):
            return self._challenge(message)
        user = uri_of(message.get("From"))
        if user != association.user or user != f"sip:{association.handshake.peer_name()}":
            return self._challenge(message)
        knobs = self._world.run.scenario.sip
        if knobs.refuse_status:
            reply = self._reply(message, knobs.refuse_status, knobs.refuse_reason)
            diagnostics = f'{knobs.refuse_diagnostics};source="{self._target}"'
            reply.headers.append(("ms-diagnostics", diagnostics))
        else:
            reply = self._registered(message)
        association.answers += 1
        rand, num = secrets.token_hex(4).upper(), str(association.answers)
        status = reply.status
        proof = sign(server_key, signed_text(reply, rand, num, self._target, status))
        self._truth.secret("sip_response", proof)
        value = (
            f'{PROTOCOL} qop="auth", opaque="{association.opaque}", srand="{rand}", '
            f'snum="{num}", rspauth="{proof}", targetname="{self._target}", '
            f'realm="{REALM}", version=4'
        )
        reply.headers.insert(1, ("Authentication-Info", value))
        return reply

    def _registered(self, message: SipMessage) -> SipMessage:
        reply = self._reply(message, 200, "OK")
        user, contact = uri_of(message.get("To")), message.get("Contact")
        instance = contact.partition("urn:uuid:")[2].partition(">")[0]
        gruu = f'"{user};opaque=user:epid:{instance.replace("-", "")[:22]};gruu"'
        reply.headers += [
            ("Expires", str(EXPIRES)),
            ("Contact", f"{message.get('Contact')};expires={EXPIRES};gruu={gruu}"),
            ("presence-state", 'register-action="added"'),
            ("Allow-Events", "vnd-microsoft-provisioning,vnd-microsoft-roaming-contacts"),
            ("Allow-Events", "vnd-microsoft-roaming-ACL,presence,presence.wpending"),
            ("ms-keep-alive", "UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300"),
            ("Supported", "adhoclist,msrtc-event-categories"),
        ]
        return reply
