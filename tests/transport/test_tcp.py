"""TCP as an observer sees it: order, holes, ends. Expectations follow RFC 9293."""

from __future__ import annotations

import pytest

from dissect import reassembly as pieces_module
from dissect.model import Direction, Output, Span
from dissect.transport import Assembler
from dissect.transport.ordering import FAR, PATIENCE_FRAMES, PATIENCE_NS

from .segments import MS, Recorder, Result, assemble, handshake, segment

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def only(result: Result) -> Recorder:
    (parser,) = result.parsers
    return parser


def test_a_connection_from_syn_to_fin() -> None:
    frames = [
        *handshake(),
        segment(0, 0, REQUEST),
        segment(1, 0, RESPONSE, ack=len(REQUEST)),
        segment(0, len(REQUEST), flags="FA", ack=len(RESPONSE)),
        segment(1, len(RESPONSE), flags="FA", ack=len(REQUEST) + 1),
        segment(0, len(REQUEST) + 1, ack=len(RESPONSE) + 1),
    ]
    result = assemble(frames)
    parser = only(result)
    assert parser.calls == [
        ("data", 0, REQUEST),
        ("data", 1, RESPONSE),
        ("end", 0, None),
        ("end", 1, None),
    ]
    assert [span.last_frame for span in parser.spans] == [4, 5, 6, 7]
    assert parser.spans[0][:4] == (4, 4 * MS, 4, 4 * MS)
    assert str(parser.connection.client) == "10.0.0.1:40000"
    (row,) = result.rows
    assert row.outcome == "closed"
    assert row.handshake_seen
    assert row.syn_count == 1
    assert row.payload == (len(REQUEST), len(RESPONSE))
    assert row.lost == (0, 0)
    assert row.frames == 8
    assert (row.place.span.first_frame, row.place.span.last_frame) == (1, 8)
    assert result.anomalies == []


def test_a_segment_that_comes_late_names_the_frame_that_made_it_readable() -> None:
    frames = [*handshake(), segment(0, 3, b"def"), segment(0, 6, b"ghi"), segment(0, 0, b"abc")]
    parser = only(assemble(frames))
    assert parser.calls[:3] == [("data", 0, b"abc"), ("data", 0, b"def"), ("data", 0, b"ghi")]
    assert [span[:4] for span in parser.spans[:3]] == [
        (6, 6 * MS, 6, 6 * MS),
        (4, 4 * MS, 6, 6 * MS),
        (5, 5 * MS, 6, 6 * MS),
    ]


def test_retransmissions_and_overlap_give_every_byte_once() -> None:
    """Trouble 32."""
    frames = [
        *handshake(),
        segment(0, 0, b"abcdef"),
        segment(0, 0, b"abcdef"),  # the same again
        segment(0, 3, b"defghi"),  # half of it new
        segment(0, 0, b"abcdefghijkl"),  # all of it, and more
    ]
    result = assemble(frames)
    assert only(result).sent(0) == b"abcdefghijkl"
    assert result.anomalies == []


def test_of_overlapping_bytes_the_first_captured_are_used_and_said() -> None:
    frames = [
        *handshake(),
        segment(0, 4, b"EFGH"),
        segment(0, 6, b"xxIJ"),
        segment(0, 2, b"cdyy"),
        segment(0, 0, b"ab"),
    ]
    result = assemble(frames)
    assert only(result).sent(0) == b"abcdEFGHIJ"
    assert result.anomalies == ["tcp.overlap"]


def test_sequence_numbers_wrap() -> None:
    """Trouble 33."""
    isn = (0xFFFFFFFA, 0xFFFFFFFF)
    frames = [
        *handshake(isn=isn),
        segment(0, 0, b"abc", isn=isn),
        segment(0, 6, b"ghi", isn=isn),
        segment(0, 3, b"def", isn=isn),
        segment(1, 0, b"xyz", ack=9, isn=isn),
        segment(0, 9, b"jkl", ack=3, isn=isn),
    ]
    parser = only(assemble(frames))
    assert parser.sent(0) == b"abcdefghijkl"
    assert parser.sent(1) == b"xyz"


