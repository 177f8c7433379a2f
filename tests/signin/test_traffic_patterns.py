"""The shape of polls: what may be reported records that nobody can read, and what not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from statistics import median

import pytest

from dissect.model import (
    Connection,
    Endpoint,
    Event,
    Fact,
    Place,
    RecordSize,
    Span,
    TlsConnection,
)
from dissect.signin.traffic_patterns import Polls
from tests.certainty import session
from tests.lab import ALL, CAPTURES, scenario

SECOND = 10**9
QUICK = ("code-expired", "no-keys")


def talk(exchanges: list[tuple[float, int, int]], stream: int = 0) -> TlsConnection:
    """Exchanges of (second, bytes up, bytes down) on one connection."""
    where = Connection(0, "tcp", stream, Endpoint("10.0.0.9", 5000), Endpoint("192.0.2.1", 443))
    shapes: list[RecordSize] = []
    for at, up, down in exchanges:
        ns = int(at * SECOND)
        shapes.append(RecordSize(ns, 0, up, len(shapes) + 1))
        shapes.append(RecordSize(ns + SECOND // 50, 1, down, len(shapes) + 1))
    first, last = shapes[0], shapes[-1]
    span = Span(first.frame, first.time_ns, last.frame, last.time_ns)
    return TlsConnection(
        Place(where, 0, span, True), server_name="login.test", record_sizes=tuple(shapes)
    )


def polls(rows: Iterable[TlsConnection]) -> list[tuple[Place, str | None, dict[str, Fact]]]:
    collected = Polls()
    for row in rows:
        collected.add(row)
    return list(collected.found())


def test_equal_exchanges_at_even_intervals_are_polls() -> None:
    row = talk([(0, 400, 1100), *((5.0 * n, 680, 1200) for n in range(1, 5)), (25, 680, 3000)])
    ((place, host, facts),) = polls([row])
    assert host == "login.test"
    assert (place.span.first_frame, place.span.last_frame) == (3, 12)
    assert facts == {
        "count": 4, "interval": "5", "bytes_up": 680, "bytes_down": 1200,
        "ended": "larger answer", "answer_bytes": 3000,
    }  # fmt: skip


def test_a_connection_for_each_poll() -> None:
    rows = [talk([(3.0 * n, 700 + n, 1200 - n)], stream=n) for n in range(6)]
    ((_, _, facts),) = polls(reversed(rows))
    assert (facts["count"], facts["interval"], facts["ended"]) == (6, "3", "unknown")


@pytest.mark.parametrize(
    "exchanges",
    [
        pytest.param([(0, 600, 900), (5, 600, 900)], id="two are no series"),
        pytest.param([(0, 600, 900), (5, 600, 900), (27, 600, 900)], id="uneven"),
        pytest.param([(0, 600, 900), (5, 700, 900), (10, 800, 900)], id="requests differ"),
        pytest.param([(0, 600, 900), (5, 600, 1900), (10, 600, 2900)], id="answers differ"),
        pytest.param([(0.1 * n, 600, 900) for n in range(9)], id="too fast for a timer"),
        pytest.param([(600 * n, 600, 900) for n in range(9)], id="too slow"),
    ],
)
def test_what_is_no_poll(exchanges: list[tuple[float, int, int]]) -> None:
    assert polls([talk(exchanges)]) == []


def test_an_answer_is_the_last_only_in_time() -> None:
    rows = talk([*((5.0 * n, 680, 1200) for n in range(4)), (300, 680, 9000)])
    ((_, _, facts),) = polls([rows])
    assert facts["ended"] == "unknown"


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in ALL]
)
def test_against_what_the_phone_wrote_down(name: str) -> None:
    """Count, interval and outcome of polls that nobody could read."""
    item = scenario(name)
    names = item.truth["names"]
    if "phone2" in names:
        pytest.skip("two phones behind one address poll at once")
    run = session(map(str, sorted((CAPTURES / name).glob("*.pcapng"))))
    asked = [
        (datetime.fromisoformat(m["time"][:26] + "+00:00").timestamp(), m.get("status"))
        for m in item.truth["messages"]
        if m["actor"] == "phone" and m["kind"] == "http" and m["method"] == "POST"
        and m["host"] == names.get("azuread", {}).get("host") and "/token" in m["path"]
    ]  # fmt: skip
    requests = [at for at, status in asked if status is None]
    answers = [status for _, status in asked if status is not None]
    for event in _of_phone(run.events, names):
        count = event.facts["count"]
        assert isinstance(count, int)
        assert 3 <= count <= len(requests)
        gaps = [two - one for one, two in pairwise(requests[:count])]
        assert float(str(event.facts["interval"])) == pytest.approx(median(gaps), abs=0.2)
        if event.facts["ended"] == "larger answer":
            assert 200 in answers, "no tokens were issued"


def _of_phone(events: list[Event], names: dict[str, dict[str, str]]) -> list[Event]:
    return [
        event
        for event in events
        if event.name == "tls.polling"
        and event.host == names["azuread"]["host"]
        and event.client is not None
        and event.client.address == names["phone"]["address"]
    ]
