"""Several sign-ins over one connection: an identity that events speak of keeps them apart, and
those for different parties are no tries of one another."""

from __future__ import annotations

import pytest

from dissect.flow.definition import parse
from dissect.flow.match import match
from dissect.model import Endpoint, Event, SequenceChart, Source
from dissect.redaction.book import SecretBook

SECOND = 1_000_000_000
FLOW = """
schema = 1
name = "door"
title = "Asks, and is let in"
[instance]
keys = ["ticket"]
{more}
anchors = ["asked"]
[[actor]]
id = "pc"
title = "Computer"
kind = "client"
[[actor]]
id = "door"
title = "Door"
[[step]]
number = 1
title = "Asks"
between = ["pc", "door"]
done_when = [["asked"]]
[[step.arrow]]
event = "asked"
from = "pc"
to = "door"
label = "asks"
[[step]]
number = 2
title = "Is let in"
between = ["pc", "door"]
done_when = [["opened"]]
[[step.arrow]]
event = "opened"
from = "door"
to = "pc"
label = "opens"
[[step.arrow]]
event = "refused"
from = "door"
to = "pc"
label = "no"
[step.arrow.fails]
code = "door.refused"
text = "the door did not open"
remedy = "Ask again."
"""


def event(name: str, frame: int, stream: int = 1, **facts: str) -> Event:
    source = Source("a.pcap", frame, frame, stream, "tcp")
    ends = Endpoint("192.0.2.1", 5000 + stream), Endpoint("192.0.2.2", 443)
    at = frame * SECOND
    return Event(name, at, "192.0.2.1", "192.0.2.2", None, source, dict(facts), *ends)


def charts(more: str, *events: Event) -> list[SequenceChart]:
    flow = parse(FLOW.replace("{more}", more), "x")
    return match([flow], events, SecretBook().show)


TWO = (
    event("asked", 1, visit="a"),
    event("refused", 2),
    event("asked", 3, visit="b"),
    event("opened", 4),
)


def test_without_identity_a_connection_is_one_story() -> None:
    (chart,) = charts("", *TWO)
    assert [arrow.source.first_frame for arrow in chart.steps[0].arrows] == [1, 3]


def test_what_has_no_identity_is_of_who_spoke_last() -> None:
    first, second = charts('identity = ["visit"]\nretries = false', *TWO)
    assert (first.status, second.status) == ("failed", "complete")
    assert first.cause is not None
    assert first.cause.evidence[0].first_frame == 2


def test_what_comes_before_the_first_identity_is_of_the_first() -> None:
    before = (event("opened", 0), *TWO)
    first, _ = charts('identity = ["visit"]\nretries = false', *before)
    assert [arrow.source.first_frame for arrow in first.steps[1].arrows] == [0, 2]


def test_the_same_identity_on_two_connections_ties_nothing() -> None:
    apart = (
        event("asked", 1, 1, visit="a"),
        event("opened", 2, 1),
        event("asked", 3, 2, visit="a"),
    )
    found = charts('identity = ["visit"]\nretries = false', *apart)
    assert [chart.status for chart in found] == ["complete", "incomplete"]


@pytest.mark.parametrize(("more", "count"), [("", 1), ('party = ["visit"]', 2)])
def test_who_asks_for_another_party_tries_nothing_again(more: str, count: int) -> None:
    assert len(charts(f'identity = ["visit"]\n{more}', *TWO)) == count


def test_a_try_for_the_same_party_is_one() -> None:
    again = (
        event("asked", 1, 1, visit="a"),
        event("refused", 2, 1),
        event("asked", 3, 2, visit="a"),
    )
    (chart,) = charts('identity = ["visit"]\nparty = ["visit"]', *again)
    assert [arrow.source.first_frame for arrow in chart.steps[0].arrows] == [1, 3]


@pytest.mark.parametrize(
    ("within", "end_s", "said"), [(0, 900, True), (60, 61, True), (60, 62, False)]
)
def test_that_a_capture_ends_early_is_said_near_its_end(
    within: int, end_s: int, said: bool
) -> None:
    flow = FLOW.replace("{more}", "") + (
        '[[unfinished]]\nlast = "asked"\ncode = "door.early"\ntext = "it ends early"\n'
        f'remedy = "Go on."\nwithin = {within}\n'
    )
    asked = event("asked", 1)
    spans = {"a.pcap": (0, end_s * SECOND)}
    (chart,) = match([parse(flow, "x")], [asked], SecretBook().show, spans=spans)
    assert (chart.cause is not None) is said