def test_without_syn_the_higher_port_is_the_client() -> None:
    result = assemble([segment(1, 0, b"response"), segment(0, 0, b"request", ack=8)])
    parser = only(result)
    assert parser.connection.client.port == 40000
    assert parser.calls[0] == ("data", 1, b"response")
    assert not result.rows[0].handshake_seen


def test_a_synack_first_tells_the_client() -> None:
    ports = (80, 40000)  # against the rule of ports
    result = assemble([segment(1, flags="SA", ports=ports), segment(0, 0, b"x", ports=ports)])
    assert only(result).connection.client.port == 80


def test_a_syn_captured_after_its_data_still_tells_the_client() -> None:
    ports = (80, 40000)
    frames = [segment(0, ports=ports), segment(0, flags="S", ports=ports)]
    frames.append(segment(0, 0, b"x", ports=ports))
    assert only(assemble(frames)).connection.client.port == 80


def test_first_segments_swapped_without_syn() -> None:
    """Trouble 33."""
    # The peer's acknowledgment before them tells where the stream was.
    frames = [segment(1, 0), segment(0, 3, b"def"), segment(0, 0, b"abc")]
    assert only(assemble(frames)).sent(0) == b"abcdef"


@pytest.mark.parametrize("flags", ["A", "PA"])
def test_keep_alives_and_window_probes(flags: str) -> None:
    """Trouble 33."""
    frames = [
        *handshake(),
        segment(0, 0, b"abc"),
        segment(0, 2, b"\0", flags=flags),  # keep-alive: one byte before the next
        segment(0, 2, b""),
        segment(1, 0, ack=3),
        segment(0, 3, b"d"),  # window probe: one byte of the data, not accepted
        segment(1, 0, ack=3),
        segment(0, 3, b"def"),
    ]
    result = assemble(frames)
    assert only(result).sent(0) == b"abcdef"
    assert result.anomalies == []


def test_a_keep_alive_before_all_else_is_no_data() -> None:
    frames = [segment(0, -1, b"\0"), segment(1, 0), segment(0, 0, b"abc")]
    assert only(assemble(frames)).sent(0) == b"abc"


def test_one_direction_only() -> None:
    frames = [segment(0, flags="S")]
    frames += [segment(0, n * 3, b"abc", ack=n) for n in range(5)]
    result = assemble(frames)
    assert only(result).calls[:5] == [("data", 0, b"abc")] * 5
    assert result.rows[0].outcome == "open"


def test_a_hole_in_one_direction_only_is_given_up_by_patience_alone() -> None:
    frames = [segment(0, flags="S")]
    frames += [segment(0, 10 + n, b"x") for n in range(PATIENCE_FRAMES + 2)]
    result = assemble(frames, step_ns=1, finish=False)
    assert only(result).gaps(0) == [10]


def test_a_hole_that_the_peer_has_not_acknowledged_waits() -> None:
    frames = handshake()
    frames += [segment(0, 10 + n, b"x") for n in range(200)]
    frames += [segment(1, 0, ack=0)] * 5
    result = assemble(frames, finish=False, step_ns=PATIENCE_NS)
    assert result.parsers == []
    # Sent again at last: all is readable at once.
    result = assemble([*frames, segment(0, 0, b"0123456789")], finish=False, step_ns=PATIENCE_NS)
    assert only(result).sent(0) == b"0123456789" + b"x" * 200
    assert only(result).gaps(0) == []


def lost_frames() -> list[bytes]:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 10, b"klm")]
    return [*frames, segment(1, 0, ack=13)]


def test_an_acknowledged_hole_is_given_up_after_some_frames() -> None:
    frames = lost_frames()
    more = [segment(1, n, b"y", ack=13) for n in range(PATIENCE_FRAMES)]
    few = assemble([*frames, *more[:-1]], step_ns=1, finish=False)
    assert only(few).calls == [("data", 0, b"abc")]
    enough = assemble([*frames, *more], step_ns=1, finish=False)
    assert only(enough).calls[:3] == [("data", 0, b"abc"), ("gap", 0, 7), ("data", 0, b"klm")]
    assert only(enough).sent(1) == b"y" * PATIENCE_FRAMES
    assert enough.anomalies == ["tcp.lost"]


