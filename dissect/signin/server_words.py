"""A server's own words in header fields that say why it refuses: quoted as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dissect.model import Headers, wire_text
from dissect.redaction import fields
from dissect.redaction.cuts import cut
from dissect.redaction.judge import Judge

MAX_FIELDS = 6  # that are quoted
MAX_TEXT = 200  # characters of each

_MAKERS = re.compile(r"x-[a-z0-9-]{0,40}(?:error|reason|cause|fail)[a-z0-9-]{0,40}", re.I)


def quoted(named: Iterable[tuple[str, str]], headers: Headers, sip: bool = False) -> str:
    """Some fields (name, value), then those that a maker gave a name like `X-…-Error`, each as
    `Name “value”`, what is not known to be harmless in it hidden; empty if there are none."""
    judge = Judge()
    found = [
        (name, _shown(fields.header(judge, name, value, sip).parts))
        for name, value in named
        if value.strip()
    ]
    for key, raw in headers:
        name, value = wire_text(key), wire_text(raw)
        if _MAKERS.fullmatch(name) and value.strip():  # what a maker says there is a sentence
            found.append((name, _shown(judge.words(value[:MAX_TEXT]))))
    return ", ".join(f"{name} “{cut(text, MAX_TEXT)}”" for name, text in found[:MAX_FIELDS])


def _shown(parts: Iterable[object]) -> str:
    return "".join(map(str, parts)).strip()


def of_http(headers: Headers) -> str:
    """Of an answer over HTTP: RFC 9110 §10.2.3, RFC 9209, and makers' own."""
    named = ("Retry-After", "Proxy-Status", "Warning")
    return quoted([(name, value) for name in named for value in headers.all(name)], headers)
