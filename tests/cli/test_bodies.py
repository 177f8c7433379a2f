"""`--body`, `--dialogs`, and what rows say of messages that are not whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.body import print_body, selector
from dissect.cli.main import cli
from dissect.errors import UsageError
from dissect.model import HttpRequest, HttpResponse, SipMessage
from dissect.pipeline import RunOptions, Session
from tests.lab import scenario
from tests.wire import conversation

from .running import COMMON, output, rows


def body(*arguments: str) -> tuple[str, str]:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    assert result.exception is None, result.exception
    return result.stdout, result.stderr


def test_body_is_decoded_and_its_secrets_masked() -> None:
    capture = scenario("web-signin").phone
    issued = next(
        row for row in rows("http") if row["path"].startswith("/common/oauth2/devicecode")
    )
    frame = issued["last_frame"]
    text, note = body("http", capture, "--body", str(frame))
    shown = json.loads(text)
    secrets = scenario("web-signin").truth["secrets"]
    assert shown["device_code"] == "‹device_code #1›"
    assert shown["verification_url"].startswith("http")
    assert "response 200" in note
    assert not [item for item in secrets if item["value"] in text + note]
    (line,) = output(
        "http", capture, "--body", f"phone.pcapng:{frame}", "--format", "json"
    ).splitlines()
    row = json.loads(line)
    assert (row["last_frame"], row["message"], row["body"] + "\n") == (frame, "response 200", text)


def test_revealed_body_holds_what_the_server_says_it_sent() -> None:
    capture = scenario("web-signin").phone
    issued = next(
        row for row in rows("http") if row["path"].startswith("/common/oauth2/devicecode")
    )
    result = CliRunner().invoke(
        cli,
        ["http", capture, "--body", str(issued["last_frame"]), "--reveal"],
        standalone_mode=False,
    )
    assert "--reveal" in result.stderr
    shown = json.loads(result.stdout)
    secrets = [item["value"] for item in scenario("web-signin").truth["secrets"]]
    assert shown["device_code"] in secrets
    assert "‹" not in result.stdout


def test_a_frame_with_several_bodies_asks_which(tmp_path: Path) -> None:
    capture = pipelined(tmp_path)
    result = CliRunner().invoke(cli, ["http", capture, "--body", "4"], standalone_mode=False)
    assert isinstance(result.exception, UsageError)
    assert "which of 4.1 response 200, 4.2 response 200?" in str(result.exception)
    assert body("http", capture, "--body", "4.2")[0] == "b = 2\n"
    assert body("http", capture, "--body", "3.1")[1].endswith("0 bytes\n")


def pipelined(tmp_path: Path) -> str:
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    link = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
    there = Ether(**link) / IP(src="192.0.2.1", dst="192.0.2.2")
    back = Ether(**link) / IP(src="192.0.2.2", dst="192.0.2.1")
    up, down = {"sport": 4000, "dport": 80}, {"sport": 80, "dport": 4000}
    asked = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3"
    )
    answers = head + b"\r\n\r\na=1" + head + b"\r\n\r\nb=2"
    path = tmp_path / "pipelined.pcap"
    packets = [
        there / TCP(**up, seq=0, flags="S"),
        back / TCP(**down, seq=0, ack=1, flags="SA"),
        there / TCP(**up, seq=1, ack=1, flags="PA") / asked,
        back / TCP(**down, seq=1, ack=1 + len(asked), flags="PA") / answers,
    ]
    wrpcap(str(path), packets)
    return str(path)


def test_body_of_several_parts(tmp_path: Path) -> None:
    """Lync's INVITE: two descriptions and something else, keys masked, the rest by its size."""
    offer = b"v=0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:Zm9v\r\n"
    content = b"\r\n".join(
        (b"--z", b"Content-Type: application/sdp", b"", offer, b"--z",
         b"Content-Type: text/plain", b"", b"not for everybody", b"--z--", b"")
    )  # fmt: skip
    invite = (
        b"INVITE sip:a@b.test SIP/2.0\r\nVia: SIP/2.0/TCP c\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
        b"From: <sip:c@b.test>;tag=1\r\nTo: <sip:a@b.test>\r\n"
        b"Content-Type: multipart/alternative;boundary=z\r\nContent-Length: "
        + str(len(content)).encode() + b"\r\n\r\n" + content
    )  # fmt: skip
    capture = conversation(tmp_path / "call.pcap", [(True, invite)], server_port=5060)
    shown, _ = body("sip", capture, "--body", "3")
    assert "Part 1, application/sdp:\nv=0\nm=audio 4000 RTP/SAVP 0\na=crypto:‹token" in shown
    assert "Part 2, text/plain: 17 characters, not shown" in shown
    assert "Zm9v" not in shown
    assert "everybody" not in shown


