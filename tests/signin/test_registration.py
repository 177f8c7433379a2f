"""Legs of a registration: normal 401s inferred from refusals (63), diagnostics in words."""

from __future__ import annotations

import pytest

from dissect.model import SipMessage
from dissect.signin.registration import FoundSip, Transactions, challenge_schemes
from tests.signin.build import sip

REGISTER = "REGISTER sip:b.test SIP/2.0"
UNAUTHORIZED = "SIP/2.0 401 Unauthorized"
NTLM = ("WWW-Authenticate", 'NTLM realm="SIP Communications Service", version=4')
KERBEROS = ("WWW-Authenticate", 'Kerberos realm="SIP Communications Service", version=4')
DSK = (
    "WWW-Authenticate",
    'TLS-DSK realm="SIP Communications Service", version=4, sts-uri="https://p.test/"',
)
SERVER_LEG = ("WWW-Authenticate", 'TLS-DSK opaque="E3", gssapi-data="FgMBAAA=", version=4')


def leg(number: int, authorization: str = "") -> SipMessage:
    headers = {"CSeq": f"{number} REGISTER"}
    if authorization:
        headers["Authorization"] = authorization
    return sip(REGISTER, headers)


def answer(number: int, start: str, *more: tuple[str, str]) -> SipMessage:
    return sip(start, {"CSeq": f"{number} REGISTER"}, *more)


def play(*messages: SipMessage) -> list[FoundSip]:
    transactions = Transactions()
    return [event for message in messages for event in transactions.events(message)]


CLIENT_LEG = 'TLS-DSK qop="auth", gssapi-data="FgMBAAA=", version=4'
SIGNED = 'TLS-DSK qop="auth", opaque="E3", crand="ab", cnum="1", response="00ff"'


def test_the_normal_way() -> None:
    """Public case 63: three 401s of TLS-DSK are normal."""
    events = play(
        leg(1), answer(1, UNAUTHORIZED, NTLM, KERBEROS, DSK),
        leg(2, CLIENT_LEG), answer(2, UNAUTHORIZED, SERVER_LEG),
        leg(3, CLIENT_LEG), answer(3, UNAUTHORIZED, SERVER_LEG),
        leg(4, SIGNED), answer(4, "SIP/2.0 200 OK"),
    )  # fmt: skip
    assert [event.name.rpartition(".")[2] for event in events] == [
        "sent", "challenged", "sent", "challenged", "sent", "challenged", "sent", "accepted",
    ]  # fmt: skip
    assert [e.facts["leg"] for e in events[::2]] == ["open", "handshake", "handshake", "signed"]
    assert events[1].facts["schemes"] == ("NTLM", "Kerberos", "TLS-DSK")


def test_a_401_to_a_signed_request_is_a_refusal() -> None:
    """Public case 63: a 401 after a signed REGISTER is not."""
    *_, last = play(leg(4, SIGNED), answer(4, UNAUTHORIZED, NTLM, DSK))
    assert (last.name, last.facts["code"]) == ("sip.register.refused", "401")


def test_fresh_schemes_in_the_middle_of_a_handshake_are_a_loop() -> None:
    *_, last = play(leg(3, CLIENT_LEG), answer(3, UNAUTHORIZED, NTLM, KERBEROS, DSK))
    assert (last.name, last.facts["code"]) == ("sip.register.refused", "tls_dsk_loop")


def test_403_with_ms_diagnostics() -> None:
    diagnostics = ("ms-diagnostics", '4005;reason="User is not SIP enabled";source="fe.test"')
    *_, last = play(leg(1), answer(1, "SIP/2.0 403 Forbidden", diagnostics))
    assert last.facts["code"] == "403"
    assert last.facts["ms_error"] == "4005"
    assert last.facts["text"] == "User is not SIP enabled"


def test_warning_where_there_are_no_diagnostics() -> None:
    warning = (
        "Warning",
        '310 lcs.microsoft.com "You are currently not using the recommended version"',
    )
    *_, last = play(leg(1), answer(1, "SIP/2.0 403 Forbidden", warning))
    assert last.facts["text"] == "You are currently not using the recommended version"


