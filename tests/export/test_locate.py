"""Frames of streams: as tshark finds them, in tunnels, fragments and ICMP errors too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dissect.capture import open_capture
from dissect.export.locate import Locator
from tests.lab import need_tshark, tshark_fields


def located(path: Path, wanted: tuple[str, int]) -> set[int]:
    with open_capture(str(path)) as capture:
        locator = Locator(0, frozenset({wanted}))
        locator.feed(capture.packets())
    return locator.frames


def by_tshark(path: Path, transport: str) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for row in tshark_fields(str(path), ("frame.number", f"{transport}.stream")):
        for stream in row[f"{transport}.stream"]:
            found.setdefault(int(stream), set()).add(int(row["frame.number"][0]))
    return found


def fragments(path: Path) -> set[int]:
    rows = tshark_fields(
        str(path), ("frame.number",), "ip.flags.mf == 1 || ip.frag_offset > 0 || ipv6.fraghdr"
    )
    return {int(row["frame.number"][0]) for row in rows}


FOLDERS = ("tcp-oddities", "link-layers", "sip", "http")


@pytest.mark.parametrize("folder", FOLDERS)
def test_same_frames_as_tshark(shared_captures: Path, folder: str) -> None:
    """Small real captures: every stream of each has the frames that tshark gives it."""
    need_tshark()
    compared = 0
    for path in sorted((shared_captures / folder).iterdir()):
        if path.suffix not in (".pcap", ".pcapng", ".cap") or path.stat().st_size > 300_000:
            continue
        pieces = fragments(path)  # tshark counts the last one to the stream, we all of them
        for transport in ("tcp", "udp"):
            for stream, frames in list(by_tshark(path, transport).items())[:6]:
                found = located(path, (transport, stream))
                assert frames <= found, (path.name, transport, stream)
                assert found - frames <= pieces, (path.name, transport, stream)
                compared += 1
        if compared > 60:
            break
    assert compared > 5


def test_fragments_and_errors(tmp_path: Path) -> None:
    scapy: Any = pytest.importorskip("scapy.all")
    ip, udp, icmp, raw = scapy.IP, scapy.UDP, scapy.ICMP, scapy.Raw
    big = ip(src="10.0.0.1", dst="10.0.0.2", id=7) / udp(sport=5060, dport=5060) / raw(b"x" * 3000)
    small = ip(src="10.0.0.3", dst="10.0.0.2") / udp(sport=9, dport=5060) / raw(b"y")
    error = ip(src="10.0.0.2", dst="10.0.0.3") / icmp(type=3, code=3) / bytes(small)
    pieces = scapy.fragment(big, 1000)
    assert len(pieces) == 4
    frames = [scapy.Ether() / packet for packet in (pieces[0], small, *pieces[1:], error)]
    path = tmp_path / "pieces.pcap"
    scapy.wrpcap(str(path), frames)
    assert located(path, ("udp", 0)) == {2, 6}
    assert located(path, ("udp", 1)) == {1, 3, 4, 5}
