"""What is kept of messages after the rules, the search for secrets and the clocks have seen them.

A chart needs none of them, a table those of its kind without bodies, whatever shows a body all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dissect.model import (
    Body,
    DnsMessage,
    HttpRequest,
    HttpResponse,
    Message,
    SipMessage,
    TcpConnection,
    TlsConnection,
)

Keep = Callable[[Message], Message | None]
"""What is kept of a message: all, it without its body, or nothing."""


def everything(message: Message) -> Message | None:
    """The message with its body."""
    return message


def nothing(message: Message) -> Message | None:
    """No message at all."""
    return None


def only(*kinds: type) -> Keep:
    """Messages of some kinds, as `lean` has them."""
    return lambda message: lean(message) if isinstance(message, kinds) else None


def lean(message: Message) -> Message:
    """A message without the bytes of an HTTP body (its size stays) and without the sizes of
    encrypted records."""
    if isinstance(message, HttpRequest | HttpResponse) and message.body.data:
        body = Body(wire_size=message.body.wire_size, problem=message.body.problem)
        return replace(message, body=body)
    if isinstance(message, TlsConnection) and message.record_sizes:
        return replace(message, record_sizes=())
    return message


def in_frame(number: int) -> Keep:
    """Messages that a frame carries bytes of, with their bodies."""

    def keep(message: Message) -> Message | None:
        span = message.place.span
        return message if span.first_frame <= number <= span.last_frame else None

    return keep


def overview() -> Keep:
    """What tells which protocols a capture has and whom it names: rows of connections, DNS, and
    of each stream that carries HTTP or SIP one message."""
    seen: set[tuple[int, str, int, type]] = set()

    def keep(message: Message) -> Message | None:
        if isinstance(message, HttpRequest | HttpResponse | SipMessage):
            where = message.place.connection
            key = where.capture, where.transport, where.stream, type(message)
            if key in seen:
                return None
            seen.add(key)
            return lean(message)
        rows = isinstance(message, DnsMessage | TcpConnection | TlsConnection)
        return lean(message) if rows else None

    return keep


PAGES = ("", "text/html", "application/xhtml+xml", "application/json")


def with_redirects(message: Message) -> Message | None:
    """HTTP messages, with the bodies that may lead a browser on: pages, and forms posted."""
    if isinstance(message, HttpResponse):
        kind = (message.headers.get("content-type") or "").partition(";")[0].strip().lower()
        return message if kind in PAGES else lean(message)
    if isinstance(message, HttpRequest):
        return message if message.method == "POST" else lean(message)
    return None


def reported(message: Message) -> Message | None:
    """What a report tells of all messages; the other bodies, which few arrows point to, are read
    again for it (`report.reread_bodies`)."""
    if isinstance(message, HttpRequest | HttpResponse):
        return with_redirects(message)
    return message
