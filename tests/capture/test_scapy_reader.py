"""The walk against scapy's raw readers on every shared capture, and where scapy is wrong."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from dissect.capture import open_capture
from dissect.capture.file import Reader

from . import containers as c

Row = tuple[int, int, int, bytes, int]

SCAPY_IS_WRONG = {
    "pcapng-test010-simple_packet_blocks-le.pcapng": "snaplen 0 (unlimited) taken as 0 bytes",
    "pcapng-test202-three_sections-le.pcapng": "custom blocks not numbered; interfaces of the "
    "section before are kept",
    "libpcap-shb_option_too_long.pcapng": "refuses a file whose section option is too long",
    "ndpi-fuzz_truncated_null_ns.pcap": "lengths of version 2.0 not swapped",
    "suricata-tls_huge_caplen.pcap": "a packet made of what is left of the file",
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("scapy.runtime")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


def rows(source: Path | io.BytesIO, reader: Reader) -> list[Row]:
    with open_capture(source, reader=reader) as capture:
        return [
            (frame, ns, link, buf[start : start + size], length)
            for frame, ns, link, buf, start, size, length in capture.packets()
        ]


def test_both_readers_agree_where_scapy_is_right(shared_captures: Path) -> None:
    suffixes = {".pcap", ".pcapng", ".gz", ".zst"}
    paths = sorted(path for path in shared_captures.glob("*/*") if path.suffix in suffixes)
    assert paths
    differ = set()
    for path in paths:
        ours, theirs = rows(path, "walk"), rows(path, "scapy")
        if "80211" in path.name:
            # The walk hands on the IP packet that scapy's layers found in the frame.
            assert [row[:2] for row in ours] == [row[:2] for row in theirs]
            assert all(row[2] == 101 for row in ours)
            assert all(mine[3] in their[3] for mine, their in zip(ours, theirs, strict=True))
        elif ours != theirs:
            differ.add(path.name)
    assert differ == set(SCAPY_IS_WRONG)


def test_scapy_cuts_without_a_word_and_the_walk_says_so() -> None:
    data = c.pcap([(1000, b"whole"), (2000, b"cut off")])[:-2]
    assert [row[3] for row in rows(io.BytesIO(data), "walk")] == [b"whole"]
    with open_capture(io.BytesIO(data), reader="scapy") as capture:
        assert next(capture.packets())[3] == b"whole"
        assert capture.anomalies == []


def test_scapy_does_not_know_time_offsets() -> None:
    options = c.resolution(6) + c.option(14, (3600).to_bytes(8, "little"))
    data = c.section() + c.interface(options=options, snaplen=99) + c.enhanced(5_000_000, b"x")
    assert rows(io.BytesIO(data), "walk")[0][1] == 3605 * 10**9
    assert rows(io.BytesIO(data), "scapy")[0][1] == 5 * 10**9


def test_scapys_layers_find_ip_in_uncommon_link_types() -> None:
    from scapy.layers.dot11 import Dot11, RadioTap
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import LLC, SNAP

    packet = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / b"hello"
    data = Dot11(type=2, subtype=0, FCfield=1) / LLC() / SNAP() / packet
    beacon = bytes(RadioTap() / Dot11(type=0, subtype=8))
    capture = c.pcap([(1, bytes(RadioTap() / data)), (2, beacon), (3, b"\xff")], link=127)
    found = rows(io.BytesIO(capture), "walk")
    assert [row[2] for row in found] == [101, 127, 127]
    assert found[0][3] == bytes(packet)
    assert found[1][3] == beacon


def test_a_link_type_that_nobody_knows_is_handed_on() -> None:
    found = rows(io.BytesIO(c.pcap([(1, b"?")], link=147)), "walk")
    assert [(row[2], row[3]) for row in found] == [(147, b"?")]
