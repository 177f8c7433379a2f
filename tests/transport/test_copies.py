"""What a capture holds twice, what was sent twice, and what the capture has swapped."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.l2 import Dot1Q, Ether

from dissect.model import Anomaly
from dissect.transport import streams, trail
from dissect.transport.ordering import PATIENCE_FRAMES

from .segments import MS, Recorder, Result, assemble, handshake, segment

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def only(result: Result) -> Recorder:
    (parser,) = result.parsers
    return parser


def tagged(frame: bytes) -> bytes:
    """As a mirror port that keeps the VLAN tag copies it, and a router that counts down."""
    packet = Ether(frame)
    inner = packet.payload
    inner.ttl -= 1
    del inner.chksum
    return bytes(Ether(src="02:00:00:00:00:09", dst=packet.dst) / Dot1Q(vlan=7) / inner)


def sentence(result: Result, kind: str) -> str:
    (found,) = [i for i in result.messages if isinstance(i, Anomaly) and i.kind == kind]
    return found.sentence


# ------------------------------------------------------------------ TCP


def dialogue() -> list[bytes]:
    return [
        *handshake(),
        segment(0, 0, REQUEST),
        segment(1, 0, RESPONSE, ack=len(REQUEST)),
        segment(0, len(REQUEST), b"POST", ack=len(RESPONSE)),
    ]


@pytest.mark.parametrize("adjacent", [True, False], ids=["one by one", "all again"])
def test_frames_with_and_without_a_tag_are_one_stream_and_counted_as_copies(
    adjacent: bool,
) -> None:
    frames = dialogue()
    copies = [tagged(frame) for frame in frames]
    doubled = [f for pair in zip(frames, copies, strict=True) for f in pair]
    result = assemble(doubled if adjacent else frames + copies)
    assert only(result).calls == only(assemble(frames)).calls
    totals = result.assembler.totals
    assert (totals.copies, totals.resent, totals.late) == (3, 0, 0)
    assert result.assembler.copies == 3
    assert result.anomalies == []


def test_a_segment_sent_again_is_no_copy() -> None:
    again = segment(0, 0, REQUEST)
    late = lambda n: n * MS + (n > 6) * 200 * MS  # noqa: E731
    result = assemble([*dialogue(), again], times=late)
    assert (result.assembler.totals.copies, result.assembler.totals.resent) == (0, 1)
    # So soon, but its acknowledgment is a newer one: the sender made it.
    result = assemble([*dialogue(), segment(0, 0, REQUEST, ack=3)])
    assert (result.assembler.totals.copies, result.assembler.totals.resent) == (0, 1)


def test_swapped_neighbours_are_late_and_a_hole_filled_after_a_while_was_sent_again() -> None:
    frames = [*handshake(), segment(0, 3, b"def"), segment(0, 0, b"abc")]
    assert assemble(frames).assembler.totals.late == 1
    totals = assemble(frames, step_ns=300 * MS).assembler.totals
    assert (totals.late, totals.resent) == (0, 1)


@pytest.mark.parametrize("old", [b"abcXef", b"abcXefghi", b"bcX"])
def test_delivered_bytes_that_are_sent_again_with_other_values(old: bytes) -> None:
    offset = 1 if old.startswith(b"b") else 0
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 3, b"def"), segment(0, offset, old)]
    result = assemble(frames)
    assert only(result).sent(0) == b"abcdef" + old[6:]
    assert result.anomalies == ["tcp.overlap"]
    assert "first are used" in sentence(result, "tcp.overlap")


def test_overlap_with_bytes_that_had_waited() -> None:
    frames = [*handshake(), segment(0, 3, b"def"), segment(0, 0, b"abc"), segment(0, 2, b"cdXf")]
    assert assemble(frames).anomalies == ["tcp.overlap"]


def test_the_byte_of_a_keep_alive_is_no_overlap() -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), segment(0, 2, b"\0")]
    result = assemble(frames)
    assert result.anomalies == []
    assert result.assembler.totals.resent == 0


def test_windows_are_kept_up_to_a_bound_and_what_was_in_them_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = [*handshake(), segment(0, 0, b"abc"), *[segment(0, 3, b"d")] * 3, segment(0, 0, b"X")]
    assert assemble(frames).anomalies == ["tcp.overlap"]
    monkeypatch.setattr(trail, "KEPT_BYTES", 100)
    result = assemble(frames)  # each frame is a buffer of its own there
    assert result.anomalies == []
    assert only(result).sent(0) == b"abcd"


def test_a_trail_is_bounded() -> None:
    frames = [*handshake(), *[segment(0, n, b"x") for n in range(100)]]
    for order in (frames, [tagged(frame) for frame in frames]):
        result = assemble(order, finish=False)
        assert len(result.assembler.flows[0].states[0].trail) <= trail.LENGTH


# ------------------------------------------------------------------ order


def test_a_response_before_its_request_where_no_syn_was_captured() -> None:
    """Trouble 34."""
    frames = [
        segment(1, 0, RESPONSE, ack=len(REQUEST)),
        segment(0, 0, REQUEST),
        segment(1, len(RESPONSE), RESPONSE, ack=len(REQUEST)),
    ]
    result = assemble(frames)
    assert only(result).calls[:3] == [
        ("data", 0, REQUEST),
        ("data", 1, RESPONSE),
        ("data", 1, RESPONSE),
    ]
    # Frames and times stay those of the capture, and the correction is reported.
    assert [span.last_frame for span in only(result).spans[:3]] == [2, 1, 3]
    assert [span.first_ns for span in only(result).spans[:3]] == [2 * MS, MS, 3 * MS]
    assert [span.after_ns for span in only(result).spans[:3]] == [0, 2 * MS, 0]
    assert sentence(result, "tcp.order") == (
        "frame 2 was captured after frame 1, which acknowledges it: order corrected by ack, "
        "times are as captured"
    )


def test_a_request_that_comes_while_others_wait_frees_them_at_once() -> None:
    first = [*handshake(), segment(0, 0, REQUEST), segment(1, 0, RESPONSE, ack=len(REQUEST))]
    swapped = [
        segment(1, len(RESPONSE), RESPONSE, ack=2 * len(REQUEST)),
        segment(0, len(REQUEST), REQUEST, ack=len(RESPONSE)),
    ]
    result = assemble([*first, *swapped], finish=False)
    assert [call[1] for call in only(result).calls] == [0, 1, 0, 1]
    assert result.anomalies == ["tcp.order"]


def test_joined_in_the_middle_the_first_bytes_wait_only_until_the_peer_is_seen() -> None:
    pushed = segment(1, 0, RESPONSE, ack=5)
    result = assemble([pushed, segment(0, 5, ack=len(RESPONSE))], finish=False)
    assert only(result).calls == [("data", 1, RESPONSE)]
    assert result.anomalies == []


def test_joined_in_the_middle_of_one_direction_only() -> None:
    frames = [segment(1, n, b"x", ack=500) for n in range(PATIENCE_FRAMES + 1)]
    result = assemble(frames, step_ns=1, finish=False)
    assert only(result).sent(1) == b"x" * len(frames)
    few = assemble(frames[:3])
    assert only(few).sent(1) == b"xxx"
    assert only(few).gaps(0) == []


def test_an_acknowledgment_older_than_the_response_shows_that_the_request_is_to_come() -> None:
    frames = [
        segment(1, 0, RESPONSE, ack=len(REQUEST)),
        segment(0, 0),
        segment(0, 0, REQUEST),
    ]
    assert [call[1] for call in only(assemble(frames)).calls[:2]] == [0, 1]


def test_what_comes_in_order_is_not_said_to_be_corrected() -> None:
    frames = [*dialogue(), segment(1, len(RESPONSE), b"x", ack=len(REQUEST) + 4)]
    assert assemble(frames).anomalies == []
    # Out of order in one direction, with data of the other between: both orders are possible.
    frames = [*handshake(), segment(1, 3, b"def"), segment(0, 0, b"hello"), segment(1, 0, b"abc")]
    assert assemble(frames).anomalies == []


# ------------------------------------------------------------------ UDP and fragments


def datagram(text: bytes, ident: int = 1) -> bytes:
    ip = IP(src="10.0.0.1", dst="10.0.0.2", id=ident, ttl=64)
    return bytes(Ether(dst="02:00:00:00:00:02") / ip / UDP(sport=5060, dport=5060) / text)


def test_copies_of_datagrams_are_left_out_and_datagrams_sent_again_are_not() -> None:
    frames = [datagram(b"INVITE"), tagged(datagram(b"INVITE")), datagram(b"ACK")]
    result = assemble(frames)
    assert [data for _, _, data in only(result).calls[:-2]] == [b"INVITE", b"ACK"]
    assert result.assembler.copies == 1
    again = assemble(frames[:2], step_ns=500 * MS)  # T1 of RFC 3261
    assert [data for _, _, data in only(again).calls[:-2]] == [b"INVITE", b"INVITE"]
    assert again.assembler.copies == 0


def test_an_answer_that_equals_its_question_is_no_copy() -> None:
    back = bytes(Ether() / IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=5060, dport=5060) / b"x")
    assert len(only(assemble([datagram(b"x"), back])).calls) == 4


def test_fragments_captured_twice_are_one_datagram() -> None:
    whole = IP(src="10.0.0.1", dst="10.0.0.2", id=9) / UDP(sport=4, dport=5) / bytes(3000)
    parts = [bytes(part) for part in fragment(whole, 1000)]
    for order in ([f for part in parts for f in (part, part)], parts + parts):
        result = assemble(order, link=101)
        assert [verb for verb, _, _ in only(result).calls] == ["data", "end", "end"]
        assert result.assembler.skipped == {}


def test_an_identification_that_is_used_again_later_begins_anew() -> None:
    whole = IP(src="10.0.0.1", dst="10.0.0.2", id=9) / UDP(sport=4, dport=5) / bytes(1500)
    first, second = (bytes(part) for part in fragment(whole, 1000))
    result = assemble([first, first, second], link=101, times=lambda n: n * 120_000 * MS)
    assert result.parsers == []
    assert result.assembler.skipped == {"IP fragment without its rest": 3}


# ------------------------------------------------------------------ bounds


def test_remembered_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_FLOWS", 4)
    scan = [segment(0, flags="S", ports=(40000 + n, 80)) for n in range(20)]
    talk = [segment(0, n, b"x", ports=(50000, 80)) for n in range(20)]
    frames = [segment(0, flags="S", ports=(50000, 80))]
    frames += [frame for pair in zip(scan, talk, strict=True) for frame in pair]
    result = assemble(frames)
    assert len(result.assembler.flows) == 4
    assert len(result.assembler._streams.states) == 8
    assert result.anomalies == ["capture.too_many_streams"]
    # Each is reported once, and the one that went on talking was kept.
    assert sorted(row.place.connection.stream for row in result.rows) == list(range(21))
    assert only(result).sent(0) == b"x" * 20
    assert result.assembler.stream_counts == (21, 0)
    assert result.assembler.totals.payload == 20


def test_open_parsers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_PARSERS", 2)
    frames = []
    for port in (40000, 40001, 40002):
        frames += [*handshake(ports=(port, 80)), segment(0, 0, b"x", ports=(port, 80))]
    result = assemble(frames, finish=False)
    assert [parser.calls[-1][0] for parser in result.parsers] == ["end", "data", "data"]
    assert result.anomalies == ["capture.too_many_streams"]


def test_remembered_pairs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_PAIRS", 3)
    frames = [
        bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=port, dport=53) / b"q")
        for port in (1001, 1002, 1001, 1003, 1001, 1004, 1001, 1005, 1001)
    ]
    result = assemble(frames)
    assert len(result.assembler.pairs) == 3
    assert len(result.assembler._streams._ends) == 6
    assert result.assembler.stream_counts == (0, 5)
    assert result.anomalies == ["capture.too_many_streams"]


def test_the_size_at_which_packets_were_cut_is_reported_once() -> None:
    """Trouble 35."""
    long = segment(0, 0, b"abcdefgh")
    frames: list[bytes | tuple[bytes, int]] = [*handshake(), (long, 60)]
    frames += [(segment(0, 8, b"ijklmnop"), 60)]
    result = assemble(frames)
    assert result.anomalies.count("capture.snaplen") == 1
    assert sentence(result, "capture.snaplen").startswith(
        f"cut at 60 bytes a packet (frame 4 had {len(long)})"
    )
    assert result.assembler.cut == 2


def test_frames_whose_time_runs_backwards_are_counted() -> None:
    times = {1: 10, 2: 20, 3: 15, 4: 16, 5: 30}
    result = assemble(
        [*handshake(), segment(0, 0, b"a"), segment(0, 1, b"b")], times=times.__getitem__
    )
    assert result.assembler.backwards == 2
