"""Key logs find their captures; clocks move them; roles can be set."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import pytest

from dissect.cli.options import offset
from dissect.errors import UsageError
from dissect.pipeline import RunOptions, Session, bind_key_logs
from tests.lab import scenario

SIGNIN = scenario("web-signin")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)


@pytest.mark.parametrize("suffix", ["keys", "keylog"])
@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
def test_key_log_beside_the_capture(tmp_path: Path, suffix: str, compression: str) -> None:
    capture = tmp_path / f"a.pcapng{compression}"
    keys = tmp_path / f"a.{suffix}"
    for path in (capture, keys):
        path.touch()
    (bound,) = bind_key_logs(RunOptions((str(capture),)))
    assert bound.found_key_logs == (str(keys),)
    (unbound,) = bind_key_logs(RunOptions((str(capture),), auto_keys=False))
    assert unbound.found_key_logs == ()


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "env.log"
    keys.touch()
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    assert bind_key_logs(RunOptions(("-",)))[0].found_key_logs == (str(keys),)


def test_bound_and_common(tmp_path: Path) -> None:
    one, two = tmp_path / "one.keys", tmp_path / "two:odd.keys"
    one.touch()
    two.touch()
    options = RunOptions(
        ("x/a.pcap", "b.pcap"), key_logs=(f"x/a.pcap:{one}", f"b.pcap:{two}", str(one))
    )
    first, second = bind_key_logs(options)
    assert first.key_logs == (str(one), str(one))
    assert second.key_logs == (str(one), str(two))
    by_name = RunOptions(("x/a.pcap",), key_logs=(f"a.pcap:{one}",))
    assert bind_key_logs(by_name)[0].key_logs == (str(one),)


def test_a_drive_letter_is_no_capture(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such key log"):
        bind_key_logs(RunOptions(("a.pcap",), key_logs=(r"C:\keys\log.txt",)))


def test_the_right_log_for_each_capture() -> None:
    """Each capture's own log opens it; the other's does not."""
    phone, browser = SIGNIN.folder / "phone.keys", SIGNIN.folder / "browser.keys"
    swapped = RunOptions(
        tuple(SIGNIN.captures), auto_keys=False,
        key_logs=(f"{SIGNIN.phone}:{browser}", f"{SIGNIN.browser}:{phone}"),
    )  # fmt: skip
    (chart,) = Session(swapped).charts
    assert {step.status for step in chart.steps} == {"inferred", "hidden"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", 1_500_000_000), ("-1.5", -1_500_000_000), ("+300ms", 300_000_000), ("7ns", 7),
        ("-0:01:50", -110_000_000_000), ("8:00:00", 28_800_000_000_000), ("0.000000001", 1),
    ],
)  # fmt: skip
def test_offsets_are_exact(text: str, expected: int) -> None:
    assert offset(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "1:30", "1.5.2", "--3"])
def test_offsets_that_are_none(text: str) -> None:
    with pytest.raises(click.UsageError):
        offset(text)


def test_clock_moves_a_capture() -> None:
    shift = 3_600_000_000_001
    (before,) = Session(RunOptions(tuple(SIGNIN.captures))).charts
    run = Session(
        RunOptions(tuple(SIGNIN.captures), clocks={SIGNIN.phone: shift, SIGNIN.browser: shift})
    )
    (after,) = run.charts
    times = [(a.time_ns, b.time_ns) for s, t in zip(before.steps, after.steps, strict=True)
             for a, b in zip(s.arrows, t.arrows, strict=True)]  # fmt: skip
    assert len(times) > 20
    assert {b - a for a, b in times} == {shift}


def test_clock_of_a_capture_that_is_not_given() -> None:
    with pytest.raises(UsageError, match="none of the captures"):
        bind_key_logs(RunOptions(("a.pcap",), clocks={"b.pcap": 1}))


def test_two_captures_with_two_clocks_are_one_sign_in() -> None:
    """The browser's clock is three minutes off; the code and the user still tie both legs."""
    off = -180_000_000_000
    (chart,) = Session(RunOptions(tuple(SIGNIN.captures), clocks={SIGNIN.browser: off})).charts
    assert chart.status == "complete"
    # Its events now come before the code was issued: what contradicts the order is not counted.
    assert {step.status for step in chart.steps[1:]} <= {"done", "missing"}


def test_a_role_can_be_set() -> None:
    item = scenario("no-keys")
    address = item.truth["names"]["adfs"]["address"]
    (chart,) = Session(RunOptions(tuple(item.captures), roles={address: "azuread"})).charts
    adfs = next(actor for actor in chart.actors if actor.ident == "adfs")
    assert adfs.addresses == ()


def test_the_same_capture_twice_is_read_twice(tmp_path: Path) -> None:
    copy = tmp_path / "copy.pcapng"
    shutil.copy(SIGNIN.phone, copy)
    shutil.copy(SIGNIN.folder / "phone.keys", tmp_path / "copy.keys")
    run = Session(RunOptions((SIGNIN.phone, str(copy))))
    assert len(run.reading.captures) == 2
    assert all(chart.status == "complete" for chart in run.charts)
