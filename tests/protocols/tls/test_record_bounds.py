"""The record layer on both sides of each bound (RFC 5246 §6.2, RFC 8446 §5.1, Appendix E.2 of
RFC 5246 for the hello of SSL 2.0), and holes in it."""

from __future__ import annotations

import pytest

from dissect.model import Span
from dissect.protocols.tls.records import (
    SHORT,
    TAIL,
    VERSION2_HELLO,
    Record,
    RecordReader,
    plausible,
)

LARGEST = (1 << 14) + 2048  # RFC 5246 §6.2.3: "The length MUST NOT exceed 2^14 + 2048"


def at(frame: int) -> Span:
    return Span(frame, frame, frame, frame)


def head(length: int, kind: int = 23, version: bytes = b"\3\3") -> bytes:
    return bytes([kind]) + version + length.to_bytes(2)


def record(body: bytes, kind: int = 23, version: bytes = b"\3\3") -> bytes:
    return head(len(body), kind, version) + body


def read(
    *pieces: bytes, keep: bool = True, first: bool = True
) -> tuple[list[Record], RecordReader]:
    reader = RecordReader(first=first)
    reader.keep = keep
    found = []
    for frame, piece in enumerate(pieces, 1):
        found += reader.feed(piece, at(frame))
    return found, reader


# ------------------------------------------------------------------ what is a header


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("cut", [0, 3, 5, 6, 9000])
@pytest.mark.parametrize("length", [LARGEST - 1, LARGEST, LARGEST + 1])
def test_the_largest_record(length: int, cut: int, keep: bool) -> None:
    wire = record(bytes(length)) + record(b"next")
    found, reader = read(wire[:cut], wire[cut:], keep=keep)
    fine = length <= LARGEST
    assert [one.length for one in found] == ([length, 4] if fine else [])
    assert (reader.broken is None) == fine
    assert plausible(head(length), 0) == fine


@pytest.mark.parametrize("kind", range(256))
def test_the_kinds_of_records(kind: int) -> None:
    """change_cipher_spec 20, alert, handshake, application_data, and heartbeat 24 (RFC 6520)."""
    wire = record(b"x", kind)
    found, reader = read(record(b"ok"), wire)
    fine = 20 <= kind <= 24
    assert [one.kind for one in found] == [23, *([kind] if fine else [])]
    assert reader.broken == (None if fine else wire)
    assert plausible(wire, 0) == fine
    assert plausible(wire[:1], 0) == fine


@pytest.mark.parametrize(
    ("version", "reads", "likely"),
    [
        (b"\3\0", True, True),
        (b"\3\1", True, True),
        (b"\3\4", True, True),
        (b"\3\5", True, False),  # RFC 8446 §5.1: to be ignored; but nobody sends it
        (b"\3\xff", True, False),
        (b"\2\3", False, False),
        (b"\4\0", False, False),
        (b"\xfe\xfd", False, False),  # DTLS
    ],
)
def test_versions_of_records(version: bytes, reads: bool, likely: bool) -> None:
    wire = record(b"x", version=version)
    found, reader = read(wire, first=False)
    assert (len(found) == 1) == reads == (reader.broken is None)
    assert plausible(wire, 0) == likely


@pytest.mark.parametrize("there", range(6))
def test_a_header_is_judged_by_what_is_there_of_it(there: int) -> None:
    for right in (head(10), head(LARGEST), head(0, 20, b"\3\1")):
        assert plausible((right + b"x")[:there], 0)
        assert plausible(b"??" + (right + b"x")[:there], 2)
    wrongs = {0: b"\x19\3\3\0\1", 1: b"\x17\2\3\0\1", 2: b"\x17\3\5\0\1", 4: b"\x17\3\3\xff\xff"}
    for last, wrong in wrongs.items():  # the byte that tells
        assert plausible(wrong[:there], 0) == (there <= last)


# ------------------------------------------------------------------ what is kept


@pytest.mark.parametrize("length", [0, 1, SHORT - 1, SHORT, SHORT + 1, 5000])
@pytest.mark.parametrize("cut", [0, 1, 4, 5, 6])
def test_short_records_are_kept_where_others_are_walked_over(length: int, cut: int) -> None:
    """Alerts in clear, in a direction that can't be decrypted."""
    wire = record(b"a" * length) + record(b"b")
    found, _ = read(wire[:cut], wire[cut:], keep=False)
    assert [one.length for one in found] == [length, 1]
    assert found[0].payload == (b"a" * length if length <= SHORT else None)
    assert found[1].payload == b"b"
    assert not any(one.damaged for one in found)


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_pending_of_a_record(keep: bool) -> None:
    _, reader = read(record(b"ok") + record(b"x" * 100)[:50], keep=keep)
    assert reader.pending == 50
    reader.feed(b"x" * 54, at(9))
    assert reader.pending == 104
    (last,) = reader.feed(b"x", at(10))
    assert (last.length, reader.pending, reader.remainder()) == (100, 0, b"")
    assert (last.span.first_frame, last.span.last_frame) == (1, 10)


