"""Delete, swap or delay any one event of a recorded sign-in: the verdict moves as the
definition's author says, in the tables below, and not otherwise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import pytest

from dissect.flow.definition import load
from dissect.flow.match import match
from dissect.model import Endpoint, Event, SequenceChart
from dissect.pipeline import RunOptions, Session
from tests.lab import scenario

SECOND = 1_000_000_000
DONE = {1: "inferred", **dict.fromkeys(range(2, 8), "done")}

# Deleting every event of a name: what changes. All other names change nothing.
ESSENTIAL: dict[str, dict[int, str]] = {
    "oauth.device_code.issued": {2: "missing"},
    "hrd.answered": {3: "missing"},
    # Azure AD's acceptance of the token settles step 5; only ADFS's issue of it settles 4,
    # which its form would leave at "asks for credentials", and that is done as well.
    "wsfed.token.posted": {},
    "wsfed.token.accepted": {5: "missing"},
    "oauth.token.issued": {6: "missing"},
    "sip.register.accepted": {7: "missing"},
}


@lru_cache
def recorded(name: str = "web-signin") -> tuple[Session, tuple[Event, ...]]:
    run = Session(RunOptions(tuple(scenario(name).captures)))
    return run, tuple(run.events)


def judged(events: Sequence[Event], name: str = "web-signin") -> SequenceChart:
    ordered = sorted(events, key=lambda event: event.time_ns)
    charts = match([load("vvx-web-signin")], ordered, recorded(name)[0].book.show)
    assert len(charts) == 1
    return charts[0]


def statuses(chart: SequenceChart) -> dict[int, str]:
    return {step.number: step.status for step in chart.steps}


def names() -> list[str]:
    return sorted({event.name for event in recorded()[1]})


@pytest.mark.parametrize("name", names())
def test_deleting_an_event(name: str) -> None:
    _, events = recorded()
    chart = judged([event for event in events if event.name != name])
    assert statuses(chart) == {**DONE, **ESSENTIAL.get(name, {})}
    assert chart.status == ("incomplete" if name == "sip.register.accepted" else "complete")
    assert chart.stopped_at == (7 if name == "sip.register.accepted" else None)


def test_every_essential_event_was_there() -> None:
    assert set(ESSENTIAL) <= set(names())


# event to move, the one that it is moved before, what becomes of which step
SWAPS = [
    ("oauth.device_code.issued", "pairing.config.received", {2: "missing", 6: "done"}),
    ("hrd.answered", "hrd.requested", {3: "missing"}),
    ("wsfed.token.accepted", "wsfed.token.posted", {5: "missing"}),
    ("oauth.token.issued", "oauth.device_code.issued", {6: "missing"}),
    ("sip.register.accepted", "certprov.issued", {7: "missing"}),
    ("sip.register.accepted", "oauth.token.issued", {7: "missing"}),
]


@pytest.mark.parametrize(("moved", "before", "changed"), SWAPS)
def test_an_event_before_its_cause_does_not_count(
    moved: str, before: str, changed: dict[int, str]
) -> None:
    _, events = recorded()
    start = min(event.time_ns for event in events if event.name == before)
    chart = judged([replace(e, time_ns=start - 1000) if e.name == moved else e for e in events])
    assert statuses(chart) == {**DONE, **changed}
    lost = [number for number, status in changed.items() if status == "missing"]
    explanation = chart.steps[lost[0] - 1].explanation or ""
    assert "which it must follow" in explanation
    assert "frame" in explanation


# event to delay, by how many seconds, what becomes of which step
DELAYS = [
    # The code is valid for 900 s and a minute of grace; after that no token belongs to it.
    ("oauth.token.issued", 600, {}),
    ("oauth.token.issued", 1000, {6: "missing"}),
    # A SIP transaction ends after 32 s (RFC 3261, timer F).
    ("sip.register.accepted", 20, {}),
    ("sip.register.accepted", 40, {7: "missing"}),
]


@pytest.mark.parametrize(("delayed", "seconds", "changed"), DELAYS)
def test_an_event_after_its_time_limit_does_not_count(
    delayed: str, seconds: int, changed: dict[int, str]
) -> None:
    _, events = recorded()
    first = min(event.time_ns for event in events if event.name == delayed)
    # What follows the delayed event is delayed with it, as it was in its consequence.
    late = [
        replace(e, time_ns=e.time_ns + seconds * SECOND) if e.time_ns >= first else e
        for e in events
    ]
    chart = judged(late)
    assert statuses(chart) == {**DONE, **changed}
    for number in changed:
        assert "limit" in (chart.steps[number - 1].explanation or "")


def test_a_rejection_is_forgotten_once_the_credentials_are_accepted() -> None:
    """The user types a wrong password first: the rejection of another recording, set before."""
    _, events = recorded()
    _, wrong = recorded("wrong-password")
    (rejected,) = [event for event in wrong if event.name == "adfs.credentials.rejected"]
    sent = next(event for event in events if event.name == "adfs.credentials.sent")
    accepted = next(event for event in events if event.name == "wsfed.token.issued")
    first = replace(
        rejected,
        time_ns=(sent.time_ns + accepted.time_ns) // 2,
        sender=accepted.sender,
        receiver=accepted.receiver,
        source=accepted.source,
    )
    assert statuses(judged([*events, first])) == DONE
    later = replace(first, time_ns=accepted.time_ns + 1)
    chart = judged([*events, later])
    assert statuses(chart)[4] == "failed"
    assert (chart.status, chart.stopped_at) == ("failed", 4)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_input_is_nothing(seed: int) -> None:
    """Events of equal time may come in any order; so may whole lists before sorting."""
    _, events = recorded()
    shuffled = list(events)
    random.Random(seed).shuffle(shuffled)
    assert judged(shuffled) == judged(events)


def test_traffic_of_others_changes_nothing() -> None:
    """A stranger's browser signs in at the same ADFS at the same time."""
    _, events = recorded()
    own = judged(events)
    browser = next(a for a in own.actors if a.ident == "browser").addresses[0]
    foreign = [
        replace(
            event,
            time_ns=event.time_ns + 500_000_000,
            sender=event.sender.replace(browser, "192.0.2.77"),
            receiver=event.receiver.replace(browser, "192.0.2.77"),
            source=replace(event.source, stream=(event.source.stream or 0) + 1000),
            client=Endpoint("192.0.2.77", 50000),
            facts={
                **event.facts,
                **({"user": "somebody@else.example"} if "user" in event.facts else {}),
            },
        )
        for event in events
        if event.client
        and event.client.address == browser
        and not event.name.startswith("deviceauth")
        and "pinauth" not in (event.host or "")  # who is at that page signs in a phone, too
    ]
    chart = judged([*events, *foreign])
    assert chart.steps == own.steps
    assert chart.actors == own.actors
    assert any("192.0.2.77" in line for line in chart.diagnostics)
