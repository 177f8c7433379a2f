"""Which device code sign-ins are a phone's of Skype for Business (fact `paired`).

Every device that signs in with a code sends the same requests (RFC 8628). A phone of Skype for
Business is recognised by its application id or User-Agent, by the id that the Device Pairing
Service gave out, or by its own log. A code that a browser typed is such a phone's if the phone got
it. Where that is not known, the browser's own traffic decides: the application that Azure AD's
pages name after the code, else where the browser was before: at that service's page (known by its
host name or by what it does, see `_sites`), or at an authorization endpoint for such an
application.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dissect.model import Event, Fact, Secret
from dissect.signin.directory import named_phone, of_pairing, sfb_phone

_DEVICE = frozenset(
    {
        "oauth.device_code.requested", "oauth.device_code.issued", "oauth.device_code.refused",
        "oauth.token.polled", "oauth.token.pending", "oauth.token.issued", "oauth.token.refused",
    }
)  # fmt: skip


_Browser = tuple[str, str]  # capture, address


@dataclass(frozen=True, slots=True)
class _Service:
    """What the pairing service gave out, which clients opened its page, and which host that is
    for each browser that was recognised by what the page does."""

    clients: frozenset[Fact]
    visitors: frozenset[str]
    sites: dict[_Browser, frozenset[str]]


def tagged(events: Sequence[Event]) -> list[Event]:
    """The events, with `paired` (true or false) where it can be determined, and `pairing_host`
    where a browser is at the pairing service's page. Order matters within a capture only."""
    service = _service(events)
    reported = [_by_itself(event, service) for event in events]
    codes = _named(events)
    codes |= {
        code: paired
        for event, paired in zip(events, reported, strict=True)
        if paired is not None and isinstance(code := event.facts.get("user_code"), Secret)
    }
    found = []
    for event, paired in zip(events, reported, strict=True):
        more: dict[str, Fact] = {}
        if paired is None and event.name.startswith("deviceauth.code."):
            paired = _typed(event, codes, service)
        if paired is not None:
            more["paired"] = paired
        site = _pairing_host(event, service)
        if site is not None:
            more["pairing_host"] = site
        found.append(replace(event, facts={**event.facts, **more}) if more else event)
    return found


def _service(events: Sequence[Event]) -> _Service:
    given = [event.facts for event in events if event.name == "pairing.config.received"]
    pages = {facts.get("website_host") for facts in given} - {None}
    sites = _sites(events)
    return _Service(
        clients=frozenset(facts["client_id"] for facts in given if "client_id" in facts),
        visitors=frozenset(
            event.client.address
            for event in events
            if event.client is not None and _visits(event, pages)
        )
        | {address for _, address in sites},
        sites=sites,
    )


def _visits(event: Event, pages: set[Fact | None]) -> bool:
    """Whether a browser is at the service's page, or signs in for a phone's application."""
    if event.name == "web.page.requested":
        return event.host in pages or of_pairing(event.host)
    asks = event.name == "oauth.authorize.requested"
    return asks and sfb_phone(event.facts.get("client_id"), None)


def _browser(event: Event) -> _Browser | None:
    if event.client is None or event.source.line is not None:
        return None
    return event.source.capture, event.client.address


def _pairing_host(event: Event, service: _Service) -> str | None:
    """The pairing service's host, where it sends the browser on, or has it signed in."""
    asks = event.name == "oauth.authorize.requested"
    host = event.facts.get("return_host") if asks else event.host
    browser = _browser(event)
    if not (asks or event.name == "web.redirected") or not isinstance(host, str) or not browser:
        return None
    return host if of_pairing(host) or host in service.sites.get(browser, ()) else None


@dataclass(slots=True)
class _Way:
    """Where a browser was: hosts that sent it on after it posted something to them, those of
    them that had it sign in with the user's address, and where these sent it in the end."""

    posted: set[str] = field(default_factory=set)
    signing_in: set[str] = field(default_factory=set)
    led: dict[str, str] = field(default_factory=dict)  # next host → the host it began at
    sites: set[str] = field(default_factory=set)


def _sites(events: Sequence[Event]) -> dict[_Browser, frozenset[str]]:
    """Hosts that do what the pairing service's page does: they take the user's address, have the
    browser sign in with it (OAuth), and send it from there to the page that takes a code. No
    other device's sign-in is known to begin so."""
    ways: dict[_Browser, _Way] = defaultdict(_Way)
    for event in events:
        browser, host = _browser(event), event.host
        if browser is None or host is None:
            continue
        way = ways[browser]
        if event.name == "oauth.authorize.requested":
            back = event.facts.get("return_host")
            if isinstance(back, str) and back in way.posted and event.facts.get("user"):
                way.signing_in.add(back)
        elif event.name == "web.redirected":
            begun = host if host in way.signing_in else way.led.pop(host, None)
            target = event.facts.get("to_host", host)
            if begun is not None and isinstance(target, str):
                way.led[target] = begun
            if event.facts.get("method") == "POST":
                way.posted.add(host)
        elif event.name == "deviceauth.page.requested" and host in way.led:
            way.sites.add(way.led.pop(host))
    return {browser: frozenset(way.sites) for browser, way in ways.items() if way.sites}


def _named(events: Sequence[Event]) -> dict[Secret, bool]:
    """Codes whose application a page named after they were typed: is it a phone's?"""
    latest: dict[_Browser, Secret] = {}
    found: dict[Secret, bool] = {}
    for event in events:
        browser = _browser(event)
        if browser is None:
            continue
        code = event.facts.get("user_code")
        if event.name.startswith("deviceauth.code.") and isinstance(code, Secret):
            latest[browser] = code
        phone = named_phone(event.facts.get("app_id"), event.facts.get("app_name"))
        if phone is not None and browser in latest:
            found[latest[browser]] = phone
    return found


def _by_itself(event: Event, service: _Service) -> bool | None:
    """What a device's own request or answer tells; None for events of others."""
    if event.name not in _DEVICE or (
        event.name.startswith("oauth.token.") and event.facts.get("grant") != "device_code"
    ):
        return None
    return (
        event.source.line is not None
        or event.facts.get("paired") is True
        or event.facts.get("client_id") in service.clients
    )


def _typed(event: Event, codes: dict[Secret, bool], service: _Service) -> bool | None:
    code = event.facts.get("user_code")
    known = codes.get(code) if isinstance(code, Secret) else None
    if known is None and event.client is not None and event.client.address in service.visitors:
        return True
    return known
