"""Lengths and versions of pcapng, on both sides of each bound (draft-ietf-opsawg-pcapng §3, §4)."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path

import pytest

from dissect.capture import open_capture
from dissect.capture.blocks import LONGEST_BLOCK
from dissect.capture.linktypes import NO_LINK
from dissect.capture.tally import MAX_PACKET, Tally
from tests.lab import need_tshark

from . import containers as c
from .test_containers import read

ORDERS = "<>"
GOOD = [(1000, b"before")]


def section(major: int, minor: int, order: str = "<") -> bytes:
    return c.block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, major, minor, -1), order)


def small(order: str = "<") -> bytes:
    return c.interface(order) + c.enhanced(1, b"before", 0, order)


def epb(room: int, claimed: int, order: str = "<", number: int = 0) -> bytes:
    """An enhanced packet with `room` bytes (a multiple of 4) behind its head; it claims others."""
    head = struct.pack(order + "5I", number, 0, 2, claimed, claimed)
    return c.block(6, head + bytes(room), order)


def damage(data: bytes) -> tuple[list[tuple[int, bytes]], str]:
    """The packets, and the only sentence about damage ("" if there is none)."""
    packets, capture = read(data)
    assert [item.kind for item in capture.anomalies] in ([], ["capture.damaged"])
    return packets, capture.anomalies[0].sentence if capture.anomalies else ""


# ------------------------------------------------------------------ versions


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("major", "minor"), [(1, 0), (1, 2)])
def test_version_1_0_and_its_other_name_are_read(major: int, minor: int, order: str) -> None:
    """§4.1: readers MUST treat a minor version of 2 as 0; no others are known."""
    assert damage(section(major, minor, order) + small(order)) == (GOOD, "")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("major", "minor"), [(0, 0), (0, 2), (1, 1), (1, 3), (1, 4), (1, 512), (2, 0), (2, 2), (256, 0)]
)
def test_a_section_of_an_unknown_version_is_not_guessed_at(
    major: int, minor: int, order: str
) -> None:
    """§4.1: another version may mean a form that this code would read wrongly. What came before
    that section stays."""
    packets, reported = damage(
        section(1, 0) + small() + section(major, minor, order) + small(order)
    )
    assert packets == GOOD
    assert f"has the unknown version {major}.{minor}" in reported
    assert f"at offset {len(section(1, 0) + small())} " in reported
    packets, reported = damage(section(major, minor, order) + small(order))
    assert packets == []
    assert f"has the unknown version {major}.{minor}" in reported


def test_tshark_knows_the_same_versions(tmp_path: Path) -> None:
    for major in (0, 1, 2):
        for minor in (0, 1, 2, 3):
            path = tmp_path / f"{major}.{minor}.pcapng"
            path.write_bytes(section(major, minor) + small())
            run = subprocess.run(
                [need_tshark(), "-n", "-r", str(path), "-T", "fields", "-e", "frame.len"],
                capture_output=True,
                text=True,
                check=False,
            )
            known = damage(path.read_bytes()) == (GOOD, "")
            assert (run.stdout.split() == ["6"]) == known, (major, minor, run.stderr)


# ------------------------------------------------------------------ room for a packet


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("room", [0, 4, 64])
def test_a_packet_fills_its_block_and_no_more(room: int, order: str) -> None:
    """§4.3: the packet's data lies between the 28 bytes of the head and the 4 of the trailing
    length. A packet that claims one byte more would reach into that length."""
    start = section(1, 0, order) + small(order)
    for claimed in (0, room // 2, room):
        packets, reported = damage(
            start + epb(room, claimed, order) + c.enhanced(3, b"x", 0, order)
        )
        assert packets == [*GOOD, (2000, bytes(claimed)), (3000, b"x")]
        assert reported == ""
    for claimed in (room + 1, room + 3, room + 4, room + 5, 1 << 31):
        packets, reported = damage(
            start + epb(room, claimed, order) + c.enhanced(3, b"x", 0, order)
        )
        assert packets == GOOD
        assert f"claims {claimed} bytes of packet in a block of {32 + room}" in reported


@pytest.mark.parametrize("more", [0, 1])
def test_the_largest_packet(more: int) -> None:
    """Wireshark's own bound (WTAP_MAX_PACKET_SIZE_STANDARD): a larger one is damage."""
    size = MAX_PACKET + more
    packets, reported = damage(section(1, 0) + small() + epb(size + -size % 4, size))
    assert packets == ([*GOOD, (2000, bytes(size))] if not more else GOOD)
    assert (reported == "") == (not more)


@pytest.mark.parametrize("order", ORDERS)
def test_an_obsolete_packet_fills_its_block_and_no_more(order: str) -> None:
    """§B.1: 20 bytes of head, then the data."""

    def old(room: int, claimed: int) -> bytes:
        head = struct.pack(order + "HH4I", 0, 0, 0, 2, claimed, claimed)
        return c.block(2, head + bytes(room), order)

    start = section(1, 0, order) + small(order)
    for claimed in (0, 7, 8):
        assert damage(start + old(8, claimed)) == ([*GOOD, (2000, bytes(claimed))], "")
    for claimed in (9, 12, 13):
        packets, reported = damage(start + old(8, claimed))
        assert packets == GOOD
        assert f"claims {claimed} bytes of packet" in reported
    size = MAX_PACKET
    assert damage(start + old(size, size))[0] == [*GOOD, (2000, bytes(size))]
    assert damage(start + old(size + 4, size + 1))[0] == GOOD


