"""What decides a step: limits to the nanosecond, order, failures that come again or are passed on,
and the frames that prove them. What is right is reported by docs/flows.md."""

from __future__ import annotations

import pytest

from dissect.flow.verdict import EVIDENCE_KEPT
from dissect.model import Event, Fact

from .door import FLOW, SECOND, chart, event, proof, statuses

START = [event("knocked", 0, 1), event("heard", 1, 2)]


def refused(at: int, frame: int, why: str = "late", name: str = "refused", **facts: Fact) -> Event:
    return event(name, at * SECOND, frame, why=why, **facts)


# ------------------------------------------------------------------ limits of time


@pytest.mark.parametrize(
    ("took_ns", "counts"),
    [
        (0, True),
        (1, True),
        (30 * SECOND - 1, True),
        (30 * SECOND, True),
        (30 * SECOND + 1, False),
        (31 * SECOND, False),
    ],
)
def test_at_most_the_seconds_of_the_limit(took_ns: int, counts: bool) -> None:
    """`within`: at most `seconds` after the arrow that it names."""
    found = chart(*START, event("granted", took_ns, 3))
    assert (found.steps[1].status == "done") == counts
    reported = found.steps[1].explanation or ""
    assert ("the limit is 30 s" in reported) == (not counts)


@pytest.mark.parametrize(
    ("valid", "took_ns", "counts"),
    [
        (5, 7 * SECOND, True),
        (5, 7 * SECOND + 1, False),
        (0, 2 * SECOND, True),
        (0, 2 * SECOND + 1, False),
        ("soon", 900 * SECOND, True),  # no number: no limit is known
        (None, 900 * SECOND, True),
    ],
)
def test_a_limit_that_a_fact_sets_and_its_slack(valid: Fact, took_ns: int, counts: bool) -> None:
    granted = SECOND
    facts = {} if valid is None else {"valid": valid}
    found = chart(
        *START, event("granted", granted, 3, **facts), event("opened", granted + took_ns, 4)
    )
    assert (found.steps[2].status == "done") == counts
    reported = found.steps[2].explanation or ""
    if not counts:
        assert f"frame 4 came {took_ns / SECOND:.0f} s after door.pcap frame 3" in reported


def test_a_limit_without_a_readable_fact_may_have_seconds() -> None:
    flow = FLOW.replace('fact = "valid"', 'fact = "valid", seconds = 60')
    for valid, took, counts in (("soon", 60, True), ("soon", 61, False), (100, 102, True)):
        events = event("granted", 0, 3, valid=valid), event("opened", took * SECOND, 4)
        found = chart(*START, *events, flow=flow)
        assert (found.steps[2].status == "done") == counts


def test_a_limit_runs_from_the_latest_before() -> None:
    again = event("knocked", 50 * SECOND, 3)
    assert chart(*START, again, event("granted", 80 * SECOND, 4)).steps[1].status == "done"
    assert chart(*START, again, event("granted", 81 * SECOND, 4)).steps[1].status == "missing"


def test_what_comes_behind_an_event_that_does_not_count_is_read_on() -> None:
    late = event("granted", 31 * SECOND, 3)
    again = event("knocked", 40 * SECOND, 4), event("granted", 50 * SECOND, 5)
    found = chart(*START, late, *again, event("opened", 51 * SECOND, 6))
    assert statuses(found) == ["done", "done", "done"]


def test_without_the_arrow_that_a_limit_counts_from_nothing_is_late() -> None:
    found = chart(event("called", 0, 1), event("opened", 900 * SECOND, 2))
    assert found.steps[2].status == "done"


# ------------------------------------------------------------------ order


@pytest.mark.parametrize(("knocked_ns", "counts"), [(4, True), (5, True), (6, False)])
def test_what_must_follow_may_not_come_before(knocked_ns: int, counts: bool) -> None:
    """`after`: the arrow may not come later; at the same time nothing speaks against it."""
    found = chart(event("granted", 5, 2), event("knocked", knocked_ns, 1))
    assert (found.steps[1].status == "done") == counts
    reported = found.steps[1].explanation or ""
    assert ("“grants” (door.pcap frame 2) came before “knocks”" in reported) == (not counts)