def test_an_acknowledged_hole_is_given_up_after_some_time() -> None:
    frames = [*lost_frames(), segment(1, 0, b"y", ack=13)]
    times = lambda n: n if n < len(frames) else n + PATIENCE_NS  # noqa: E731
    assert only(assemble(frames, times=times, finish=False)).gaps(0) == [7]


def test_patience_begins_anew_with_each_hole() -> None:
    """The first hole is only an acknowledgment that came early, and is filled in passing."""
    frames = [
        *handshake(),
        segment(0, 0, b"abc"),
        segment(1, 0, b"wxyz", ack=3),
        segment(0, 3, ack=8),  # acknowledges what comes next
        segment(1, 4, b"wxyz", ack=3),
        segment(1, 8, ack=6),  # some seconds later the same the other way round
        segment(0, 3, b"def", ack=8),
    ]
    times = lambda n: n if n < 8 else n + 5 * PATIENCE_NS  # noqa: E731
    result = assemble(frames, times=times)
    assert (only(result).sent(0), only(result).sent(1)) == (b"abcdef", b"wxyzwxyz")
    assert result.anomalies == []


def test_an_acknowledged_hole_that_is_filled_late_in_the_file_is_no_loss() -> None:
    frames = [*lost_frames(), segment(1, 0, b"y", ack=13), segment(0, 3, b"defghij")]
    result = assemble(frames)
    assert only(result).sent(0) == b"abcdefghijklm"
    assert only(result).gaps(0) == []
    assert result.rows[0].lost == (0, 0)


def test_a_hole_at_the_end_of_the_capture() -> None:
    result = assemble(lost_frames())
    parser = only(result)
    assert parser.calls[:3] == [("data", 0, b"abc"), ("gap", 0, 7), ("data", 0, b"klm")]
    assert [call[0] for call in parser.calls[3:]] == ["end", "end"]
    assert result.rows[0].lost == (7, 0)
    assert result.rows[0].payload == (6, 0)


def test_a_request_that_was_not_captured_is_a_gap_before_its_response() -> None:
    frames = [*handshake(), segment(1, 0, RESPONSE, ack=len(REQUEST))]
    parser = only(assemble(frames))
    assert parser.calls[:2] == [("gap", 0, len(REQUEST)), ("data", 1, RESPONSE)]


def test_a_response_captured_before_its_request_waits_for_it() -> None:
    """Trouble 34."""
    frames = [
        *handshake(),
        segment(1, 0, RESPONSE, ack=len(REQUEST)),
        segment(0, 0, REQUEST),
        segment(1, len(RESPONSE), RESPONSE, ack=len(REQUEST)),
    ]
    parser = only(assemble(frames))
    assert parser.calls[:3] == [
        ("data", 0, REQUEST),
        ("data", 1, RESPONSE),
        ("data", 1, RESPONSE),
    ]
    # Frames and times stay those of the capture.
    assert [span.last_frame for span in parser.spans[:3]] == [5, 4, 6]


def test_a_fin_that_was_not_captured_is_not_a_lost_byte() -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(1, 0, b"xyz", ack=4)]
    result = assemble(frames)
    assert only(result).calls[:2] == [("data", 0, b"abc"), ("data", 1, b"xyz")]
    assert result.rows[0].lost == (0, 0)


def test_data_lost_before_a_captured_fin() -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 8, flags="FA"), segment(1, ack=9)]
    result = assemble(frames)
    assert only(result).calls[:3] == [("data", 0, b"abc"), ("gap", 0, 5), ("end", 0, None)]
    assert result.rows[0].lost == (5, 0)


def test_fin_before_its_data() -> None:
    frames = [*handshake(), segment(0, 3, flags="FA"), segment(0, 0, b"abc"), segment(1, 0, ack=4)]
    parser = only(assemble(frames, finish=False))
    assert parser.calls == [("data", 0, b"abc"), ("end", 0, None)]


