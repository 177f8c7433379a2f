"""What several events together tell, on both sides of each bound, and what may not be claimed."""

from __future__ import annotations

import pytest

from dissect.model import Endpoint, Event, Fact, Secret, Source
from dissect.signin.findings import AGREE_S, POLL_JITTER_MS, across
from dissect.signin.proxy_legs import ProxyLegs

MS = 1_000_000
SECOND = 1000 * MS
ISSUED, POLLED = "oauth.device_code.issued", "oauth.token.polled"
PENDING, REFUSED, GRANTED = "oauth.token.pending", "oauth.token.refused", "oauth.token.issued"


def event(
    name: str,
    at_ns: int = 0,
    sender: str = "192.0.2.1",
    capture: str = "a.pcap",
    host: str | None = None,
    **facts: Fact,
) -> Event:
    ends = Endpoint(sender, 40000), Endpoint("192.0.2.9", 443)
    source = Source(capture, 1, 1, 1)
    return Event(name, at_ns, sender, "192.0.2.9", host, source, facts, *ends)


CODE, USER_CODE = Secret("device_code", "D" * 40), Secret("user_code", "ABCD")


def issued(interval: int | None = 5, lifetime: int | None = 900, **more: Fact) -> Event:
    facts: dict[str, Fact] = {"device_code": CODE, "user_code": USER_CODE, **more}
    if interval is not None:
        facts["interval"] = interval
    if lifetime is not None:
        facts["expires_in"] = lifetime
    return event(ISSUED, 0, **facts)


def polls(*at_ms: int) -> list[Event]:
    return [event(POLLED, at * MS, device_code=CODE) for at in at_ms]


def slow_down(at_ms: int) -> Event:
    return event(PENDING, at_ms * MS, device_code=CODE, error="slow_down")


def facts_of(events: list[Event], name: str) -> list[dict[str, Fact]]:
    return [dict(item.facts) for item in events if item.name == name]


# ------------------------------------------------------------------ polls


@pytest.mark.parametrize("slower", [0, 1, 2])
@pytest.mark.parametrize("short_ms", [POLL_JITTER_MS - 1, POLL_JITTER_MS, POLL_JITTER_MS + 1, 700])
def test_each_slow_down_adds_five_seconds(slower: int, short_ms: int) -> None:
    """RFC 8628 §3.5: "the interval MUST be increased by 5 seconds for this and all subsequent
    requests". A device's timer may be a quarter of a second early."""
    gap = 5000 + slower * 5000 - short_ms
    events = [issued(), *polls(0), *(slow_down(1) for _ in range(slower)), *polls(gap)]
    _, later = facts_of(across(events), POLLED)
    assert later["gap_ms"] == gap
    assert later.get("too_fast", False) == (short_ms > POLL_JITTER_MS)


def test_waiting_without_slow_down_adds_nothing() -> None:
    pending = event(PENDING, MS, device_code=CODE, error="authorization_pending")
    _, later = facts_of(across([issued(), *polls(0), pending, *polls(5000)]), POLLED)
    assert "too_fast" not in later


def test_slow_down_of_another_code_adds_nothing() -> None:
    other = event(PENDING, MS, device_code=Secret("device_code", "E"), error="slow_down")
    _, later = facts_of(across([issued(), *polls(0), other, *polls(5000)]), POLLED)
    assert "too_fast" not in later


@pytest.mark.parametrize("interval", [None, 0])
def test_without_an_interval_no_poll_is_called_too_fast(interval: int | None) -> None:
    events = [issued(interval), *polls(0, 10), slow_down(11), *polls(20)]
    found = facts_of(across(events), POLLED)
    assert [item.get("gap_ms") for item in found] == [None, 10, 10]
    if interval is None:
        assert not any("too_fast" in item for item in found)
    else:  # 0 and 5 more
        assert [item.get("too_fast", False) for item in found] == [False, False, True]


def test_gaps_are_those_of_one_code_and_never_negative() -> None:
    other = event(POLLED, 2 * SECOND, device_code=Secret("device_code", "E"))
    first, second, third = facts_of(across([issued(), *polls(0), other, *polls(5000)]), POLLED)
    assert (second.get("gap_ms"), third["gap_ms"]) == (None, 5000)
    assert first.get("gap_ms") is None
    _, back = facts_of(across([issued(), *polls(5000, 4000)]), POLLED)
    assert back["gap_ms"] == 0


