"""Secrets in messages that were sent without TLS: where their bytes are.

As in reports, a secret is recognised by the name and place of a value, by what other messages
tell to be one, and by its looks; a body of which reports show only a part is one as a whole.
"""

from __future__ import annotations

import html
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from dissect.export.packet_headers import Span
from dissect.model import (
    UNKNOWN,
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
from dissect.redaction.fields import MAX_VALUE
from dissect.redaction.masking import SHORTEST, Masks
from dissect.redaction.policy import Policy


class NotMaskable(Exception):
    """A secret has no place of its own in the bytes; says why."""


def secrets_of(policy: Policy, message: Message) -> Iterator[Secret]:
    """Everything that a message holds and that may not be shown, by any rule."""
    for _, _, text in _fields(policy, message):
        yield from _secrets(text)
    body, kind = _body(message)
    if body.data:
        posted = isinstance(message, HttpRequest)
        shown, _ = policy.body(body, kind, posted)
        yield from _secrets(shown)
        yield from policy.secrets_of_body(body, kind, posted)


def in_fields(policy: Policy, message: Message, text: bytes | bytearray) -> Iterator[Span]:
    """Where the secrets of a message's start line and fields are in `text`, the bytes of its
    direction; the whole value where its grammar allowed more than one spelling."""
    for (_, value, content), (start, size) in zip(
        _fields(policy, message), _places(message), strict=False
    ):
        if size and any(True for _ in _secrets(content)):
            raw = bytes(text[start : start + size])
            inside = _inside(value, content) if raw == value else None
            if inside is None:
                yield start, start + size
            else:
                yield from ((start + first, start + last) for first, last in inside)


def _places(message: Message) -> Iterator[Span]:
    """Offset and size of what `_fields` tells, in its order."""
    ranges = message.place.ranges
    if ranges is None:
        return
    if ranges.target is not None:
        yield ranges.target[1:]
    for number in range(len(ranges.fields) // 2):
        yield ranges.field(number)


def published(policy: Policy, texts: bytes) -> bool:
    """Whether all strings of a TXT record (RFC 1035 §3.3.14) may be shown."""
    at = 0
    while at < len(texts):
        text = texts[at + 1 : at + 1 + texts[at]].decode("latin-1")
        if not isinstance(policy.answer("TXT", f'"{text}"'), str):
            return False
        at += 1 + texts[at]
    return True


def in_body(policy: Policy, message: Message, content: bytes, masks: Masks) -> list[Span]:
    """Where the secrets of a message's body are in `content`, the body as it was sent; the
    whole of it where it can't be determined. `masks` are those of all secrets that are `known`.
    Raises NotMaskable if what was sent is not what was read."""
    body, kind = _body(message)
    if body.data != content:
        held = (*secrets_of(policy, message), *masks.found(_latin(body.data)))
        secret = any(True for _ in held)
        if body.problem or secret or not policy.whole(body, kind) or not _clean(content, body):
            raise NotMaskable("its body is compressed or not whole")
        return []
    if body.problem:
        raise NotMaskable("its body is not whole")
    placed: dict[bytes, list[Span]] = {}
    for start, end in masks.found(_latin(content)):
        placed.setdefault(content[start:end], []).append((start, end))
    inside = _in_body(policy, message, content, placed)
    if inside is None:
        return [(0, len(content))]
    return [*inside, *(span for spans in placed.values() for span in spans)]


def _latin(data: bytes) -> str:
    return data.decode("latin-1")


def _clean(content: bytes, body: Body) -> bool:
    """Whether compressed bytes hold nothing but the body: no names, comments, other members."""
    gzip = content[:2] == b"\x1f\x8b"
    if gzip and content[3:4] != b"\0":
        return False
    member = zlib.decompressobj(31 if gzip else 15)
    try:
        data = member.decompress(content, len(body.data) + 1)
    except zlib.error:
        return False  # another coding
    return data == body.data and member.eof and not member.unused_data


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


def _fields(policy: Policy, message: Message) -> Iterator[tuple[bytes, bytes, Text]]:
    """What may hold secrets outside of the body: name (none of a target), value, its parts."""
    if isinstance(message, HttpRequest):
        yield b"", message.target, policy.target(message)
    elif isinstance(message, SipMessage) and message.kind == "request":
        yield b"", message.uri, policy.uri(wire_text(message.uri))
    if isinstance(message, HttpResponse):
        yield b"", message.reason, policy.words(wire_text(message.reason))
    elif isinstance(message, SipMessage) and message.kind == "response":
        yield b"", message.reason.encode(), policy.words(message.reason)
    if isinstance(message, HttpRequest | HttpResponse | SipMessage):
        for name, value in message.headers:
            text = wire_text(value)
            # What is beyond the bound nobody looks at.
            sip = isinstance(message, SipMessage)
            reported = (
                Text((Secret("opaque_value", text),))
                if len(text) > MAX_VALUE
                else policy.header(wire_text(name), text, sip)
            )
            yield name, value, reported
    elif isinstance(message, DhcpMessage):
        for place, value in message.provisioning:
            text = value.decode("latin-1")
            option = policy.option(place, text if text.isascii() else bytes(value))
            if isinstance(option, str) and option != text:  # bytes that are no text
                option = Text((Secret(UNKNOWN, text),))
            yield b"", value, Text((option,)) if isinstance(option, str) else option
        for word in (message.host_name, message.vendor_class):
            product = policy.class_identifier(word)
            if word and isinstance(product, Text):
                yield b"", word.encode(), product


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


def _in_body(
    policy: Policy, message: Message, content: bytes, placed: Mapping[bytes, list[Span]]
) -> list[Span] | None:
    """Where the secrets of a body are; None: it is one as a whole."""
    body, kind = _body(message)
    posted = isinstance(message, HttpRequest)
    shown, _ = policy.body(body, kind, posted)
    secrets = {*_secrets(shown), *policy.secrets_of_body(body, kind, posted)}
    if not policy.whole(body, kind) or any(len(secret.value) < SHORTEST for secret in secrets):
        return None
    here: dict[bytes, list[Span]] = {}
    # What is hidden only because nobody knows it is looked for in its own message alone.
    for start, end in known(s for s in secrets if s.kind == UNKNOWN).found(_latin(content)):
        here.setdefault(content[start:end], []).append((start, end))
    found: list[Span] = []
    for secret in secrets:
        where = here if secret.kind == UNKNOWN else placed
        places = [span for spelling in spellings(secret) for span in where.get(spelling, ())]
        if not places:
            return None  # spelled in a way of its own
        found += places
    return found
