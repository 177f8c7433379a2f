"""Why a step is missing: the captures of real scenarios, cut as people cut them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dissect.model import SequenceChart
from tests.certainty import session
from tests.lab import CAPTURES
from tests.test_disturbed import Frame, frames, written

SECOND = 10**9
NAME = "web-signin"


def chart(kept: Callable[[Frame], bool], folder: Path, parts: tuple[str, ...]) -> SequenceChart:
    """The web sign-in in the frames that are kept."""
    source = CAPTURES / NAME
    files = [
        written(folder / f"{part}.pcap", filter(kept, frames(source / f"{part}.pcapng")))
        for part in parts
    ]
    keys = [str(source / f"{part}.keys") for part in parts]
    (found,) = session(files, keys, flows=("vvx-web-signin",)).charts
    return found


@pytest.fixture(scope="module")
def whole() -> SequenceChart:
    source = CAPTURES / NAME
    files = [str(source / f"{part}.pcapng") for part in ("phone", "browser")]
    (found,) = session(files, map(str, source.glob("*.keys")), flows=("vvx-web-signin",)).charts
    return found


def why(found: SequenceChart, number: int) -> str:
    step = found.steps[number - 1]
    assert step.status == "missing"
    return step.explanation or ""


def test_the_browsers_capture_is_absent(tmp_path: Path) -> None:
    found = chart(lambda _: True, tmp_path, ("phone",))
    for number in (3, 4, 5):
        assert "no packets of the Browser" in why(found, number)
        assert "capture there, too" in why(found, number)


def test_begun_late() -> None:
    """The lab's capture began when the code was on the phone's display."""
    source = CAPTURES / "late-start"
    files = [str(source / f"{part}.pcapng") for part in ("phone", "browser")]
    (found,) = session(files, map(str, source.glob("*.keys")), flows=("vvx-web-signin",)).charts
    assert found.status == "complete"
    assert "phone.pcapng begins" in why(found, 1)
    assert "begun late" in why(found, 1)


def test_ended_early_and_given_up(whole: SequenceChart, tmp_path: Path) -> None:
    issued = next(a.time_ns for a in whole.steps[5].arrows if a.event == "oauth.token.issued")
    found = chart(lambda frame: frame[0] <= issued, tmp_path, ("phone", "browser"))
    assert found.status == "incomplete"
    assert "Skype for Business Online are in the captures given" in why(found, 7)
    sent = min(a.time_ns for a in whole.steps[6].arrows if a.event == "autodiscover.requested")
    found = chart(lambda frame: frame[0] <= sent + SECOND // 100, tmp_path, ("phone", "browser"))
    assert "ended early" in why(found, 7)
    late = bytes.fromhex("ffffffffffff020000000001") + b"\x08\x06" + bytes(46)
    source = CAPTURES / NAME
    kept = [f for f in frames(source / "phone.pcapng") if f[0] <= sent + SECOND // 100]
    path = written(tmp_path / "phone.pcap", [*kept, (kept[-1][0] + 300 * SECOND, late)])
    run = session([path], [str(source / "phone.keys")], flows=("vvx-web-signin",))
    (found,) = run.charts
    assert "goes on for 300.0 s" in why(found, 7)
    assert "given up" in why(found, 7)


def test_a_failure_before_it_is_the_reason() -> None:
    source = CAPTURES / "wrong-password"
    files = [str(source / f"{part}.pcapng") for part in ("phone", "browser")]
    (found,) = session(files, map(str, source.glob("*.keys")), flows=("vvx-web-signin",)).charts
    assert "step 4 failed before it" in why(found, 5)
    assert found.cause is not None
    assert not found.cause.identifiers  # the phone's polls have some, at Azure AD: not ADFS's
