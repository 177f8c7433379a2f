"""Offsets of clocks against values worked out by hand from RFC 5905's figures."""

from __future__ import annotations

from dissect.model import (
    Connection,
    DnsMessage,
    Endpoint,
    Event,
    Headers,
    Message,
    Opaque,
    Place,
    Secret,
    SipMessage,
    Source,
    Span,
)
from dissect.signin.offsets import Offset, estimate
from dissect.signin.timing_constraints import FOREVER, Bound, Observations, agree

SECOND = 10**9
MS = 10**6
CLIENT, SERVER = Endpoint("10.0.0.1", 40000), Endpoint("192.0.2.1", 53)
NAMES = ("a.pcapng", "b.pcapng")


def place(capture: int, way: int, at_ns: int, stream: int = 0) -> Place:
    where = Connection(capture, "udp", stream, CLIENT, SERVER)
    return Place(where, 1 if way else 0, Span(1, at_ns, 1, at_ns))


def dns(capture: int, way: int, at_ns: int, ident: int = 7) -> DnsMessage:
    return DnsMessage(place(capture, way, at_ns), ident, bool(way), "NOERROR", (("x.test", "A"),))


def seen(messages: list[Message]) -> Observations:
    noted = Observations()
    for message in messages:
        noted.add(message)
    return noted


def only(messages: list[Message], events: list[Event] | None = None) -> Offset:
    (offset,) = estimate(2, seen(messages), events or [], NAMES)
    return offset


def test_marzullo_leaves_the_liar_out() -> None:
    """The example of RFC 5905's ancestor (Marzullo): 8–12, 11–13, 14–15 agree on 11–12."""
    agreed = agree([Bound(8, 12, "x"), Bound(11, 13, "y"), Bound(14, 15, "z")])
    assert agreed == (Bound(11, 12, ""), {"x": 1, "y": 1})
    assert agree([Bound(-FOREVER, FOREVER, "x")]) is None
    assert agree([]) is None


def test_a_query_and_its_answer_bound_the_difference() -> None:
    """B at the server is 5 s ahead; the way takes 20 ms there and 30 ms back (RFC 5905 §8:
    offset between T2-T1 = 5.02 and T3-T4 = 4.97)."""
    offset = only(
        [
            dns(0, 0, 100 * SECOND),
            dns(1, 0, 105 * SECOND + 20 * MS),
            dns(1, 1, 105 * SECOND + 20 * MS),
            dns(0, 1, 100 * SECOND + 50 * MS),
        ]
    )
    assert (offset.capture, offset.other) == (1, 0)
    assert offset.ahead_ns == 4_995 * MS
    assert offset.error_ns == 25 * MS
    assert offset.move_ns == -4_995 * MS
    assert "± 0.025 s" in offset.sentence(NAMES)
    assert "ahead of" in offset.sentence(NAMES)


def test_the_first_capture_may_be_the_servers_side() -> None:
    offset = only(
        [
            dns(1, 0, 100 * SECOND),
            dns(0, 0, 95 * SECOND + 20 * MS),
            dns(0, 1, 95 * SECOND + 20 * MS),
            dns(1, 1, 100 * SECOND + 50 * MS),
        ]
    )
    assert abs(offset.ahead_ns - 5 * SECOND) <= (offset.error_ns or 0) == 25 * MS


def test_a_message_that_occurs_twice_ties_nothing() -> None:
    repeated = [dns(0, way, SECOND * n) for n in (1, 2) for way in (0, 1)]
    offset = only([*repeated, dns(1, 0, 90 * SECOND), dns(1, 1, 90 * SECOND)])
    assert offset.other is None
    assert offset.move_ns == 0


def test_the_same_time_is_left_alone() -> None:
    offset = only(
        [dns(0, 0, 0), dns(1, 0, 2 * MS), dns(1, 1, 3 * MS), dns(0, 1, 6 * MS)],
    )
    assert offset.other == 0
    assert offset.move_ns == 0
    assert (offset.ahead_ns, offset.error_ns) == (-500_000, 2_500_000)
    assert "agree within 0.003 s" in offset.sentence(NAMES)


