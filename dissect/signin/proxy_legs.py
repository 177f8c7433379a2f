"""Which 407 of a proxy is a leg of signing in there, and which is its last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dissect.model import Event, TcpConnection

# A client that has credentials answers within this time; a person who types them needs longer,
# and until then the proxy's 407 is what stands.
PATIENCE_NS = 2_000_000_000


class ProxyLegs:
    """Takes how connections ended, and tells the legs among the events of all captures."""

    def __init__(self, captures: Sequence[str]) -> None:
        self._captures = captures
        self._closed: set[tuple[str, int]] = set()

    def ended(self, connection: TcpConnection) -> None:
        """Take the end of a TCP connection: after it the client can't answer there."""
        if connection.outcome in ("closed", "reset"):
            at = connection.place.connection
            self._closed.add((self._captures[at.capture], at.stream))

    def told(self, events: list[Event], ends: Mapping[str, int]) -> list[Event]:
        """The events; a 407 is no refusal (RFC 9110 §11.7.1) if the proxy granted the same tunnel
        to the same client later, or if the capture ends while the client could still answer.
        `ends` are the times (ns) of the last packets of captures, by name."""
        granted: dict[tuple[str | None, str | None], int] = {}
        for event in events:
            if event.name == "proxy.connect.granted":
                granted[_tunnel(event)] = event.order_ns
        return [
            replace(event, name="proxy.connect.challenged")
            if event.name == "proxy.connect.refused"
            and event.facts.get("status") == 407
            and (granted.get(_tunnel(event), 0) >= event.order_ns or self._open(event, ends))
            else event
            for event in events
        ]

    def _open(self, event: Event, ends: Mapping[str, int]) -> bool:
        capture = event.source.capture
        return (capture, event.source.stream) not in self._closed and ends.get(
            capture, event.time_ns + PATIENCE_NS
        ) < event.time_ns + PATIENCE_NS


def _tunnel(event: Event) -> tuple[str | None, str | None]:
    return event.client.address if event.client else None, event.host
