"""Filters and commands: what tshark shows with them."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from dissect.model import Source
from dissect.render.wireshark import MAX_RANGES, display_filter, tshark_command
from tests.lab import need_tshark, scenario, tshark_fields

PHONE = "phone.pcapng"


@pytest.mark.parametrize(
    ("sources", "shown"),
    [
        ([], ""),
        ([Source(PHONE, line=3)], ""),
        ([Source(PHONE, 12, 12, 3)], "tcp.stream == 3 && frame.number == 12"),
        ([Source(PHONE, 12, 15, 3)], "tcp.stream == 3 && frame.number in {12..15}"),
        ([Source(PHONE, 5, 5, 1, "udp")], "udp.stream == 1 && frame.number == 5"),
        (
            [Source(PHONE, 20, 21, 3), Source(PHONE, 12, 15, 3), Source(PHONE, 16, 16, 3)],
            "tcp.stream == 3 && frame.number in {12..16, 20..21}",
        ),
        (
            [Source(PHONE, 12, 12, 3), Source(PHONE, 14, 14, 4)],
            "(tcp.stream == 3 && frame.number == 12) || (tcp.stream == 4 && frame.number == 14)",
        ),
    ],
)
def test_filters(sources: list[Source], shown: str) -> None:
    assert display_filter(sources) == shown


def test_many_ranges_become_one() -> None:
    found = display_filter([Source(PHONE, n, n, 0) for n in range(1, 1000, 3)])
    assert len(found) < 60
    assert (
        display_filter([Source(PHONE, n, n, 0) for n in range(1, MAX_RANGES * 3, 3)]).count(",")
        > 30
    )


@pytest.mark.parametrize(
    "sources",
    [
        [Source("", 36, 40, 1)],
        [Source("", 18, 18, 0), Source("", 35, 36, 1), Source("", 72, 95, 2)],
        [Source("", 4, 12, 0), Source("", 3, 5, 0, "udp")],
    ],
)
def test_tshark_shows_these_frames_and_no_others(sources: list[Source]) -> None:
    item = scenario("web-signin")
    stream = {"tcp": "tcp.stream", "udp": "udp.stream"}
    frames = tshark_fields(item.phone, ("frame.number", "tcp.stream", "udp.stream"))
    wanted = [
        int(frame["frame.number"][0])
        for frame in frames
        if any(
            s.first_frame <= int(frame["frame.number"][0]) <= s.last_frame  # type: ignore[operator]
            and frame[stream[s.transport]] == [str(s.stream)]
            for s in sources
        )
    ]
    shown = tshark_fields(item.phone, ("frame.number",), display_filter(sources))
    assert wanted
    assert [int(frame["frame.number"][0]) for frame in shown] == wanted


def test_the_command_runs_in_a_shell() -> None:
    need_tshark()
    item = scenario("web-signin")
    keys = item.phone.replace(".pcapng", ".keys")
    filter_ = display_filter([Source("", 35, 36, 1)])
    command = tshark_command(item.phone, [keys], filter_)
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\nFrame ") + result.stdout.startswith("Frame ") >= 1


@pytest.mark.parametrize(
    "name", ["a b.pcap", "$(id).pcap", "`id`", "a'b", 'a"b', "a;id", "a\nid", "\x1b[0m", "&&"]
)
def test_names_of_files_run_nothing(name: str) -> None:
    words = shlex.split(tshark_command(name, [name], "frame.number == 1"))
    assert len(words) == 10
    assert words[2] == "".join(c if c.isprintable() else "?" for c in name)