@pytest.mark.parametrize(("kind", "least"), [(1, 8), (2, 20), (3, 4)])
def test_a_block_that_is_too_short_for_its_kind(kind: int, least: int) -> None:
    """The fixed part of an interface, an obsolete packet and a simple packet (§4.2, §4.4, §B.1)."""
    start = section(1, 0) + small()
    packets, reported = damage(start + c.block(kind, bytes(least - 4)) + c.enhanced(3, b"x"))
    assert packets == GOOD
    assert "is too short for" in reported
    packets, capture = read(start + c.block(kind, bytes(least)) + c.enhanced(3, b"x"))
    assert packets[-1] == (3000, b"x")
    assert "capture.damaged" not in [item.kind for item in capture.anomalies]


def test_a_simple_packet_is_as_long_as_it_says_its_block_holds_and_the_snaplen_lets() -> None:
    """§4.4: the captured length is the smaller of the original length and the snaplen; the
    block's own length bounds it, and the padding is no part of the packet."""

    def sizes(snaplen: int, length: int, room: int) -> tuple[int, int]:
        body = struct.pack("<I", length) + bytes(room)
        data = section(1, 0) + c.interface(snaplen=snaplen) + c.block(3, body)
        with open_capture(io.BytesIO(data)) as capture:
            ((*_, caplen, whole),) = capture.packets()
        return caplen, whole

    assert sizes(0, 5, 8) == (5, 5)
    assert sizes(0, 8, 8) == (8, 8)
    assert sizes(0, 9, 8) == (8, 9)
    assert sizes(6, 9, 8) == (6, 9)
    assert sizes(6, 5, 8) == (5, 5)


@pytest.mark.parametrize("declared", [0, 1, 2])
@pytest.mark.parametrize("kind", ["enhanced", "obsolete", "simple"])
def test_only_interfaces_that_are_declared_have_a_link_type(declared: int, kind: str) -> None:
    """§4.3: the Interface ID of a packet counts the interface blocks of its section from 0; a
    simple packet is of the first."""
    data = section(1, 0) + b"".join(c.interface() for _ in range(declared))
    packet = {"enhanced": c.enhanced(1, b"x", 1), "obsolete": c.old_packet(1, b"x", 1)}
    known = declared > (0 if kind == "simple" else 1)
    with open_capture(io.BytesIO(data + packet.get(kind, c.simple(b"x")))) as capture:
        ((frame, _, link, buf, start, caplen, _),) = capture.packets()
        # A simple block without an interface has no snaplen, so all of the block is given.
        assert buf[start : start + caplen][:1] == b"x"
    assert (frame, link) == (1, 1 if known else NO_LINK)
    kinds = [item.kind for item in capture.anomalies]
    assert ("capture.unknown_interface" in kinds) == (not known)


@pytest.mark.parametrize("order", ORDERS)
def test_lengths_of_blocks(order: str) -> None:
    """§3.1: 12 bytes at least. Above the bound for blocks nothing is waited for."""
    start = section(1, 0, order) + small(order)
    rest = c.enhanced(3, b"x", 0, order)

    def unknown(length: int) -> bytes:
        return struct.pack(order + "II", 0x4242, length)

    packets, reported = damage(start + c.block(0x4242, b"", order) + rest)
    assert (packets[-1], reported) == ((3000, b"x"), "")
    packets, reported = damage(start + unknown(11) + bytes(40))
    assert "claims a length of 11 bytes" in reported
    _, capture = read(start + unknown(LONGEST_BLOCK) + bytes(40))
    assert [item.kind for item in capture.anomalies] == ["capture.cut"]  # may only be cut
    packets, reported = damage(start + unknown(LONGEST_BLOCK + 1) + bytes(40))
    assert f"claims a length of {LONGEST_BLOCK + 1} bytes" in reported


def test_a_time_is_split_in_two_halves() -> None:
    """§4.3: the upper 32 bits of the time come first."""
    ticks = (1 << 32) + 5
    data = section(1, 0) + c.interface() + c.enhanced(ticks, b"x") + c.old_packet(ticks + 1, b"y")
    assert read(data)[0] == [(ticks * 1000, b"x"), (ticks * 1000 + 1000, b"y")]


def test_the_first_and_last_time_are_the_earliest_and_latest() -> None:
    """Packets of several interfaces may be out of order; one alone is first and last."""
    for ticks in ([5], [5, 9, 2], [9, 2, 5], [2, 9]):
        for make in (c.enhanced, c.old_packet):
            data = section(1, 0) + c.interface() + b"".join(make(t, b"x") for t in ticks)
            info = read(data)[1].info()
            assert (info.start_ns, info.end_ns) == (min(ticks) * 1000, max(ticks) * 1000)
            assert info.frames == len(ticks)


def test_snaplens_that_limit_nothing() -> None:
    """§4.2: a snaplen of 0 is no limit; the smallest of the others is what `info` shows."""
    for values, reported in [
        ((0,), None),
        ((1,), 1),
        ((MAX_PACKET - 1,), MAX_PACKET - 1),
        ((MAX_PACKET,), None),
        ((0, 96, 200), 96),
        ((200, 96), 96),
    ]:
        tally = Tally()
        for value in values:
            tally.limit(value)
        assert tally.snaplen == reported
