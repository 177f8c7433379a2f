"""A flow of three steps in a world of its own, and events for it to a nanosecond."""

from __future__ import annotations

from dissect.flow.definition import parse
from dissect.flow.match import match
from dissect.model import Cause, Endpoint, Event, Fact, SequenceChart, Source
from dissect.redaction.book import SecretBook

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
FLOW = """
schema = 1
name = "door"
title = "A badge opens a door"
identifiers = ["ticket"]
[instance]
keys = ["key"]
anchors = ["knocked", "called"]
clues = ["user"]
[[actor]]
id = "badge"
title = "Badge"
kind = "client"
[[actor]]
id = "guard"
title = "Guard"
[[actor]]
id = "door"
title = "Door"
[[step]]
number = 1
title = "The guard is asked"
between = ["badge", "guard"]
done_when = [["knocked", "heard"], ["called"]]
[[step.arrow]]
event = "knocked"
from = "badge"
to = "guard"
label = "knocks"
[[step.arrow]]
event = "called"
from = "badge"
to = "guard"
label = "calls"
[[step.arrow]]
event = "heard"
from = "guard"
to = "badge"
label = "hears"
[[step]]
number = 2
title = "The guard judges"
between = ["badge", "guard"]
settled_by = ["granted"]
reopened_by = ["asked_again"]
[[step.arrow]]
event = "granted"
from = "guard"
to = "badge"
label = "grants"
after = ["knocked"]
within = { of = "knocked", seconds = 30 }
[[step.arrow]]
event = "asked_again"
from = "guard"
to = "badge"
label = "asks once more"
[[step.arrow]]
event = "refused"
from = "guard"
to = "badge"
label = "refuses"
[step.arrow.fails]
code = "door.{why}"
text = "the guard refused: {why}"
remedy = "ask the guard"
[[step.arrow]]
event = "told_refusal"
from = "badge"
to = "door"
label = "tells of the refusal"
[step.arrow.fails]
code = "door.{why}"
text = "the door was told of a refusal: {why}"
remedy = "ask the guard"
[[step]]
number = 3
title = "The door opens"
between = ["badge", "door"]
done_when = [["opened"]]
[[step.arrow]]
event = "opened"
from = "badge"
to = "door"
label = "opens"
within = { of = "granted", fact = "valid", slack = 2 }
"""
BADGE, GUARD, DOOR = "192.0.2.1", "192.0.2.8", "192.0.2.9"
SERVERS = {"told_refusal": DOOR, "opened": DOOR}


def event(
    name: str, at_ns: int, frame: int = 1, stream: int = 1, client: str = BADGE, **facts: Fact
) -> Event:
    """An event of a connection `stream` of `client`, in frame `frame`."""
    server = SERVERS.get(name, GUARD)
    ends = Endpoint(client, 40000 + stream), Endpoint(server, 443)
    source = Source("door.pcap", frame, frame, stream)
    return Event(name, at_ns, client, server, None, source, facts, *ends)


def charts(*events: Event, flow: str = FLOW) -> list[SequenceChart]:
    return match([parse(flow, "door.toml")], events, SecretBook().show)


def chart(*events: Event, flow: str = FLOW) -> SequenceChart:
    (found,) = charts(*events, flow=flow)
    return found


def statuses(found: SequenceChart) -> list[str]:
    return [step.status for step in found.steps]


def proof(cause: Cause | None) -> list[int | None]:
    """The frames that prove it."""
    return [source.first_frame for source in cause.evidence] if cause else []