def test_dialogs_of_a_real_call(shared_captures: Path) -> None:
    """tshark: INVITE in frame 1, BYE from the caller's side; media from its SDP view."""
    capture = str(shared_captures / "sip/sngrep-sip_in_ipip.pcap")
    (row,) = [
        json.loads(s) for s in output("sip", capture, "--dialogs", "--format", "json").splitlines()
    ]
    assert set(row) >= COMMON
    assert (row["method"], row["state"], row["status"]) == ("INVITE", "ended", 200)
    assert row["media"] == [
        "audio 172.28.1.3:50234 RTP/AVP PCMU/8000 telephone-event/8000 sendrecv"
    ]
    messages = [json.loads(s) for s in output("sip", capture, "--format", "json").splitlines()]
    assert {item["dialog"] for item in messages} == {1}


def test_registration_legs_of_the_lab() -> None:
    legs = [row["auth_legs"] for row in rows("sip") if row["method"] == "REGISTER"]
    assert legs[1] == ["NTLM offer", "Kerberos offer", "TLS-DSK offer"]
    assert [leg[0].split(" (")[0] for leg in legs[2:7]] == [
        "TLS-DSK handshake", "TLS-DSK handshake", "TLS-DSK handshake", "TLS-DSK handshake",
        "TLS-DSK signature",
    ]  # fmt: skip


def test_explanation_of_a_refusal() -> None:
    capture = scenario("sip-forbidden").phone
    found = [
        json.loads(s)
        for s in output("sip", capture, "--status", "403", "--format", "json").splitlines()
    ]
    assert found
    for row in found:
        assert row["explanation"].startswith("ms-diagnostics ")
        assert row["diagnostics"]


def test_tables_of_incomplete_and_ntlm_exchanges(shared_captures: Path) -> None:
    """tshark's ntlmssp.messagetype on this connection: 1, 2, 3 in frames 100, 101, 102."""
    capture = str(shared_captures / "sso/zeek-ntlm_sharepoint_in_erspan.pcap")
    found = [
        json.loads(s)
        for s in output("http", capture, "--stream", "0", "--format", "json").splitlines()
    ]
    assert [row["auth_legs"] for row in found[:3]] == [
        ["NTLM negotiate", "NTLM challenge"],
        ["NTLM authenticate"],
        ["NTLM by connection"],
    ]
    assert any(row["problem"] for row in found)


@pytest.mark.parametrize("name", ["web-signin", "wrong-password", "wrong-password-managed"])
def test_no_body_shows_a_secret(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every body of a scenario, against what its actors noted as secret."""
    captures = scenario(name).captures
    run = Session(RunOptions(captures=tuple(captures)))
    printed = 0
    for message in run.messages:
        if isinstance(message, HttpRequest | HttpResponse | SipMessage) and message.body.data:
            kind = "sip" if isinstance(message, SipMessage) else "http"
            where = run.names[message.place.connection.capture]
            frame = message.place.span.last_frame
            for number in range(1, 9):
                try:
                    print_body(run, kind, selector(f"{where}:{frame}.{number}"), "table")
                except UsageError:
                    break
                printed += 1
    shown = capsys.readouterr()
    assert printed > 10
    secrets = {item["value"] for item in scenario(name).truth["secrets"] if len(item["value"]) > 5}
    assert len(secrets) > 3
    assert not [value for value in secrets if value in shown.out + shown.err]
