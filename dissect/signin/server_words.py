"""A server's own words in header fields that say why it refuses: quoted as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dissect.model import Headers, wire_text
from dissect.redaction.cuts import cut

MAX_FIELDS = 6  # that are quoted
MAX_TEXT = 200  # characters of each

_MAKERS = re.compile(r"x-[a-z0-9-]{0,40}(?:error|reason|cause|fail)[a-z0-9-]{0,40}", re.I)


def quoted(fields: Iterable[tuple[str, str]], headers: Headers) -> str:
    """Some fields (name, value), then those that a maker gave a name like `X-…-Error`, each as
    `Name “value”`; empty if there are none."""
    found = list(fields)
    for key, value in headers:
        name = wire_text(key)
        if _MAKERS.fullmatch(name):
            found.append((name, wire_text(value)))
    shown = [f"{name} “{cut(value.strip(), MAX_TEXT)}”" for name, value in found if value.strip()]
    return ", ".join(shown[:MAX_FIELDS])


def of_http(headers: Headers) -> str:
    """Of an answer over HTTP: RFC 9110 §10.2.3, RFC 9209, and makers' own."""
    named = ("Retry-After", "Proxy-Status", "Warning")
    return quoted([(name, value) for name in named for value in headers.all(name)], headers)
