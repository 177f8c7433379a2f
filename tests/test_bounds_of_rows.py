"""Bounds of what rows, redirects, exports and facts hold: each reached, and reported once."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.engines.tshark import field_facts, http1
from dissect.export import write
from dissect.model import Anomaly, Output, Secret
from dissect.protocols import sniff
from dissect.protocols.sip import SipParser
from dissect.protocols.tls import dsk, negotiation, observations
from dissect.protocols.tls.parser import TlsParser
from dissect.protocols.tls.secret_store import SecretStore
from dissect.redaction.policy import Policy
from dissect.report import beside, har
from dissect.signin import leads, timing_constraints
from dissect.signin.recogniser import Recogniser
from dissect.signin.redirect_chain import follow_redirects
from dissect.signin.registration import Transactions
from tests.protocols.drive import C, Found, S, drive, layer, span
from tests.protocols.tls.peers import Peers
from tests.protocols.tls.test_dsk import register
from tests.signin.build import exchange, sip

SIGN_IN = Path(__file__).parent.parent / "captures" / "web-signin"
ALERT = b"\x15\x03\x03\x00\x02\x01\x00"  # a warning, close_notify (RFC 5246 §7.2)


def limits(found: Found | Output) -> list[str]:
    return [x.kind for x in found if isinstance(x, Anomaly) and x.kind.startswith("limit.")]


@pytest.mark.parametrize("more", [0, 1, 5])
def test_alerts(more: int) -> None:
    found = drive(
        TlsParser(layer(), SecretStore()), [(C, ALERT * (observations.MAX_ALERTS + more))]
    )
    assert limits(found) == ["limit.tls_alerts"] * bool(more)


@pytest.mark.parametrize("most", [0, 1])
def test_certificates_of_a_chain(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negotiation, "MAX_CHAIN", most)
    session, _ = Peers(ssl.TLSVersion.TLSv1_2, kind="rsa", alpn=()).talk(())
    found = drive(TlsParser(layer(), SecretStore()), session.wire)
    assert limits(found) == ["limit.tls_certificates"] * (most == 0)


def test_names_of_a_blob() -> None:
    names = dsk.handshake_names(ALERT * (dsk.MAX_NAMES + 3))
    assert names == ("alert",) * dsk.MAX_NAMES + ("3 more",)
    assert dsk.handshake_names(ALERT * dsk.MAX_NAMES) == ("alert",) * dsk.MAX_NAMES


def sip_parser() -> SipParser:
    return SipParser(layer(), SecretStore())


@pytest.mark.parametrize("count", [dsk.MAX_HANDSHAKES, dsk.MAX_HANDSHAKES + 3])
def test_handshakes_that_are_open(count: int) -> None:
    found = drive(sip_parser(), [register(ALERT, call=str(n)) for n in range(count)])
    reported = ["limit.tls_dsk_handshakes"] * (count > dsk.MAX_HANDSHAKES)
    assert limits(found) == reported


@pytest.mark.parametrize("count", [dsk.MAX_BLOBS, dsk.MAX_BLOBS + 3])
def test_messages_of_a_handshake(count: int) -> None:
    blobs = [ALERT[:6] + bytes([n]) for n in range(count)]
    found = drive(sip_parser(), [register(blob, n + 1) for n, blob in enumerate(blobs)])
    assert ("limit.tls_dsk_blobs" in limits(found)) == (count > dsk.MAX_BLOBS)
    assert limits(found).count("limit.tls_dsk_blobs") <= 1


@pytest.mark.parametrize("depth", [sniff.MAX_DEPTH - 1, sniff.MAX_DEPTH])
def test_layers(depth: int) -> None:
    parser = sniff.opener(SecretStore())(layer(depth=depth))
    found = [*parser.data(C, b"GET / HTTP/1.1\r\n\r\n", span(1)), *parser.data(S, b"x", span(2))]
    assert limits(found) == ["limit.layers"] * (depth == sniff.MAX_DEPTH)


@pytest.mark.parametrize("count", [2, 3])
def test_requests_of_sip_that_are_remembered(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transactions, "LIMIT", 2)
    recogniser = Recogniser(("a.pcap",), Policy())
    for number in range(count):
        fields = {"Call-ID": f"c{number}", "CSeq": "1 REGISTER", "Via": "SIP/2.0/UDP h;branch=b"}
        recogniser.add(sip("REGISTER sip:example.test SIP/2.0", fields))
    assert limits(recogniser.limits) == ["limit.sip_requests"] * (count > 2)


@pytest.mark.parametrize("count", [2, 3])
def test_messages_that_are_compared(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing_constraints, "VALUES_KEPT", 2)
    seen = timing_constraints.Observations()
    for number in range(count):
        fields = {"Call-ID": f"c{number}", "CSeq": "1 REGISTER", "Via": "SIP/2.0/UDP h;branch=b"}
        seen.add(sip("REGISTER sip:example.test SIP/2.0", fields))
    assert seen.full == (count > 2)


@pytest.mark.parametrize("count", [leads.SCRIPTS_LIMIT, leads.SCRIPTS_LIMIT + 1])
def test_addresses_in_scripts(count: int) -> None:
    page = "<html>" + "<script>location.href = 'https://b.test/';</script>" * count
    warnings: list[str] = []
    follow_redirects([exchange(body=page)], warnings)
    assert len(warnings) == (count > leads.SCRIPTS_LIMIT)


def test_a_page_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "TEXT_LIMIT", 10)
    warnings: list[str] = []
    follow_redirects([exchange(body="<html>" + "x" * 10)], warnings)
    assert len(warnings) == 1


@pytest.mark.parametrize("count", [2, 3])
def test_logs_beside(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MAX_LOOKED_AT", 2)
    (tmp_path / "a.pcap").write_bytes(b"")
    for number in range(count):
        (tmp_path / f"{number}.log").write_text("x\n")
    warnings: list[str] = []
    beside.logs_beside([str(tmp_path / "a.pcap")], (), warnings)
    assert len(warnings) == (count > 2)


def test_exchanges_of_a_har(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(har, "MAX_ENTRIES", 3)
    command = ["flow", str(SIGN_IN / "browser.pcapng"), "-o", str(tmp_path / "a.har")]
    reported = CliRunner().invoke(cli, command).stderr
    assert "more exchanges are left out" in reported
    assert "more exchanges are left out" in (tmp_path / "a.har").read_text("utf-8")


def test_comments_of_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "MAX_COMMENTS", 0)
    command = ["export", str(SIGN_IN / "browser.pcapng"), "-o", str(tmp_path / "a.pcapng")]
    CliRunner().invoke(cli, command)
    assert write.MORE_COMMENTS.encode() in (tmp_path / "a.pcapng").read_bytes()


def test_values_of_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_facts, "MAX_VALUES", 2)
    monkeypatch.setattr(field_facts, "MAX_LENGTH", 5)
    found = field_facts._of_field("arp.x", ["host one", "b", "c", "d"], "x", {}, False)
    assert found == ("host  … and 3 more characters", "b", "… and 2 more values")
    whole = field_facts._of_field("http.authorization", ["Basic abcdefgh"], "x", {}, True)
    assert isinstance(whole, Secret)
    assert whole.value == "Basic abcdefgh", "a part of it would not be found elsewhere"


@pytest.mark.parametrize("count", [2, 3])
def test_requests_that_wait_in_the_other_engine(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1, "MAX_WAITING", 2)
    state = http1.HttpState()
    for number in range(count):
        state.asked(number, number, "GET")
    assert state.full == (count > 2)