def test_snaplen_leaves_a_gap_of_known_size() -> None:
    """Trouble 35."""
    whole = segment(0, 0, b"abcdefgh")
    frames: list[bytes | tuple[bytes, int]] = [*handshake(), (whole, len(whole) - 5)]
    result = assemble([*frames, segment(0, 8, b"ijk")])
    parser = only(result)
    assert parser.calls[:3] == [("data", 0, b"abc"), ("gap", 0, 5), ("data", 0, b"ijk")]
    assert result.anomalies == ["capture.snaplen"]
    assert result.rows[0].lost == (5, 0)


def test_one_byte_far_ahead_neither_stalls_nor_invents_a_gap() -> None:
    frames = [*handshake(), segment(0, 1 << 29, b"!")]
    frames += [segment(0, n, b"x") for n in range(100)]
    result = assemble([*frames, segment(1, 0, ack=100)])
    assert only(result).sent(0) == b"x" * 100
    assert only(result).gaps(0) == []
    assert result.anomalies == ["tcp.far_segment"]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_module, "MAX_BYTES", 1000)
    frames = handshake()
    frames += [segment(0, 50 + n * 100, b"z" * 100) for n in range(11)]
    result = assemble(frames, finish=False)
    assert only(result).gaps(0) == [50]
    assert only(result).sent(0) == b"z" * 1100
    (flow,) = result.assembler.flows
    assert all(state.pieces.size <= 1000 for state in flow.states)


def test_what_waits_for_the_peer_is_bounded_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_module, "MAX_BYTES", 1000)
    frames = handshake()
    frames += [segment(1, n * 100, b"z" * 100, ack=500) for n in range(11)]
    result = assemble(frames, finish=False, step_ns=1)
    assert only(result).gaps(0) == [500]
    assert only(result).sent(1) == b"z" * 1100


def test_refused_reset_and_unanswered() -> None:
    refused = assemble([segment(0, flags="S"), segment(1, -1, flags="RA")])
    assert (refused.rows[0].outcome, refused.rows[0].reset_by) == ("refused", 1)
    assert refused.parsers == []

    frames = [*handshake(), segment(0, 0, b"abc"), segment(1, 0, flags="R")]
    reset = assemble(frames)
    assert (reset.rows[0].outcome, reset.rows[0].reset_by) == ("reset", 1)
    assert [call[0] for call in only(reset).calls] == ["data", "end", "end"]

    unanswered = assemble([segment(0, flags="S")] * 3)
    assert (unanswered.rows[0].outcome, unanswered.rows[0].syn_count) == ("timeout", 3)
    assert assemble([segment(0, flags="S")]).rows[0].outcome == "open"


def test_segments_under_way_at_a_reset_are_still_delivered_and_then_all_is_let_go() -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 3, flags="R"), segment(1, 0, b"xy")]
    later = [segment(0, flags="S", ports=(41000, 80))]
    times = lambda n: n if n <= len(frames) else n + 3 * PATIENCE_NS  # noqa: E731
    result = assemble([*frames, *later], times=times, finish=False)
    assert only(result).calls == [
        ("data", 0, b"abc"),
        ("data", 1, b"xy"),
        ("end", 0, None),
        ("end", 1, None),
    ]
    assert result.assembler.flows[0].dead


def test_a_reset_that_the_sender_does_not_stand_by_is_disregarded() -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 3, flags="R"), segment(0, 3, b"def")]
    later = [segment(0, flags="S", ports=(41000, 80)), segment(0, 6, b"ghi")]
    times = lambda n: n if n <= len(frames) else n + 3 * PATIENCE_NS  # noqa: E731
    result = assemble([*frames, *later], times=times)
    assert result.parsers[0].sent(0) == b"abcdefghi"
    assert result.rows[0].outcome == "open"


def test_late_segments_keep_their_stream_number() -> None:
    frames = [
        *handshake(),
        segment(0, 0, flags="FA"),
        segment(1, 0, flags="FA", ack=1),
        segment(0, 0, b"late"),
        segment(1, 1, ack=1),
        segment(0, flags="S", ports=(41000, 80)),
    ]
    result = assemble(frames)
    assert [row.place.connection.stream for row in result.rows] == [0, 1]
    assert result.rows[0].frames == 7


