"""The record layer by itself."""

from __future__ import annotations

import random
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import Span
from dissect.protocols.tls.code_points import version_name
from dissect.protocols.tls.key_schedule import prf
from dissect.protocols.tls.records import SHORT, RecordReader, plausible
from dissect.protocols.tls.resync import MAX_SCANNED, Resync
from dissect.protocols.tls.suite_names import read_names
from dissect.protocols.tls.suites import suite

from .openssl_peers import needs_openssl


def at(frame: int) -> Span:
    return Span(frame, frame, frame, frame)


def record(body: bytes, kind: int = 23) -> bytes:
    return bytes((kind, 3, 3)) + len(body).to_bytes(2) + body


BODIES = [b"a" * 10, b"", b"b" * 300, b"c", b"d" * 5000]
STREAM = b"".join(map(record, BODIES))


@given(st.lists(st.integers(1, 700), min_size=1, max_size=40), st.booleans())
@settings(max_examples=60)
def test_records_whatever_the_pieces(sizes: list[int], keep: bool) -> None:
    reader = RecordReader()
    reader.keep = keep
    found = []
    start, frame = 0, 0
    ends: list[int] = []
    while start < len(STREAM):
        frame += 1
        size = sizes[frame % len(sizes)]
        ends.append(start + size)
        found += reader.feed(STREAM[start : start + size], at(frame))
        start += size
    assert [one.length for one in found] == [len(body) for body in BODIES]
    for one, body in zip(found, BODIES, strict=True):
        if keep or len(body) <= SHORT:
            assert one.payload == body
        else:
            assert one.payload is None
    # The frames in which each record began and ended, counted by hand.
    position = 0
    for one, body in zip(found, BODIES, strict=True):
        first = next(number for number, end in enumerate(ends, 1) if position < end)
        position += 5 + len(body)
        last = next(number for number, end in enumerate(ends, 1) if position <= end)
        assert (one.span.first_frame, one.span.last_frame) == (first, last)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("lost", [1, 100, 285])
def test_a_hole_within_a_record_keeps_step(keep: bool, lost: int) -> None:
    reader = RecordReader()
    reader.keep = keep
    stream = record(b"x" * 300) + record(b"next")
    assert reader.feed(stream[:20], at(1)) == []
    found = reader.gap(lost, at(2))
    assert found is not None
    found += reader.feed(stream[20 + lost :], at(3))
    damaged, good = found
    assert (damaged.damaged, damaged.length) == (True, 300)
    assert damaged.payload == b"x" * min(64, 285 - lost)
    assert (good.damaged, good.payload) == (False, b"next")


@pytest.mark.parametrize("lost", [0, 286, 10_000])
def test_a_larger_hole_loses_step(lost: int) -> None:
    reader = RecordReader()
    reader.feed(record(b"x" * 300)[:20], at(1))
    assert reader.gap(lost, at(2)) is None


@pytest.mark.parametrize(
    "bad", [b"\x19\3\3\0\1x", b"\x17\2\3\0\1x", b"\x17\3\3\xff\xffx", b"GET /"]
)
def test_no_header(bad: bytes) -> None:
    reader = RecordReader()
    (good,) = reader.feed(record(b"ok") + bad, at(1))
    assert (good.payload, reader.broken) == (b"ok", bad)
    assert not plausible(bad, 0)


class TestResync:
    @pytest.mark.parametrize("proved", [True, False])
    def test_finds_the_next_record(self, proved: bool) -> None:
        noise = random.Random(3).randbytes(3000)
        stream = noise + record(b"one" * 30) + record(b"two")
        search = Resync((lambda _, body, *__: body == b"one" * 30) if proved else None)
        found = None
        for number, start in enumerate(range(0, len(stream), 100), 1):
            found = search.feed(stream[start : start + 100], at(number))
            if found:
                break
        assert found is not None
        assert b"".join(piece for piece, _ in found) == stream[3000 : 100 * number]
        assert [span.first_frame for _, span in found] == list(range(31, number + 1))

    def test_what_looks_like_a_header_does_not_hide_the_record(self) -> None:
        """A false header that promises 16 KB, and another whose body is no record."""
        stream = b"\x17\3\3\x40\0" + record(b"bad") + record(b"good")
        search = Resync(lambda _, body, *__: body == b"good")
        found = search.feed(stream, at(1))
        assert found == [(record(b"good"), at(1))]

    def test_gives_up(self) -> None:
        search = Resync(None)
        for _ in range(MAX_SCANNED // 10_000 + 1):
            assert search.feed(bytes(10_000), at(1)) is None
        assert search.exhausted


def test_suites_known_by_name() -> None:
    gcm = suite(0xC02F)
    assert (gcm.name, gcm.key_exchange) == ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE_RSA")
    assert (gcm.mac, gcm.prf, gcm.tls13) == (None, "sha256", False)
    cbc = suite(0xC028)
    assert (cbc.mac, cbc.prf) == ("sha384", "sha384")
    assert suite(0xC0A1).cipher is not None
    assert suite(0x0003).export == 5
    for code in (0xC051, 0x0081, 0x00C6, 0xCC13):  # ARIA, GOST, SM4, a draft's ChaCha20
        assert suite(code).cipher is None
    assert suite(0x9999).name == "0x9999"


@needs_openssl
def test_names_are_those_of_openssl() -> None:
    command = ["openssl", "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    names = read_names()
    assert len(lines) > 100
    for line in lines:
        code, _, name = line.split()[:3]  # such as 0x13,0x02 - TLS_AES_256_GCM_SHA384
        assert names[int(code.replace(",0x", ""), 16)] == name


def test_version_names() -> None:
    names = [version_name(code) for code in (0x0300, 0x0301, 0x0304, 0x7F1C, 0x9999)]
    assert names == ["SSL 3.0", "TLS 1.0", "TLS 1.3", "TLS 1.3 draft 28", "0x9999"]


def test_prf_of_tls12() -> None:
    """The vector of the IETF TLS working group's list for P_SHA256."""
    out = prf(
        0x0303,
        "sha256",
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
    )
    assert out.hex() == (
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
        "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66"
    )
