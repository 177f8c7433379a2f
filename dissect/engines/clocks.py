"""Messages on another clock: every time in them that the capture gave is moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from dissect.model import Message, Span, TlsConnection


def moved(messages: Iterable[Message], by_ns: Mapping[int, int]) -> list[Message]:
    """The messages, those of each capture (by its index) later by so many ns. What a message
    itself says of the time (NTP, Date) stays."""
    return [
        _moved(message, shift)
        if (shift := by_ns.get(message.place.connection.capture, 0))
        else message
        for message in messages
    ]


def _moved(message: Message, shift: int) -> Message:
    place = message.place
    changed: dict[str, Any] = {"place": replace(place, span=_span(place.span, shift))}
    if isinstance(message, TlsConnection):
        changed["record_sizes"] = tuple(
            replace(s, time_ns=s.time_ns + shift) for s in message.record_sizes
        )
        changed["alerts"] = tuple(replace(a, time_ns=a.time_ns + shift) for a in message.alerts)
    return replace(message, **changed)


def _span(span: Span, shift: int) -> Span:
    return span._replace(
        first_ns=span.first_ns + shift,
        last_ns=span.last_ns + shift,
        after_ns=span.after_ns + shift if span.after_ns else 0,
    )
