"""Which events are one sign-in: tries of one device, what stands near in time, what is ambiguous.

The rules are those of docs/flows.md and of the reference: who shares an address may be two
devices, and where nothing decides nothing is guessed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from dissect.flow.candidates import LEADS_NS, NEAR_NS
from dissect.model import Event, Fact, Secret, SequenceChart, Text

from .door import BADGE, FLOW, MINUTE, SECOND, charts, event

OTHER = "192.0.2.2"


def tried(
    start: int, end: int, stream: int, client: str = BADGE, name: str = "knocked", **facts: str
) -> list[Event]:
    """A try on a connection of its own that came to nothing."""
    return [
        event(name, start, stream * 100, stream, client, **facts),
        event("heard", end, stream * 100 + 1, stream, client, **facts),
    ]


def streams(found: list[SequenceChart]) -> list[list[int]]:
    """The connections of each chart."""
    arrows = [[arrow for step in chart.steps for arrow in step.arrows] for chart in found]
    sources = [[s for arrow in own for s in (*arrow.sources, arrow.source)] for own in arrows]
    return [sorted({source.stream or 0 for source in own}) for own in sources]


# ------------------------------------------------------------------ tries of one device


@pytest.mark.parametrize(
    ("gap_ns", "stories"),
    [(0, 1), (1, 1), (NEAR_NS - 1, 1), (NEAR_NS, 1), (NEAR_NS + 1, 2), (60 * MINUTE, 2), (-1, 2)],
)
def test_the_next_try_soon_after_is_the_same_story(gap_ns: int, stories: int) -> None:
    """Tries that overlap are two devices behind one address; a quarter of an hour later it is
    another story."""
    end = 10 * SECOND
    events = [*tried(0, end, 1), *tried(end + gap_ns, 2 * end + gap_ns, 2)]
    assert streams(charts(*events)) == ([[1, 2]] if stories == 1 else [[1], [2]])


def test_a_flow_may_say_that_tries_are_stories_of_their_own() -> None:
    flow = FLOW.replace('clues = ["user"]', 'clues = ["user"]\nretries = false')
    events = [*tried(0, SECOND, 1), *tried(2 * SECOND, 3 * SECOND, 2)]
    assert streams(charts(*events, flow=flow)) == [[1], [2]]


def test_a_try_that_may_be_of_two_devices_is_joined_with_neither() -> None:
    """Two devices behind one address (they overlap), and then a third try: of whom is not known,
    and a story that is put together wrongly would accuse the wrong device."""
    two = [*tried(0, 10 * SECOND, 1), *tried(5 * SECOND, 15 * SECOND, 2)]
    third = tried(20 * SECOND, 25 * SECOND, 3)
    assert streams(charts(*two, *third)) == [[1], [2], [3]]
    assert streams(charts(*third, *reversed(two))) == [[1], [2], [3]]


def test_a_user_tells_which_of_two_devices_tries_again() -> None:
    one = tried(0, 10 * SECOND, 1, user="ann")
    two = tried(5 * SECOND, 15 * SECOND, 2, user="bob")
    for user, joined in (("ann", [[1, 3], [2]]), ("bob", [[1], [2, 3]]), ("eve", [[1], [2], [3]])):
        third = tried(20 * SECOND, 25 * SECOND, 3, user=user)
        assert streams(charts(*one, *two, *third)) == joined


def test_only_the_same_address_is_the_same_device() -> None:
    events = [*tried(0, SECOND, 1), *tried(2 * SECOND, 3 * SECOND, 2, OTHER)]
    assert streams(charts(*events)) == [[1], [2]]


@pytest.mark.parametrize(("opened", "stories"), [(True, 2), (False, 1)])
def test_after_its_end_a_story_takes_no_more_tries(opened: bool, stories: int) -> None:
    """Who got in and knocks again begins anew."""
    name = "opened" if opened else "granted"
    first = [*tried(0, SECOND, 1), event(name, 2 * SECOND, 150, 1)]
    found = charts(*first, *tried(4 * SECOND, 5 * SECOND, 2))
    assert len(found) == stories


@pytest.mark.parametrize("at_s", [2, 8, 10])
def test_the_end_may_be_seen_on_a_connection_of_its_own(at_s: int) -> None:
    """The door opens on another connection, which nothing but the address ties to the try: it is
    the end of the first try if it came before the next, or with it."""
    first, second = tried(0, SECOND, 1), tried(8 * SECOND, 9 * SECOND, 2)
    found = charts(*first, *second, event("opened", at_s * SECOND, 300, 3))
    assert streams(found) == {2: [[1, 3], [2]], 8: [[1], [2, 3]], 10: [[1, 2, 3]]}[at_s]


def test_parts_of_one_user_with_different_anchors_are_one_story() -> None:
    """Who calls and knocks at the same time is one person in two ways; two knocks are not, nor
    is somebody whose name is not known."""

    def together(second: str, **facts: str) -> int:
        one = tried(0, 10 * SECOND, 1, user="ann")
        return len(charts(*one, *tried(5 * SECOND, 15 * SECOND, 2, name=second, **facts)))

    assert together("called", user="ann") == 1
    assert together("knocked", user="ann") == 2
    assert together("called", user="bob") == 2
    assert together("called") == 2


@pytest.mark.parametrize("kind", ["plain", "secret", "text"])
def test_secrets_tie_by_their_value_and_not_by_what_is_shown_of_them(kind: str) -> None:
    """Two keys are shown alike; only the right one is the other half of a try."""

    def key(value: str) -> Fact:
        secret = Secret("key", value)
        return {"plain": value, "secret": secret, "text": Text(("key ", secret))}[kind]

    one = event("knocked", 0, 100, 1, user="ann", key=key("1"))
    two = event("knocked", SECOND, 200, 2, user="bob", key=key("2"))
    ends = [
        event("opened", 2 * SECOND, 300, 3, OTHER, key=key("2")),
        event("opened", 3 * SECOND, 400, 4, OTHER, key=key("1")),
    ]
    assert streams(charts(one, two, *ends)) == [[1, 4], [2, 3]]


def test_each_device_that_came_to_nothing_is_a_story_of_its_own() -> None:
    """Without any anchor a fallback makes one; two addresses are two."""
    flow = FLOW.replace('clues = ["user"]', 'clues = ["user"]\nfallback = ["opened"]')
    lone = [
        event("opened", at * SECOND, at * 100, at, f"192.0.2.{at}", user=f"u{at}")
        for at in (1, 2, 3)
    ]
    assert streams(charts(*lone, flow=flow)) == [[1], [2], [3]]
    assert charts(*lone) == []
    # Beside a sign-in of the same address it is a part of that.
    found = charts(*tried(0, SECOND, 5, "192.0.2.1"), *lone, flow=flow)
    assert streams(found) == [[1, 5], [2], [3]]


# ------------------------------------------------------------------ near in time


@pytest.mark.parametrize(
    ("at_ns", "joins"),
    [
        (-60 * MINUTE, False),
        (-NEAR_NS - 1, False),
        (-NEAR_NS, True),
        (-1, True),
        (0, True),
        (10 * SECOND, True),
        (10 * SECOND + NEAR_NS, True),
        (10 * SECOND + NEAR_NS + 1, False),
        (60 * MINUTE, False),
    ],
)
@pytest.mark.parametrize("how", ["address", "user"])
def test_what_stands_near_in_time_may_be_a_part(at_ns: int, joins: bool, how: str) -> None:
    """What is a quarter of an hour before a sign-in begins, or after it ends, is no part of it,
    whoever its client is."""
    own = {"user": "ann"}
    part = event("opened", at_ns, 300, 3, **(own if how == "user" else {}))
    if how == "user":  # such as a server's log, which tells no address
        part = replace(part, client=None)
    found = charts(*tried(0, 10 * SECOND, 1, **own), part)
    assert len(found) == 1
    assert (300 in [a.source.first_frame for s in found[0].steps for a in s.arrows]) == joins


def test_a_long_group_is_near_by_any_of_its_ends() -> None:
    """A connection that was opened an hour before and still used: it overlaps."""
    long = [event("opened", -60 * MINUTE, 300, 3), event("opened", -MINUTE, 301, 3)]
    (found,) = charts(*tried(0, SECOND, 1), *long)
    assert len(found.steps[2].arrows) == 2
    over = [event("opened", -60 * MINUTE, 300, 3), event("opened", 60 * MINUTE, 301, 3)]
    (found,) = charts(*tried(0, SECOND, 1), *over)
    assert len(found.steps[2].arrows) == 2


@pytest.mark.parametrize(("before_ns", "to"), [(LEADS_NS, 1), (LEADS_NS + 1, 0), (0, 1), (1, 1)])
def test_what_ends_right_before_a_sign_in_led_to_it(before_ns: int, to: int) -> None:
    """Between two sign-ins of one address: what comes within two seconds before the second."""
    one, two = tried(0, SECOND, 1, user="ann"), tried(MINUTE, 2 * MINUTE, 2, user="bob")
    found = charts(*one, *two, event("opened", MINUTE - before_ns, 300, 3))
    assert [bool(c.steps[2].arrows) for c in found] == [to == 0, to == 1]


def test_what_fits_two_sign_ins_at_once_is_left_out_and_that_is_reported() -> None:
    one, two = tried(0, MINUTE, 1, user="ann"), tried(SECOND, MINUTE, 2, user="bob")
    found = charts(*one, *two, event("opened", 30 * SECOND, 300, 3))
    assert [bool(c.steps[2].arrows) for c in found] == [False, False]
    assert all("fits no sign-in, or several" in " ".join(c.diagnostics) for c in found)
