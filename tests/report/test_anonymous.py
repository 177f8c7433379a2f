"""Pseudonyms: nobody and nothing of the lab is left, and the same is the same everywhere."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.cli.main import cli
from dissect.report.anonymous import Anonymizer
from tests.lab import scenario


def common_bits(a: int, b: int) -> int:
    return 32 - (a ^ b).bit_length()


PUBLIC = st.ip_addresses(v=4).filter(lambda a: a.is_global and not a.is_multicast)


@given(st.lists(PUBLIC, min_size=2, max_size=6))
@settings(max_examples=60)
def test_prefixes_are_kept(addresses: list[ipaddress.IPv4Address]) -> None:
    anonymizer = Anonymizer()
    shown = [ipaddress.IPv4Address(anonymizer.replace(str(a))) for a in addresses]
    for a, x in zip(addresses, shown, strict=True):
        for b, y in zip(addresses, shown, strict=True):
            assert common_bits(int(a), int(b)) == common_bits(int(x), int(y))


@pytest.mark.parametrize("text", ["10.1.2.3", "192.168.7.9", "172.20.1.1", "fe80::1:2", "fd00::5"])
def test_private_stays_private(text: str) -> None:
    shown = ipaddress.ip_address(Anonymizer().replace(text))
    assert shown.is_private
    assert shown != ipaddress.ip_address(text) or text.startswith("f")


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "at 0:00.008",
        "00:05:38",
        "1.2.3",
        "999.1.1.1",
        "frames 12–15 (tcp.stream 3)",
        "GET /api/DeviceConfig",
        "SIP/2.0 200 OK",
        "‹user_code #1›",
    ],
)
def test_what_stays(text: str) -> None:
    assert Anonymizer().replace(text) == text


@pytest.mark.parametrize(
    "told",
    [
        'From: "Ann Lee" <sip:al7@corp.test>',
        "From: Ann Lee <sip:al7@corp.test>",
        '{"displayName": "Ann Lee", "given_name": "Ann", "family_name": "Lee"}',
        '{"name": "Ann Lee"}',
        "<ns:DisplayName>Ann Lee</ns:DisplayName>",
        "sign in as ann.lee@corp.test",
    ],
)
def test_names_in_sentences(told: str) -> None:
    """Told by a field of one message, a name is replaced in any other text."""
    anonymizer = Anonymizer()
    anonymizer.learn(told)
    assert anonymizer.replace("Welcome back, Ann Lee! (ANN  LEE)") == (
        "Welcome back, Person 1! (Person 1)"
    )
    shown = anonymizer.replace(told)
    assert "Lee" not in shown
    assert "Person 2" not in shown or "family_name" in told
    assert anonymizer.replace("A planned annual leeway") == "A planned annual leeway"


def test_one_word_names_nobody_unless_it_is_a_name() -> None:
    anonymizer = Anonymizer()
    anonymizer.learn('"phone" <sip:a@b.test>, {"name": "upn"}, {"given_name": "Will"}')
    assert anonymizer.replace("the phone sends its upn") == "the phone sends its upn"
    assert anonymizer.replace("Will it work? It will.") == "Person 2 it work? It will."


def test_who_is_replaced() -> None:
    anonymizer = Anonymizer()
    line = (
        'From: "Ann Lee" <sip:ann.lee@corp.test>;epid=64167f0a1b2c, CORP\\ann.lee, '
        "host sts.corp.test, mail ann.lee%40corp.test, mac 00:04:f2:11:22:33, 203.0.113.9:443, "
        "[2001:db8::7]:443, login.microsoftonline.com, <sip:ann.lee@203.0.113.9:5061>"
    )
    anonymizer.learn(line)
    shown = anonymizer.replace(line)
    for word in (
        "Ann",
        "ann.lee",
        "corp.test",
        "0a1b2c",
        "11:22:33",
        "203.0.113.9",
        "2001:db8::7",
        "CORP",
    ):
        assert word not in shown, shown
    assert shown.count("user1") == 3
    assert "sts.org1.example" in shown
    assert "00:04:f2:" in shown
    assert "login.microsoftonline.com" in shown
    assert ":443" in shown


def test_each_run_has_its_own_key() -> None:
    shown = {Anonymizer().replace("203.0.113.9") for _ in range(4)}
    assert len(shown) > 1


@pytest.mark.parametrize("name", ["web-signin", "web-signin-renamed", "wrong-password"])
def test_nobody_of_the_lab_is_left(name: str, tmp_path: Path) -> None:
    item = scenario(name)
    files = [
        tmp_path / f"x.{extension}" for extension in ("html", "har", "md", "json", "txt", "csv")
    ]
    outputs = [word for path in files for word in ("-o", str(path))]
    arguments = ["report", *item.captures, "--phone-log", item.phone_log, "--anonymize", *outputs]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.exception is None, result.exception
    addresses = {entry["address"] for entry in item.truth["names"].values()}
    plain = CliRunner().invoke(cli, ["flow", *item.captures], standalone_mode=False).stdout
    user = re.search(r"ADFS, (\S+)@(\S+)", plain)
    assert user
    assert any(address in plain for address in addresses)
    for path in files:
        text = path.read_text("utf-8")
        assert f"{user[1]}@" not in text, path.name
        assert user[2] not in text, path.name
        assert not [a for a in addresses if re.search(rf"(?<![\d.]){re.escape(a)}(?![\d.])", text)]
        assert "user1" in text
        assert "org1.example" in text
