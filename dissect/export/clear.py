"""Secrets in messages that were sent without TLS: where their bytes are.

As in reports, a secret is told by the name and place of a value, by what other messages
tell to be one, and by its looks; a body that reports would not show is one as a whole.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, quote_plus

from dissect.model import (
    Body,
    DhcpMessage,
    HttpRequest,
    HttpResponse,
    Message,
    Secret,
    SipMessage,
    Text,
    wire_text,
)
from dissect.report import bodies
from dissect.report.fields import header
from dissect.signin import harvest, redaction
from dissect.signin.masking import SHORTEST, Masks

Span = tuple[int, int]

FILLER = b"x"


class NotMaskable(Exception):
    """A secret has no place of its own in the bytes: they are compressed or encoded."""


def secrets_of(message: Message) -> Iterator[Secret]:
    """Every secret that a message holds, by any rule."""
    for _, _, text in _fields(message):
        yield from _secrets(text)
    body, kind = _body(message)
    if body.data:
        shown, _ = bodies.shown(body, kind)
        yield from _secrets(shown)
        yield from harvest.body(body.text[: harvest.BODY_LIMIT], kind or "")


def spans(messages: Sequence[Message], text: bytes) -> list[Span]:
    """Where the secrets of `messages` are in `text`, both directions of their stream one
    after the other. Raises NotMaskable."""
    found: list[Span] = []
    for message in messages:
        for name, value, content in _fields(message):
            if any(True for _ in _secrets(content)):
                found += _of_field(text, bytes(name), bytes(value), content)
        found += _of_body(text, *_body(message))
    return found


def known(secrets: Iterable[Secret]) -> Masks:
    """Looks for the values of secrets, in every usual spelling, in bytes as ISO 8859-1."""
    found = {spelling for secret in secrets for spelling in spellings(secret)}
    return Masks({s.decode("latin-1"): "" for s in found if len(s) >= SHORTEST})


def spellings(secret: Secret) -> set[bytes]:
    """How a value may be written: plain, percent-encoded, in JSON, in HTML and XML."""
    value = secret.value
    found = {value, secret.wire, json.dumps(value)[1:-1], html.escape(value)}
    found |= {json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value, quote=False)}
    for encoded in (quote(value, safe="", errors="replace"), quote_plus(value, errors="replace")):
        found |= {encoded, re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)}
    found |= {spelling.replace("/", "\\/") for spelling in found}
    found |= {spelling.replace("\n", "\r\n") for spelling in found}
    return {spelling.encode("utf-8", "replace") for spelling in found if spelling}


def _secrets(text: Text | None) -> Iterator[Secret]:
    return (part for part in (text.parts if text else ()) if isinstance(part, Secret))


# ------------------------------------------------------------------ fields


def _fields(message: Message) -> Iterator[tuple[bytes, bytes, Text]]:
    """What may hold secrets outside of the body: name (none of a target), value, its parts."""
    if isinstance(message, HttpRequest):
        yield b"", message.target, redaction.redact_url(wire_text(message.target))
    elif isinstance(message, SipMessage) and message.kind == "request":
        yield b"", message.uri, header("to", wire_text(message.uri))
    if isinstance(message, HttpRequest | HttpResponse | SipMessage):
        for name, value in message.headers:
            yield name, value, header(wire_text(name), wire_text(value))
    elif isinstance(message, DhcpMessage):
        for _, place in message.provisioning:
            yield b"", place, redaction.redact_url(wire_text(place))


def _of_field(text: bytes, name: bytes, value: bytes, content: Text) -> Iterator[Span]:
    """The secrets of one field, everywhere that it stands; the whole value where its
    grammar allowed more than one spelling."""
    if not value.strip():
        return
    inside = _inside(value, content)
    lead = re.escape(name) + rb"[ \t]*:[ \t]*" if name else b""
    exact = lead + rb"(" + re.escape(value) + rb")"
    places = [match.span(1) for match in re.finditer(exact, text)]
    if not places:
        # A folded field (RFC 9112 §5.2): line ends stand where the value has spaces.
        folded = rb"\s+".join(map(re.escape, value.split()))
        loose = re.escape(name) + rb"\s*:\s*(" + folded + rb")"
        places = [match.span(1) for match in re.finditer(loose, text)] if name else []
        inside = None
    if not places:
        raise NotMaskable
    for start, end in places:
        yield from ((start + a, start + b) for a, b in inside) if inside else ((start, end),)


def _inside(value: bytes, content: Text) -> list[Span] | None:
    """Where the secrets are in a value; None if its parts don't add up to it."""
    for codec in ("utf-8", "latin-1"):
        try:
            parts = [
                (part.wire or part.value if isinstance(part, Secret) else part).encode(codec)
                for part in content.parts
            ]
        except UnicodeEncodeError:
            continue
        lead = value[: len(value) - len(value.lstrip(b" \t"))]
        if b"".join(parts) != value[len(lead) :]:
            continue
        found, place = [], len(lead)
        for part, raw in zip(content.parts, parts, strict=True):
            if isinstance(part, Secret):
                found.append((place, place + len(raw)))
            place += len(raw)
        return found
    return None


# ------------------------------------------------------------------ bodies


def _body(message: Message) -> tuple[Body, str | None]:
    if isinstance(message, HttpRequest | HttpResponse):
        return message.body, message.headers.get("content-type")
    if isinstance(message, SipMessage):
        return message.body, message.header("content-type")
    return Body(), None


def _of_body(text: bytes, body: Body, kind: str | None) -> Iterator[Span]:
    if not body.data:
        return
    shown, _ = bodies.shown(body, kind)
    secrets = {*_secrets(shown), *harvest.body(body.text[: harvest.BODY_LIMIT], kind or "")}
    if shown is not None and not secrets:
        return
    found: list[Span] = []
    if shown is not None and all(len(secret.value) >= SHORTEST for secret in secrets):
        for secret in secrets:
            places = [span for spelling in spellings(secret) for span in _places(text, spelling)]
            if not places:
                break  # spelled in a way of its own
            found += places
        else:
            yield from found
            return
    whole = list(_places(text, bytes(body.data)))
    if not whole:
        raise NotMaskable
    yield from whole


def _places(text: bytes, value: bytes) -> Iterator[Span]:
    place = text.find(value)
    while place >= 0:
        yield place, place + len(value)
        place = text.find(value, place + len(value))
