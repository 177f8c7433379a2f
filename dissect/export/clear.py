"""Secrets in messages that were sent without TLS: where their bytes are.

As in reports, a secret is told by the name and place of a value, by what other messages
tell to be one, and by its looks; a body of which reports show only a part is one as a whole.
"""

from __future__ import annotations

import html
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from dissect.export.headers import Span
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

SEARCH_LIMIT = 2 << 30
"""Bytes of one stream that are passed over for secrets which no index has, all together."""

_LINE = re.compile(rb"^[^\r\n\0]+", re.M)
_FIELD = re.compile(rb"([^\s:]+)[ \t]*:[ \t]*")


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


def in_head(policy: Policy, message: Message, text: bytes, search: Search) -> list[Span]:
    """Where the secrets of a message's start line and fields are in `text`, which has these
    alone. Raises NotMaskable."""
    fields = Counter(
        (bytes(name), bytes(value), content)
        for name, value, content in _fields(policy, message)
        if value.strip() and any(True for _ in _secrets(content))
    )
    lines = _lines(text, {(name, value) for name, value, _ in fields})
    found: list[Span] = []
    for (name, value, content), times in fields.items():
        places = lines.get((name, value), [])
        found += _of_field(search, text, name, value, content, places, times)
    return found


def in_body(policy: Policy, message: Message, content: bytes, masks: Masks) -> list[Span]:
    """Where the secrets of a message's body are in `content`, the body as it was sent; the
    whole of it where it can't be told. `masks` are those of all secrets that are `known`.
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


class Search:
    """Passes over the texts of one stream, as often as is sane."""

    def __init__(self) -> None:
        self._left = SEARCH_LIMIT

    def pattern(self, pattern: bytes, text: bytes) -> Iterator[Span]:
        """Everywhere that the only group of a pattern stands."""
        self._left -= len(text)
        if self._left < 0:
            raise NotMaskable("it has too many secrets to look for")
        return (match.span(1) for match in re.finditer(pattern, text))


def _lines(text: bytes, wanted: set[tuple[bytes, bytes]]) -> dict[tuple[bytes, bytes], list[Span]]:
    """Where the wanted fields and targets (of no name) stand, in lines of the usual form."""
    found: dict[tuple[bytes, bytes], list[Span]] = {}
    if not wanted:
        return found
    for match in _LINE.finditer(text):
        line, start = match[0].rstrip(b" \t"), match.start()
        if b" HTTP/" in line[-12:] or line.endswith(b" SIP/2.0"):
            first = line.find(b" ") + 1
            name, value = b"", line[first : line.rfind(b" ")]
        elif field := _FIELD.match(line):
            first = field.end()
            name, value = field[1], line[first:]
        else:
            continue
        if (name, value) in wanted:
            place = start + first, start + first + len(value)
            found.setdefault((name, value), []).append(place)
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
            told = (
                Text((Secret("opaque_value", text),))
                if len(text) > MAX_VALUE
                else policy.header(wire_text(name), text, sip)
            )
            yield name, value, told
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


def _of_field(
    search: Search, text: bytes, name: bytes, value: bytes, content: Text, places: list[Span],
    times: int,
) -> Iterator[Span]:  # fmt: skip
    """The secrets of one field that was read so many times, everywhere that it stands; the
    whole value where its grammar allowed more than one spelling."""
    folded: list[Span] = []
    if len(places) < times:
        lead = re.escape(name) + rb"[ \t]*:[ \t]*" if name else b""
        places = list(search.pattern(lead + b"(" + re.escape(value) + b")", text))
    if len(places) < times and name:
        # A folded field (RFC 9112 §5.2): line ends stand where the value has spaces.
        loose = rb"\s+".join(map(re.escape, value.split()))
        folded = list(search.pattern(re.escape(name) + rb"\s*:\s*(" + loose + b")", text))
    if not places and not folded:
        raise NotMaskable("its secrets are compressed or encoded")
    inside = _inside(value, content)
    for start, end in places:
        yield from ((start + a, start + b) for a, b in inside) if inside else ((start, end),)
    yield from folded


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
