"""HTTP/2 streams: header blocks and data become requests and responses (RFC 9113 §8)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dissect.model import (
    Direction,
    Headers,
    HttpRequest,
    HttpResponse,
    Opaque,
    Span,
)
from dissect.protocols.base import Layer
from dissect.protocols.content import BodyCollector
from dissect.protocols.heads import Field, index, tokens
from dissect.protocols.http2_headers import UNKNOWN, UNKNOWN_BYTES

_REQUEST_PSEUDO = (b":method", b":path", b":scheme", b":authority")


def names_request(fields: list[Field]) -> bool:
    return any(name in _REQUEST_PSEUDO for name, _ in fields)


def names_response(fields: list[Field]) -> bool:
    return any(name == b":status" for name, _ in fields)


def pseudo(fields: list[Field], name: bytes) -> str | None:
    for key, value in fields:
        if key == name:
            return value.decode("utf-8", "replace")
    return None


@dataclass(slots=True)
class Half:
    """What one direction of a stream has brought of its message."""

    direction: Direction
    fields: list[Field]
    span: Span
    head_frame: int
    response: bool
    body: BodyCollector = field(default_factory=BodyCollector)
    done: bool = False


@dataclass(slots=True)
class Stream:
    """One stream: a half a direction (None: no header block was seen)."""

    number: int
    exchange: int
    halves: list[Half | None] = field(default_factory=lambda: [None, None])
    closed: list[bool] = field(default_factory=lambda: [False, False])
    pushed: bool = False

    @property
    def finished(self) -> bool:
        return all(self.closed)


def message(
    layer: Layer, stream: Stream, half: Half, problem: str | None
) -> HttpRequest | HttpResponse:
    """The half as a message of the model."""
    pseudo_fields = [item for item in half.fields if item[0].startswith(b":")]
    headers = [item for item in half.fields if not item[0].startswith(b":")]
    body = half.body.body(tokens(index(headers), b"content-encoding"), problem)
    place = layer.place(half.direction, half.span)
    if half.response:
        status = pseudo(pseudo_fields, b":status") or ""
        number = int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 0
        return HttpResponse(
            place=place,
            exchange=stream.exchange,
            version="2",
            status=number,
            reason=Opaque(),
            headers=Headers.of(headers),
            body=body,
            interim=100 <= number < 200,
            server_name=layer.server_name,
            h2_stream=stream.number,
            head_frame=half.head_frame,
        )
    host = pseudo(pseudo_fields, b":authority") or pseudo(headers, b"host")
    method = pseudo(pseudo_fields, b":method") or UNKNOWN
    target = next((value for name, value in pseudo_fields if name == b":path"), b"")
    if not target:
        target = (host or "").encode() if method == "CONNECT" else UNKNOWN_BYTES
    return HttpRequest(
        place=place,
        exchange=stream.exchange,
        version="2",
        method=method,
        target=Opaque(target),
        scheme=pseudo(pseudo_fields, b":scheme") or ("https" if layer.encrypted else "http"),
        host=host,
        headers=Headers.of(headers),
        body=body,
        server_name=layer.server_name,
        via=layer.via,
        pushed=stream.pushed,
        h2_stream=stream.number,
        head_frame=half.head_frame,
    )
