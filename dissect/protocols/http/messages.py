"""An HTTP message while it is read, and the message of the model that it becomes (RFC 9110 §6)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from dissect.model import Direction, Headers, HttpRequest, HttpResponse, Opaque, Ranges, Span
from dissect.protocols.base import Layer
from dissect.protocols.content import BodyCollector
from dissect.protocols.header_sections import Field, Index, host_of, tokens

Version = Literal["1.0", "1.1", "2"]

_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?#]*)")


class Request(NamedTuple):
    """The control data of a request (RFC 9110 §6.2). `scheme` and `authority` are "" where the
    framing has no own place for them, `protocol` is that of an extended CONNECT (RFC 8441)."""

    method: str
    target: bytes
    scheme: str = ""
    authority: str = ""
    protocol: str = ""


class Response(NamedTuple):
    """The control data of a response; a `status` of 0 is one that is not known."""

    status: int
    reason: bytes = b""


@dataclass(slots=True)
class Message:
    """A message whose content is still being read.

    `fields` are those of the header section, then of the trailer section; `index` has the
    former alone: trailers change neither framing nor codings (RFC 9110 §6.5.1).
    `head_frame` is the frame in which the header section became complete.
    """

    version: Version
    direction: Direction
    control: Request | Response
    fields: list[Field]
    index: Index
    span: Span
    head_frame: int
    content: BodyCollector = field(default_factory=BodyCollector, kw_only=True)

    @property
    def asks_tunnel(self) -> bool:
        return isinstance(self.control, Request) and self.control.method == "CONNECT"

    def given(
        self,
        layer: Layer,
        exchange: int,
        ranges: Ranges,
        problem: str | None,
        codings: Sequence[str] | None = None,
        *,
        stream: int | None = None,
        pushed: bool = False,
    ) -> HttpRequest | HttpResponse:
        """The message of the model. `problem` says what it lacks; `codings` are those of its
        content in the order they were applied, if they are more than Content-Encoding."""
        if codings is None:
            codings = content_codings(self.index)
        body = self.content.body(codings, problem, layer.allowance)
        place = layer.place(self.direction, self.span, ranges)
        headers = Headers.of(self.fields)
        control = self.control
        if isinstance(control, Response):
            return HttpResponse(
                place=place,
                exchange=exchange,
                version=self.version,
                status=control.status,
                reason=Opaque(control.reason),
                headers=headers,
                body=body,
                interim=is_interim(control.status),
                server_name=layer.server_name,
                h2_stream=stream,
                head_frame=self.head_frame,
            )
        scheme, host = target_uri(control, headers)
        return HttpRequest(
            place=place,
            exchange=exchange,
            version=self.version,
            method=control.method,
            target=Opaque(control.target),
            scheme=scheme or ("https" if layer.encrypted else "http"),
            host=host_of(host) or None,
            headers=headers,
            body=body,
            server_name=layer.server_name,
            via=layer.via,
            pushed=pushed,
            h2_stream=stream,
            head_frame=self.head_frame,
        )


def is_interim(status: int) -> bool:
    """Whether another response to the same request follows (RFC 9110 §15.2; 101 is final: no HTTP
    follows)."""
    return 100 <= status < 200 and status != 101


def content_codings(fields: Index) -> list[str]:
    """The content codings in the order they were applied (RFC 9110 §8.4)."""
    return tokens(fields, b"content-encoding")


def absolute_form(target: bytes) -> tuple[str, str] | None:
    """(scheme, authority without user information) of an absolute-form target."""
    match = _ABSOLUTE.match(target)
    if not match:
        return None
    return match[1].decode("latin-1").lower(), host_of(match[2].decode("latin-1"))


def target_uri(request: Request, headers: Headers) -> tuple[str, str]:
    """Scheme and authority of what is asked for (RFC 9110 §7.1), "" for what is not told. The
    authority may have user information."""
    scheme = request.scheme
    authority = request.authority or headers.get("host") or ""
    if scheme and authority:
        return scheme, authority
    absolute = absolute_form(request.target)
    if absolute is not None:
        return scheme or absolute[0], authority or absolute[1]
    if request.method == "CONNECT" and not request.protocol:
        authority = authority or request.target.decode("latin-1")
    return scheme, authority
