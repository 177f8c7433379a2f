"""Two captures of the same packets: one message, one arrow, whichever capture has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissect.engines import CaptureInput, Reading, duplicates, embedded
from dissect.model import DnsMessage, Endpoint, HttpRequest, TcpConnection
from dissect.pipeline import RunOptions, Session
from tests.capture.containers import pcap
from tests.transport.lab_packets import CAPTURES, Packets, content, keys, packets, segment

SCENARIO = "web-signin"
PHONE = str(CAPTURES / SCENARIO / "phone.pcapng")


def elsewhere(shift_ns: int = 0) -> Packets:
    """The phone's packets as a capture point behind a router sees them."""
    moved = []
    for ns, frame in packets(SCENARIO, "phone"):
        other = bytearray(frame)
        other[:12] = b"\x02\0\0\0\0\xaa\x02\0\0\0\0\xbb"
        if other[12:14] == b"\x08\x00":
            other[22] -= 1  # the TTL; nobody checks the header's checksum
        moved.append((ns + shift_ns, bytes(other)))
    return moved


def both(tmp_path: Path, other: Packets, with_keys: tuple[bool, bool] = (True, True)) -> Reading:
    path = tmp_path / "elsewhere.pcap"
    path.write_bytes(pcap(other, nano=True))
    logs = [keys(SCENARIO, "phone") if given else () for given in with_keys]
    return embedded.read([CaptureInput(PHONE, logs[0]), CaptureInput(str(path), logs[1])])


def alone() -> Reading:
    return embedded.read([CaptureInput(PHONE, keys(SCENARIO, "phone"))])


@pytest.mark.parametrize("shift", [0, 3_600_000_000_000, -250_000_000])
def test_every_message_is_reported_once_whatever_ttl_mac_and_clock(
    tmp_path: Path, shift: int
) -> None:
    found, expected = both(tmp_path, elsewhere(shift)), alone()
    assert content(found.messages) == content(expected.messages)
    assert content(found.duplicates) == content(expected.messages)
    assert {m.place.connection.capture for m in found.messages} == {0}
    (shared,) = found.shared
    assert (shared.capture, shared.other, shared.ahead_ns) == (1, 0, shift)


def test_the_capture_that_can_be_decrypted_is_reported(tmp_path: Path) -> None:
    found = both(tmp_path, elsewhere(), (False, True))
    assert content(found.messages) == content(alone().messages)
    requests = [m for m in found.messages if isinstance(m, HttpRequest)]
    assert requests
    assert {m.place.connection.capture for m in requests} == {1}


def test_a_capture_that_lost_packets_gives_way_to_the_whole_one(tmp_path: Path) -> None:
    there = elsewhere()
    lossy = [item for n, item in enumerate(there) if n % 9]
    path = tmp_path / "lossy.pcap"
    path.write_bytes(pcap(lossy, nano=True))
    logs = keys(SCENARIO, "phone")
    found = embedded.read([CaptureInput(str(path), logs), CaptureInput(PHONE, logs)])
    tcp = [m for m in found.messages if not isinstance(m, DnsMessage)]
    expected = [m for m in alone().messages if not isinstance(m, DnsMessage)]
    assert content(tcp) == content(expected)
    assert {m.place.connection.capture for m in tcp} == {1}


def test_captures_one_after_the_other_share_no_bytes_and_nothing_is_left_out(
    tmp_path: Path,
) -> None:
    whole = list(packets(SCENARIO, "phone"))
    inputs = []
    for name, part in (("first", whole[:90]), ("second", whole[90:])):
        path = tmp_path / f"{name}.pcap"
        path.write_bytes(pcap(part, nano=True))
        inputs.append(CaptureInput(str(path), keys(SCENARIO, "phone")))
    separate = [message for item in inputs for message in embedded.read([item]).messages]
    found = embedded.read(inputs)
    assert content(found.messages) == content(separate)
    assert found.duplicates == []


def test_a_port_that_is_used_again_is_another_connection(tmp_path: Path) -> None:
    other = []
    for ns, frame in packets(SCENARIO, "phone"):
        part = segment(frame)
        if part is not None:
            far = part.with_data(part.data, part.seq + (1 << 30))
            ack = (int.from_bytes(far[42:46]) + (1 << 30)) & 0xFFFFFFFF
            frame = far[:42] + ack.to_bytes(4) + far[46:]
        other.append((ns + 10**12, frame))
    found = both(tmp_path, other)
    rows = [m for m in found.messages if isinstance(m, TcpConnection)]
    assert {m.place.connection.capture for m in rows} == {0, 1}


def test_the_chart_has_one_arrow_a_message_with_its_own_capture_and_frame(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.pcap"
    path.write_bytes(pcap(elsewhere(1_000), nano=True))
    browser = str(CAPTURES / SCENARIO / "browser.pcapng")
    (expected,) = Session(RunOptions((PHONE, browser))).charts
    (found,) = Session(RunOptions((PHONE, str(path), browser))).charts
    assert found == expected
    # The other way round each arrow of the phone is that of the other file, no keys needed there.
    logs = (f"{path}:{keys(SCENARIO, 'phone')[0]}",)
    (turned,) = Session(RunOptions((str(path), PHONE, browser), key_logs=logs)).charts
    assert [(step.status, [arrow.label for arrow in step.arrows]) for step in turned.steps] == [
        (step.status, [arrow.label for arrow in step.arrows]) for step in expected.steps
    ]
    assert {arrow.source.capture for step in turned.steps for arrow in step.arrows} == {
        str(path),
        browser,
    }


# ------------------------------------------------------------------ what makes a duplicate


A, B = Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 443)


def known(
    capture: int, first: tuple[int | None, int, int], second: tuple[int | None, int, int] | None
) -> duplicates.Fingerprint:
    sides = {A: duplicates.SequenceRange(*first)}
    if second is not None:
        sides[B] = duplicates.SequenceRange(*second)
    return duplicates.Fingerprint((capture, "tcp", 0), frozenset((A, B)), 0, sides)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (((7, 8, 100), (9, 10, 100)), ((7, 8, 100), (9, 10, 50)), True),
        (((7, 8, 100), (9, 10, 100)), ((7, 8, 0), None), True),
        (((7, 8, 100), (9, 10, 100)), ((8, 9, 100), (9, 10, 100)), False),
        (((7, 8, 100), (9, 10, 100)), ((None, 50, 100), (None, 60, 5)), True),
        (((7, 8, 100), None), ((None, 108, 100), None), False),  # goes on where that ended
        (((7, 8, 100), None), ((None, 107, 100), None), True),
        (((None, 0xFFFFFFF0, 100), None), ((None, 10, 100), None), True),  # over the wrap
        (((None, 8, 0), None), ((None, 8, 0), None), False),  # no byte, no proof
    ],
)
def test_twins(first: tuple, second: tuple, same: bool) -> None:  # type: ignore[type-arg]
    one, other = known(0, *first), known(1, *second)
    assert duplicates.same(one, other) is same
    assert duplicates.same(other, one) is same
