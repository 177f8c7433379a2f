"""What a registrar refuses, and what the packets contradict: RFC 3261, 7616, 8760, 3310, 3327,
3329, [MS-SIPAE]. Every message is made here from its fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dissect.model import Fact, Place, SipMessage, Span
from dissect.signin import error_catalogue
from dissect.signin.registration import FoundSip, Transactions, unanswered
from tests.signin.build import place, sip

REGISTER = "REGISTER sip:b.test SIP/2.0"
UNAUTHORIZED = "SIP/2.0 401 Unauthorized"
MD5, SHA = "0" * 32, "0" * 64


def request(number: int, authorization: str = "", **fields: str) -> SipMessage:
    headers = {"CSeq": f"{number} REGISTER"}
    if authorization:
        headers["Authorization"] = authorization
    return sip(REGISTER, {**headers, **{k.replace("_", "-"): v for k, v in fields.items()}})


def answer(number: int, start: str, *fields: tuple[str, str]) -> SipMessage:
    return sip(start, {"CSeq": f"{number} REGISTER"}, *fields)


def challenge(number: int, rest: str, realm: str = "r") -> SipMessage:
    return answer(number, UNAUTHORIZED, ("WWW-Authenticate", f'Digest realm="{realm}",{rest}'))


def digest(rest: str, realm: str = "r") -> str:
    return f'Digest username="u", realm="{realm}", uri="sip:b.test", {rest}'


def at(message: SipMessage, seconds: float, again: bool = False) -> SipMessage:
    ns = round(seconds * 1e9)
    where = Place(message.place.connection, message.place.direction, Span(1, ns, 1, ns))
    return replace(message, place=where, retransmission=again)


def play(*messages: SipMessage) -> list[FoundSip]:
    transactions = Transactions()
    return [event for message in messages for event in transactions.events(message)]


def tried(offer: str, brought: str, again: str = 'nonce="n2"') -> dict[str, Fact]:
    """The facts of the second 401, to an answer to the first."""
    *_, last = play(request(1), challenge(1, offer), request(2, digest(brought)),
                    challenge(2, again))  # fmt: skip
    assert last.name == "sip.register.refused"
    return dict(last.facts)


@pytest.mark.parametrize(
    ("offer", "brought", "said"),
    [
        ('nonce="n", algorithm=SHA-256', f'nonce="n", response="{MD5}", algorithm=MD5',
         "SHA-256 only, the answer is by MD5"),
        ('nonce="n", algorithm=SHA-512-256', f'nonce="n", response="{MD5}"',
         "SHA-512-256 only, the answer is by MD5"),
        ('nonce="n"', f'nonce="n", response="{SHA}", algorithm=SHA-256',
         "MD5 only, the answer is by SHA-256"),
        ('nonce="n", algorithm=MD5', f'nonce="other", response="{MD5}"', "nonce"),
        ('nonce="n", qop="auth-int"',
         f'nonce="n", response="{MD5}", qop=auth, nc=00000001, cnonce="c"', "qop auth-int only"),
        ('nonce="n", qop="auth-int"', f'nonce="n", response="{MD5}"', "the answer has no qop"),
        ('nonce="n", qop="auth"', f'nonce="n", response="{MD5}", qop=auth, nc=00000001',
         "no cnonce"),
        ('nonce="n", qop="auth"', f'nonce="n", response="{MD5}", qop=auth, cnonce="c"', "no nc"),
        ('nonce="n", qop="auth,auth-int"', f'nonce="n", response="{MD5}", qop=auth',
         "no cnonce and no nc"),
        ('nonce="n", opaque="o"', f'nonce="n", response="{MD5}"', "opaque"),
        ('nonce="n", algorithm=SHA-256', f'nonce="n", response="{MD5}", algorithm=SHA-256',
         "32 digits, SHA-256 gives 64"),
    ],
)  # fmt: skip
def test_what_the_challenge_contradicts(offer: str, brought: str, said: str) -> None:
    facts = tried(offer, brought)
    assert said in str(facts["contradiction"])
    found = error_catalogue.of_event("sip.register.refused", facts)
    assert "user name and password" not in str(found["meaning"])


@pytest.mark.parametrize(
    ("offer", "brought"),
    [
        ('nonce="n"', f'nonce="n", response="{MD5}"'),
        ('nonce="n", algorithm=md5', f'nonce="n", response="{MD5}", algorithm="MD5"'),
        ('nonce="n", qop="auth,auth-int"',
         f'nonce="n", response="{MD5}", qop=auth, nc=00000001, cnonce="c"'),
        ('nonce="n", qop="auth"', f'nonce="n", response="{MD5}"'),  # RFC 2617 lets it be left out
        ('nonce="n", algorithm=SHA-256-sess, qop="auth", opaque="o"',
         f'nonce="n", response="{SHA}", algorithm=SHA-256-sess, qop=auth, nc=1, cnonce="c", '
         'opaque="o"'),
    ],
)  # fmt: skip
def test_what_fits_proves_the_password_wrong(offer: str, brought: str) -> None:
    facts = tried(offer, brought)
    assert "contradiction" not in facts
    found = error_catalogue.of_event("sip.register.refused", facts)
    assert "did not accept user name and password" in str(found["meaning"])


def test_one_of_several_algorithms_is_enough() -> None:
    """RFC 8760 §2.4: a challenge for each, and the client takes one."""
    offers = (("WWW-Authenticate", 'Digest realm="r", nonce="a", algorithm=SHA-256'),
              ("WWW-Authenticate", 'Digest realm="r", nonce="b", algorithm=MD5'))  # fmt: skip
    brought = digest(f'nonce="b", response="{MD5}", algorithm=MD5')
    *_, last = play(request(1), answer(1, UNAUTHORIZED, *offers), request(2, brought),
                    answer(2, UNAUTHORIZED, *offers))  # fmt: skip
    assert "contradiction" not in last.facts
    crossed = digest(f'nonce="a", response="{MD5}", algorithm=MD5')
    *_, last = play(request(1), answer(1, UNAUTHORIZED, *offers), request(2, crossed),
                    answer(2, UNAUTHORIZED, *offers))  # fmt: skip
    assert "another algorithm" in str(last.facts["contradiction"])


def test_the_nonce_of_an_earlier_challenge_is_reported_as_one() -> None:
    *_, last = play(
        request(1), challenge(1, 'nonce="n1"'),
        request(2, digest(f'nonce="n1", response="{MD5}"')), challenge(2, 'nonce="n2"'),
        request(3, digest(f'nonce="n1", response="{MD5}"')), challenge(3, 'nonce="n3"'),
    )  # fmt: skip
    assert "of an earlier one" in str(last.facts["contradiction"])


def test_without_the_challenge_password_and_nonce_cannot_be_distinguished() -> None:
    *_, last = play(request(2, digest(f'nonce="n", response="{MD5}"')), challenge(2, 'nonce="m"'))
    assert "contradiction" not in last.facts
    found = error_catalogue.of_event("sip.register.refused", last.facts)
    assert "user name and password" not in str(found["meaning"])


def test_the_first_register_of_ims_proves_nothing() -> None:
    """3GPP TS 24.229 §5.1.1.2.2; RFC 3310: then a challenge for the SIM, and its answer."""
    named = digest('nonce="", response=""')
    aka = 'nonce="bm9uY2U=", algorithm=AKAv1-MD5, qop="auth"'
    signed = digest('nonce="bm9uY2U=", response="00", algorithm=AKAv1-MD5, qop=auth, nc=1, '
                    'cnonce="c"')  # fmt: skip
    events = play(request(1, named), challenge(1, aka), request(2, signed), challenge(2, aka))
    assert [event.name.rpartition(".")[2] for event in events] == [
        "sent", "challenged", "sent", "refused",
    ]  # fmt: skip
    assert events[0].facts["leg"] == "open"
    found = error_catalogue.of_event("sip.register.refused", events[-1].facts)
    assert "SIM" in str(found["meaning"])
    assert "password" not in str(found["meaning"])
    # A SIM that asks for another sequence number refuses nothing and proves nothing.
    resync = digest('nonce="bm9uY2U=", response="00", auts="AAAA", algorithm=AKAv1-MD5')
    *_, last = play(request(1, named), challenge(1, aka), request(2, resync), challenge(2, aka))
    assert last.name == "sip.register.challenged"


def test_a_proxy_and_then_the_registrar_ask() -> None:
    """RFC 3261 §22.3: each for its own realm; only who is answered wrongly refuses."""
    proxied = ("Proxy-Authenticate", 'Digest realm="p", nonce="n"')
    first = sip(REGISTER, {
        "CSeq": "2 REGISTER",
        "Proxy-Authorization": digest(f'nonce="n", response="{MD5}"', "p"),
    })  # fmt: skip
    *_, last = play(request(1), answer(1, "SIP/2.0 407 Proxy", proxied), first,
                    challenge(2, 'nonce="m"'))  # fmt: skip
    assert last.name == "sip.register.challenged"


@pytest.mark.parametrize(("status", "field"), [(401, "WWW-Auth"), (407, "Proxy-Auth")])
def test_a_challenge_that_challenges_to_nothing(status: int, field: str) -> None:
    brought = digest(f'nonce="n", response="{MD5}"')
    *_, last = play(request(1, brought), answer(1, f"SIP/2.0 {status} No"))
    assert field in str(last.facts["contradiction"])
    reported = " ".join(
        map(str, error_catalogue.of_event("sip.register.refused", last.facts).values())
    )
    assert "certificate" not in reported
    assert "signature" not in reported


def stale(rounds: int) -> list[FoundSip]:
    messages = [request(1), challenge(1, 'nonce="n0"')]
    for number in range(rounds):
        messages.append(request(number + 2, digest(f'nonce="n{number}", response="{MD5}"')))
        messages.append(challenge(number + 2, f'nonce="n{number + 1}", stale=true'))
    return play(*(at(message, index / 10) for index, message in enumerate(messages)))


def test_stale_again_and_again_is_a_loop() -> None:
    assert stale(2)[-1].name == "sip.register.challenged"
    last = stale(4)[-1]
    assert (last.name, last.facts["code"], last.facts["rounds"]) == (
        "sip.register.refused", "stale_loop", 4,
    )  # fmt: skip
    assert last.facts["took"] == "0.6 s"


def bindings(rounds: int) -> list[str]:
    messages = []
    for number in range(rounds):
        messages += [request(2 * number + 1, Expires="3600"),
                     answer(2 * number + 1, "SIP/2.0 200 OK"),
                     request(2 * number + 2, Expires="0"),
                     answer(2 * number + 2, "SIP/2.0 200 OK")]  # fmt: skip
    return [event.name for event in play(*messages)]


def test_a_binding_that_is_taken_back_each_time_is_a_loop() -> None:
    assert "sip.register.looped" not in bindings(1)
    assert bindings(2)[-1] == "sip.register.looped"
    # Whoever first clears what a restart left behind loops nothing.
    begun = play(request(1, Expires="0"), answer(1, "SIP/2.0 200 OK"), request(2),
                 answer(2, "SIP/2.0 200 OK"), request(3, Expires="0"),
                 answer(3, "SIP/2.0 200 OK"))  # fmt: skip
    assert "sip.register.looped" not in [event.name for event in begun]


def silent(*messages: SipMessage) -> list[dict[str, Fact]]:
    transactions = Transactions()
    for message in messages:
        list(transactions.events(message))
    return [dict(found.facts) for found, _ in unanswered([transactions])]


def test_a_register_that_nobody_answers() -> None:
    times = (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
    sends = [at(request(1), second, second > 0) for second in times]
    (facts,) = silent(*sends)
    assert (facts["attempts"], facts["took"]) == (11, "32 s")
    assert not silent(*sends[:5])  # an answer may still come
    assert not silent(*sends, at(answer(1, "SIP/2.0 404 Not Found"), 33))
    gone = [at(request(1, Expires="0"), second, second > 0) for second in times]
    assert not silent(*gone)  # a phone that leaves needs no answer


def test_what_another_capture_answers_is_answered() -> None:
    one, other = Transactions(), Transactions()
    for second in (0, 10, 20):
        list(one.events(at(request(1), second, second > 0)))
    list(other.events(request(1)))
    list(other.events(answer(1, "SIP/2.0 200 OK")))
    assert not list(unanswered([one, other]))


@pytest.mark.parametrize(
    ("start", "fields", "asked", "words", "contradiction"),
    [
        ("423 Interval Too Brief", [("Min-Expires", "3600")], {"Expires": "60"},
         "Min-Expires “3600”", "asks for 60 s"),
        ("421 Extension Required", [("Require", "path")], {"Supported": "outbound"},
         "Require “path”", "does not name path"),
        ("421 Extension Required", [("Require", "sec-agree")], {"Supported": "sec-agree"},
         "Require “sec-agree”", ""),
        ("420 Bad Extension", [("Unsupported", "gruu")], {"Require": "gruu"},
         "Unsupported “gruu”", "requires gruu"),
        ("439 First Hop Lacks Outbound Support", [], {}, "", ""),
        ("494 Security Agreement Required", [("Security-Server", "ipsec-3gpp;q=0.1")], {},
         "Security-Server “ipsec-3gpp;q=0.1”", ""),
        ("503 Service Unavailable", [("Retry-After", "120 (maintenance)")], {},
         "Retry-After “120 (maintenance)”", ""),
        ("403 Forbidden", [("Reason", 'Q.850;cause=21;text="no"'), ("X-Own-Error", "4711")], {},
         'Reason “Q.850;cause=21;text="no"”, X-Own-Error “4711”', ""),
        ("403 Forbidden", [("Warning", '399 pbx "bad user"')], {},
         'Warning “399 pbx "bad user"”', ""),
    ],
)  # fmt: skip
def test_the_servers_own_words(
    start: str,
    fields: list[tuple[str, str]],
    asked: dict[str, str],
    words: str,
    contradiction: str,
) -> None:
    *_, last = play(request(1, **asked), answer(1, f"SIP/2.0 {start}", *fields))
    assert last.facts.get("words", "") == words
    assert contradiction in str(last.facts.get("contradiction", ""))
    assert bool(contradiction) == ("contradiction" in last.facts)
    reported = " ".join(
        map(str, error_catalogue.of_event("sip.register.refused", last.facts).values())
    )
    assert reported
    for word in ("Skype", "ms-diagnostics", "certificate", "password", "TLS-DSK"):
        assert word not in reported


def test_a_redirection_names_where_to() -> None:
    to = ("Contact", '"x" <sip:a@192.0.2.9:5080>;q=1, <sips:a@other.test>')
    *_, last = play(request(1), answer(1, "SIP/2.0 302 Moved Temporarily", to))
    assert last.name == "sip.register.redirected"
    assert last.facts["contacts"] == ("sip:a@192.0.2.9:5080", "sips:a@other.test")


NTLM = ("WWW-Authenticate", 'NTLM realm="S", targetname="fe.test", version=4')
NTLM_CHALLENGE = ("WWW-Authenticate", 'NTLM opaque="1", gssapi-data="TlRMTVNTUAACAAAA"')
KERBEROS = ("WWW-Authenticate", 'Kerberos realm="S", targetname="sip/fe.test", version=4')


def test_ntlm_takes_three_registers() -> None:
    """[MS-SIPAE] §4.1: the second 401 is the server's challenge."""
    wish = 'NTLM qop="auth", realm="S", targetname="fe.test", gssapi-data="", version=4'
    proof = 'NTLM qop="auth", opaque="1", gssapi-data="TlRMTVNTUAADAAAA", version=4'
    events = play(request(1), answer(1, UNAUTHORIZED, NTLM, KERBEROS),
                  request(2, wish), answer(2, UNAUTHORIZED, NTLM_CHALLENGE),
                  request(3, proof), answer(3, UNAUTHORIZED, NTLM, KERBEROS))  # fmt: skip
    legs = [(e.name.rpartition(".")[2], e.facts["leg"]) for e in events]
    assert legs == [
        ("sent", "open"), ("challenged", "open"),
        ("sent", "negotiate"), ("challenged", "negotiate"),
        ("sent", "authenticate"), ("refused", "authenticate"),
    ]  # fmt: skip
    reported = " ".join(
        map(str, error_catalogue.of_event("sip.register.refused", events[-1].facts).values())
    )
    assert "NTLM" in reported
    assert "certificate" not in reported