def test_sip_through_a_proxy_that_changes_addresses_and_vias() -> None:
    def sip(capture: int, status: int | None, at_ns: int, via: str) -> SipMessage:
        headers = Headers.of([(b"Call-ID", b"c1"), (b"CSeq", b"1 INVITE"), (b"Via", via.encode())])
        where = Connection(capture, "udp", 3, Endpoint(via, 5060), SERVER)
        return SipMessage(
            Place(where, 1 if status else 0, Span(1, at_ns, 1, at_ns)),
            "response" if status else "request",
            "INVITE", Opaque(b"sip:b@x.test"), status, "", headers,
        )  # fmt: skip

    offset = only(
        [
            sip(0, None, 10 * SECOND, "10.0.0.1"),
            sip(1, None, 70 * SECOND + 10 * MS, "198.51.100.7"),
            sip(1, 200, 71 * SECOND, "198.51.100.7"),
            sip(0, 200, 11 * SECOND + 10 * MS, "10.0.0.1"),
        ]
    )
    assert abs(offset.ahead_ns - 60 * SECOND) <= (offset.error_ns or 0) == 10 * MS


def test_a_code_typed_before_it_was_issued_shows_the_least_difference() -> None:
    code = Secret("user_code", "ABCDEFGHJ")

    def event(name: str, capture: int, answer: bool, at_ns: int) -> Event:
        ends = (SERVER, CLIENT) if answer else (CLIENT, SERVER)
        return Event(
            name, at_ns, ends[0].address, ends[1].address, None,
            Source(NAMES[capture], 1, 1, 0), {"user_code": code}, CLIENT, SERVER,
        )  # fmt: skip

    events = [
        event("oauth.device_code.issued", 0, True, 1000 * SECOND),
        event("deviceauth.code.entered", 1, False, 400 * SECOND),
    ]
    offset = only([dns(0, 0, 0)], events)
    assert (offset.ahead_ns, offset.error_ns) == (-600 * SECOND, None)
    assert offset.move_ns == 600 * SECOND
    assert "at least 600.0 s behind" in offset.sentence(NAMES)


def test_a_clock_that_the_user_has_set_moves_no_other() -> None:
    """b is 5 s ahead as set; c is a second behind a, and d can only be recognised by b."""
    names = ("a", "b", "c", "d")
    ends = {}
    for first, second, ahead in ((0, 1, 5 * SECOND), (0, 2, -SECOND), (1, 3, 2 * SECOND)):
        for capture, shift in ((first, 0), (second, ahead)):
            ends[capture, first * 10 + second] = shift

    def shared(ident: int, capture: int) -> list[Message]:
        at = 1000 * SECOND + ends[capture, ident]
        return [dns(capture, 0, at, ident), dns(capture, 1, at + MS, ident)]

    messages = [item for capture, ident in ends for item in shared(ident, capture)]
    found = estimate(4, seen(messages), [], names, pinned={1: 7 * SECOND})
    told = {item.capture: item for item in found}
    assert {index: item.move_ns for index, item in told.items()} == {
        1: 0, 2: SECOND, 3: -2 * SECOND,
    }  # fmt: skip
    assert (told[1].other, told[1].ahead_ns, told[1].set_ns) == (0, 5 * SECOND, 7 * SECOND)
    assert (
        told[1]
        .sentence(names)
        .startswith("b: +7.000 s is added to its times (--clock); its clock is then 5.000 s (± ")
    )
    every = estimate(4, seen(messages), [], names, pinned=dict.fromkeys(range(4), 0))
    assert [item.move_ns for item in every] == [0] * 4
    (alone,) = [item for item in every if item.other is None]
    assert alone.sentence(names) == "a: its times stay as they are (--clock)"
