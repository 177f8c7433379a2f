"""What waits for what in a connection, on both sides of each bound; and what a trail can tell."""

from __future__ import annotations

import pytest

from dissect.transport import trail
from dissect.transport.ordering import FAR, PATIENCE_NS
from dissect.transport.trail import COPY_NS, Windows, differs, is_copy

from .segments import Result, assemble, handshake, segment


def sent(result: Result, direction: int = 0) -> bytes:
    return result.parsers[0].sent(direction) if result.parsers else b""


# ------------------------------------------------------------------ acknowledgments


@pytest.mark.parametrize(
    ("ack", "waits"),
    [(0, False), (1, False), (2, True), (1000, True), (FAR, True), (FAR + 1, False)],
)
def test_bytes_wait_for_what_they_acknowledge(ack: int, waits: bool) -> None:
    """RFC 9293 §3.4: the peer has sent what is acknowledged. One byte may be a probe's or a FIN's
    (§3.8.6.1); what is further ahead than a window can be is damage."""
    frames = [*handshake(), segment(0, 0, b"answer", ack=ack)]
    assert sent(assemble(frames, finish=False)) == (b"" if waits else b"answer")
    # With what they acknowledge, they come behind it; at the end of the capture in any case.
    if waits and ack <= 1000:
        whole = [*frames, segment(1, 0, b"q" * ack)]
        calls = assemble(whole, finish=False).parsers[0].calls
        assert [(verb, direction) for verb, direction, _ in calls] == [("data", 1), ("data", 0)]
    assert sent(assemble(frames)) == b"answer"


@pytest.mark.parametrize("short", [0, 1])
def test_what_is_acknowledged_must_be_there_to_the_last_byte_but_one(short: int) -> None:
    frames = [*handshake(), segment(0, 0, b"answer", ack=10)]
    for there, waits in ((8, True), (9, False), (10, False)):
        result = assemble([*frames, segment(1, 0, b"q" * (there - short))], finish=False)
        assert sent(result, 1) == b"q" * (there - short)
        assert (sent(result) == b"") == (waits or (short == 1 and there == 9))


def test_after_the_peers_end_nothing_more_is_waited_for() -> None:
    frames = [*handshake(), segment(1, 0, b"bye", flags="FA"), segment(0, 0, b"ok", ack=100)]
    assert sent(assemble(frames, finish=False)) == b"ok"


# ------------------------------------------------------------------ holes


@pytest.mark.parametrize(("length", "believed"), [(FAR - 1, True), (FAR, True), (FAR + 1, False)])
def test_a_hole_that_nobody_has_acknowledged_is_believed_up_to_a_bound(
    length: int, believed: bool
) -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 3 + length, b"xyz")]
    result = assemble(frames)
    assert sent(result) == (b"abcxyz" if believed else b"abc")
    assert result.parsers[0].gaps(0) == ([length] if believed else [])
    assert result.anomalies == ["tcp.lost" if believed else "tcp.far_segment"]


@pytest.mark.parametrize(
    ("acked", "lost"),
    [
        (0, 0),
        (2, 2),
        (999, 999),
        (1000, FAR + 1000),  # what is left is no more than the bound
        (FAR // 2, FAR + 1000),
        (FAR, FAR + 1000),
        (FAR + 1, 0),  # an acknowledgment so far ahead is damage itself
    ],
)
def test_a_larger_one_is_believed_as_far_as_it_was_acknowledged(acked: int, lost: int) -> None:
    """The peer has got these bytes (RFC 9293 §3.4); of the rest nobody knows."""
    frames = [*handshake(), segment(0, 0, b"abc"), segment(1, 0, ack=3 + acked)]
    result = assemble([*frames, segment(0, 3 + FAR + 1000, b"xyz")])
    whole = lost == FAR + 1000
    assert sum(result.parsers[0].gaps(0)) == lost
    assert sent(result) == (b"abcxyz" if whole else b"abc")
    assert ("tcp.far_segment" in result.anomalies) == (not whole)


@pytest.mark.parametrize(("after_ns", "lost"), [(PATIENCE_NS - 1, False), (PATIENCE_NS, True)])
def test_an_acknowledged_hole_is_waited_for_a_second(after_ns: int, lost: bool) -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 10, b"klm"), segment(1, 0, ack=13)]
    known = len(frames)  # since this frame there is evidence of the loss
    frames.append(segment(1, 0, b"y", ack=13))
    result = assemble(frames, times=lambda n: n if n <= known else known + after_ns, finish=False)
    assert result.parsers[0].gaps(0) == ([7] if lost else [])
    assert sent(result) == (b"abcklm" if lost else b"abc")


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_keep_alive_has_one_byte_at_most(size: int) -> None:
    """RFC 9293 §3.8.4: a segment with or without one byte of garbage, one before the next."""
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 2, b"!" * size)]
    result = assemble([*frames, segment(0, 3, b"def")])
    if size < 2:
        assert (sent(result), result.anomalies) == (b"abcdef", [])
    else:  # sent again, with other bytes: the first are used
        assert (sent(result), result.anomalies) == (b"abc!ef", ["tcp.overlap"])