def test_schemes_wherever_tls_dsk_stands() -> None:  # 44
    for fields in ((DSK, NTLM, KERBEROS), (NTLM, KERBEROS, DSK)):
        assert set(challenge_schemes(answer(1, UNAUTHORIZED, *fields))) == {
            "NTLM",
            "Kerberos",
            "TLS-DSK",
        }


def test_unregister_is_no_sign_in() -> None:
    (event,) = play(sip(REGISTER, {"Expires": "0"}))
    assert event.name == "sip.unregister.sent"


def test_a_stale_nonce_is_no_refusal() -> None:
    """RFC 2617 §3.2.1: the credentials were right, the nonce was old."""
    stale = ("WWW-Authenticate", 'Digest realm="b.test", nonce="n2", stale=TRUE, algorithm=MD5')
    fresh = ("WWW-Authenticate", 'Digest realm="b.test", nonce="n3", algorithm=MD5')
    signed = 'Digest username="a", realm="b.test", nonce="n1", uri="sip:b.test", response="00ff"'
    *_, last = play(leg(2, signed), answer(2, UNAUTHORIZED, stale))
    assert (last.name, last.facts["stale"]) == ("sip.register.challenged", True)
    *_, last = play(leg(3, signed), answer(3, UNAUTHORIZED, fresh))
    assert (last.name, last.facts["code"]) == ("sip.register.refused", "401")


@pytest.mark.parametrize(
    "headers",
    [
        {"Expires": "0", "Contact": "*"},
        {"Contact": "<sip:a@192.0.2.1>;expires=0"},
        {"Contact": "<sip:a@192.0.2.1>;expires=0", "Expires": "3600"},
    ],
)
def test_a_registration_that_is_taken_back(headers: dict[str, str]) -> None:
    """RFC 3261 §10.2.2; a contact's own lifetime goes before the field's."""
    sent, answered = play(sip(REGISTER, headers), sip("SIP/2.0 200 OK"))
    assert (sent.name, answered.name) == ("sip.unregister.sent", "sip.unregister.answered")


def test_one_contact_that_stays_is_no_taking_back() -> None:
    sent, _ = play(
        sip(REGISTER, {"Contact": "<sip:a@192.0.2.1>;expires=0, <sip:a@192.0.2.2>;expires=600"}),
        sip("SIP/2.0 200 OK"),
    )
    assert sent.name == "sip.register.sent"


def test_which_invite_an_ack_is_for_and_what_changes_a_call() -> None:
    """RFC 3261 §17.1.1.3 (ACK of a refusal) and §14 (an INVITE with a To tag is inside a call)."""

    def message(start: str, cseq: str, tag: str = "") -> SipMessage:
        return sip(start, {"CSeq": cseq, "To": "<sip:c@b.test>" + tag})

    events = play(
        message("INVITE sip:c@b.test SIP/2.0", "1 INVITE"),
        message("SIP/2.0 407 Proxy Authentication Required", "1 INVITE", ";tag=p"),
        message("ACK sip:c@b.test SIP/2.0", "1 ACK", ";tag=p"),
        message("INVITE sip:c@b.test SIP/2.0", "2 INVITE"),
        message("SIP/2.0 200 OK", "2 INVITE", ";tag=c"),
        message("ACK sip:c@b.test SIP/2.0", "2 ACK", ";tag=c"),
        message("INVITE sip:c@b.test SIP/2.0", "3 INVITE", ";tag=c"),
        message("SIP/2.0 200 OK", "3 INVITE", ";tag=c"),
        message("ACK sip:c@b.test SIP/2.0", "3 ACK", ";tag=c"),
    )
    assert [event.facts.get("acknowledges") for event in events[2::3]] == [407, 200, 200]
    assert [event.facts.get("inside") for event in events] == [None] * 6 + [True] * 3
    # Who changes a call may be either side; who is called is recognised by what began it (§12.1.1).
    assert [event.facts.get("callee") for event in events] == ["c@b.test"] * 6 + [None] * 3
