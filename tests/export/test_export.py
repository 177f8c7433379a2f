"""The exported file: what tshark and capinfos say of it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dissect.cli.main import cli
from tests.lab import SCENARIOS, need_tshark, scenario, sip_ports

HTTP = ("http.request.method", "http.response.code", "http2.headers.method", "http2.headers.status",
        "sip.Method", "sip.Status-Code")  # fmt: skip
READABLE = "http || http2 || sip"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), standalone_mode=False)


def exported(name: str, folder: Path, *options: str) -> Path:
    item = scenario(name)
    path = folder / "small.pcapng"
    result = run("export", *item.captures, "-o", str(path), *options)
    assert result.exception is None, result.exception
    assert result.return_value == 0
    return path


def ask(capture: Path | str, *arguments: str) -> list[str]:
    """Lines of tshark, without anybody's preferences and without other key logs."""
    command = [need_tshark(), "-n", "-r", str(capture), "-o", "tcp.reassemble_out_of_order:TRUE"]
    ports = sip_ports(scenario("web-signin").phone)
    assert ports
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    environment.pop("SSLKEYLOGFILE", None)
    result = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def fields(capture: Path | str, names: tuple[str, ...], *arguments: str) -> list[str]:
    flags = [word for name in names for word in ("-e", name)]
    return ask(capture, *arguments, "-T", "fields", *flags)


def messages(capture: Path | str, *options: str) -> list[tuple[str, ...]]:
    """(one end, the other, what it is) of each message that tshark reads."""
    ends = ("ip.src", "tcp.srcport", "ip.dst", "tcp.dstport")
    rows = [row.split("\t") for row in fields(capture, (*ends, *HTTP), *options, "-Y", READABLE)]
    return [
        (*sorted((f"{row[0]}:{row[1]}", f"{row[2]}:{row[3]}")), " ".join(row[4:])) for row in rows
    ]


def decode_as(name: str) -> list[str]:
    ports = sip_ports(scenario(name).phone)
    return [word for port in ports for word in ("-d", f"tls.port=={port},sip")]


SHORT = ("web-signin", "web-signin-tls13", "sip-forbidden")
ALL = [
    pytest.param(name, marks=() if name in SHORT else pytest.mark.long)
    for name in SCENARIOS
    if scenario(name).has_keys
]


@pytest.mark.parametrize("name", ALL)
def test_opens_decrypted_with_the_same_messages(name: str, tmp_path: Path) -> None:
    path = exported(name, tmp_path, "--with-secrets")
    item = scenario(name)
    found = messages(path, *decode_as(name))
    inside = {message[:2] for message in found}
    wanted: list[tuple[str, ...]] = []
    for capture in item.captures:
        keys = Path(capture).with_suffix(".keys")
        wanted += messages(capture, "-o", f"tls.keylog_file:{keys}", *decode_as(name))
    assert sorted(found) == sorted(m for m in wanted if m[:2] in inside)
    assert len(found) > 20
    assert len(inside) > 3


@pytest.mark.parametrize("name", ["web-signin", "web-signin-tls13"])
def test_without_secrets_nothing_decrypts(name: str, tmp_path: Path) -> None:
    path = exported(name, tmp_path)
    assert ask(path, "-Y", "tls")
    encrypted = ask(path, *decode_as(name), "-Y", f"({READABLE}) && tls")
    assert encrypted == []
    content = path.read_bytes()
    for log in scenario(name).folder.glob("*.keys"):
        for line in log.read_text().splitlines():
            if re.match(r"[A-Z]", line):
                secret = line.split()[2]
                assert secret.encode() not in content
                assert bytes.fromhex(secret) not in content


def test_holds_the_keys_of_its_sessions_and_no_others(tmp_path: Path) -> None:
    """The phone's capture alone, with both key logs given: the browser's keys stay out."""
    item = scenario("web-signin")
    path = tmp_path / "phone-only.pcapng"
    browser_keys = Path(item.browser).with_suffix(".keys")
    result = run("export", item.phone, "-k", str(browser_keys), "-o", str(path), "--with-secrets")
    assert result.exception is None
    content = path.read_bytes()
    inside = {m.decode() for m in re.findall(rb"^[A-Z][A-Z0-9_]+ ([0-9a-f]{64}) ", content, re.M)}
    hellos = set(fields(path, ("tls.handshake.random",), "-Y", "tls.handshake.type==1"))
    randoms = {value for line in hellos for value in line.split(",")}
    assert inside
    assert inside <= {value.replace(":", "") for value in randoms}
    for line in browser_keys.read_text().splitlines():
        if re.match(r"[A-Z]", line):
            assert line.split()[2].encode() not in content
    assert "holds the TLS keys of" in result.stderr


