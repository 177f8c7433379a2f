"""Bytes with offsets in order, for protocols: against the stream they were cut from (RFC 9000 §2.2:
in any order, repeated, overlapping)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import Span
from dissect.reassembly import Ordered


def span(frame: int) -> Span:
    return Span(frame, frame * 1000, frame, frame * 1000)


@settings(max_examples=80, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.randoms(use_true_random=False), st.data())
def test_overlapping_pieces_in_any_order_make_the_stream(
    whole: bytes, chance: Any, data: st.DataObject
) -> None:
    ends = st.integers(0, len(whole))
    cuts = [tuple(sorted(c)) for c in data.draw(st.lists(st.tuples(ends, ends), max_size=12))]
    cuts += [(at, min(at + 7, len(whole))) for at in range(0, len(whole), 5)]
    chance.shuffle(cuts)
    ordered, got = Ordered(), b""
    for frame, (start, stop) in enumerate(cuts, 1):
        for piece, where in ordered.add(start, whole[start:stop], span(frame)):
            assert where.offset == len(got)
            assert where.first_frame <= where.last_frame == frame
            got += piece
        assert ordered.next == len(got)
    assert got == whole
    assert (ordered.hole, ordered.differs) == (0, False)


def test_the_frame_that_fills_the_hole_is_the_last_of_what_waited() -> None:
    ordered = Ordered()
    assert ordered.add(3, b"def", span(1)) == []
    assert ordered.hole == 3
    first, second = ordered.add(0, b"abc", span(2))
    assert first == (b"abc", Span(2, 2000, 2, 2000, offset=0))
    assert second == (b"def", Span(1, 1000, 2, 2000, offset=3))


def test_a_hole_can_be_given_up() -> None:
    ordered = Ordered()
    ordered.add(4, b"ef", span(1))
    assert ordered.hole == 4
    assert [piece for piece, _ in ordered.skip(span(2))] == [b"ef"]
    assert ordered.next == 6
    assert ordered.add(0, b"abcd", span(3)) == []  # too late


def test_other_bytes_at_a_place_that_waits_are_noticed() -> None:
    ordered = Ordered()
    ordered.add(2, b"cd", span(1))
    ordered.add(2, b"cX", span(2))
    assert ordered.differs
    assert b"".join(piece for piece, _ in ordered.add(0, b"ab", span(3))) == b"abcd"


def test_what_waits_is_bounded() -> None:
    ordered = Ordered(most_bytes=10, most_pieces=3)
    ordered.add(1, bytes(10), span(1))
    assert not ordered.full
    ordered.add(20, b"x", span(1))
    assert ordered.full
    many = Ordered(most_bytes=10, most_pieces=3)
    for at in (1, 3, 5):
        many.add(at, b"x", span(1))
    assert not many.full
    many.add(7, b"x", span(1))
    assert many.full
    assert len(many.add(0, b"", span(1))) == 0
