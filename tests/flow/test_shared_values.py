"""Which facts tie events, what a text shows of a list, and what is reported of what nothing
ties."""

from __future__ import annotations

import pytest

from dissect.flow.definition import parse
from dissect.flow.fitting import Worded
from dissect.flow.match import match
from dissect.model import Endpoint, Event, Fact, SequenceChart, Source
from dissect.redaction.book import SecretBook

SECOND = 1_000_000_000
FLOW = """
schema = 1
name = "site"
title = "A name, then its site"
[instance]
keys = ["key"]
anchors = ["asked"]
retries = false
[[actor]]
id = "pc"
title = "Computer"
kind = "client"
[[actor]]
id = "resolver"
title = "Name server"
[[actor]]
id = "site"
title = "Web site"
[[step]]
number = 1
title = "The name is resolved"
between = ["pc", "resolver"]
done_when = [["asked"]]
[[step.arrow]]
id = "asked"
event = "asked"
from = "pc"
to = "resolver"
label = "it is {key}"
[[step]]
number = 2
title = "The site is reached"
between = ["pc", "site"]
done_when = [["reached"]]
[[step.arrow]]
event = "reached"
from = "pc"
to = "site"
label = "hello"
"""


def event(name: str, frame: int, server: str, key: Fact | None) -> Event:
    facts = {} if key is None else {"key": key}
    source = Source("a.pcap", frame, frame, frame, "udp")
    ends = Endpoint("192.0.2.1", 5000 + frame), Endpoint(server, 53)
    at = frame * SECOND
    return Event(name, at, "192.0.2.1", server, None, source, facts, *ends)


def charts(*keys: Fact | None, flow: str = FLOW) -> list[SequenceChart]:
    """Two names are asked for, with the first two keys; then a site is reached for each of the
    others; at the end the names are asked for again, so that neither was over before."""
    asked = [*enumerate(keys[:2], 1), *enumerate(keys[:2], 90)]
    events = [event("asked", frame, "192.0.2.53", key) for frame, key in asked]
    events += [event("reached", frame, "192.0.2.80", key) for frame, key in enumerate(keys[2:], 3)]
    return match([parse(flow, "x")], events, SecretBook().show)


def reached(found: list[SequenceChart]) -> list[list[int | None]]:
    return [[arrow.source.first_frame for arrow in chart.steps[1].arrows] for chart in found]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("10.0.0.1", "10.0.0.2"), ("10.0.0.3", "10.0.0.4")),
        (0, 1),
        ("a", "b"),
        (tuple(f"10.0.0.{n}" for n in range(40)), ("10.1.0.1", "10.1.0.2")),
    ],
)
def test_any_item_of_a_list_ties_and_so_does_nought(one: Fact, other: Fact) -> None:
    def last(key: Fact) -> Fact:
        return key[-1] if isinstance(key, tuple) else key

    assert reached(charts(one, other, last(other), last(one))) == [[4], [3]]


def test_a_text_shows_the_first_of_a_long_list_and_how_many_there_are() -> None:
    (chart, _) = charts(tuple(str(n) for n in range(12)), "x")
    assert chart.steps[0].arrows[0].label == "it is 0, 1, 2, 3, 4, 5, 6, 7, … (12 in all)"


def test_a_step_whose_packets_nothing_ties_does_not_say_that_there_are_none() -> None:
    for chart in charts("a", "b", None, None, None, None):
        step = chart.steps[1]
        assert step.status == "missing"
        reported = step.explanation or ""
        assert "a.pcap frame 3, 4, 5 and 1 more" in reported
        assert "`keys`" in reported
        assert "no packets" not in reported


def test_a_step_of_which_there_is_nothing_still_says_so() -> None:
    (first, _) = charts("a", "b")
    assert "no packets from or to Web site are in the captures" in (
        first.steps[1].explanation or ""
    )


def test_a_step_whose_packets_are_another_sign_ins_says_so() -> None:
    first, second = charts("a", "b", "b")
    assert second.steps[1].status == "done"
    reported = first.steps[1].explanation or ""
    assert "no packets from or to Web site are part of this sign-in" in reported
    assert "belong to another" in reported


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [('"three"', True), ("3", True), ('"3"', True), ("4", False), ('["no", 3]', True)],
)
def test_where_takes_the_word_and_what_it_stands_for(wanted: str, fits: bool) -> None:
    flow = FLOW.replace('label = "hello"', f'label = "{{key}}"\nwhere = {{ key = {wanted} }}')
    (chart, _) = charts(Worded("three", 3), "b", Worded("three", 3), flow=flow)
    assert [arrow.label for arrow in chart.steps[1].arrows] == (["three"] if fits else [])
