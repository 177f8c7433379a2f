"""Which rows of a table, and which of their keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dissect.cli.main import cli
from dissect.errors import UsageError
from dissect.tables import table
from tests.lab import scenario

from .running import output, rows


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
        ("redirects", ["--host", "STS.*"], lambda row: "://sts." in row["from"] + row["to"]),
        ("redirects", ["--status", "302"], lambda row: row["status"] == 302),
        ("redirects", ["--actor", "adfs"], lambda row: "://sts." in row["from"] + row["to"]),
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


TABLES = ("http", "sip", "tls", "dns", "events", "redirects")


@pytest.mark.parametrize("command", TABLES)
def test_keys_are_known_without_rows(command: str) -> None:
    """A key is checked also where there is no row to tell by."""
    assert {tuple(row) for row in rows(command)} == {table(command).keys}
    empty = ["--time", "86400.."]
    assert rows(command, *empty, "--fields", "capture,time") == []
    with pytest.raises(AssertionError, match="no 'nonsense'; there are capture, stream"):
        rows(command, *empty, "--fields", "nonsense")


def test_keys_of_the_other_tables(shared_captures: Path) -> None:
    folder = shared_captures / "containers"
    for command, capture, *more in (
        ("dhcp", folder / "pcapng-test010-simple_packet_blocks-le.pcapng"),
        ("ntp", folder / "pcapplusplus-many_interfaces.pcapng"),
        ("sip", shared_captures / "sip" / "suricata-sip_tcp_large_body.pcap", "--dialogs"),
    ):
        lines = output(command, str(capture), *more, "--format", "json").splitlines()
        name = "sip_dialogs" if more else command
        assert {tuple(json.loads(line)) for line in lines} == {table(name).keys}


def test_fields_in_every_format() -> None:
    capture = scenario("web-signin").phone
    wanted = "status,host"
    assert [list(row) for row in rows("http", "--fields", wanted)][:1] == [["status", "host"]]
    sheet = output("http", capture, "--fields", wanted, "--format", "csv").splitlines()
    assert sheet[0] == "status,host"
    table = output("http", capture, "--fields", wanted).splitlines()
    assert table[0].split() == ["status", "host"]
    assert len(table) == len(sheet)
    hops = rows("redirects", "--fields", "hop,kind", "--time", "5..8")
    assert 0 < len(hops) < len(rows("redirects"))
    assert {tuple(row) for row in hops} == {("hop", "kind")}
    legs = [row["facts.leg"] for row in rows("events", "--fields", "event,facts.leg")]
    assert {"open", "handshake", "signed", None} == set(legs)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fields", "nonsense"],
        ["--fields", ","],
        ["--status", "4x"],
        ["--status", "nxdomain"],
        ["--time", "yesterday"],
        ["--time", ".."],
        ["--time", "25:00:00..x"],
        ["--actor", "nobody"],
        ["--stream", "-1"],
        ["--host", ""],
        ["--method", " "],
        ["--role", "999.1.1.1=phone"],
        ["--clock", "x"],
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