def test_kerberos_takes_one_register_with_its_ticket() -> None:
    ticket = 'Kerberos qop="auth", realm="S", targetname="sip/fe.test", gssapi-data="YIIB"'
    begun = (request(1), answer(1, UNAUTHORIZED, NTLM, KERBEROS), request(2, ticket))
    assert play(*begun, answer(2, "SIP/2.0 200 OK"))[-1].name == "sip.register.accepted"
    number = ("ms-diagnostics", '1000;reason="Final handshake failed"')
    last = play(*begun, answer(2, UNAUTHORIZED, NTLM, KERBEROS, number))[-1]
    assert (last.name, last.facts["leg"]) == ("sip.register.refused", "authenticate")
    reported = " ".join(
        map(str, error_catalogue.of_event("sip.register.refused", last.facts).values())
    )
    assert "certificate" not in reported


def test_a_user_keeps_capitals_and_the_host_does_not() -> None:
    """RFC 3261 §19.1.4."""
    (sent,) = play(sip(REGISTER, {"From": "<sip:Us;x%2Fa@B.Test>;tag=1"}))
    assert sent.facts["user"] == "Us;x%2Fa@b.test"


def test_places_are_those_of_messages() -> None:
    transactions = Transactions()
    for second in (0, 20):
        list(transactions.events(at(request(1), second, second > 0)))
    ((_, where),) = unanswered([transactions])
    assert where.connection == place().connection