@pytest.mark.parametrize(("gap", "blamed"), [(4749, True), (4750, False), (5000, False)])
def test_the_pace_is_the_usual_gap(gap: int, blamed: bool) -> None:
    """The middle one of all gaps: a single pause or hurry says nothing of the timer."""
    times = [0, gap, 2 * gap, 3 * gap, 3 * gap + 60_000, 3 * gap + 60_010]
    refused = event(REFUSED, 200 * SECOND, device_code=CODE)
    (reported,) = facts_of(across([issued(), *polls(*times), refused]), REFUSED)
    assert (reported["gap_ms"], reported["interval"], reported["age"]) == (gap, 5, 200)
    assert (reported.get("pace") == f"it polled every {gap / 1000:.1f} s instead of 5 s") == blamed


def test_every_gap_counts() -> None:
    """The middle one of all, early and late."""
    times = [*range(0, 600 * 5000, 5000)]
    later = [times[-1] + n * 10 for n in range(1, 602)]
    refused = event(REFUSED, 9999 * SECOND, device_code=CODE)
    (reported,) = facts_of(across([issued(), *polls(*times, *later), refused]), REFUSED)
    assert reported["gap_ms"] == 10


def test_age_and_lifetime_where_a_code_is_refused() -> None:
    """Whole seconds since it was issued, for the device and for who typed it."""
    for name, fact in ((REFUSED, "device_code"), ("deviceauth.code.refused", "user_code")):
        value = CODE if fact == "device_code" else USER_CODE
        at = 901 * SECOND - 1
        (reported,) = facts_of(across([issued(), event(name, at, **{fact: value})]), name)
        assert (reported["age"], reported["lifetime"]) == (900, 900)
        (unknown,) = facts_of(
            across([issued(lifetime=None), event(name, at, **{fact: value})]), name
        )
        assert "lifetime" not in unknown
        (other,) = facts_of(across([issued(), event(name, at, **{fact: Secret("x", "Z")})]), name)
        assert "age" not in other
        assert "pace" not in reported


def test_of_very_many_codes_none_is_forgotten() -> None:
    others = [
        event(ISSUED, 0, device_code=Secret("device_code", str(n)), user_code=USER_CODE, interval=5)
        for n in range(5000)
    ]
    (reported,) = facts_of(
        across([issued(), *others, event(REFUSED, SECOND, device_code=CODE)]), REFUSED
    )
    assert "age" in reported


# ------------------------------------------------------------------ resources

ONE, TWO = "https://one.test", "https://two.test"
GUIDS = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
GRAPH, GRAPH_ID = "https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"


def other(asked: Fact, given: Fact) -> Fact | None:
    token = event(GRANTED, SECOND, resource=asked, aud=given, access_token=Secret("a", "T"))
    (reported,) = facts_of(across([token]), GRANTED)
    return reported.get("other_resource")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (ONE, ONE),
        (ONE, ONE + "/"),
        (ONE + "/", ONE.upper()),
        (GUIDS[0], GUIDS[0].upper()),
        # An application id that is not known may be that of the very resource.
        (ONE, GUIDS[0]),
        (GUIDS[0], ONE),
        (GUIDS[0], GUIDS[1]),
        (GRAPH, GUIDS[0]),
        (GUIDS[0], GRAPH),
        # One that is known is the same by another name.
        (GRAPH, GRAPH_ID),
        (GRAPH_ID, GRAPH + "/"),
        (ONE, None),
        (None, ONE),
        (ONE, ""),
    ],
)
def test_no_mismatch_is_claimed_that_is_not_certain(asked: Fact, given: Fact) -> None:
    assert other(asked, given) is None


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (ONE, TWO),
        (GRAPH, ONE),
        (ONE, GRAPH),
        (GRAPH, "https://outlook.office365.com"),
        (GRAPH_ID, "https://outlook.office365.com"),
        (ONE, GUIDS[0] + "0"),  # no id
    ],
)
def test_two_resources_that_are_known_to_differ(asked: str, given: str) -> None:
    assert other(asked, given) == f"asked for {asked}, got {given}"


def test_the_token_may_be_asked_for_another_resource_than_the_code() -> None:
    code = issued(resource=ONE)

    def told(**facts: Fact) -> Fact | None:
        token = event(GRANTED, SECOND, device_code=CODE, **facts)
        (found,) = facts_of(across([code, token]), GRANTED)
        return found.get("other_resource")

    assert told(resource=TWO) == f"the code was asked for {ONE}, the token for {TWO}"
    assert told(resource=ONE) is None
    assert told(aud=TWO) == f"asked for {ONE}, got {TWO}"
    assert told(issued_resource=TWO, aud=ONE) == f"asked for {ONE}, got {TWO}"
    assert told() is None


