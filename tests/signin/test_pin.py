"""PIN sign-in of phones ([MS-OCAUTHWS] web ticket; reasons of Lync's PinFailureReason)."""

from __future__ import annotations

import pytest

from dissect.model import Fact, Secret
from dissect.redaction.book import SecretBook
from tests.signin.build import exchange, play

POOL = "https://pool.x.test/WebTicket/WebTicketService.svc"
FAULT = ("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><s:Fault><faultstring>no</faultstring><detail>"
         "<OCSDiagnosticsFault><Ms-Diagnostics-Fault><ErrorId>28000</ErrorId><Reason>{}</Reason></Ms-Diagnostics-Fault>"
         "</OCSDiagnosticsFault></detail></s:Fault></s:Body></s:Envelope>")  # fmt: skip


def ticket(
    name: str, password: str, path: str = "", reason: str = "IncorrectPin"
) -> dict[str, Fact]:
    body = (f"<s:Envelope xmlns:s='x'><s:Header><UsernameToken><Username>{name}</Username>"
            f"<Password>{password}</Password></UsernameToken></s:Header><s:Body/></s:Envelope>")  # fmt: skip
    pair = exchange("POST", POOL + path, request_body=body, status=500, body=FAULT.format(reason))
    book = SecretBook()
    events = play(pair, book=book)
    assert password not in " ".join(repr(event) for event in events)
    return next(dict(e.facts) for e in events if e.name == "webticket.refused")


@pytest.mark.parametrize("name", ["4711", "+12065551219", "+12065551219;ext=4711"])
def test_a_number_and_digits_are_a_pin(name: str) -> None:
    facts = ticket(name, "739182")
    assert (facts["credential"], facts["number"]) == ("pin", name)
    assert facts["password"] == Secret("password", "739182")


def test_a_name_and_a_password_are_none_but_at_the_pin_door() -> None:
    assert "credential" not in ticket("vera@x.test", "pw-739182")
    assert ticket("vera@x.test", "739182", "/pin")["credential"] == "pin"


@pytest.mark.parametrize(
    ("reason", "word"),
    [("IncorrectPin", "wrong"), ("UserPinAccountLocked", "locked"), ("PinExpired", "expired"),
     ("PinNotSet", "no PIN")],
)  # fmt: skip
def test_why_a_pin_is_not_taken(reason: str, word: str) -> None:
    facts = ticket("4711", "739182", reason=reason)
    assert facts["pin_problem"] == reason
    assert word in str(facts["meaning"])
    assert str(facts["remedy"]).endswith(".")


def test_other_words_are_no_reason() -> None:
    assert "pin_problem" not in ticket("4711", "739182", reason="Internal error")
