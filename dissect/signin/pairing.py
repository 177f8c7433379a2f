"""Which device code sign-ins are a phone's of Skype for Business (fact `paired`).

Every device that signs in with a code sends the same requests (RFC 8628). A phone of Skype for
Business is told by its application id or User-Agent, by the id that the Device Pairing Service
gave out, or by its own log. A code that a browser typed is such a phone's if the phone got it,
or, where that is not known, if the browser came from that service's page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dissect.model import Event, Fact, Secret
from dissect.signin.services import of_pairing

_DEVICE = frozenset(
    {
        "oauth.device_code.requested", "oauth.device_code.issued", "oauth.device_code.refused",
        "oauth.token.polled", "oauth.token.pending", "oauth.token.issued", "oauth.token.refused",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Service:
    """What the pairing service gave out, and which clients opened its page."""

    clients: frozenset[Fact]
    visitors: frozenset[str]


def tagged(events: Sequence[Event]) -> list[Event]:
    """The events, with `paired` (true or false) where it can be told; order does not matter."""
    service = _service(events)
    told = [_by_itself(event, service) for event in events]
    codes = {
        code: paired
        for event, paired in zip(events, told, strict=True)
        if paired is not None and isinstance(code := event.facts.get("user_code"), Secret)
    }
    found = []
    for event, paired in zip(events, told, strict=True):
        if paired is None and event.name.startswith("deviceauth.code."):
            paired = _typed(event, codes, service)
        found.append(
            event if paired is None else replace(event, facts={**event.facts, "paired": paired})
        )
    return found


def _service(events: Sequence[Event]) -> _Service:
    given = [event.facts for event in events if event.name == "pairing.config.received"]
    pages = {facts.get("website_host") for facts in given} - {None}
    return _Service(
        clients=frozenset(facts["client_id"] for facts in given if "client_id" in facts),
        visitors=frozenset(
            event.client.address
            for event in events
            if event.client is not None
            and event.name == "web.page.requested"
            and (event.host in pages or of_pairing(event.host))
        ),
    )


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