@pytest.mark.parametrize("name", ["web-signin", "wrong-password"])
def test_whole_streams_and_nothing_else(name: str, tmp_path: Path) -> None:
    path = exported(name, tmp_path)
    times = ("frame.time_epoch", "frame.len", "tcp.seq_raw", "tcp.ack_raw")
    found = fields(path, times)
    everything: list[str] = []
    for capture in scenario(name).captures:
        for stream in sorted({*fields(capture, ("tcp.stream",))} - {""}):
            rows = fields(capture, times, "-Y", f"tcp.stream == {stream}")
            inside = [row for row in rows if row in set(found)]
            assert inside in ([], rows), (capture, stream)
            everything += inside
    assert sorted(everything) == sorted(found)


def test_comments_names_and_verdict_are_shown(tmp_path: Path) -> None:
    path = exported("wrong-password", tmp_path)
    comments = fields(path, ("frame.comment",), "-Y", "frame.comment")
    assert len(comments) > 20
    assert any("Step 4 (failed): 200 the form again" in line for line in comments)
    assert any("adfs.credentials_rejected" in line for line in comments)
    hosts = ask(path, "-q", "-z", "hosts", "-N", "n")
    assert any("sts.ucprimer.example" in line for line in hosts)
    section = subprocess.run(
        ["capinfos", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert "failed at step 4 of 7" in section
    assert "nanoseconds" in section


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX's")
def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = exported("web-signin", tmp_path, "--with-secrets")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert exported("web-signin", tmp_path, "--with-secrets") == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["small.pcapng"]


def test_dissect_reads_it_back_with_the_same_verdict(tmp_path: Path) -> None:
    path = exported("wrong-password", tmp_path, "--with-secrets")
    result = run("flow", str(path), "--no-auto-keys")
    assert "FAILED at step 4 of 7" in result.stdout
    assert "adfs.credentials_rejected" in result.stdout


def test_an_export_of_an_export_has_no_keys_unless_asked(tmp_path: Path) -> None:
    """Secrets blocks of the captures are not copied along."""
    path = exported("web-signin", tmp_path, "--with-secrets")
    again = tmp_path / "again.pcapng"
    assert run("export", str(path), "-o", str(again)).exception is None
    assert b"CLIENT_RANDOM" in path.read_bytes()
    assert b"CLIENT_RANDOM" not in again.read_bytes()


def test_what_it_refuses(tmp_path: Path) -> None:
    from dissect.errors import UsageError

    item = scenario("web-signin")
    copy = tmp_path / "phone.pcapng"
    copy.write_bytes(Path(item.phone).read_bytes())
    for arguments in (
        ["export", str(copy), "-k", str(Path(item.phone).with_suffix(".keys")), "-o", str(copy)],
        ["export", item.phone, "-o", str(tmp_path / "no" / "such" / "folder.pcapng")],
    ):
        result = run(*arguments)
        assert isinstance(result.exception, UsageError), result.exception
    assert copy.read_bytes() == Path(item.phone).read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["phone.pcapng"]
    both = run("export", item.phone, "-o", str(tmp_path / "x.pcapng"), "--scrub", "--with-secrets")
    assert isinstance(both.exception, UsageError)


def test_of_an_rsa_key_only_the_sessions_secrets_leave(
    shared_captures: Path, tmp_path: Path
) -> None:
    """tshark opens what the server's key opened, by a key log that opens nothing else."""
    from dissect.capture import open_capture
    from dissect.engines import CaptureInput
    from dissect.export.key_log import key_log

    capture = shared_captures / "tls/wireshark-rsasnakeoil2.pcap"
    key = shared_captures / "tls/wireshark-rsasnakeoil2.key"
    item = CaptureInput(str(capture), rsa_keys=(str(key),))
    with open_capture(str(capture)) as opened:
        lines = key_log(item, 0, opened.packets())
    assert re.fullmatch(rb"(CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}\n)+", lines)
    keys = tmp_path / "session.keys"
    keys.write_bytes(lines)
    found = fields(
        capture, ("http.request.uri",), "-o", f"tls.keylog_file:{keys}", "-Y", "http.request"
    )
    wanted = fields(
        capture, ("http.request.uri",), "-o", f"tls.keys_list:,443,http,{key}", "-Y", "http.request"
    )
    assert found
    assert len(found) >= len(wanted)
