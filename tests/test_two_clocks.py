"""Two captures, two clocks: lab captures moved by editcap; what the actors wrote is the truth."""

from __future__ import annotations

import shutil
import socket
import subprocess
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from dissect.model import HttpRequest, Message
from dissect.pipeline import Session
from tests.certainty import judged, session, wrong
from tests.lab import ALL, CAPTURES, scenario
from tests.test_disturbed import frames, turn, written

EDITCAP = shutil.which("editcap")
pytestmark = pytest.mark.skipif(EDITCAP is None, reason="editcap is not installed")
QUICK = {("web-signin-tls13", 1, -3600.0), ("wrong-code-once", 0, 0.5)}
# Nothing ties the captures of the first two; the cause of the third is the capture's own time.
APART = {"no-keys", "late-start", "clock-skew"}
MOVED_S = (-3600.0, 0.5, 41.25, 86400.0)
# Of each recording's eight moves every other one by turns; `make disturbed` takes them all.
CASES = [
    pytest.param(
        name, part, seconds, marks=[] if (name, part, seconds) in QUICK else turn(at + at // 4, 2)
    )
    for at, (name, part, seconds) in enumerate(product(ALL, (0, 1), MOVED_S))
    if name not in APART and len(list((CAPTURES / name).glob("*.pcapng"))) == 2
]


def moved(path: Path, seconds: float, folder: Path) -> Path:
    target = folder / path.name
    assert EDITCAP is not None
    subprocess.run([EDITCAP, "-t", str(seconds), str(path), str(target)], check=True)
    return target


def read(name: str, part: int, seconds: float, folder: Path, **options: Any) -> Session:
    files = sorted((CAPTURES / name).glob("*.pcapng"))
    keys = [path.with_suffix(".keys") for path in files]
    files[part] = moved(files[part], seconds, folder)
    pairs = zip(files, keys, strict=True)
    bound = [f"{path}:{key}" for path, key in pairs if key.exists()]
    return session(map(str, files), bound, **options)


def whole(name: str) -> Session:
    files = sorted((CAPTURES / name).glob("*.pcapng"))
    return session(map(str, files), map(str, sorted((CAPTURES / name).glob("*.keys"))))


@pytest.mark.parametrize(("name", "part", "seconds"), CASES)
def test_the_offset_is_found_and_the_verdict_stays(
    name: str, part: int, seconds: float, tmp_path: Path
) -> None:
    run, reference = read(name, part, seconds, tmp_path), whole(name)
    found, expected = judged(run, run.events), judged(reference, reference.events)
    assert wrong(found, expected) == []
    (offset,) = run.clocks
    if offset.other is None:
        return  # no server talked to both: what is reported is less then, as checked above
    assert wrong(expected, found) == [], "the offset is known, so nothing is lost"
    true = seconds * (1 if offset.capture == part else -1) * 1e9
    assert offset.error_ns is not None
    assert abs(offset.ahead_ns - true) <= offset.error_ns < 3e9
    assert (offset.move_ns == 0) == (abs(offset.ahead_ns) <= offset.error_ns)


def test_times_on_the_common_clock_are_those_of_the_actors(tmp_path: Path) -> None:
    """The browser's requests, moved by an hour and put back, against the browser's notes."""
    item = scenario("web-signin-tls13")
    run = read(item.name, 0, 3600.0, tmp_path)
    (offset,) = run.clocks
    assert offset.error_ns is not None
    reported = {
        (m["method"], m["host"], m["path"]): datetime.fromisoformat(m["time"][:26] + "+00:00")
        for m in item.truth["messages"]
        if m["actor"] == "browser" and m["kind"] == "http" and m["direction"] == "sent"
    }
    compared = 0
    for message in run.messages:
        key = _key(message)
        if key in reported and message.place.connection.capture == 0:
            apart = abs(message.place.span.first_ns / 1e9 - reported[key].timestamp())
            assert apart <= offset.error_ns / 1e9 + 0.1 or _repeated(item.truth, key)
            compared += 1
    assert compared >= 5
    assert any("browser.pcapng" in line and "±" in line for line in run.diagnostics)


def _key(message: Message) -> tuple[str, str | None, str] | None:
    if not isinstance(message, HttpRequest):
        return None
    return message.method, message.host, message.target.decode("latin-1")


def _repeated(truth: dict[str, list[dict[str, object]]], key: tuple[str, str | None, str]) -> bool:
    same = [
        m
        for m in truth["messages"]
        if m["direction"] == "sent"
        and m["actor"] == "browser"
        and (m.get("method"), m.get("host"), m.get("path")) == key
    ]
    return len(same) > 1


def test_clock_overrules(tmp_path: Path) -> None:
    item = scenario("web-signin-tls13")
    browser = str(tmp_path / "browser.pcapng")
    run = read(item.name, 0, 3600.0, tmp_path, clocks={browser: -3600 * 10**9})
    judged(run, run.events)
    (offset,) = run.clocks
    assert (offset.capture, offset.set_ns, offset.move_ns) == (0, -3600 * 10**9, 0)
    (line,) = run.diagnostics
    assert "-3600.0 s is added to its times (--clock); its clock and that of" in line
    assert "agree" in line


@pytest.mark.parametrize("part", [0, 1])
def test_clock_moves_the_capture_that_it_names_and_no_other(part: int, tmp_path: Path) -> None:
    """The recording's clocks are right, so what the user adds is what one is then ahead."""
    item = scenario("web-signin-tls13")
    files = sorted(item.folder.glob("*.pcapng"))
    named = str(files[part])
    keys = [str(path) for path in item.folder.glob("*.keys")]
    run, reference = session(map(str, files), keys, clocks={named: 60 * 10**9}), whole(item.name)
    shifts = {
        (new.place.connection.capture, new.place.span.first_ns - old.place.span.first_ns)
        for new, old in zip(by_frame(run), by_frame(reference), strict=True)
    }
    assert shifts == {(part, 60 * 10**9), (1 - part, 0)}
    (offset,) = run.clocks
    assert (offset.capture, offset.other, offset.move_ns) == (part, 1 - part, 0)
    assert offset.error_ns is not None
    assert abs(offset.ahead_ns - 60 * 10**9) <= offset.error_ns
    (line,) = (line for line in run.diagnostics if "--clock" in line)
    assert line.startswith(f"{named}: +60.0 s is added to its times (--clock); its clock is then")
    assert f"ahead of that of {files[1 - part]}" in line


def by_frame(run: Session) -> list[Message]:
    def key(item: Message) -> tuple[int, ...]:
        span = item.place.span
        return item.place.connection.capture, span.first_frame, span.last_frame, span.first_ns

    return sorted(run.messages, key=key)


def test_captures_that_nothing_ties_are_reported_as_apart(tmp_path: Path) -> None:
    run = read("no-keys", 0, 86400.0, tmp_path)
    assert run.events
    (line,) = run.diagnostics
    assert "nothing ties its clock" in line
    assert "--clock" in line


def test_the_same_packets_in_two_captures(tmp_path: Path) -> None:
    """One recording twice, the second by a clock that is 5.25 s ahead: one story, reported once."""
    item = scenario("web-signin-tls13")
    keys = str(item.folder / "phone.keys")
    again = tmp_path / "again.pcapng"
    shutil.copy(moved(Path(item.phone), 5.25, tmp_path), again)
    run, reference = session([item.phone, str(again)], [keys]), session([item.phone], [keys])
    assert len(run.messages) == len(reference.messages)
    (offset,) = run.clocks
    assert (offset.ahead_ns, offset.error_ns) == (5_250_000_000, 0)
    assert wrong(judged(run, run.events), judged(reference, reference.events)) == []


def test_both_sides_of_a_translation_of_addresses(tmp_path: Path) -> None:
    """The phone's packets again outside of a NAT, by another clock: one phone, two addresses."""
    item = scenario("web-signin-tls13")
    inside = socket.inet_aton(item.truth["names"]["phone"]["address"])
    outside = socket.inet_aton("198.51.100.99")
    translated = [
        (
            ns + 5_250_000_000 + (20_000 if data[26:30] == inside else -20_000),
            data[:26] + data[26:34].replace(inside, outside) + data[34:],
        )
        for ns, data in frames(Path(item.phone))
    ]
    other = written(tmp_path / "outside.pcap", sorted(translated))
    run = session([item.phone, other], [str(item.folder / "phone.keys")])
    (chart,) = run.charts
    (offset,) = run.clocks
    assert abs(offset.ahead_ns - 5_250_000_000) <= (offset.error_ns or 0) <= 20_000
    assert chart.status == "complete"
    (phone,) = [actor for actor in chart.actors if actor.ident == "phone"]
    assert set(phone.addresses) == {item.truth["names"]["phone"]["address"], "198.51.100.99"}
