"""Two sign-ins at once, in every way that addresses can be shared: they never mix.

The second is the recording of the first, moved in time, with other secrets, another user
and connections of its own, as a second phone would show.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

from dissect.flow.definition import load
from dissect.flow.match import match
from dissect.model import Endpoint, Event, Fact, Secret, SequenceChart
from dissect.pipeline import RunOptions, Session
from tests.lab import scenario

SECOND = 1_000_000_000


@lru_cache
def recorded() -> tuple[Session, tuple[Event, ...]]:
    run = Session(RunOptions(tuple(scenario("web-signin").captures)))
    return run, tuple(run.events)


def another(
    events: tuple[Event, ...], shift_ns: int, addresses: dict[str, str], user: str
) -> list[Event]:
    """The same sign-in by somebody else."""

    def fact(name: str, value: Fact) -> Fact:
        if isinstance(value, Secret):
            return Secret(value.kind, value.value + "-of-the-other")
        if name == "call_id":
            return f"{value}-of-the-other"
        return user if name == "user" else value

    def end(value: Endpoint | None) -> Endpoint | None:
        return (
            replace(value, address=addresses.get(value.address, value.address)) if value else None
        )

    return [
        replace(
            event,
            time_ns=event.time_ns + shift_ns,
            sender=addresses.get(event.sender, event.sender),
            receiver=addresses.get(event.receiver, event.receiver),
            client=end(event.client),
            server=end(event.server),
            source=replace(event.source, stream=(event.source.stream or 0) + 1000),
            facts={name: fact(name, value) for name, value in event.facts.items()},
        )
        for event in events
    ]


def charts(events: list[Event]) -> list[SequenceChart]:
    events.sort(key=lambda event: event.time_ns)
    return match([load("vvx-web-signin")], events, recorded()[0].book.show)


PHONE, BROWSER = "10.222.202.232", "10.222.201.45"
SHARED: dict[str, dict[str, str]] = {
    "nothing shared": {PHONE: "10.9.9.1", BROWSER: "10.9.9.2"},
    "both phones behind one address": {BROWSER: "10.9.9.2"},
    "both browsers behind one address": {PHONE: "10.9.9.1"},
}


@pytest.mark.parametrize("shift_s", [-7, -1, 1, 3, 12, 24])
@pytest.mark.parametrize("shared", SHARED)
def test_two_sign_ins_do_not_mix(shared: str, shift_s: int) -> None:
    _, events = recorded()
    other = another(events, shift_s * SECOND, SHARED[shared], "other@ucprimer.example")
    both = charts([*events, *other])
    assert len(both) == 2
    for chart in both:
        assert chart.status == "complete"
        assert [step.status for step in chart.steps] == ["inferred", *["done"] * 6], (
            chart.diagnostics
        )
        streams = {arrow.source.stream or 0 for step in chart.steps for arrow in step.arrows}
        assert len({stream >= 1000 for stream in streams}) == 1
    assert {chart.subject for chart in both} == {"vvx@ucprimer.example", "other@ucprimer.example"}


def test_the_second_try_of_one_phone_is_one_story() -> None:
    """A code expires unused; the phone asks for another and signs in: one chart, complete."""
    run = Session(RunOptions((scenario("code-expired").phone,)))
    first = [event for event in run.events if event.name.startswith(("oauth", "pairing"))]
    _, events = recorded()
    gap = 30 * SECOND + max(e.time_ns for e in first) - min(e.time_ns for e in events)
    second = [
        replace(event, time_ns=event.time_ns + gap,
                source=replace(event.source, stream=(event.source.stream or 0) + 1000))
        for event in events
    ]  # fmt: skip
    (chart,) = match([load("vvx-web-signin")], [*first, *second], recorded()[0].book.show)
    assert chart.status == "complete"
    assert chart.steps[5].status == "done"
    assert [a.status for a in chart.steps[5].arrows].count("failed") == 1


def test_half_a_sign_in_does_not_borrow_from_a_whole_one() -> None:
    """The other phone never gets its tokens: its chart must not show the first one's."""
    _, events = recorded()
    other = another(events, 2 * SECOND, {BROWSER: "10.9.9.2"}, "other@ucprimer.example")
    issued = next(e for e in other if e.name == "oauth.token.issued")
    half = [e for e in other if e.time_ns < issued.time_ns]
    both = charts([*events, *half])
    assert sorted(chart.status for chart in both) == ["complete", "incomplete"]
    (stopped,) = [chart for chart in both if chart.status == "incomplete"]
    assert stopped.steps[5].status == "missing"
    assert stopped.steps[6].status == "missing"


def test_only_what_no_listed_chart_shows_is_reported_as_left_out() -> None:
    """Another phone sends name and password, which its own flow's chart shows; it is no browser,
    though what it asks is asked by browsers, too."""
    captures = tuple(scenario("account-locked").captures)
    both = Session(RunOptions(captures)).charts
    assert [chart.flow for chart in both] == ["vvx-web-signin", "adfs-active"]
    assert not any("left out" in reported for chart in both for reported in chart.diagnostics)
    (alone,) = Session(RunOptions(captures, flows=("vvx-web-signin",))).charts
    (reported,) = [reported for reported in alone.diagnostics if "left out" in reported]
    other = both[1].actors[0].addresses[0]
    assert reported == f"{other}: 2 events fit no sign-in, or several; they are left out"


SAME: dict[str, str] = {}


def test_after_a_success_the_same_phone_and_user_are_another_story() -> None:
    _, events = recorded()
    both = charts([*events, *another(events, 120 * SECOND, SAME, "vvx@ucprimer.example")])
    assert [chart.status for chart in both] == ["complete", "complete"]


@pytest.mark.parametrize(("user", "gap_s", "stories"), [
    ("vvx@ucprimer.example", 60, 1),
    ("vvx@ucprimer.example", 3600, 2),
    ("other@ucprimer.example", 60, 2),
])  # fmt: skip
def test_a_try_that_came_to_nothing_and_the_next(user: str, gap_s: int, stories: int) -> None:
    """One story if it is the same user soon after; an hour later it is another."""
    run = Session(RunOptions(tuple(scenario("wrong-code").captures)))
    first = [replace(event, facts={**event.facts, "user": "vvx@ucprimer.example"})
             for event in run.events]  # fmt: skip
    _, events = recorded()
    gap = gap_s * SECOND + max(e.time_ns for e in first) - min(e.time_ns for e in events)
    found = charts([*first, *another(events, gap, SAME, user)])
    assert len(found) == stories
    assert found[-1].status == "complete"
    reported = " ".join(found[0].diagnostics)
    assert ("had failed before a later attempt went on" in reported) == (stories == 1)


def test_a_step_that_stays_failed_was_not_overcome() -> None:
    """The lab's other phone tries its revoked token again and again, and no attempt goes on."""
    run = Session(RunOptions(tuple(scenario("old-refresh-token").captures)))
    (failed,) = [chart for chart in run.charts if chart.status == "failed"]
    assert "failed" in {step.status for step in failed.steps}
    assert "later attempt went on" not in " ".join(failed.diagnostics)
