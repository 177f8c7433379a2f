"""Times against datetime; the sentences of the brief."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissect.model import Source
from dissect.render import words

from . import charts

S = 1_000_000_000


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_rfc3339_agrees_with_datetime(moment: datetime) -> None:
    seconds = round(
        (moment.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    )
    text = words.rfc3339(seconds * S + moment.microsecond * 1000 + 7)
    assert text == f"{moment:%Y}".zfill(4) + f"-{moment:%m-%dT%H:%M:%S.%f}007Z"


@given(st.integers(-(1 << 66), 1 << 66))
def test_rfc3339_of_any_integer(time_ns: int) -> None:
    assert len(words.rfc3339(time_ns)) == len("2017-02-22T05:19:59.250000000Z")


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0 s"), (350_000, "350 µs"), (40_000_000, "40 ms"), (S, "1 s"),
        (2_540_000_000, "2.5 s"),
        (9_960_000_000, "10 s"), (59 * S, "59 s"), (59_600_000_000, "1 m"), (60 * S, "1 m"),
        (115 * S, "1 m 55 s"), (3600 * S, "1 h"), (7_385 * S, "2 h 3 m"), (352_800 * S, "4 d 2 h"),
        (-5 * S, "-5 s"),
    ],
)  # fmt: skip
def test_duration(length: int, text: str) -> None:
    assert words.duration(length) == text


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (0, "0:00.000"), (7_250_999_999, "0:07.250"), (123 * S, "2:03.000"),
        (3_723_004_000_000, "1:02:03.004"), (-S, "-0:01.000"),
    ],
)  # fmt: skip
def test_clock(offset: int, text: str) -> None:
    assert words.clock(offset) == text


def test_polls() -> None:
    poll = charts.arrow(0, "phone", "azuread", "POST token", 1, count=24, until=115, event="poll")
    assert words.repeats(poll).replace("\u00a0", " ") == "polled 24×, every 5 s over 1 m 55 s"
    twice = replace(poll, count=2, event="")
    assert words.repeats(twice).replace("\u00a0", " ") == "2×, 1 m 55 s apart"
    assert words.repeats(replace(twice, end_ns=None)) == "2×"
    assert words.repeats(replace(poll, count=1)) == ""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Source("a.pcap", 120, 131, 7), "frames 120–131 of a.pcap (tcp.stream 7)"),
        (Source("a.pcap", 5, 5, 0, "udp"), "frame 5 of a.pcap (udp.stream 0)"),
        (Source("phone.log", line=4), "line 4 of phone.log"),
        (Source("a.pcap"), "a.pcap"),
    ],
)
def test_evidence(source: Source, text: str) -> None:
    assert words.evidence(source) == text


def test_evidence_list_is_bounded() -> None:
    text = words.evidence_list([Source("a", n, n) for n in range(1, 10)], 2)
    assert text == "frame 1 of a; frame 2 of a; and 7 more"


def test_capture_keys() -> None:
    keys = words.CaptureKeys(charts.success())
    assert keys.legend() == ["A phone.pcapng", "B browser.pcapng"]
    poll = charts.success().steps[1].arrows[4]
    assert keys.frames(poll) == "A 44…297"
    assert words.CaptureKeys(charts.hidden()).frames(poll) == "44…297"
    many = replace(charts.empty(), captures=tuple(f"{n}.pcap" for n in range(28)))
    assert words.CaptureKeys(many).legend()[25:] == ["Z 25.pcap", "AA 26.pcap", "AB 27.pcap"]


def test_verdict() -> None:
    assert words.verdict(charts.success()) == "complete"
    assert words.verdict(charts.failure()) == "failed at step 4 of 7: Redirect to ADFS"
    hidden = "incomplete, stopped at step 2 of 7: Phone ↔ Device Pairing Service"
    assert words.verdict(charts.hidden()) == hidden


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the code expired", "The code expired"),
        ("step 3 is missing: why", "Step 3 is missing: why"),
        ("aka.ms refused", "aka.ms refused"),
        ("iPhone answers", "iPhone answers"),
        ("ADFS refused", "ADFS refused"),
        ("", ""),
    ],
)
def test_sentence(text: str, shown: str) -> None:
    assert words.sentence(text) == shown
