"""Messages are seen once, in whatever order captures are read, and let go."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect import tables
from dissect.cli.main import cli
from dissect.engines import CaptureInput, embedded, phone_log, placed
from dissect.engines.clocks import moved
from dissect.model import (
    Body,
    Connection,
    Endpoint,
    Event,
    HttpRequest,
    HttpResponse,
    Message,
    Opaque,
    Place,
    Secret,
    SipMessage,
    Span,
)
from dissect.pipeline import RunOptions, Session
from dissect.redaction.policy import Policy
from dissect.signin import met
from dissect.signin import recogniser as recognising
from dissect.signin.exchange import Exchange, Pairer
from dissect.signin.recogniser import Recogniser
from dissect.stages.keep import nothing
from tests.lab import scenario
from tests.signin.build import exchange, sip

SECOND = 10**9
DAY = 86_400 * SECOND
SIGNIN = scenario("web-signin")
# What a clock changes: dates of certificates, assertions and tokens, Date fields, NTP.
TIMED = ("web-signin", "certificate-expired", "clock-skew", "saml-sp", "phone-boot", "hybrid")


def messages(name: str) -> tuple[list[str], list[Message]]:
    item = scenario(name)
    inputs = [
        CaptureInput(path, tuple(str(k) for k in [Path(path).with_suffix(".keys")] if k.exists()))
        for path in item.captures
    ]
    reading = embedded.read(inputs)
    return list(item.captures), reading.messages


def events(
    names: Sequence[str],
    given: Iterable[Message],
    several: bool = True,
    moves: dict[int, int] | None = None,
) -> tuple[list[Event], dict[Secret, str]]:
    """Events, and how each secret is numbered."""
    policy = Policy()
    recogniser = Recogniser(names, policy, several=several)
    for message in given:
        recogniser.add(message, SERIALS[id(message)])
    found = recogniser.finish(moves)
    return found, {secret: policy.show(secret) for secret in policy.book.known()}


SERIALS: dict[int, int] = {}


def numbered(given: list[Message]) -> list[Message]:
    """The messages, each with a serial number; they must be held as long as that counts."""
    SERIALS.clear()
    SERIALS.update((id(message), number) for number, message in enumerate(given, 1))
    return given


# ------------------------------------------------------------------ order


def interleaved(given: list[Message], seed: int) -> list[Message]:
    """As other captures, and streams in them, might have come: within a stream in order."""
    streams: dict[object, list[Message]] = {}
    for message in given:
        where = message.place.connection
        streams.setdefault((where.capture, where.transport, where.stream), []).append(message)
    rng = random.Random(seed)
    waiting = [list(reversed(items)) for items in streams.values()]
    found = []
    while waiting:
        item = rng.choice(waiting)
        found.append(item.pop())
        waiting = [items for items in waiting if items]
    return found


@pytest.mark.parametrize("name", ["web-signin", "wrong-code-once", "sip-websocket-call"])
def test_rules_depend_on_no_order_between_captures_and_streams(name: str) -> None:
    names, given = messages(name)
    numbered(given)
    expected = events(names, given)
    assert len(expected[0]) > 10
    by_capture = sorted(given, key=lambda m: m.place.connection.capture)
    backwards = sorted(given, key=lambda m: -m.place.connection.capture)
    assert events(names, by_capture) == expected
    assert events(names, backwards) == expected
    for seed in range(5):
        assert events(names, interleaved(given, seed)) == expected, f"seed {seed}"


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    "moves",
    [{0: 3600 * SECOND}, {0: -400 * DAY, 1: 7}, {0: 299 * SECOND, 1: -301 * SECOND}, {1: 40 * DAY}],
    ids=str,
)
def test_a_clock_that_is_set_right_afterwards(name: str, moves: dict[int, int]) -> None:
    """Events moved at the end are those of messages that were moved before any rule saw them."""
    names, given = messages(name)
    numbered(given)
    afterwards, _ = events(names, given, moves=moves)
    before = moved(given, moves)
    numbers = {id(new): SERIALS[id(old)] for old, new in zip(given, before, strict=True)}
    SERIALS.update(numbers)
    expected, _ = events(names, placed(before), several=False)
    assert [(e.name, e.time_ns) for e in afterwards] == [(e.name, e.time_ns) for e in expected]
    assert afterwards == expected


# ------------------------------------------------------------------ several captures


def in_capture(message: Message, capture: int, exchange_number: int = 0) -> Message:
    where = replace(message.place.connection, capture=capture)
    place = replace(message.place, connection=where)
    if isinstance(message, HttpRequest | HttpResponse):
        return replace(message, place=place, exchange=exchange_number)
    return replace(message, place=place)


PAGE = '<form><input name="kwort9" type="password"><input name="who"></form>'


@pytest.mark.parametrize("page_in", [0, 1])
def test_a_form_that_another_capture_served(page_in: int) -> None:
    """The field's name says nothing; the page that asks for it is in the other capture."""
    page = exchange(body=PAGE, response_headers={"Content-Type": "text/html"})
    post = exchange("POST", "https://x.test/go", form={"kwort9": "Gr8-secret!"})
    policy = Policy()
    recogniser = Recogniser(["a", "b"], policy, several=True)
    given = [(page, page_in), (post, 1 - page_in)]
    serial = count(1)
    for pair, capture in sorted(given, key=lambda item: item[1]):
        for message in (pair.request, pair.response):
            if message is not None:
                recogniser.add(in_capture(message, capture), next(serial))
    recogniser.finish()
    assert policy.scrub("it was Gr8-secret! then") == "it was ‹password #1› then"