def test_the_earliest_of_several_is_what_it_must_follow() -> None:
    found = chart(event("knocked", 1, 1), event("granted", 5, 2), event("knocked", 9, 3))
    assert found.steps[1].status == "done"


def test_what_must_follow_something_that_was_never_seen_counts() -> None:
    assert chart(event("called", 0, 1), event("granted", 5, 2)).steps[1].status == "done"


# ------------------------------------------------------------------ what is done


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["knocked"], "missing"),
        (["knocked", "heard"], "done"),
        (["called"], "done"),
        (["called", "knocked"], "done"),
    ],
)
def test_every_arrow_of_one_list(names: list[str], status: str) -> None:
    found = chart(*(event(name, at, at + 1) for at, name in enumerate(names)))
    assert found.steps[0].status == status


def test_a_flow_is_complete_with_its_last_step_and_stops_behind_the_last_that_is_done() -> None:
    granted = event("granted", SECOND, 3)
    whole = chart(*START, granted, event("opened", 2 * SECOND, 4))
    assert (whole.status, whole.stopped_at) == ("complete", None)
    skipped = chart(*START, event("opened", 2 * SECOND, 4))
    assert (skipped.status, skipped.stopped_at) == ("complete", None)
    part = chart(*START, granted)
    assert (part.status, part.stopped_at) == ("incomplete", 3)
    assert (chart(*START).status, chart(*START).stopped_at) == ("incomplete", 2)
    first = chart(event("knocked", 0, 1), granted)
    assert (first.status, first.stopped_at) == ("incomplete", 3)
    assert chart(event("knocked", 0, 1)).stopped_at == 1


def test_every_step_that_may_be_taken_for_granted_is() -> None:
    """Who is through the door was heard and let in, though neither was captured."""
    sure = 'inferred_by = ["opened"]\ninference = "it opened"\n'
    flow = FLOW.replace('done_when = [["knocked"', sure + 'done_when = [["knocked"')
    flow = flow.replace('settled_by = ["granted"]', sure + 'settled_by = ["granted"]')
    found = chart(event("knocked", 0, 1), event("opened", SECOND, 2), flow=flow)
    assert statuses(found) == ["inferred", "inferred", "done"]
    assert [step.explanation for step in found.steps] == ["it opened", "it opened", None]
    called = chart(event("called", 0, 1), event("opened", SECOND, 2), flow=flow)
    assert statuses(called) == ["done", "inferred", "done"]
    # Not where something decides: a refusal stays one.
    failed = chart(event("knocked", 0, 1), refused(1, 2), event("opened", 2, 3), flow=flow)
    assert statuses(failed) == ["inferred", "failed", "done"]


# ------------------------------------------------------------------ failures


def test_a_failure_stands_until_something_settles_it() -> None:
    failed = chart(*START, refused(2, 3))
    assert (statuses(failed), failed.stopped_at) == (["done", "failed", "missing"], 2)
    assert failed.cause is not None
    assert (failed.cause.code, proof(failed.cause)) == ("door.late", [3])
    settled = chart(*START, refused(2, 3), event("granted", 3 * SECOND, 4))
    assert (statuses(settled), settled.cause) == (["done", "done", "missing"], None)
    assert any("had failed before" in reported for reported in settled.diagnostics)
    reopened = chart(*START, refused(2, 3), event("asked_again", 3 * SECOND, 4))
    assert (statuses(reopened), reopened.cause) == (["done", "missing", "missing"], None)
    # Asking again takes nothing back that was granted.
    asked = chart(*START, event("granted", SECOND, 3), event("asked_again", 2 * SECOND, 4))
    assert asked.steps[1].status == "done"
    # The last word counts.
    last = chart(*START, event("granted", SECOND, 3), refused(2, 4))
    assert (last.steps[1].status, proof(last.cause)) == ("failed", [4])


@pytest.mark.parametrize("times", [1, 2, EVIDENCE_KEPT, EVIDENCE_KEPT + 1, 5 * EVIDENCE_KEPT])
def test_a_failure_that_comes_again_is_proved_by_its_latest_frames(times: int) -> None:
    """A phone tries for days; the ticket needs the last few frames, and memory has a bound."""
    frames = [*range(10, 10 + times)]
    found = chart(*START, *(refused(frame, frame) for frame in frames))
    assert proof(found.cause) == frames[-EVIDENCE_KEPT:]


