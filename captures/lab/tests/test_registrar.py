"""The registrar believes a signed REGISTER only when every part of it is right."""

from __future__ import annotations

import base64

import pytest

pytest.importorskip("OpenSSL", reason="pyOpenSSL not installed (extra lab)")
pytest.importorskip("starlette", reason="starlette not installed (extra lab)")
pytest.importorskip("signxml", reason="signxml not installed (extra lab)")

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from signlab.config import Run
from signlab.pki import authority, make_all, new_key, user_certificate
from signlab.services.registrar import Registrar
from signlab.services.world import World
from signlab.sip import SipMessage, auth_parameters
from signlab.tlsdsk import PROTOCOL, Handshake, Identity, sign, signed_text

USER = "vvx@ucprimer.example"
TARGET = "SG20F03FES06.infra.lync.com"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    run = Run.create(tmp_path_factory.mktemp("run"), "web-signin")
    make_all(run)
    return World(run)


def register(number: int, authorization: str = "", user: str = USER) -> SipMessage:
    headers = [
        ("Via", "SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1"),
        ("Via", "SIP/2.0/TLS 10.222.202.232:50000;branch=z9hG4bK2"),
        ("From", f'"vvx" <sip:{user}>;tag=1-A;epid=0004f2ae4b0d'),
        ("To", f"<sip:{user}>"),
        ("CSeq", f"{number} REGISTER"),
        ("Call-ID", "7fae79d87a29829ae54a8b3071ae4b0d"),
        ("X-Lab-Received", "10.222.202.232:50000"),
    ]
    if authorization:
        headers.append(("Authorization", authorization))
    return SipMessage("REGISTER sip:ucprimer.example SIP/2.0", headers)


def offers(reply: SipMessage) -> dict[str, dict[str, str]]:
    return dict(auth_parameters(value) for value in reply.all("WWW-Authenticate"))


def identity(world: World, name: str = USER, *, trusted: bool = True) -> Identity:
    issuer = world.key("communications")
    signer = issuer if trusted else authority("Communications Server", "Somebody Else")
    key = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    certificate = user_certificate(request.sign(key, hashes.SHA256()), signer)
    return Identity(certificate, key, [issuer.certificate])


def handshake(world: World, registrar: Registrar, who: Identity) -> tuple[Handshake, str]:
    """Run the legs; returns the phone's side and the opaque of the association."""
    side = Handshake(who, "1.0", server=False, trusted=who.chain[0])
    flight, opaque = side.feed(), ""
    while flight:
        data = base64.b64encode(flight).decode()
        reply = registrar.answer(
            register(2, f'{PROTOCOL} opaque="{opaque}", gssapi-data="{data}", version=4')
        )
        assert reply.status == 401
        answer = offers(reply)[PROTOCOL]
        if "gssapi-data" not in answer:
            return side, ""
        opaque = answer["opaque"]
        flight = side.feed(base64.b64decode(answer["gssapi-data"]))
    return side, opaque


def signed(side: Handshake, opaque: str, number: int = 4, user: str = USER) -> SipMessage:
    text = signed_text(register(number, user=user), "6db0c240", "1", TARGET)
    proof = sign(side.keys()[0], text)
    value = f'{PROTOCOL} opaque="{opaque}", crand="6db0c240", cnum="1", response="{proof}"'
    return register(number, value, user)


def test_three_schemes_are_offered(world: World) -> None:
    reply = Registrar(world).answer(register(1))
    assert reply.status == 401
    assert list(offers(reply)) == ["NTLM", "Kerberos", PROTOCOL]
    assert offers(reply)[PROTOCOL]["sts-uri"].endswith("/CertProv/CertProvisioningService.svc")


def test_signed_register_is_accepted_and_the_answer_signed(world: World) -> None:
    registrar = Registrar(world)
    side, opaque = handshake(world, registrar, identity(world))
    reply = registrar.answer(signed(side, opaque))
    assert reply.status == 200
    info = auth_parameters(reply.get("Authentication-Info"))[1]
    text = signed_text(reply, info["srand"], info["snum"], TARGET, 200)
    assert info["rspauth"] == sign(side.keys()[1], text)


@pytest.mark.parametrize("place", [0, 1, 20, 39])
def test_one_flipped_digit_is_refused(world: World, place: int) -> None:
    registrar = Registrar(world)
    side, opaque = handshake(world, registrar, identity(world))
    request = signed(side, opaque)
    name, value = request.headers.pop()
    start = value.index('response="') + len('response="') + place
    flipped = f"{int(value[start], 16) ^ 1:x}"
    request.headers.append((name, value[:start] + flipped + value[start + 1 :]))
    assert registrar.answer(request).status == 401


def test_signature_of_another_request_is_refused(world: World) -> None:
    registrar = Registrar(world)
    side, opaque = handshake(world, registrar, identity(world))
    authorization = signed(side, opaque, 4).get("Authorization")
    assert registrar.answer(register(5, authorization)).status == 401


def test_somebody_elses_certificate_is_refused(world: World) -> None:
    registrar = Registrar(world)
    side, opaque = handshake(world, registrar, identity(world, "other@ucprimer.example"))
    assert registrar.answer(signed(side, opaque)).status == 401


def test_certificate_of_another_authority_ends_the_handshake(world: World) -> None:
    registrar = Registrar(world)
    _side, opaque = handshake(world, registrar, identity(world, trusted=False))
    assert opaque == ""
