"""HTTP messages (RFC 9110), whatever version carried them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dissect.model.content import EMPTY_BODY, Body, Headers, wire_text
from dissect.model.secrets import Opaque
from dissect.model.wire import Place


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request (RFC 9110). `exchange` pairs it with its response on the connection.

    `target` is the request target as sent (path and query in HTTP/2). `host` is the
    :authority or Host, else the host of an absolute-form target, else None. `via` is
    `address:port` of the proxy where the request came through a CONNECT tunnel.
    `head_frame` is the frame in which the header fields became complete (in HTTP/2 the
    last frame of the header block), the body's frames not counted.
    """

    place: Place
    exchange: int
    version: Literal["1.0", "1.1", "2"]
    method: str
    target: Opaque
    scheme: str
    host: str | None
    headers: Headers
    body: Body = EMPTY_BODY
    server_name: str | None = None
    via: str | None = None
    pushed: bool = False
    h2_stream: int | None = None
    head_frame: int = 0

    @property
    def path(self) -> str:
        """The target without its query, for recognisers. May hold secrets: never print it."""
        return wire_text(self.target).split("?", 1)[0]

    @property
    def query(self) -> str:
        """The query of the target, undecoded. May hold secrets: never print it."""
        return wire_text(self.target).partition("?")[2]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response. `interim` marks 1xx; `exchange` is that of its request, or a fresh
    one if the request was not captured. `head_frame` as in `HttpRequest`. A `status` of 0
    is one that the capture does not tell (HTTP/2 joined late, the field was compressed)."""

    place: Place
    exchange: int
    version: Literal["1.0", "1.1", "2"]
    status: int
    reason: Opaque
    headers: Headers
    body: Body = EMPTY_BODY
    interim: bool = False
    server_name: str | None = None
    h2_stream: int | None = None
    head_frame: int = 0