def test_a_port_that_is_used_again_is_a_new_stream() -> None:
    again = (7000, 9000)
    frames = [
        *handshake(),
        segment(0, 0, b"old"),
        *handshake(isn=again),
        segment(0, 0, b"new", isn=again),
    ]
    result = assemble(frames)
    assert [(p.connection.stream, p.sent(0)) for p in result.parsers] == [(0, b"old"), (1, b"new")]
    # The first was ended before the second began.
    assert [call[0] for call in result.parsers[0].calls] == ["data", "end", "end"]


def test_a_parser_that_breaks_is_dropped_and_others_go_on() -> None:
    other = (41000, 80)
    frames = [
        *handshake(),
        *handshake(ports=other),
        segment(0, 0, b"fine"),
        segment(0, 4, b"BAD"),
        segment(0, 7, b"more"),
        segment(0, 0, b"good", ports=other),
    ]
    for order in (frames, [*frames[:6], frames[7], frames[6], *frames[8:]]):
        result = assemble(order, fail_on=b"BAD")
        assert result.anomalies == ["test.bad"]
        assert result.parsers[-1].sent(0) == b"good"
        assert not any(call[0] == "end" for call in result.parsers[0].calls)
        assert result.rows[0].payload == (11, 0)


def test_a_header_of_impossible_length_is_an_anomaly() -> None:
    frame = bytearray(segment(0, 0, b"abc"))
    frame[14 + 20 + 12] = 0x10
    result = assemble([bytes(frame)])
    assert result.anomalies == ["tcp.header"]
    assert len(result.rows) == 1


def test_a_syn_sent_again_after_data_changes_nothing() -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, flags="S"), segment(0, 3, b"def")]
    result = assemble(frames)
    assert only(result).sent(0) == b"abcdef"
    assert result.rows[0].syn_count == 2


def test_bytes_after_a_fin_are_not_of_the_stream() -> None:
    frames = [*handshake(), segment(0, 3, flags="FA"), segment(0, 0, b"abcXYZ")]
    parser = only(assemble(frames))
    assert parser.sent(0) == b"abc"


def test_a_direction_that_ended_before_the_first_byte_is_reported_to_the_parser() -> None:
    frames = [*handshake(), segment(1, 0, flags="FA"), segment(0, 0, b"abc", ack=1)]
    parser = only(assemble(frames, finish=False))
    assert sorted(parser.calls) == [("data", 0, b"abc"), ("end", 1, None)]


def test_segments_in_order_are_handed_on_as_views_of_the_capture() -> None:
    kinds = []

    class Looker(Recorder):
        def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
            kinds.append(type(view))
            return ()

    assembler = Assembler(0, Looker, Looker, lambda message: None)
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 3, b"def"), segment(0, 6, b"ghi")]
    assembler.feed((n, n, 1, frame, 0, len(frame), len(frame)) for n, frame in enumerate(frames))
    assert kinds[1:] == [memoryview, memoryview]


def test_far_ahead_of_a_hole_that_the_peer_has_acknowledged_is_believed() -> None:
    """The peer has got what the capture lacks (RFC 9293 §3.4), however much it is."""
    lost = FAR + 1000
    frames = [
        *handshake(),
        segment(0, 0, b"abc"),
        segment(1, 0, ack=3 + lost // 2),
        segment(0, 3 + lost, b"xyz"),
    ]
    result = assemble(frames)
    parser = only(result)
    assert (parser.sent(0), sum(parser.gaps(0))) == (b"abcxyz", lost)
    assert "tcp.far_segment" not in result.anomalies


def test_an_acknowledged_single_byte_is_waited_for_by_nobody() -> None:
    """It is that of a probe or a FIN (RFC 9293 §3.8.6.1), which may never be captured."""
    result = assemble(
        [*handshake(), segment(0, 0, REQUEST, ack=1), segment(0, len(REQUEST), b"more", ack=1)],
        finish=False,
    )
    assert only(result).sent(0) == REQUEST + b"more"
