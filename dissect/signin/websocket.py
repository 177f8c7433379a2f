"""The opening of a WebSocket (RFC 6455 §4), and the protocol agreed for it (`sip`: RFC 7118)."""

from __future__ import annotations

from collections.abc import Iterator

from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, got, sent


def opening(exchange: Exchange) -> Iterator[Found]:
    """A client asks for a WebSocket (HTTP/1.1 Upgrade), and the server's answer.

    A server that takes none of the protocols offered opens the socket all the same
    (RFC 6455 §4.2.2); the client then has to close it.
    """
    if (exchange.request_header("upgrade") or "").strip().lower() != "websocket":
        return
    offered = _words(exchange.request_header("sec-websocket-protocol"))
    yield sent("websocket.requested", offered=offered or None)
    answer = exchange.response
    if answer is None:
        return
    chosen = (answer.headers.get("sec-websocket-protocol") or "").strip().lower()
    if answer.status == 101 and (chosen or not offered):
        yield got("websocket.opened", protocol=chosen or None, offered=offered or None)
    elif answer.status == 101:
        yield got("websocket.refused", status=101, code="no_protocol", offered=offered)
    else:
        yield got(
            "websocket.refused",
            status=answer.status,
            code=str(answer.status),
            offered=offered or None,
        )


def _words(value: str | None) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in (value or "").split(",") if word.strip())


RULES = (opening,)