def test_another_failure_is_proved_by_its_own_frames() -> None:
    found = chart(*START, refused(2, 3), refused(3, 4), refused(4, 5, why="unknown"))
    assert found.cause is not None
    assert (found.cause.code, proof(found.cause)) == ("door.unknown", [5])


def test_what_was_put_right_between_is_no_proof_of_the_next_failure() -> None:
    for name in ("granted", "asked_again"):
        found = chart(*START, refused(2, 3), event(name, 3 * SECOND, 4), refused(4, 5))
        assert proof(found.cause) == [5], name


def test_a_refusal_that_is_passed_on_proves_the_first() -> None:
    """A browser that posts a refusal to the next server: the cause stays the one who refused."""
    first = refused(2, 3, key="k")
    found = chart(*START, first, refused(3, 4, name="told_refusal", key="k"))
    assert found.cause is not None
    assert (found.cause.text, proof(found.cause)) == ("the guard refused: late", [3, 4])
    # Another key, no key, or another code: it is another failure.
    for other in (
        refused(3, 4, name="told_refusal", key="other"),
        refused(3, 4, name="told_refusal"),
        refused(3, 4, name="told_refusal", why="unknown", key="k"),
    ):
        found = chart(*START, first, other)
        assert proof(found.cause) == [4]
        assert found.cause is not None
        assert found.cause.text.startswith("the door was told")
    # Without a key on both sides nothing says that they are one.
    found = chart(*START, refused(2, 3), refused(3, 4, name="told_refusal"))
    assert proof(found.cause) == [4]


@pytest.mark.parametrize("times", [EVIDENCE_KEPT - 1, EVIDENCE_KEPT, 5 * EVIDENCE_KEPT])
def test_a_refusal_that_is_passed_on_without_end_is_bounded_too(times: int) -> None:
    """The frame that refused stays; of those that only pass it on, the first few."""
    later = [refused(frame, frame, name="told_refusal", key="k") for frame in range(10, 10 + times)]
    found = chart(*START, refused(2, 3, key="k"), *later)
    frames = [3, *range(10, 10 + times)]
    assert proof(found.cause) == frames[:EVIDENCE_KEPT]


def test_the_first_step_that_failed_is_where_it_stopped() -> None:
    flow = FLOW.replace(
        'event = "heard"\nfrom = "guard"',
        'event = "ignored"\nfrom = "guard"\nto = "badge"\nlabel = "ignores"\n'
        'fails = { code = "door.ignored", text = "the guard ignored it", remedy = "knock" }\n'
        "[[step.arrow]]\n"
        'event = "heard"\nfrom = "guard"',
    )  # fmt: skip
    found = chart(event("knocked", 0, 1), event("ignored", 1, 2), refused(2, 3), flow=flow)
    assert (found.status, found.stopped_at) == ("failed", 1)
    assert found.cause is not None
    assert found.cause.code == "door.ignored"
    # What was seen before a failure does not count towards the step any more.
    again = chart(event("knocked", 0, 1), event("ignored", 1, 2), event("heard", 2, 3), flow=flow)
    assert again.steps[0].status == "failed"


# ------------------------------------------------------------------ identifiers


def test_identifiers_are_those_of_the_failing_message_or_of_the_same_server() -> None:
    """A number of another server's is no help in the log of this one."""
    own = chart(*START, refused(2, 3, ticket="T1"))
    assert own.cause is not None
    assert (dict(own.cause.identifiers), own.cause.identified_by) == ({"ticket": "T1"}, None)
    older = event("heard", 2, 3, ticket="T0"), event("heard", 3, 4, ticket="T2")
    found = chart(*START, *older, refused(2, 5))
    assert found.cause is not None
    assert dict(found.cause.identifiers) == {"ticket": "T2"}
    assert found.cause.identified_by is not None
    assert found.cause.identified_by.first_frame == 4
    between = event("opened", 3, 4, ticket="D1")  # with another server
    found = chart(*START, older[0], between, refused(2, 5))
    assert found.cause is not None
    assert dict(found.cause.identifiers) == {"ticket": "T0"}
    door = event("opened", 4, 4, ticket="D1")
    found = chart(*START, door, refused(2, 5))
    assert found.cause is not None
    assert (dict(found.cause.identifiers), found.cause.identified_by) == ({}, None)
