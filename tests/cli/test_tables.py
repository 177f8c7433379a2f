"""Tables: the promised keys, the three formats, and captured text that can't do harm."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dissect.cli.body import print_body
from dissect.cli.main import cli
from dissect.errors import UsageError
from dissect.model import HttpRequest, HttpResponse, SipMessage
from dissect.pipeline import Options, Session
from dissect.signin.catalogue import EVENTS
from tests.lab import SCENARIOS, scenario
from tests.wire import conversation

COMMON = {"capture", "stream", "first_frame", "last_frame", "time", "client", "server", "encrypted"}
KEYS = {
    "http": {
        "version", "method", "scheme", "host", "path", "status", "interim", "location",
        "request_type", "response_type", "response_size", "server_name", "via", "pushed",
        "auth", "auth_legs", "problem",
    },
    "sip": {
        "kind", "method", "status", "reason", "call_id", "cseq", "from", "to", "transport", "auth",
        "diagnostics", "retransmission", "auth_legs", "explanation", "transaction", "dialog",
        "media", "problem", "sender",
    },
    "tls": {
        "server_name", "alpn", "version", "cipher_suite", "resumed", "decrypted", "reason",
        "secret_source", "certificates", "alerts",
    },
    "events": {"event", "actor", "peer", "facts"},
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def output(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    assert result.exception is None, result.exception
    return result.stdout


@pytest.mark.parametrize("command", KEYS)
def test_promised_keys(command: str) -> None:
    lines = output(command, scenario("web-signin").phone, "--format", "json").splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows
    for row in rows:
        assert COMMON | KEYS[command] <= set(row)
        assert TIME.fullmatch(row["time"])
        assert re.fullmatch(r"[\d.]+:\d+", row["client"])


@pytest.mark.parametrize("command", [*KEYS, "dns"])
def test_formats_have_the_same_rows(command: str) -> None:
    capture = scenario("web-signin").phone
    rows = [json.loads(s) for s in output(command, capture, "--format", "json").splitlines()]
    sheet = list(csv.DictReader(io.StringIO(output(command, capture, "--format", "csv"))))
    table = output(command, capture).splitlines()
    assert len(sheet) == len(rows) == len(table) - 1
    assert [line["first_frame"] for line in sheet] == [str(row["first_frame"]) for row in rows]


def test_every_event_is_in_the_catalogue() -> None:
    listed = {
        json.loads(s)["event"] for s in output("events", "--list", "--format", "json").splitlines()
    }
    assert listed == set(EVENTS)
    for name in SCENARIOS:
        for line in output("events", *scenario(name).captures, "--format", "json").splitlines():
            assert json.loads(line)["event"] in listed


def test_every_event_of_the_catalogue_is_in_the_rules() -> None:
    import dissect.signin as package

    folder = Path(next(iter(package.__path__)))
    code = "".join(p.read_text("utf-8") for p in folder.glob("*.py") if p.name != "catalogue.py")
    named = {name for name in EVENTS if f'"{name}"' in code}
    services = tomllib.loads((folder / "services.toml").read_text("utf-8"))["service"]
    for service in services:
        named |= {f"{service['event']}.{what}" for what in ("requested", "answered", "refused")}
    made_of_the_outcome = {"tcp.refused", "tcp.timeout"}
    assert set(EVENTS) - named <= made_of_the_outcome


def hostile(tmp_path: Path) -> str:
    """A capture whose request is full of what terminals and spreadsheets would obey."""
    request = b"GET /=cmd|'/c\x1b[31mcalc'!A0 HTTP/1.1\r\nHost: =2+5.test\x1b]0;x\x07\r\n\r\n"
    response = b"HTTP/1.1 302 F\r\nLocation: http://e.test/\xe2\x80\xaegnp.exe\r\n"
    response += b"Content-Length: 0\r\n\r\n"
    return conversation(tmp_path / "hostile.pcap", [(True, request), (False, response)])


@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize("command", ["http", "events", "info", "flow"])
def test_hostile_text_is_inert(command: str, form: str, tmp_path: Path) -> None:
    arguments = [command, hostile(tmp_path)]
    if command not in ("info", "flow"):
        arguments += ["--format", form]
    text = CliRunner().invoke(cli, arguments, standalone_mode=False).output
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    if form == "csv" and command == "http":
        for row in csv.reader(io.StringIO(text)):
            assert not [cell for cell in row if cell[:1] in "=+-@" and cell]


# ---------------------------------------------------------------- filters


def rows(command: str, *arguments: str) -> list[dict[str, Any]]:
    capture = scenario("web-signin").phone
    text = output(command, capture, *arguments, "--format", "json")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("command", "arguments", "keeps"),
    [
        ("http", ["--host", "*.lync.com"], lambda row: row["host"].endswith(".lync.com")),
        ("http", ["--host", "LOGIN.microsoftonline.com:443"],
         lambda row: row["host"] == "login.microsoftonline.com"),
        ("http", ["--method", "post"], lambda row: row["method"] == "POST"),
        ("http", ["--status", "4xx"], lambda row: 400 <= row["status"] < 500),
        ("http", ["--status", "200-399"], lambda row: 200 <= row["status"] < 400),
        ("http", ["--status", "401", "--status", "400"], lambda row: row["status"] in (400, 401)),
        ("sip", ["--status", "none"], lambda row: row["kind"] == "request"),
        ("sip", ["--method", "REGISTER", "--status", "401"], lambda row: row["status"] == 401),
        ("tls", ["--host", "login.*"], lambda row: (row["server_name"] or "").startswith("login.")),
        ("dns", ["--status", "noerror"], lambda row: row["rcode"] == "NOERROR"),
        ("dns", ["--stream", "0", "--stream", "1"], lambda row: row["stream"] in (0, 1)),
        ("events", ["--host", "*.lync.com"], lambda row: (row["host"] or "").endswith(".lync.com")),
    ],
)  # fmt: skip
def test_filters(
    command: str, arguments: list[str], keeps: Callable[[dict[str, Any]], bool]
) -> None:
    everything = rows(command)
    expected = [row for row in everything if keeps(row)]
    assert 0 < len(expected) < len(everything)
    assert rows(command, *arguments) == expected


def test_time_filter_in_each_form() -> None:
    everything = rows("http")
    start = min(row["time"] for row in rows("dns"))
    some = everything[2:5]
    first, last = some[0]["time"], some[-1]["time"]
    expected = [row for row in everything if first <= row["time"] <= last]
    assert rows("http", "--time", f"{first}..{last}") == expected
    assert rows("http", "--time", f"{first[11:-1]}..{last[11:-1]}") == expected
    assert rows("http", "--time", f"..{last}") == everything[:5]
    assert rows("http", "--time", f"{first}..") == everything[2:]
    east = f"{first[:11]}{int(first[11:13]) + 1:02d}{first[13:-1]}+01:00"
    if int(first[11:13]) < 23:
        assert rows("http", "--time", f"{east}..{last}") == expected
    assert rows("http", "--time", "0..86400") == everything
    assert rows("http", "--time", "86400..") == []
    assert start <= everything[0]["time"]


def test_actor_filter() -> None:
    everything = rows("http")
    found = rows("http", "--actor", "azuread")
    assert [row for row in everything if row["host"] == "login.microsoftonline.com"] == found
    assert rows("http", "--actor", "phone") == everything


def test_fields_in_every_format() -> None:
    capture = scenario("web-signin").phone
    wanted = "status,host"
    assert [list(row) for row in rows("http", "--fields", wanted)][:1] == [["status", "host"]]
    sheet = output("http", capture, "--fields", wanted, "--format", "csv").splitlines()
    assert sheet[0] == "status,host"
    table = output("http", capture, "--fields", wanted).splitlines()
    assert table[0].split() == ["status", "host"]
    assert len(table) == len(sheet)
    legs = [row["facts.leg"] for row in rows("events", "--fields", "event,facts.leg")]
    assert {"open", "handshake", "signed", None} == set(legs)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fields", "nonsense"],
        ["--fields", ","],
        ["--status", "4x"],
        ["--time", "yesterday"],
        ["--time", ".."],
        ["--time", "25:00:00..x"],
        ["--actor", "nobody"],
        ["--stream", "-1"],
        ["--body", "x"],
        ["--body", "3", "--host", "a"],
        ["--body", "9999999"],
        ["--body", "nowhere.pcap:3"],
    ],
)
def test_what_cannot_be_read_is_a_usage_error(arguments: list[str]) -> None:
    command = ["http", scenario("web-signin").phone, *arguments]
    result = CliRunner().invoke(cli, command, standalone_mode=False)
    error = result.exception
    assert isinstance(error, click.UsageError | UsageError), error


# ---------------------------------------------------------------- bodies and dialogs


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
    run = Session(Options(captures=tuple(captures)))
    printed = 0
    for message in run.messages:
        if isinstance(message, HttpRequest | HttpResponse | SipMessage) and message.body.data:
            kind = "sip" if isinstance(message, SipMessage) else "http"
            where = run.names[message.place.connection.capture]
            frame = message.place.span.last_frame
            for number in range(1, 9):
                try:
                    print_body(run, kind, f"{where}:{frame}.{number}", "table")
                except UsageError:
                    break
                printed += 1
    shown = capsys.readouterr()
    assert printed > 10
    secrets = {item["value"] for item in scenario(name).truth["secrets"] if len(item["value"]) > 5}
    assert len(secrets) > 3
    assert not [value for value in secrets if value in shown.out + shown.err]
