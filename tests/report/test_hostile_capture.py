"""A capture with payloads in every field, through the whole program, into every format."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import subprocess
import unicodedata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from dissect.cli.main import cli
from dissect.render import FORMATS
from tests import web
from tests.lab import need_tshark

PAYLOADS = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\x1b]0;owned\x07\x1b[2J\x1b[31m",
    "\u202egpj.exe\u2066",
    "=cmd|' /C calc'!A0",
    "![x](http://evil.test/x.png) [y](javascript:alert(1)) `z`",
    "%%{init: {'theme':'dark'}}%% end; note over a: b",
    "@enduml !include /etc/passwd <img:/etc/hostname> %date()",
    "{{7*7}} ${7*7} {% raw %}",
    "A" * 3000,
)
ACTING = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def checksummed(
    src: bytes, dst: bytes, sport: int, dport: int, payload: bytes, number: int
) -> bytes:
    """An Ethernet frame with an IPv4 datagram (UDP), lengths right, checksums left out."""
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, src, dst)
    return bytes(12) + b"\x08\x00" + ip + udp


def tcp(
    src: bytes, dst: bytes, ports: tuple[int, int], seq: int, ack: int, flags: int, data: bytes
) -> bytes:
    head = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 65535, 0, 0)
    total = 20 + len(head) + len(data)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 1, 0, 64, 6, 0, src, dst)
    return bytes(12) + b"\x08\x00" + ip + head + data


def frames() -> list[bytes]:
    phone, server = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
    found = []
    for index, text in enumerate(PAYLOADS):
        raw = text.encode("utf-8", "surrogatepass").replace(b"\r", b"").replace(b"\n", b"")
        common = (
            b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK%d\r\n"
            b'From: "%b" <sip:u%d@corp.test>;tag=%d\r\n'
            b"To: <sip:u%d@corp.test>\r\nCall-ID: c%d-%b\r\nCSeq: 1 REGISTER\r\n"
            b'User-Agent: %b\r\nms-diagnostics: 1;reason="%b"\r\n'
        ) % (index, raw, index, index, index, index, raw[:60].replace(b" ", b""), raw, raw)
        request = b"REGISTER sip:corp.test SIP/2.0\r\n" + common + b"Contact: <sip:u@10.0.0.1>\r\n"
        answer = b"SIP/2.0 403 " + raw + b"\r\n" + common
        tail = b"Content-Length: 0\r\n\r\n"
        found.append(checksummed(phone, server, 5060, 5060, request + tail, index))
        found.append(checksummed(server, phone, 5060, 5060, answer + tail, index))
        ports = (40000 + index, 80)
        body = json.dumps({text: text, "error_description": text, "message": [text]}).encode()
        get = (
            b"POST /common/oauth2/devicecode?x=%b HTTP/1.1\r\nHost: login.microsoftonline.com\r\n"
            b"User-Agent: %b\r\nX-Any: %b\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b"
        ) % (raw.replace(b" ", b"+"), raw, raw, len(body), body)
        reply = (
            b"HTTP/1.1 302 %b\r\nLocation: http://h.test/%b\r\nServer: %b\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        ) % (raw, raw.replace(b" ", b"+"), raw, len(body), body)
        back = ports[::-1]
        found += [
            tcp(phone, server, ports, 0, 0, 2, b""),
            tcp(server, phone, back, 0, 1, 18, b""),
            tcp(phone, server, ports, 1, 1, 24, get),
            tcp(server, phone, back, 1, 1 + len(get), 24, reply),
        ]
    return found


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hostile")
    capture = folder / "hostile.pcap"
    with capture.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for number, frame in enumerate(frames()):
            file.write(
                struct.pack("<IIII", 1_700_000_000 + number, 0, len(frame), len(frame)) + frame
            )
    extensions = [renderer.extensions[0] for renderer in FORMATS.values()] + ["har"]
    files = {extension: folder / f"out.{extension}" for extension in extensions}
    arguments = ["report", str(capture)]
    for path in files.values():
        arguments += ["-o", str(path)]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.exception is None, result.exception
    assert result.return_value in (1, 3)
    return files


@pytest.mark.parametrize("name", ["txt", "html", "md", "mmd", "puml", "csv", "svg", "json", "har"])
def test_no_acting_character(outputs: dict[str, Path], name: str) -> None:
    text = outputs[name].read_text("utf-8")
    assert {c for c in text if unicodedata.category(c) in ACTING} <= {"\n"}


def test_something_was_found(outputs: dict[str, Path]) -> None:
    assert json.loads(outputs["json"].read_text("utf-8"))["flows"]
    entries = json.loads(outputs["har"].read_text("utf-8"))["log"]["entries"]
    assert len(entries) >= len(PAYLOADS) - 1
    assert "alert(1)" in outputs["html"].read_text("utf-8")


def test_tables_trees_and_markup(outputs: dict[str, Path]) -> None:
    for row in csv.reader(io.StringIO(outputs["csv"].read_text("utf-8"))):
        assert not [cell for cell in row if cell[:1] in ("=", "+", "-", "@")]
    root = ElementTree.parse(outputs["svg"]).getroot()
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not names & {"script", "foreignObject", "image", "a", "iframe"}
    tokens = MarkdownIt("commonmark").enable("table").parse(outputs["md"].read_text("utf-8"))
    inside = [child for token in tokens for child in token.children or ()]
    links = [str(child.attrGet("href")) for child in inside if child.type == "link_open"]
    assert all(re.fullmatch(r"#chart-\d+", link) for link in links)  # ours, from the overview
    assert not {child.type for child in inside} & {"image", "html_inline"}
    assert "html_block" not in {token.type for token in tokens}


def test_the_page_runs_nothing_of_it(outputs: dict[str, Path], tmp_path: Path) -> None:
    with web.chromium(tmp_path) as driver:
        driver.get(outputs["html"].as_uri())
        count: Any = "return document.querySelectorAll(arguments[0]).length"
        assert driver.execute_script(count, "script") == 2
        assert driver.execute_script(count, "img, iframe, object, link, [onerror]") == 0
        for index in range(driver.execute_script(count, ".arrow button")):
            driver.execute_script(
                "document.querySelectorAll('.arrow button')[arguments[0]].click()", index
            )
        assert driver.execute_script(count, "img, iframe, object, link, [onerror]") == 0
        assert web.complaints(driver) == []


def test_an_exported_file_holds_no_acting_comment(tmp_path: Path) -> None:
    """Comments and names in the pcapng are shown by Wireshark as they are."""
    capture = tmp_path / "hostile.pcap"
    with capture.open("wb") as file:
        file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for number, frame in enumerate(frames()):
            file.write(struct.pack("<IIII", 1_700_000_000 + number, 0, len(frame), len(frame)))
            file.write(frame)
    target = tmp_path / "small.pcapng"
    arguments = ["export", str(capture), "-o", str(target), "--scrub"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.exception is None, result.exception
    command = [need_tshark(), "-r", str(target), "-T", "json", "-Y", "frame.comment"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    packets = json.loads(shown)
    comments = [value for packet in packets for value in _comments(packet)]
    assert comments
    for text in comments:
        assert not {c for c in text if unicodedata.category(c) in ACTING}, text


def _comments(value: Any) -> list[str]:
    """Every packet comment in a packet of tshark's JSON."""
    if isinstance(value, dict):
        here = [v for k, v in value.items() if k == "frame.comment"]
        return [*here, *(text for v in value.values() for text in _comments(v))]
    return []
