"""What only several events together tell: polls faster than allowed, a code's age when it
was refused, a token for another resource than asked, the same token refused again, a
sign-in by user id, clocks. Pure: events in time order in, events with more facts out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from dissect.model import Event, Fact, Secret
from dissect.signin.directory import resource_of

POLL_JITTER_MS = 250  # a device's timer may be this early
AGREE_S = 60  # servers whose clocks differ this little say the same

AZURE_AD = frozenset({"login.microsoftonline.com", "login.windows.net", "login.microsoft.com"})
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(slots=True)
class _Code:
    """A device code: when and for how long it was issued, and how it was polled for."""

    issued_ns: int
    interval: int | None = None
    lifetime: int | None = None
    resource: str | None = None
    polled_ns: int | None = None
    gaps_ms: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _State:
    codes: dict[str, _Code] = field(default_factory=dict)
    users: dict[str, _Code] = field(default_factory=dict)
    redeemed: set[Fact] = field(default_factory=set)
    refused: dict[Secret, int] = field(default_factory=dict)
    by_user_id: set[str] = field(default_factory=set)
    elsewhere: dict[Secret, str] = field(default_factory=dict)


def across(events: Iterable[Event]) -> list[Event]:
    """The events with what their neighbours add, and the events that only several make."""
    state = _State()
    found: list[Event] = []
    for event in events:
        extra = _extra(event, state)
        found.append(replace(event, facts={**event.facts, **extra}) if extra else event)
        found += _made(event, state)
    return _clocks(found)


def _extra(event: Event, state: _State) -> dict[str, Fact]:
    name = event.name
    if name == "oauth.device_code.issued":
        _remember(event, state)
    elif name == "oauth.token.polled":
        return _poll(event, state)
    elif name == "oauth.token.pending" and event.facts.get("error") == "slow_down":
        code = _code(event, state)
        if code is not None and code.interval is not None:
            code.interval += 5  # RFC 8628 §3.5
    elif name == "oauth.token.refused":
        return _refused(event, state)
    elif name == "oauth.token.issued":
        return _issued(event, state)
    elif name == "deviceauth.code.refused":
        return _typed(event, state)
    elif name == "webticket.refused":
        return {**_again(event, state), **_elsewhere(event, state)}
    elif name == "autodiscover.failed" or name.endswith(".refused"):
        return _elsewhere(event, state)
    return {}


def _remember(event: Event, state: _State) -> None:
    facts = event.facts
    code = _Code(
        event.time_ns, _int(facts.get("interval")), _int(facts.get("expires_in")),
        _text(facts.get("resource")),
    )  # fmt: skip
    for name, known in (("device_code", state.codes), ("user_code", state.users)):
        value = facts.get(name)
        if isinstance(value, Secret):
            known[value.value] = code


def _code(event: Event, state: _State) -> _Code | None:
    value = event.facts.get("device_code")
    return state.codes.get(value.value) if isinstance(value, Secret) else None


def _poll(event: Event, state: _State) -> dict[str, Fact]:
    """The gap to the poll before, against the interval that was given (RFC 8628 §3.5)."""
    code = _code(event, state)
    if code is None:
        return {}
    facts: dict[str, Fact] = {}
    if code.polled_ns is not None:
        gap = max(0, event.time_ns - code.polled_ns) // 1_000_000
        code.gaps_ms.append(gap)
        facts["gap_ms"] = gap
        if code.interval and gap + POLL_JITTER_MS < code.interval * 1000:
            facts["too_fast"] = True
    code.polled_ns = event.time_ns
    return facts


def _refused(event: Event, state: _State) -> dict[str, Fact]:
    if event.facts.get("authorization_code") in state.redeemed:
        return {"reused": True}
    code = _code(event, state)
    if code is None:
        return {}
    facts: dict[str, Fact] = {"age": (event.time_ns - code.issued_ns) // 1_000_000_000}
    if code.lifetime is not None:
        facts["lifetime"] = code.lifetime
    if code.gaps_ms and code.interval:
        usual = sorted(code.gaps_ms)[len(code.gaps_ms) // 2]
        facts["gap_ms"], facts["interval"] = usual, code.interval
        if usual + POLL_JITTER_MS < code.interval * 1000:
            facts["pace"] = f"it polled every {usual / 1000:.1f} s instead of {code.interval} s"
    return facts


def _typed(event: Event, state: _State) -> dict[str, Fact]:
    """How old the code was that a browser typed in vain."""
    value = event.facts.get("user_code")
    code = state.users.get(value.value) if isinstance(value, Secret) else None
    if code is None:
        return {}
    facts: dict[str, Fact] = {"age": (event.time_ns - code.issued_ns) // 1_000_000_000}
    if code.lifetime is not None:
        facts["lifetime"] = code.lifetime
    return facts


def _issued(event: Event, state: _State) -> dict[str, Fact]:
    """A token for another resource than asked; what it is for is kept for who refuses it."""
    code = event.facts.get("authorization_code")
    if isinstance(code, Secret):
        state.redeemed.add(code)
    found = _resource(event, _code(event, state))
    token, other = event.facts.get("access_token"), found.get("other_resource")
    if isinstance(token, Secret) and isinstance(other, str):
        state.elsewhere[token] = other
    return found


def _elsewhere(event: Event, state: _State) -> dict[str, Fact]:
    """That the token refused here was issued for another resource than asked."""
    token = event.facts.get("access_token")
    other = state.elsewhere.get(token) if isinstance(token, Secret) else None
    return {"other_resource": other} if other else {}


def _resource(event: Event, code: _Code | None) -> dict[str, Fact]:
    """A token for another resource than the poll, or the request for the code, named."""
    facts = event.facts
    asked = _text(facts.get("resource")) or (code.resource if code else None)
    audience = facts.get("aud")
    given = _text(facts.get("issued_resource")) or _text(audience)
    first = code.resource if code else None
    if asked and given and _other(asked, given):
        return {"other_resource": f"asked for {asked}, got {given}"}
    if first and asked and _other(first, asked):
        return {"other_resource": f"the code was asked for {first}, the token for {asked}"}
    return {}


def _other(one: str, two: str) -> bool:
    left, right = (item.lower().rstrip("/") for item in (one, two))
    if left == right:
        return False
    names = resource_of(left), resource_of(right)
    if None not in names:
        return names[0] != names[1]
    # A resource may be named by its application id: of an unknown id nothing can be reported.
    return _GUID.fullmatch(left) is None and _GUID.fullmatch(right) is None


def _again(event: Event, state: _State) -> dict[str, Fact]:
    """How often this very token was refused already."""
    names = ("assertion", "access_token", "web_ticket")
    value = next((v for name in names if isinstance(v := event.facts.get(name), Secret)), None)
    if value is None:
        return {}
    times = state.refused[value] = state.refused.get(value, 0) + 1
    return {"refusals": times} if times > 1 else {}


def _made(event: Event, state: _State) -> list[Event]:
    """A sign-in by user id: name and password go from the device itself to a server."""
    asked = (event.name, event.facts.get("grant")) == ("oauth.token.requested", "password")
    # Any client may use the grant; a phone's is recognised by what it asks for, and by whom.
    asked = asked and (bool(event.facts.get("paired")) or event.host in AZURE_AD)
    active = (event.name, event.facts.get("credential")) == ("wstrust.requested", "password")
    if not (asked or active) or event.sender in state.by_user_id:
        return []
    state.by_user_id.add(event.sender)
    facts: dict[str, Fact] = {
        "by": "password grant" if asked else "WS-Trust",
        "text": "sign-in by user id (legacy): the device itself sends name and password; "
        "this is no Web Sign-in",
    }
    if "user" in event.facts:
        facts["user"] = event.facts["user"]
    return [replace(event, name="signin.user_id.started", facts=facts)]


def _clocks(events: list[Event]) -> list[Event]:
    """One `clock.skew` a server and capture; told whose clock it is where servers agree."""
    first: dict[tuple[str, str], Event] = {}
    for event in events:
        if event.name == "clock.skew":
            first.setdefault((event.source.capture, event.sender), event)
    if not first:
        return events
    kept = {id(event): _blame(event, list(first.values())) for event in first.values()}
    return [
        kept.get(id(event), event)
        for event in events
        if event.name != "clock.skew" or id(event) in kept
    ]


def _blame(event: Event, all_: list[Event]) -> Event:
    seconds = _int(event.facts.get("seconds")) or 0
    agreeing = sum(
        1
        for other in all_
        if other.source.capture == event.source.capture
        and abs((_int(other.facts.get("seconds")) or 0) - seconds) <= AGREE_S
    )
    suspect = "the capture's clock" if agreeing > 1 else "one of the two clocks"
    return replace(event, facts={**event.facts, "suspect": suspect})


def _int(fact: Fact | None) -> int | None:
    return fact if isinstance(fact, int) and not isinstance(fact, bool) else None


def _text(fact: Fact | None) -> str | None:
    return fact if isinstance(fact, str) and fact else None
