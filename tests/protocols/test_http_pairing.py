"""Which response answers which request where bytes were lost, or came in another order.

RFC 9112 §9.3.2: responses come in the order of their requests. What a client that does not
pipeline can have sent decides the rest: it had the answer before it asked again.
"""

from __future__ import annotations

from collections import deque
from itertools import count

import pytest

from dissect.protocols.http.messages import Request
from dissect.protocols.http.pairing import MAX_PENDING, Pairing

from .drive import C, Part, S, drive
from .test_http1 import http1, pairs

FIELDS: dict[bytes, list[bytes]] = {}


def ask(number: int) -> Part:
    return C, b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number


def told(number: int) -> Part:
    return S, b"HTTP/1.1 %d OK\r\nContent-Length: 0\r\n\r\n" % (200 + number)


INTERIM: Part = (S, b"HTTP/1.1 103 Early Hints\r\n\r\n")
LOST: Part = (S, 900)


def answers(*parts: Part) -> list[tuple[str | None, int]]:
    return pairs(drive(http1(), parts))


# ------------------------------------------------------------------ answers before their requests


@pytest.mark.parametrize("orphans", [1, 2, 3])
def test_each_answer_that_came_first_takes_one_request_and_no_more(orphans: int) -> None:
    """Two interfaces, one of them slow: `orphans` answers are captured before their requests.
    These stay without answer, and the next request gets its own."""
    early = [told(n) for n in range(orphans)]
    late = [ask(n) for n in range(orphans + 1)]
    found = answers(*early, *late, told(50))
    assert found == [*((None, 200 + n) for n in range(orphans)), (f"/{orphans}", 250)]


@pytest.mark.parametrize("orphans", [1, 2])
def test_requests_beyond_those_still_wait_for_their_answers(orphans: int) -> None:
    """Three more requests than orphans are pipelined: in order, none is skipped."""
    late = [ask(n) for n in range(orphans + 3)]
    found = answers(*(told(n) for n in range(orphans)), *late, told(50), told(51), told(52))
    assert found[orphans:] == [(f"/{orphans + n}", 250 + n) for n in range(3)]


def test_a_request_alone_behind_an_orphan_gets_the_next_answer() -> None:
    """Its own answer may have been the orphan or not; another can't be for anything else."""
    assert answers(told(0), ask(0), told(1)) == [(None, 200), ("/0", 201)]


def test_an_orphan_is_forgotten_once_the_order_is_right_again() -> None:
    found = answers(told(0), ask(0), ask(1), told(1), ask(2), told(2), ask(3), told(3))
    assert found == [(None, 200), ("/1", 201), ("/2", 202), ("/3", 203)]


def test_interim_answers_are_no_orphans() -> None:
    """RFC 9110 §15.2: a 1xx is followed by the final answer to the same request."""
    found = answers(INTERIM, told(0), ask(1), ask(2), told(2))
    assert found == [(None, 103), (None, 200), ("/2", 202)]
    found = answers(INTERIM, INTERIM, told(0), ask(1), ask(2), ask(3), told(2), told(3))
    assert found[3:] == [("/2", 202), ("/3", 203)]  # the three are one orphan
    found = answers(ask(1), INTERIM, INTERIM, told(1), ask(2), told(2))
    assert found == [("/1", 103), ("/1", 103), ("/1", 201), ("/2", 202)]


# ------------------------------------------------------------------ lost answers


@pytest.mark.parametrize("lost", [0, 1, 2, 5])
def test_after_lost_answers_it_is_the_last_request(lost: int) -> None:
    found = answers(ask(0), told(0), *(ask(n) for n in range(1, lost + 2)), LOST, told(9))
    assert found == [("/0", 200), (f"/{lost + 1}", 209)]


def test_after_a_loss_a_client_that_is_known_to_pipeline_keeps_its_order() -> None:
    """Nothing tells how many answers were lost; the first that waits is as good as any."""
    found = answers(ask(0), ask(1), told(0), told(1), ask(2), ask(3), LOST, told(2), told(3))
    assert found == [("/0", 200), ("/1", 201), ("/2", 202), ("/3", 203)]


def test_a_loss_is_made_up_for_once() -> None:
    """Behind the first answer after it the order is right again, pipelining included."""
    found = answers(ask(0), ask(1), LOST, told(1), ask(2), ask(3), told(2), told(3))
    assert found == [("/1", 201), ("/2", 202), ("/3", 203)]


