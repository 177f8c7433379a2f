"""`dissect info`: what tshark says of the same files, and advice that fits the fault."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dissect import capture_advice
from dissect.cli.main import cli
from dissect.model import TlsReason
from tests.capture import containers as c
from tests.lab import SCENARIOS, scenario, tshark_fields
from tests.transport import segments
from tests.transport.lab_packets import packets

NS = 10**9


def output(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["info", *arguments], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.stdout


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output(*arguments, "--format", "json"))
    return found


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("side", ["phone", "browser"])
def test_counts_are_those_of_tshark(name: str, side: str) -> None:
    path = str(getattr(scenario(name), side))
    fields = ("frame.time_epoch", "ip.src", "ip.dst", "tcp.stream", "udp.stream", "tcp.len")
    rows = tshark_fields(path, fields)
    found = document(path)
    (capture,) = found["captures"]
    assert capture["frames"] == len(rows)
    skipped = sum(not row["tcp.stream"] and not row["udp.stream"] for row in rows)
    assert sum(capture["frames_skipped"].values()) == skipped
    assert capture["tcp"]["segments"] == sum(bool(row["tcp.stream"]) for row in rows)
    times = sorted(row["frame.time_epoch"][0] for row in rows)
    for key, time in (("start", times[:1]), ("end", times[-1:])):
        shown = capture[key].partition(".")[2] if capture[key] else None
        assert shown == (time[0].partition(".")[2].ljust(9, "0") + "Z" if time else None)
    for kind in ("tcp", "udp"):
        numbers = {int(number) for row in rows for number in row[f"{kind}.stream"]}
        assert capture["streams"][kind] == len(numbers)
        assert found["streams"][kind] == len(numbers)
    addresses = {a for row in rows if row["tcp.stream"] or row["udp.stream"] for a in row["ip.src"]}
    assert addresses <= {item["address"] for item in found["addresses"]}
    assert capture["tcp"]["bytes_lost"] == 0
    assert found["anomalies"] == []


def test_promised_keys() -> None:
    found = document(scenario("web-signin").phone)
    assert {"captures", "streams", "tls", "anomalies", "advice"} <= set(found)
    promised = {"capture", "frames", "frames_skipped", "link_types", "interfaces", "start", "end"}
    assert promised | {"snaplen", "drops"} <= set(found["captures"][0])
    assert found["tls"]["decrypted"] == {"full": 5}
    assert found["tls"]["reason"] == {}
    assert found["advice"] == ["Nothing: the captures are whole, and what can be read was read."]


def test_names_of_addresses_come_from_dns_sni_and_name_blocks(tmp_path: Path) -> None:
    item = scenario("web-signin")
    names = {entry["address"]: entry["names"] for entry in document(item.phone)["addresses"]}
    known = {
        host["address"]: host["host"]
        for host in item.truth["names"].values()
        if host["host"] and host["address"] in names
    }
    assert len(known) == 5
    for address, host in known.items():
        assert host in names[address]
    block = c.names((bytes([10, 0, 0, 2]), "proxy.example"))
    path = tmp_path / "named.pcapng"
    path.write_bytes(c.section() + c.interface() + block + c.enhanced(1, handshake()[0]))
    found = document(str(path))
    assert {"address": "10.0.0.2", "streams": 1, "names": ["proxy.example"]} in found["addresses"]
    assert "10.0.0.2: 1 stream; proxy.example" in output(str(path))


def handshake() -> list[bytes]:
    return segments.handshake()


def talk(size: int = 50) -> list[bytes]:
    frames = handshake()
    for n in range(10):
        frames.append(segments.segment(0, n * size, bytes(size)))
        frames.append(segments.segment(1, 0, ack=(n + 1) * size))
    return frames


def timed(frames: list[bytes]) -> list[tuple[int, bytes]]:
    return [(NS + n * 1000_000, frame) for n, frame in enumerate(frames)]


def pcapng(frames: list[bytes], drops: int = 0, snaplen: int = 0, link: int = 1) -> bytes:
    data = c.section() + c.interface(snaplen=snaplen, link=link)
    for n, frame in enumerate(frames):
        kept = frame[: snaplen or None]
        head = struct.pack("<5I", 0, 0, n, len(kept), len(frame))
        data += c.block(6, head + kept)
    return data + (c.statistics(0, drops) if drops else b"")


FAULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "no packet": (lambda: c.pcap([]), "holds no packet"),
    "cut packets": (
        lambda: pcapng(talk(), snaplen=80),
        "10 of 23 packets were cut when they were captured (limit: 80 bytes a packet)",
    ),
    "dropped": (lambda: pcapng(talk(), drops=7), "the capturing machine dropped 7 packets"),
    "lost": (
        lambda: c.pcap(timed(talk()[:5] + talk()[6:])),
        "10.0% of the TCP bytes are not in the capture",
    ),
    "one direction": (
        lambda: c.pcap(timed([f for f in talk() if f[26:30] == bytes([10, 0, 0, 1])])),
        "of 1 connections only one direction was captured",
    ),
    "late start": (
        lambda: c.pcap(timed(talk()[3:])),
        "1 connections had begun before the capture",
    ),
    "doubled": (
        lambda: c.pcap(timed([f for frame in talk() for f in (frame, frame)])),
        "10 packets with data are in the capture twice",
    ),
    "clock": (
        lambda: c.pcap([(NS + 5000, talk()[0]), (NS, talk()[1])]),
        "1 packets have a time before that of an earlier one",
    ),
    "unknown link": (
        lambda: pcapng([b"what is this"], link=147),
        "1 frames are of link type 147 (USER0), which can't be read here",
    ),
    "Wi-Fi": (lambda: pcapng([bytes(40)], link=105), "1 Wi-Fi frames hold no IP"),
    "fragments": (
        lambda: c.pcap([(NS, talk()[3][:20] + b"\x20\x00" + talk()[3][22:])]),
        "1 IP fragments lack their rest",
    ),
    "broken off": (lambda: c.pcap(timed(talk()))[:-3], "ends in the middle of a packet"),
    "no times": (
        lambda: c.section() + c.interface() + c.simple(talk()[0]),
        "holds packets without time",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_is_named_with_what_to_do(fault: str, tmp_path: Path) -> None:
    make, words = FAULTS[fault]
    path = tmp_path / "capture"
    path.write_bytes(make())
    found = document(str(path))
    assert any(words in line for line in found["advice"]), found["advice"]
    reported = output(str(path))
    assert words in reported.partition("For the next capture:")[2]
    clean = tmp_path / "clean"
    clean.write_bytes(c.pcap(timed(talk())))
    assert words not in output(str(clean))


def test_each_reason_that_better_capturing_helps_has_advice() -> None:
    helped = set(TlsReason.__args__) - {  # type: ignore[attr-defined]
        *("cipher_unsupported", "handshake_failed", "quic_not_decrypted", "rsa_key_wrong"),
        *("no_client_hello", "no_server_hello", "one_direction_only"),  # said by the connections
    }
    assert set(capture_advice._TLS) == helped


def test_without_keys_and_names(tmp_path: Path) -> None:
    found = document(scenario("web-signin").phone, "--no-auto-keys")
    assert "5 TLS connections were not decrypted for want of keys" in found["advice"][0]
    assert found["tls"]["reason"] == {"no_secret_for_random": 5}
    # The same without DNS: nobody can tell who was talked to.
    without = [
        (ns, frame) for ns, frame in packets("web-signin", "phone") if frame[23:24] != b"\x11"
    ]
    path = tmp_path / "no-dns.pcap"
    path.write_bytes(c.pcap(without, nano=True))
    assert any("no DNS" in line for line in document(str(path))["advice"])


@pytest.mark.parametrize("stamp", [0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 253402300800 * 10**6])
@pytest.mark.parametrize("resolution", [0, 6, 9])
def test_times_that_no_calendar_holds(stamp: int, resolution: int, tmp_path: Path) -> None:
    path = tmp_path / "far.pcapng"
    options = c.resolution(resolution) + c.option(14, (-(2**62)).to_bytes(8, "little", signed=True))
    for extra in (c.resolution(resolution), options):
        data = c.section() + c.interface(options=extra)
        path.write_bytes(data + b"".join(c.enhanced(stamp, frame) for frame in talk()))
        assert "frames read: 23" in output(str(path))
        for command in ("http", "sip", "tls", "dns", "events", "flow"):
            result = CliRunner().invoke(cli, [command, str(path)], standalone_mode=False)
            assert result.exception is None, result.exception


def test_two_captures_of_the_same_packets(tmp_path: Path) -> None:
    item = scenario("web-signin")
    moved = [(ns + 1_500_000_000, frame) for ns, frame in packets("web-signin", "phone")]
    path = tmp_path / "proxy.pcap"
    path.write_bytes(c.pcap(moved, nano=True))
    found = document(item.phone, str(path), item.browser)
    (shared,) = found["shared"]
    assert (shared["capture"], shared["with"]) == (str(path), item.phone)
    assert shared["clock_ahead_ns"] == 1_500_000_000
    (clock,) = [item for item in found["clocks"] if item["capture"] == str(path)]
    assert clock["moved_ns"] == -1_500_000_000
    assert any(f"{path}: its clock is 1.500 s ahead" in line for line in found["advice"])
    assert "of both told once" in output(item.phone, str(path), item.browser)


def test_two_captures_clocks_are_reported_with_their_uncertainty() -> None:
    item = scenario("web-signin")
    result = CliRunner().invoke(cli, ["info", *item.captures, "--format", "json"])
    (clock,) = json.loads(result.stdout)["clocks"]
    assert (clock["capture"], clock["against"]) == (item.browser, item.phone)
    assert abs(clock["ahead_ns"]) <= clock["uncertainty_ns"]  # the lab has one clock
    assert clock["moved_ns"] == 0
    assert clock["sentence"] in CliRunner().invoke(cli, ["info", *item.captures]).stdout
