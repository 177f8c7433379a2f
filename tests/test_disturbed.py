"""Captures shuffled, merged and cut: the verdict is kept, or says less, never something else."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from dissect.capture import open_capture
from tests.capture.containers import pcap
from tests.certainty import ByFlow, by_flow, judged, session, wrong
from tests.lab import ALL, CAPTURES

Frame = tuple[int, bytes]  # time in ns, bytes
QUICK = ("wrong-code-once",)
RENAMED = "web-signin-renamed"


def marked(names: Iterable[str]) -> list[object]:
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in names]


NAMES = marked(ALL)


def turn(number: int, of: int = 3) -> pytest.MarkDecorator:
    """`long` for one of three (or of `of`), `deep` for the others."""
    return pytest.mark.deep if number % of else pytest.mark.long


def captures(name: str) -> list[Path]:
    return sorted((CAPTURES / name).glob("*.pcapng"))


def keys(name: str) -> list[str]:
    return sorted(map(str, (CAPTURES / name).glob("*.keys")))


def frames(path: Path) -> list[Frame]:
    with open_capture(str(path), 0) as capture:
        return [
            (ns, bytes(buffer[start : start + caplen]))
            for _, ns, _, buffer, start, caplen, _ in capture.packets()
        ]


def written(path: Path, content: Iterable[Frame]) -> str:
    path.write_bytes(pcap(list(content), nano=True))
    return str(path)


@cache
def whole(name: str) -> ByFlow:
    return by_flow(map(str, captures(name)), keys(name))


@pytest.mark.parametrize("name", NAMES)
def test_shuffled(name: str, tmp_path: Path) -> None:
    """Files in any order; both captures in one file; its packets in any order, near and far."""
    expected = whole(name)
    known = keys(name)
    files = captures(name)
    assert wrong(by_flow(map(str, reversed(files)), known), expected) == []
    assert wrong(expected, by_flow(map(str, reversed(files)), known)) == []

    together = sorted(frame for path in files for frame in frames(path))
    one = by_flow([written(tmp_path / "one.pcap", together)], known)
    assert wrong(one, expected) == []
    assert wrong(expected, one) == [], "merging loses nothing"

    dice = random.Random(name)
    near = sorted(together, key=lambda frame: frame[0] + dice.randrange(1_000_000))
    assert wrong(by_flow([written(tmp_path / "near.pcap", near)], known), expected, torn=True) == []
    far = dice.sample(together, len(together))
    assert wrong(by_flow([written(tmp_path / "far.pcap", far)], known), expected, torn=True) == []


OTHERS = [name for name in ALL if name != RENAMED]
AHEAD_S = (0, 3, 600)


# Each recording with one of the distances by turns; `make disturbed` takes them all.
@pytest.mark.parametrize(
    ("name", "ahead_s"),
    [
        pytest.param(name, ahead_s, marks=() if name in QUICK else turn(at + more))
        for at, name in enumerate(OTHERS)
        for more, ahead_s in enumerate(AHEAD_S)
    ],
)
def test_merged_with_somebody_elses_sign_in(name: str, ahead_s: int, tmp_path: Path) -> None:
    """Another tenant's user, phone and browser in the same file, at the same time or later."""
    parts = [[frame for path in captures(n) for frame in frames(path)] for n in (name, RENAMED)]
    starts = [min(part, default=(0, b""))[0] for part in parts]
    moved = [(ns - starts[1] + starts[0] + ahead_s * 10**9, data) for ns, data in parts[1]]
    merged = written(tmp_path / "merged.pcap", sorted([*parts[0], *moved]))
    found = by_flow([merged], [*keys(name), *keys(RENAMED)])
    own, other = whole(name), whole(RENAMED)
    both = ByFlow({flow: [*own.charts[flow], *other.charts[flow]] for flow in own.charts})
    assert wrong(found, both) == []
    assert [len(charts) for charts in found.charts.values()] == [
        len(charts) for charts in both.charts.values()
    ]


@pytest.mark.parametrize(
    ("name", "thirds"),
    [
        pytest.param(name, third, marks=() if name in QUICK else turn(at + third))
        for at, name in enumerate(ALL)
        for third in range(3)
    ],
)
def test_cut_at_any_byte(name: str, thirds: int, tmp_path: Path) -> None:
    """A third of the cut points: each recording has one third, `make disturbed` runs all."""
    files = captures(name)
    run = session(map(str, files), keys(name))
    expected = judged(run, run.events)
    for cut in files:
        content = cut.read_bytes()
        for tenth in range(1 + thirds, 10, 3):
            path = tmp_path / cut.name
            path.write_bytes(content[: len(content) * tenth // 10 + tenth])
            some = [str(path if item == cut else item) for item in files]
            there = len(frames(path))
            so_far = [
                event
                for event in run.events
                if event.source.capture != str(cut) or (event.source.last_frame or 0) <= there
            ]
            found = by_flow(some, keys(name))
            assert wrong(found, expected, judged(run, so_far)) == [], (cut.name, tenth)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        pytest.param(name, end, marks=() if name in QUICK else turn(at + more, 2))
        for at, name in enumerate(ALL)
        for more, end in enumerate(("begun late", "ended early"))
    ],
)
def test_begun_late_or_ended_early(name: str, end: str, tmp_path: Path) -> None:
    """At the start of each step of each flow, both captures at the same moment."""
    files = captures(name)
    run = session(map(str, files), keys(name))
    expected = judged(run, run.events)
    content = {path: frames(path) for path in files}
    moments = {
        step.arrows[0].time_ns
        for charts in expected.charts.values()
        for chart in charts
        for step in chart.steps
        if step.arrows
    }
    for moment in sorted(moments):
        some = []
        for path in files:
            kept = [f for f in content[path] if (f[0] >= moment) == (end == "begun late")]
            some.append(written(tmp_path / f"{path.stem}.pcap", kept))
        so_far = None
        if end == "ended early":
            so_far = judged(run, [event for event in run.events if event.time_ns < moment])
        assert wrong(by_flow(some, keys(name)), expected, so_far) == [], (moment, end)
