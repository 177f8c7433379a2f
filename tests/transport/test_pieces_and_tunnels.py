"""The parts of transport by themselves: serial numbers, pieces, fragments, windows, tunnels."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissect.reassembly import Piece, Pieces
from dissect.transport import fragments, tunnels
from dissect.transport.fragments import Fragments
from dissect.transport.link_headers import CUT, IPV4
from dissect.transport.tcp_direction import ahead
from dissect.transport.trail import COPY_NS, KEPT_BYTES, Windows, differs, is_copy

SECOND = 1_000_000_000


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_sequence_numbers_wrap(base: int, distance: int) -> None:
    """RFC 9293 §3.4: arithmetic modulo 2^32, and nothing is farther than half of it."""
    assert ahead((base + distance) % 2**32, base) == distance


# -------------------------------------------------------------------- pieces


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(0, 255)),
        min_size=1,
        max_size=12,
    )
)
def test_of_overlapping_bytes_the_first_are_kept(
    sent: list[tuple[int, int, int]],
) -> None:
    """Against a model: a dictionary of positions that takes each byte once."""
    pieces, model, differed = Pieces(), dict[int, int](), False
    for frame, (offset, size, value) in enumerate(sent):
        expected = any(model.get(at, value) != value for at in range(offset, offset + size))
        found = pieces.add(Piece(offset, offset + size, bytes([value]) * size, frame, 0, None))
        assert found == expected
        differed = differed or found
        for at in range(offset, offset + size):
            model.setdefault(at, value)
    assert pieces.size == len(model)
    held = {}
    while pieces.items:
        piece = pieces.pop()
        assert piece.data is not None
        assert piece.end - piece.offset == len(piece.data)
        held.update(zip(range(piece.offset, piece.end), piece.data, strict=True))
    assert held == model
    assert pieces.size == 0


def test_bytes_that_the_capture_cut_off_differ_from_none() -> None:
    pieces = Pieces()
    pieces.add(Piece(0, 10, None, 1, 0, None))
    assert not pieces.add(Piece(5, 15, b"x" * 10, 2, 0, None))
    assert [(item.offset, item.end, item.data) for item in pieces.items] == [
        (0, 10, None),
        (10, 15, b"xxxxx"),
    ]


# -------------------------------------------------------------------- fragments

KEY = (b"addresses", 17, 7)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_fragments_in_any_order(order: tuple[int, ...]) -> None:
    """RFC 791 §3.2: offset and "more fragments" tell, not the order."""
    parts = [(0, b"a" * 8, True), (8, b"b" * 8, True), (16, b"c" * 3, False)]
    made = Fragments()
    got = [made.add(KEY, *parts[index], ns) for ns, index in enumerate(order)]
    assert got == [None, None, b"a" * 8 + b"b" * 8 + b"c" * 3]
    assert made.finish() == 0


def test_of_overlapping_fragments_the_first_is_kept() -> None:
    made = Fragments()
    made.add(KEY, 0, b"first---", True, 0)
    made.add(KEY, 4, b"SECOND--", True, 1)
    assert made.add(KEY, 12, b"end", False, 2) == b"first---ND--end"


def test_a_hole_is_no_datagram() -> None:
    """As many bytes as the last fragment promises, but not those: an overlap hides a hole."""
    made = Fragments()
    assert made.add(KEY, 0, b"x" * 16, True, 0) is None
    assert made.add(KEY, 0, b"x" * 16, True, 1) is None
    assert made.add(KEY, 24, b"y" * 8, False, 2) is None
    assert made.finish() == 3


def test_an_identification_that_is_used_again_is_another_datagram() -> None:
    """RFC 8200 §4.5: what is not whole after 60 seconds is given up."""
    made = Fragments()
    made.add(KEY, 0, b"old-----", True, 0)
    assert made.add(KEY, 0, b"new-----", True, 61 * SECOND) is None
    assert made.add(KEY, 8, b"end", False, 61 * SECOND + 1) == b"new-----end"
    assert made.dropped == 1


def test_a_mirror_port_doubles_fragments() -> None:
    made = Fragments()
    got = [
        made.add(KEY, offset, data, more, 1)
        for offset, data, more in ((0, b"a" * 8, True), (8, b"b", False))
        for _ in range(2)
    ]
    assert got.count(b"a" * 8 + b"b") == 1
    assert (made.copies, made.finish()) == (1, 0)


def test_datagrams_in_the_making_are_bounded() -> None:
    made = Fragments()
    for number in range(fragments.MAX_DATAGRAMS + 5):
        made.add((b"", 17, number), 0, b"x" * 8, True, 0)
    assert made.dropped == 5
    assert made.add((b"", 17, 0), 8, b"end", False, 1) is None  # its beginning gave way
    last = fragments.MAX_DATAGRAMS + 4
    assert made.add((b"", 17, last), 8, b"end", False, 1) == b"x" * 8 + b"end"


# -------------------------------------------------------------------- what was delivered last


def test_windows_that_are_too_many_are_closed_and_forgotten() -> None:
    windows = Windows()
    first = windows.view(b"\1" * (KEPT_BYTES // 2))
    entry = (0, first, 0, 100, 0)
    other = memoryview(b"\2" * 100)
    assert differs([entry], 0, other)
    assert is_copy([entry], 0, memoryview(b"\1" * 100), 0, COPY_NS)
    assert not is_copy([entry], 0, memoryview(b"\1" * 100), 0, COPY_NS + 1)
    windows.view(b"\3" * (KEPT_BYTES // 2))
    windows.view(b"\4" * (KEPT_BYTES // 2))
    assert not differs([entry], 0, other)
    assert not is_copy([entry], 0, memoryview(b"\1" * 100), 0, 0)


# -------------------------------------------------------------------- tunnels

PACKET = b"\x45" + bytes(19)


def gtp(flags: int, kind: int, rest: bytes) -> bytes:
    return struct.pack(">BBHI", flags, kind, len(rest), 0x1234) + rest


def inside(port: int, data: bytes) -> object:
    return tunnels.in_udp(port, b"\xff" * 5 + data, 5, 5 + len(data))


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (0x30, b""),
        (0x32, b"\0\1\0\0"),  # S: sequence number, N-PDU number, next extension
        (0x31, b"\0\0\7\0"),  # PN
        # E: a PDU session container (3GPP TS 38.415), 4 octets, and nothing after it
        (0x34, b"\0\0\0\x85" + b"\1\x10\x09\0"),
        # two extension headers, the first of 8 octets
        (0x36, b"\0\1\0\x85" + b"\2\x10\x09\0\0\0\0\xc0" + b"\1\x08\x68\0"),
        # the next type stands in the field, but E is not set: it means nothing (§5.1)
        (0x32, b"\0\1\0\x85"),
    ],
)
def test_gtp_carries_a_packet_behind_its_options(flags: int, options: bytes) -> None:
    """3GPP TS 29.281 §5.1, §5.2.1: lengths of extension headers count units of 4 octets."""
    data = gtp(flags, 255, options + PACKET)
    assert inside(tunnels.GTP_PORT, data) == (IPV4, 5 + 8 + len(options))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gtp(0x32, 1, b"\0\1\0\0"), "GTP signalling"),  # an echo request
        (gtp(0x50, 255, PACKET), "GTP signalling"),  # version 2
        (gtp(0x34, 255, b"\0\0\0\x85" + b"\0\0\0\0" + PACKET), CUT),  # a length of none
        (gtp(0x34, 255, b"\0\0\0\x85" + b"\x40\0\0\0"), CUT),  # one beyond the end
        (gtp(0x34, 255, b"\0\0"), CUT),
        (gtp(0x30, 255, b""), CUT),
        (b"\x30\xff\0\0", CUT),
    ],
)
def test_gtp_that_carries_none(data: bytes, why: str) -> None:
    assert inside(tunnels.GTP_PORT, data) == why


def test_vxlan_without_an_identifier() -> None:
    """RFC 7348 §5: the I flag must be set."""
    frame = bytes(12) + b"\x08\0" + PACKET
    assert inside(tunnels.VXLAN_PORT, b"\x08" + bytes(7) + frame) == (IPV4, 5 + 8 + 14)
    assert isinstance(inside(tunnels.VXLAN_PORT, bytes(8) + frame), str)


def test_gre_of_an_unknown_version() -> None:
    """RFC 2784 §2.3.1 has version 0, RFC 2637 §4.1 version 1."""
    assert tunnels.gre(b"\0\0\x08\0" + PACKET, 0, 24) == (IPV4, 4)
    assert isinstance(tunnels.gre(b"\0\2\x08\0" + PACKET, 0, 24), str)
    assert tunnels.gre(b"\0", 0, 1) == CUT