# ------------------------------------------------------------------ holes


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    ("there", "lost", "in_step"),
    [
        (5, 1, True),
        (5, 100, True),
        (5, 101, False),
        (50, 55, True),
        (50, 56, False),
        (104, 1, True),
        (104, 2, False),
        (105, 1, False),  # between two records
        (4, 1, False),  # in the header: how long the record is can't be known
        (50, 0, False),  # of unknown size
    ],
)
def test_a_hole_that_ends_within_the_record_keeps_step(
    there: int, lost: int, in_step: bool, keep: bool
) -> None:
    wire = record(b"x" * 100) + record(b"next")
    reader = RecordReader()
    reader.keep = keep
    found = reader.feed(wire[:there], at(1))
    assert len(found) == (there == 105)
    after = reader.gap(lost, at(2))
    assert (after is not None) == in_step
    if after is None:
        assert reader.pending == 0
        return
    found = [*after, *reader.feed(wire[there + lost :], at(3))]
    assert [(one.damaged, one.length) for one in found] == [(True, 100), (False, 4)]
    rest = 105 - there - lost
    assert found[0].payload == b"x" * min(rest, TAIL)
    assert found[0].span.last_frame == (3 if rest else 2)


@pytest.mark.parametrize("rest", [TAIL - 1, TAIL, TAIL + 1, 3 * TAIL])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_the_last_bytes_of_a_damaged_record(rest: int, step: int) -> None:
    """The IV of the next record may be in them (RFC 2246 §6.2.3.2)."""
    body = bytes(range(256)) * 4
    wire = record(body)
    reader = RecordReader()
    reader.feed(wire[:20], at(1))
    found = reader.gap(len(wire) - 20 - rest, at(2)) or []
    for start in range(len(wire) - rest, len(wire), step):
        found += reader.feed(wire[start : start + step], at(3))
    (damaged,) = found
    assert damaged.payload == body[-min(rest, TAIL) :]


def test_a_second_hole_in_one_record() -> None:
    wire = record(b"x" * 100) + record(b"next")
    reader = RecordReader()
    reader.feed(wire[:20], at(1))
    assert reader.gap(10, at(2)) == []
    assert reader.feed(wire[30:40], at(3)) == []
    assert reader.pending == 40
    assert reader.gap(10, at(4)) == []
    damaged, good = reader.feed(wire[50:], at(5))
    assert (damaged.damaged, damaged.payload) == (True, b"x" * 55)
    assert (good.damaged, good.payload) == (False, b"next")
    # One that reaches beyond the record loses step, here as anywhere.
    reader.feed(wire[:20], at(6))
    assert reader.gap(10, at(7)) == []
    assert reader.gap(76, at(8)) is None


# ------------------------------------------------------------------ the hello of SSL 2.0


def old_hello(size: int = 20, version: bytes = b"\3\1", kind: int = 1) -> bytes:
    body = bytes([kind]) + version + b"h" * (size - 3)
    return (0x8000 | len(body)).to_bytes(2) + body


@pytest.mark.parametrize("cut", range(23))
def test_a_version_2_hello_is_read_at_the_very_start(cut: int) -> None:
    """RFC 5246 Appendix E.2: MSB of the length, then message type 1 and the version."""
    wire = old_hello() + record(b"ok", 22)
    found, reader = read(wire[:cut], wire[cut:])
    hello, next_ = found
    assert (hello.kind, hello.length, hello.payload) == (VERSION2_HELLO, 20, b"\3\1" + b"h" * 17)
    assert (next_.kind, next_.payload, reader.broken) == (22, b"ok", None)


@pytest.mark.parametrize(
    "wire",
    [
        record(b"ok") + old_hello(),
        old_hello() + old_hello(),
        old_hello(version=b"\2\0"),
        old_hello(kind=2),
        b"\x00" + old_hello()[1:],
        b"\x7f" + old_hello()[1:],
    ],
)
def test_and_nowhere_else(wire: bytes) -> None:
    found, reader = read(wire)
    assert reader.broken is not None
    assert [one.kind for one in found] in ([], [23], [VERSION2_HELLO])
    assert reader.broken == wire[sum(len(one.header) + one.length for one in found) - (
        1 if found and found[0].kind == VERSION2_HELLO else 0
    ) :]  # fmt: skip


def test_a_stream_that_goes_on_elsewhere_has_none() -> None:
    found, reader = read(old_hello(), first=False)
    assert (found, reader.broken) == ([], old_hello())
