"""What sets a phone up: DHCP options, clocks, configuration files."""

from __future__ import annotations

from typing import Any

import pytest

from dissect.model import Body, DhcpMessage, Event, Message, NtpMessage, Opaque, Place, Secret, Span
from dissect.protocols.dhcp import parse as parse_dhcp
from dissect.redaction.book import SecretBook
from dissect.redaction.policy import Policy
from dissect.signin.catalogue import EVENTS
from dissect.signin.recogniser import Recogniser
from tests.protocols.drive import UDP
from tests.protocols.test_dhcp import UC, URL, packet

from .build import exchange, play

WHERE = Place(UDP, 0, Span(1, 1, 1, 1))


def events(*messages: Message, book: SecretBook | None = None) -> list[Event]:
    recogniser = Recogniser([f"{n}.pcap" for n in range(4)], book or SecretBook())
    for message in messages:
        recogniser.add(message)
    found = recogniser.finish()
    assert {event.name for event in found} <= set(EVENTS)
    return found


def shown(message: Message) -> tuple[str, dict[str, str]]:
    book = SecretBook()
    (event,) = events(message, book=book)
    return event.name, {name: book.show(fact) for name, fact in event.facts.items()}


def test_offer_in_words_without_the_password() -> None:
    data = packet(("message-type", "offer"), ("server_id", "192.0.2.1"), (43, UC), (160, URL))
    name, facts = shown(parse_dhcp(data, WHERE))
    assert name == "dhcp.offered"
    assert facts["option 160"] == "https://‹basic_credentials #1›@prov.example/cfg/"
    assert facts["option 43.3 (web server)"] == "pool.contoso.com"
    assert (facts["address"], facts["dhcp_server"]) == ("192.0.2.77", "192.0.2.1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"user:pw1234@prov.example", "‹basic_credentials #1›@prov.example"),
        (b"\x01\x02\xff", "3 bytes"),
        (b"a\x1b[31m", "6 bytes"),
        (b"192.0.2.7", "192.0.2.7"),
    ],
)
def test_odd_option_values(value: bytes, expected: str) -> None:
    message = DhcpMessage(WHERE, "ack", 1, "00:11", provisioning=(("66", Opaque(value)),))
    assert shown(message)[1]["option 66"] == expected


def test_what_a_phone_asks_for() -> None:
    name, facts = shown(DhcpMessage(WHERE, "discover", 1, "00:11", asked=(1, 3, 43, 120, 160)))
    assert (name, facts["wants"]) == ("dhcp.asked", "43, 120, 160")
    assert events(DhcpMessage(WHERE, "release", 1, "00:11")) == []
    assert shown(DhcpMessage(WHERE, "nak", 1, "00:11"))[0] == "dhcp.refused"


@pytest.mark.parametrize(
    ("ahead_s", "names"),
    [
        (0.2, ["ntp.answered"]),
        (-0.00003, ["ntp.answered"]),
        (-301.0, ["ntp.answered", "ntp.clock_wrong"]),
    ],
)
def test_a_wrong_clock_is_reported(ahead_s: float, names: list[str]) -> None:
    ahead = int(ahead_s * 1_000_000_000)
    found = events(NtpMessage(WHERE, "server", 4, 2, client_ahead_ns=ahead, delay_ns=40_000_000))
    assert [event.name for event in found] == names
    assert found[0].facts["client_ahead_ms"] == round(ahead_s * 1000)
    if len(names) > 1:
        assert found[1].facts["text"] == "the client's clock was 301 s behind the time server's"


def test_time_servers_that_refuse() -> None:
    assert shown(NtpMessage(WHERE, "server", 4, 0, kiss="RATE", unsynchronized=True)) == (
        "ntp.refused",
        {"stratum": "0", "kiss": "RATE"},
    )
    assert shown(NtpMessage(WHERE, "server", 4, 2, unsynchronized=True))[0] == "ntp.refused"
    assert events(NtpMessage(WHERE, "client", 4, 0)) == []


VVX = {"User-Agent": "FileTransport PolycomVVX-VVX_410-UA/5.9.0.9373 (SN:0004f2aabbcc)"}


@pytest.mark.parametrize(
    ("path", "hardware"),
    [
        ("0004f2aabbcc.cfg", "00:04:f2:aa:bb:cc"),
        ("0004f2aabbcc-phone.cfg", "00:04:f2:aa:bb:cc"),
        ("configs/000000000000.cfg", "00:00:00:00:00:00"),
        ("SEP0004F2AABBCC.cnf.xml", "00:04:f2:aa:bb:cc"),
        ("y000000000028.cfg", None),
        ("sip.ver", None),
        ("site.cfg", None),
    ],
)
def test_configuration_files(path: str, hardware: str | None) -> None:
    def one(status: int, **more: Any) -> list[str]:
        found = play(
            exchange("GET", f"http://prov.example/{path}", headers=VVX, status=status, **more)
        )
        assert all(event.facts.get("hardware") == hardware for event in found)
        return [event.name for event in found]

    assert one(200) == ["provisioning.requested", "provisioning.answered"]
    assert one(404) == ["provisioning.requested", "provisioning.failed"]
    assert one(401) == ["provisioning.requested", "provisioning.challenged"]


@pytest.mark.parametrize("path", ["index.html", "site.cfg", "a/deadbeef.cfg"])
def test_other_files_of_other_clients_are_none(path: str) -> None:
    assert [
        event
        for event in play(exchange("GET", f"http://www.example/{path}", status=200))
        if event.name.startswith("provisioning")
    ] == []


# As the makers' manuals name them: Polycom, Cisco (SPA and cnf.xml), Snom.
SECRET_SETTINGS = (
    "reg.1.auth.password", "device.prov.password", "prov.login.password", "dir.corp.password",
    "device.auth.localAdminPassword", "device.net.dot1x.password", "device.wifi.psk.key",
    "device.wifi.wep.key1", "xmpp.1.auth.password", "Password_1_", "User_Password", "authPassword",
    "sshPassword", "user_pass", "http_pass", "reg.1.auth.loginPin",
)  # fmt: skip
OPEN_SETTINGS = (
    "reg.1.auth.userId", "device.prov.user", "prov.login.userId", "reg.1.auth.domain", "sshUserId",
    "User_ID_1_", "Auth_ID_1_", "authName", "auth_name", "user_name",
)  # fmt: skip


@pytest.mark.parametrize("form", ['<reg {name}="{value}"/>', "<x><{name}>{value}</{name}></x>"])
def test_a_setting_that_is_a_name_is_shown_and_a_password_is_not(form: str) -> None:
    for names, hidden in ((SECRET_SETTINGS, True), (OPEN_SETTINGS, False)):
        for name in names:
            content = form.format(name=name, value="word2041")
            policy = Policy()
            body = Body(Opaque(content.encode()))
            text, _ = policy.body(body, "text/xml")
            assert text is not None
            assert any(isinstance(part, Secret) for part in text.parts) is hidden, name
            found = policy.secrets_of_body(body, "text/xml", posted=False)
            assert found == ([Secret("password", "word2041")] if hidden else []), name