def test_who_refuses_a_token_is_reported_that_it_is_for_another_resource() -> None:
    token = Secret("access_token", "T")
    wrong = event(GRANTED, SECOND, resource=ONE, aud=TWO, access_token=token)
    for name in ("webticket.refused", "autodiscover.failed", "graph.refused"):
        (reported,) = facts_of(across([wrong, event(name, 2 * SECOND, access_token=token)]), name)
        assert reported["other_resource"] == f"asked for {ONE}, got {TWO}"
        (same,) = facts_of(across([wrong, event(name, access_token=Secret("a", "U"))]), name)
        assert "other_resource" not in same
    accepted = event("webticket.issued", 2 * SECOND, access_token=token)
    assert across([wrong, accepted])[-1].facts == accepted.facts


@pytest.mark.parametrize("fact", ["assertion", "access_token", "web_ticket"])
def test_the_same_token_refused_again_is_counted(fact: str) -> None:
    def refused(value: str) -> Event:
        return event("webticket.refused", **{fact: Secret(fact, value)})

    found = facts_of(
        across([refused("T"), refused("T"), refused("U"), refused("T")]), "webticket.refused"
    )
    assert [item.get("refusals") for item in found] == [None, 2, None, 3]


# ------------------------------------------------------------------ proxies


@pytest.mark.parametrize(
    ("granted_s", "client", "host", "status", "challenge"),
    [
        (3, "192.0.2.1", "a.test", 407, True),
        (2, "192.0.2.1", "a.test", 407, True),
        (1, "192.0.2.1", "a.test", 407, False),
        (3, "192.0.2.2", "a.test", 407, False),
        (3, "192.0.2.1", "b.test", 407, False),
        (3, "192.0.2.1", "a.test", 403, False),
    ],
)
def test_a_407_before_the_tunnel_was_granted_is_a_challenge(
    granted_s: int, client: str, host: str, status: int, challenge: bool
) -> None:
    """RFC 9110 §11.7.1: the same client asked again for the same tunnel, and got it."""
    refused = event("proxy.connect.refused", 2 * SECOND, host="a.test", status=status)
    granted = event("proxy.connect.granted", granted_s * SECOND, client, host=host)
    events = sorted([refused, granted], key=lambda item: item.time_ns)
    found = {item.name for item in ProxyLegs([]).told(events, {})} - {"proxy.connect.granted"}
    assert found == {"proxy.connect.challenged" if challenge else "proxy.connect.refused"}


# ------------------------------------------------------------------ user ids and clocks


@pytest.mark.parametrize(
    ("name", "facts", "by"),
    [
        ("oauth.token.requested", {"grant": "password", "paired": True}, "password grant"),
        ("oauth.token.requested", {"grant": "password"}, None),
        ("oauth.token.requested", {"grant": "refresh_token"}, None),
        ("wstrust.requested", {"credential": "password"}, "WS-Trust"),
        ("wstrust.requested", {"credential": "windows"}, None),
        ("wstrust.requested", {"grant": "password"}, None),
        ("oauth.token.requested", {"credential": "password"}, None),
    ],
)
def test_a_password_from_the_device_itself_is_a_sign_in_by_user_id(
    name: str, facts: dict[str, Fact], by: str | None
) -> None:
    asked = [event(name, at, user="u@x.test", **facts) for at in (1, 2)]
    elsewhere = event(name, 3, "192.0.2.2", **facts)
    made = facts_of(across([*asked, elsewhere]), "signin.user_id.started")
    assert [item["by"] for item in made] == ([by, by] if by else [])  # once a device
    assert [item.get("user") for item in made] == (["u@x.test", None] if by else [])


@pytest.mark.parametrize(
    ("seconds", "captures", "servers", "suspect"),
    [
        ((600, 600 + AGREE_S), "aa", "xy", "the capture's clock"),
        ((600, 600 - AGREE_S), "aa", "xy", "the capture's clock"),
        ((600, 601 + AGREE_S), "aa", "xy", "one of the two clocks"),
        ((600, -600), "aa", "xy", "one of the two clocks"),
        ((600, 600), "ab", "xy", "one of the two clocks"),
        ((600, 600), "aa", "xx", "one of the two clocks"),
        ((600,), "a", "x", "one of the two clocks"),
    ],
)
def test_whose_clock_is_wrong(
    seconds: tuple[int, ...], captures: str, servers: str, suspect: str
) -> None:
    """Two servers that agree within a minute are right against the capture; one server alone,
    however often, proves nothing. Each server is reported once a capture."""
    events = [
        event("clock.skew", at, server, capture, seconds=value)
        for at, (value, capture, server) in enumerate(zip(seconds, captures, servers, strict=True))
    ]
    found = [item for item in across(events) if item.name == "clock.skew"]
    assert len(found) == len(set(zip(captures, servers, strict=True)))
    assert {item.facts["suspect"] for item in found} == {suspect}