# ------------------------------------------------------------------ trails

HEAD = 20


def entry(data: bytes, offset: int = 100, ns: int = 0, head: bytes = b"h" * HEAD) -> trail.Entry:
    window = memoryview(b"--" + head + data + b"--")
    return offset, window, 2 + len(head), 2 + len(head) + len(data), ns


@pytest.mark.parametrize(
    ("ns", "copy"),
    [(0, True), (COPY_NS - 1, True), (COPY_NS, True), (COPY_NS + 1, False), (-COPY_NS, True),
     (-COPY_NS - 1, False)],
)  # fmt: skip
def test_a_copy_comes_shortly_after_its_first(ns: int, copy: bool) -> None:
    again = memoryview(b"h" * HEAD + b"data")
    assert is_copy([entry(b"data")], 100, again, HEAD, ns) == copy


@pytest.mark.parametrize(
    ("where", "again", "copy"),
    [
        (100, b"h" * 20 + b"data", True),
        (101, b"h" * 20 + b"data", False),
        (100, b"h" * 20 + b"dat", False),
        (100, b"h" * 20 + b"datb", False),
        (100, b"h" * 19 + b"i" + b"data", False),  # such as another acknowledgment
        (100, b"i" + b"h" * 19 + b"data", False),
    ],
)
def test_a_copy_is_equal_to_the_last_bit_of_its_header(
    where: int, again: bytes, copy: bool
) -> None:
    old = [entry(b"else", 50), entry(b"data"), entry(b"more", 104)]
    assert is_copy(old, where, memoryview(again), HEAD, 1) == copy


def test_a_segment_at_the_very_start_of_a_window_has_no_header_there() -> None:
    bare = (100, memoryview(b"data"), 0, 4, 0)
    assert not is_copy([bare], 100, memoryview(b"h" * HEAD + b"data"), HEAD, 1)


@pytest.mark.parametrize(
    ("where", "data", "other"),
    [
        (100, b"data", False),
        (100, b"Data", True),
        (100, b"datA", True),
        (98, b"xxdata", False),  # bytes before it are not known
        (98, b"xxDa", True),
        (102, b"ta", False),
        (102, b"tA", True),
        (102, b"taxx", False),
        (103, b"axx", False),
        (104, b"xx", False),
        (98, b"xx", False),
        (96, b"xxxxd", False),
        (96, b"xxxxe", True),
    ],
)
def test_bytes_that_differ_from_what_was_delivered(where: int, data: bytes, other: bool) -> None:
    assert differs([entry(b"data")], where, memoryview(data)) == other


def test_several_segments_are_compared_until_a_window_is_closed() -> None:
    old = [entry(b"abcd", 100), entry(b"efgh", 104)]
    assert not differs(old, 100, memoryview(b"abcdefgh"))
    assert differs(old, 100, memoryview(b"Abcdefgh"))
    assert differs(old, 100, memoryview(b"abcdefgH"))
    old[1][1].release()
    assert not differs(old, 100, memoryview(b"Abcdefgh"))
    assert not is_copy(old, 104, memoryview(b"h" * HEAD + b"efgh"), HEAD, 1)


@pytest.mark.parametrize("more", [0, 1])
def test_windows_are_kept_up_to_their_bound(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "KEPT_BYTES", 100)
    windows = Windows()
    first = windows.view(bytes(60))
    second_buffer = bytes(40 + more)
    second = windows.view(second_buffer)
    assert windows.view(second_buffer) is second
    assert second.nbytes == 40 + more
    if more:
        with pytest.raises(ValueError, match="released"):
            _ = first.nbytes
    else:
        assert first.nbytes == 60
    # The latest is kept, however large it is.
    large = windows.view(bytes(1000))
    assert large.nbytes == 1000