def test_forms_that_are_not_kept_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(met, "POSTED_LIMIT", 10)
    recogniser = Recogniser(["a", "b"], Policy(), several=True)
    pair = exchange("POST", "https://x.test/go", form={"kwort9": "Gr8-secret!"})
    assert pair.request is not None
    recogniser.add(pair.request, 1)
    recogniser.finish()
    assert [item.kind for item in recogniser.limits] == ["limit.forms"]


@pytest.mark.parametrize("request_in", [0, 1])
def test_an_answer_whose_request_is_in_another_capture(request_in: int) -> None:
    where = Connection(0, "udp", 0, Endpoint("10.0.0.1", 5060), Endpoint("192.0.2.1", 5060))
    asked = replace(
        sip("REGISTER sip:b.test SIP/2.0", {"Contact": "<sip:a@10.0.0.1>;expires=0"}),
        place=Place(where, 0, Span(1, SECOND, 1, SECOND)),
    )
    answer = replace(
        sip("SIP/2.0 200 OK", {}), place=Place(where, 1, Span(2, SECOND + 5, 2, SECOND + 5))
    )
    recogniser = Recogniser(["a", "b"], Policy(), several=True)
    given: list[tuple[SipMessage, int]] = [(asked, request_in), (answer, 1 - request_in)]
    for number, (message, capture) in enumerate(sorted(given, key=lambda item: item[1]), 1):
        recogniser.add(in_capture(message, capture), number)
    names = [event.name for event in recogniser.finish()]
    assert names == ["sip.unregister.sent", "sip.unregister.answered"]


def test_what_another_capture_tells_is_no_event_twice() -> None:
    pair = exchange("POST", "https://x.test/oauth2/token", form={"grant_type": "password"})
    recogniser = Recogniser(["a", "b"], Policy(), several=True)
    serial = count(1)
    for capture in (0, 1):
        for message in (pair.request, pair.response):
            assert message is not None
            recogniser.add(in_capture(message, capture), next(serial))
    once = recogniser.finish(without={3, 4})
    assert {event.source.capture for event in once} == {"a"}
    assert len(recogniser.finish()) > len(once)


# ------------------------------------------------------------------ let go


def alive(*kinds: type) -> int:
    gc.collect()
    return sum(isinstance(item, kinds) for item in gc.get_objects())


def test_a_chart_needs_no_message() -> None:
    before = alive(HttpRequest, HttpResponse, SipMessage, Exchange)
    run = Session(RunOptions(tuple(SIGNIN.captures), phone_logs=()), nothing)
    assert run.charts[0].status == "complete"
    assert run.messages == []
    assert alive(HttpRequest, HttpResponse, SipMessage, Exchange) == before
    del run


@pytest.mark.parametrize("several", [False, True])
def test_what_is_held_does_not_grow_with_what_is_read(several: bool) -> None:
    recogniser = Recogniser(["a", "b"], Policy(), several=several)
    pair = exchange(url="https://x.test/page", body="x" * 100_000)
    held = []
    for number in range(60):
        for message in (pair.request, pair.response):
            assert message is not None
            body = Body(Opaque(bytes(message.body.data)))
            recogniser.add(replace(message, exchange=number, body=body), number * 2 + 1)
        if number in (19, 59):
            held.append(alive(HttpRequest, HttpResponse, Body))
    assert held[0] == held[1]


def test_halves_that_wait_are_bounded_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = exchange("POST", "https://x.test/go", form={"a": "b" * 1000})
    done: list[Exchange] = []
    pairer = Pairer(done.append, (5, 1 << 20))
    assert pair.request is not None
    for number in range(9):
        pairer.add(replace(pair.request, exchange=number))
    assert (len(done), pairer.given_up) == (4, 4)
    few = Pairer(done.append, (100, 3000))
    for number in range(9):
        few.add(replace(pair.request, exchange=number))
    assert few.given_up == 7, "two bodies of 1002 bytes fit into 3000"
    monkeypatch.setattr(recognising, "OPEN_EXCHANGES", 3)
    recogniser = Recogniser(["a"], Policy())
    for number in range(9):
        recogniser.add(replace(pair.request, exchange=number))
    recogniser.finish()
    (limit,) = recogniser.limits
    assert limit.kind == "limit.exchanges"
    assert "6 HTTP exchanges were read with one half" in limit.sentence


def test_a_reached_bound_is_reported_by_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognising, "OPEN_BYTES", 1)
    monkeypatch.setattr(recognising, "OPEN_EXCHANGES", 1)
    item = scenario("old-refresh-token")  # two phones, whose requests overlap
    reported = CliRunner().invoke(cli, ["flow", *item.captures]).stderr
    assert "HTTP exchanges were read with one half" in reported


# ------------------------------------------------------------------ what is kept


@pytest.mark.parametrize("name", tables.NAMES)
def test_a_table_from_what_is_kept_for_it_is_the_same(name: str) -> None:
    options = RunOptions(tuple(scenario("phone-boot").captures + SIGNIN.captures))
    table = tables.table(name)
    whole = list(table.rows(Session(options)))
    assert list(table.rows(Session(options, table.keep, table.rules))) == whole


def test_a_log_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    plain = phone_log.read_set

    def read_set(paths: Sequence[tuple[str, int]], *more: object) -> list[Message]:
        asked.append(paths)
        return plain(paths, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(phone_log, "read_set", read_set)
    page = tmp_path / "page.html"
    found = CliRunner().invoke(
        cli, ["report", *SIGNIN.captures, "--phone-log", SIGNIN.phone_log, "-o", str(page)]
    )
    assert found.exit_code == 0, found.output
    assert len(asked) == 1
