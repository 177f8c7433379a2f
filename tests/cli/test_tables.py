"""Tables: the promised keys, the three formats, and captured text that can't do harm."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.signin.catalogue import EVENTS
from tests.lab import SCENARIOS, scenario
from tests.wire import conversation

from .running import COMMON, output

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


@pytest.mark.parametrize("command", KEYS)
def test_promised_keys(command: str) -> None:
    lines = output(command, scenario("web-signin").phone, "--format", "json").splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows
    for row in rows:
        assert COMMON | KEYS[command] <= set(row)
        assert TIME.fullmatch(row["time"])
        assert re.fullmatch(r"[\d.]+:\d+", row["client"])


def test_lists_are_distinguished() -> None:
    """Values of a list that hold blanks stay apart in the table and in CSV."""
    capture = scenario("web-signin").phone
    wanted = ["sip", capture, "--status", "401", "--fields", "auth"]
    lists = [json.loads(line)["auth"] for line in output(*wanted, "--format", "json").splitlines()]
    assert any(len(item) > 1 for item in lists)
    assert output(*wanted).splitlines()[1:] == [", ".join(item) for item in lists]
    sheet = csv.DictReader(io.StringIO(output(*wanted, "--format", "csv")))
    assert [line["auth"] for line in sheet] == [", ".join(item) for item in lists]


def test_dhcp_and_ntp_are_tables(shared_captures: Path) -> None:
    """Values as tshark shows them for these frames."""
    path = str(shared_captures / "containers/pcapng-test010-simple_packet_blocks-le.pcapng")
    found = [json.loads(s) for s in output("dhcp", path, "--format", "json").splitlines()]
    assert [row["kind"] for row in found] == ["discover", "offer", "request", "ack"]
    assert {row["hardware"] for row in found} == {"00:0b:82:01:fc:42"}
    assert found[1]["dhcp_server"] == "192.168.0.1"
    assert found[1]["address"] == "192.168.0.10"
    path = str(shared_captures / "containers/pcapplusplus-many_interfaces.pcapng")
    found = [json.loads(s) for s in output("ntp", path, "--format", "json").splitlines()]
    assert [(row["first_frame"], row["mode"], row["stratum"]) for row in found] == [
        (6, "client", 2), (11, "server", 1),
    ]  # fmt: skip
    assert found[1]["transmit"] == "2015-08-16T19:35:26.284174908Z"


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


def test_what_a_name_server_said_beside_addresses_is_reported() -> None:
    """phone-boot asks for SRV, and for AAAA of a host that has none: no empty list of addresses."""
    lines = output("events", scenario("phone-boot").phone, "--format", "json").splitlines()
    rows = [json.loads(line) for line in lines]
    found = [row["facts"] for row in rows if row["event"] == "dns.answered"]
    reported = {facts["type"]: facts.get("answers") or facts.get("addresses") for facts in found}
    assert reported == {"A": "203.0.113.61", "AAAA": None, "SRV": "SRV 0 0 5060 sip.talk.example"}
