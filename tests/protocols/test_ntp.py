"""NTP: RFC 5905's arithmetic, SNTP clients that hide their time, and tshark's timestamps."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import Direction, Endpoint, NtpMessage, Span
from dissect.protocols.ntp import MAX_ASKED, NtpParser, timestamp_ns
from dissect.protocols.sniff_udp import open_udp

from . import oracle
from .drive import UDP, C, S, kinds, layer
from .test_tshark import read

NTP = replace(UDP, client=Endpoint("10.0.0.9", 40000), server=Endpoint("192.0.2.123", 123))
SECOND = 1_000_000_000
EPOCH = 2_208_988_800
NOW = 1_764_000_000  # seconds since 1970


def stamp(seconds: float) -> bytes:
    return round((seconds + EPOCH) * 2**32).to_bytes(9, "big")[-8:]


def asked(client: float, head: bytes = b"\x23\x00\x06\xec") -> bytes:
    return head + bytes(36) + stamp(client)


def answered(
    request: bytes, received: float, sent: float, head: bytes = b"\x24\x02\x06\xe9"
) -> bytes:
    return head + bytes(20) + request[40:48] + stamp(received) + stamp(sent)


def play(
    *datagrams: tuple[Direction, bytes, float], parser: NtpParser | None = None
) -> list[NtpMessage]:
    """Each datagram with the capture's time in seconds."""
    parser = parser or NtpParser(layer(connection=NTP))
    found = []
    for frame, (direction, data, seconds) in enumerate(datagrams, 1):
        ns = round(seconds * SECOND)
        found += parser.data(direction, data, Span(frame, ns, frame, ns))
    return [item for item in found if isinstance(item, NtpMessage)]


@pytest.mark.parametrize("wrong_by", [0.0, 400.0, -3600.0, -NOW + 30.0])
@pytest.mark.parametrize("capture_wrong_by", [0.0, 86_400.0])
def test_how_far_the_clients_clock_is_off(wrong_by: float, capture_wrong_by: float) -> None:
    """20 ms there, 1 ms in the server, 20 ms back: what the capture's own clock says is all one."""
    request = asked(NOW + wrong_by)
    reply = answered(request, NOW + 0.020, NOW + 0.021)
    _, found = play(
        (C, request, NOW + capture_wrong_by), (S, reply, NOW + 0.041 + capture_wrong_by)
    )
    assert found.client_ahead_ns is not None
    assert found.delay_ns is not None
    assert abs(found.client_ahead_ns - wrong_by * SECOND) < 1_000_000
    assert abs(found.delay_ns - 40_000_000) < 1_000_000
    assert (found.mode, found.stratum, found.version) == ("server", 2, 4)


def test_clients_that_hide_their_time_tell_nothing() -> None:
    """draft-ietf-ntp-data-minimization: a random transmit timestamp is no clock."""
    request = asked(NOW - 9_000_000, b"\x23\x00\x00\x20")
    _, found = play((C, request, NOW), (S, answered(request, NOW, NOW), NOW + 0.04))
    assert found.client_ahead_ns is None
    assert found.delay_ns is not None


def test_an_answer_to_something_else_is_not_measured() -> None:
    _, found = play((C, asked(NOW), NOW), (S, answered(asked(NOW + 1), NOW, NOW), NOW))
    assert found.client_ahead_ns is None


def test_kiss_of_death_and_a_server_without_time() -> None:
    """RFC 5905 §7.4; leap indicator 3 (§7.3)."""
    request = asked(NOW)
    kiss = bytearray(answered(request, NOW, NOW, b"\xe4\x00\x06\xe9"))
    kiss[12:16] = b"RATE"
    _, found = play((C, request, NOW), (S, bytes(kiss), NOW))
    assert (found.kiss, found.client_ahead_ns, found.unsynchronized) == ("RATE", None, True)
    request = asked(NOW - 999)
    _, found = play((C, request, NOW), (S, answered(request, NOW, NOW, b"\xe4\x02\x06\xe9"), NOW))
    assert (found.kiss, found.client_ahead_ns) == (None, None)


def test_timestamps_and_eras() -> None:
    """RFC 5905 figure 4: 1 January 1970 is 2,208,988,800; era 1 begins on 8 February 2036."""
    assert timestamp_ns(bytes(8)) is None
    assert timestamp_ns((2_208_988_800).to_bytes(4, "big") + b"\x80\0\0\0") == SECOND // 2
    era = datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC).timestamp()
    assert timestamp_ns(b"\0\0\0\0\0\0\0\1") == era * SECOND


def test_other_datagrams_and_other_modes() -> None:
    parser = open_udp(layer(connection=NTP))
    where = Span(1, 1, 1, 1)
    assert kinds(list(parser.data(C, b"x", where))) == ["ntp.malformed"]
    assert kinds(list(parser.data(C, bytes(48), where))) == ["ntp.malformed"]
    assert not list(parser.data(C, b"\x16\x02" + bytes(10), where))  # ntpq's control mode


def test_requests_that_wait_are_bounded() -> None:
    parser = NtpParser(layer(connection=NTP))
    play(*((C, asked(NOW + n), NOW) for n in range(5 * MAX_ASKED)), parser=parser)
    assert len(parser._asked) <= MAX_ASKED


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([C, S]), st.binary(max_size=70), st.just(1.0)), max_size=5)
)
def test_any_bytes_raise_nothing(datagrams: list[tuple[Direction, bytes, float]]) -> None:
    play(*datagrams)


@pytest.mark.skipif(oracle.TSHARK is None, reason="tshark is not installed")
def test_equal_to_tshark(shared_captures: Path) -> None:
    path = shared_captures / "containers/pcapplusplus-many_interfaces.pcapng"
    command = [str(oracle.TSHARK), "-n", "-r", str(path), "-Y", "ntp", "-T", "fields"]
    for field in ("frame.number", "ntp.stratum", "ntp.xmt", "ntp.rec", "ntp.flags.mode"):
        command += ["-e", field]
    text = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    ).stdout.decode()
    expected = [line.split("\t") for line in text.splitlines()]
    ours = [item for item in read(path) if isinstance(item, NtpMessage)]
    assert [row[:2] for row in expected] == [
        [str(item.place.span.last_frame), str(item.stratum)] for item in ours
    ]
    modes = {"3": "client", "4": "server"}
    assert [modes[row[4]] for row in expected] == [item.mode for item in ours]
    for row, item in zip(expected, ours, strict=True):
        for text, value in ((row[2], item.transmit_ns), (row[3], item.receive_ns)):
            if value is not None:
                # tshark 4.0: "Mar 23, 2021 10:33:45.123456789 UTC"
                moment = datetime.strptime(text[:-14], "%b %d, %Y %H:%M:%S").replace(tzinfo=UTC)
                assert value // SECOND == moment.timestamp()
                assert abs(value % SECOND - int(text[-13:-4])) <= 1