def test_a_loss_and_orphans_together() -> None:
    """After a loss any number of requests may have been answered, however few orphans came."""
    found = answers(told(0), ask(0), ask(1), ask(2), ask(3), LOST, told(3))
    assert found == [(None, 200), ("/3", 203)]


# ------------------------------------------------------------------ the queue itself


def request(pairing: Pairing, frame: int, target: bytes = b"/") -> int:
    return pairing.asked(Request("GET", target), FIELDS, frame).exchange


@pytest.mark.parametrize(("frame", "number"), [(5, 1), (6, 1), (7, 2)])
def test_after_a_loss_only_requests_of_frames_before_the_answer_count(
    frame: int, number: int
) -> None:
    """A request whose frame came with or after the answer's can't be what it answers."""
    pairing = Pairing(count())
    exchanges = [request(pairing, at) for at in (3, 4, 6)]
    pairing.responses_lost = True
    assert pairing.answered(False, frame).exchange == exchanges[number]


def test_without_a_request_before_it_the_first_is_answered() -> None:
    """A request that became complete in the answer's own frame, as two interfaces may show."""
    pairing = Pairing(count())
    exchanges = [request(pairing, 9), request(pairing, 9)]
    assert pairing.answered(False, 9).exchange == exchanges[0]
    pairing.responses_lost = True
    assert pairing.answered(False, 9).exchange == exchanges[1]


@pytest.mark.parametrize("interim", [False, True])
@pytest.mark.parametrize("more", [0, 1, 3])
def test_a_queue_that_is_full_forgets_requests_and_shifts_none(more: int, interim: bool) -> None:
    """Beyond the bound requests are only counted: their answers stay without request, and the
    ones behind them are paired rightly."""
    pairing = Pairing(count())
    known = [request(pairing, 1) for _ in range(MAX_PENDING)]
    assert not pairing.forgets
    beyond = [request(pairing, 1) for _ in range(more)]
    assert pairing.forgets == bool(more)
    for exchange in known:
        assert pairing.answered(False, 2).exchange == exchange
    last = request(pairing, 3)
    for _ in beyond:
        if interim:
            early = pairing.answered(True, 4)
        answered = pairing.answered(False, 4)
        assert not answered.known
        assert answered.exchange not in (*known, *beyond, last)
        if interim:
            assert answered.exchange == early.exchange
    assert pairing.answered(False, 4).exchange == last


def test_requests_beyond_the_bound_take_no_room() -> None:
    """However many more: they are counted in one place."""
    pairing = Pairing(count())
    for _ in range(MAX_PENDING + 1):
        request(pairing, 1)
    (waiting,) = [value for value in vars(pairing).values() if isinstance(value, deque)]
    for _ in range(100):
        request(pairing, 1)
    assert len(waiting) == MAX_PENDING + 1


def test_every_answer_without_a_request_has_an_exchange_of_its_own() -> None:
    pairing = Pairing(count())
    exchanges = [pairing.answered(False, frame).exchange for frame in range(3)]
    assert len(set(exchanges)) == 3
    early = pairing.answered(True, 4)
    assert (early.known, pairing.answered(False, 5).exchange) == (False, early.exchange)


def test_what_a_request_that_waits_is_remembered_by() -> None:
    """The target of CONNECT, the fields of an upgrade, `Expect` in any case and list; what else
    waits is kept small."""

    def asked(method: str, **fields: bytes) -> object:
        pairing = Pairing(count())
        index = {name.encode(): [value] for name, value in fields.items()}
        return pairing.asked(Request(method, b"h:443"), index, 1)

    connect, get = asked("CONNECT"), asked("GET", cookie=b"x")
    assert (connect.target, connect.switches) == (b"h:443", True)  # type: ignore[attr-defined]
    assert (get.target, get.fields, get.switches) == (b"", {}, False)  # type: ignore[attr-defined]
    upgrade = asked("GET", connection=b"Upgrade", upgrade=b"websocket")
    assert upgrade.switches  # type: ignore[attr-defined]
    assert b"upgrade" in upgrade.fields  # type: ignore[attr-defined]
    for value, expects in ((b"100-continue", True), (b"100-Continue", True), (b"x", False)):
        assert asked("POST", expect=value).expects_continue == expects  # type: ignore[attr-defined]
