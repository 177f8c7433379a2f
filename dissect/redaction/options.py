"""What may be shown of DHCP options and DNS answers.

A vendor's options are the vendor's affair (RFC 2132 §8.4): a value that is no address, host, URL
or path is hidden; of the suboptions that Lync phones read the documented values stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dissect.model import UNKNOWN, Secret, Text
from dissect.redaction import forms
from dissect.redaction.judge import Judge, Part, texts

_LABEL = re.compile(r"[a-z][a-z-]{0,40}[0-9]{0,3}")
_CLASS = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:,/()+-]{0,79}")
_FILE = re.compile(r"[A-Za-z0-9_./\\%$@+\[\]{}-]{1,160}")
_PIECE = re.compile(r"[^,; ]++|[,; ]")
_HOSTS = frozenset({"66"})
_NAME = re.compile(r"[A-Za-z][\w.-]{0,40}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}")
_QUERY = re.compile(r"[?#]")
# A step of a path is a name, with a maker's placeholders ("{mac}.cfg", "$PN", "%MACD"); a name of
# many digits, or one whose signs are encoded for no reason (RFC 3986 §2.3), is none.
_STEPS = re.compile(r"([/\\])")
_STEP = re.compile(r"[A-Za-z0-9_.~$@+!,;:=&()\[\]{}% -]{1,80}")
_ESCAPE = re.compile(r"\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}")  # of a letter, and no folder
_UNUSUAL = re.compile(r"%(?!20)[0-9A-Fa-f]{2}|\d{20}|^=|=[0-9A-F]{2}=")
# Option 43 of Lync Phone Edition ("Set up DHCP options to enable sign-in for IP phones").
_LYNC = {
    "43.1": frozenset({"ms-uc-client"}),
    "43.2": frozenset({"http", "https"}),
    "43.4": frozenset({"80", "443", "444", "4443", "8080"}),
}
# Records that publish a policy or a public key (RFC 7208, 7489, 6376, 8461, 8460, 6763).
_TXT = re.compile(r"v=(?:spf1|DMARC1|DKIM1|STSv1|TLSRPTv1|BIMI1)\b|txtvers=", re.I)


def option(judge: Judge, place: str, value: bytes | str) -> Text | str:
    """An option's value as text; `place` is its code ("160", "43.3"). Bytes that are no text are
    counted."""
    try:
        text = value if isinstance(value, str) else value.decode("utf-8")
    except UnicodeDecodeError:
        return f"{len(value)} bytes"
    if not text.isprintable():
        return f"{len(value)} bytes"
    if place in judge.shown_names:
        return text
    found = texts(_option(judge, place, text))
    return found if any(isinstance(part, Secret) for part in found.parts) else text


def _option(judge: Judge, place: str, text: str) -> Iterator[Part]:
    if "://" in text and " " not in text:
        yield from _url(judge, text)
    elif "@" in text and " " not in text and "=" not in text:
        # "user:password@host" is read as a URL by phones, with and without its scheme.
        yield from list(_url(judge, "x://" + text))[1:]
    elif place in _LYNC:
        yield text if text.lower() in _LYNC[place] else Secret(UNKNOWN, text)
    elif place == "43.5" or (place == "67" and _FILE.fullmatch(text)):
        plain = place == "67" or (text[:1] == "/" and _FILE.fullmatch(text))
        yield from _path(judge.path(text)) if plain else [Secret(UNKNOWN, text)]
    else:
        yield from _list(judge, place, text)


def _url(judge: Judge, text: str) -> Iterator[Part]:
    """What a phone takes for a URL: up to the last @ before its query are credentials, for
    phones' passwords are not encoded; of its path only steps that name something are shown."""
    scheme, separator, rest = text.partition("://")
    user, at, _ = _QUERY.split(rest, maxsplit=1)[0].rpartition("@")
    first, *found = judge.url(scheme + separator + rest[len(user + at) :]).parts
    if isinstance(first, Secret) or not _SCHEME.fullmatch(scheme):
        yield Secret(UNKNOWN, text)
        return
    yield first
    yield from (Secret("basic_credentials", user), at) if user else (at,)
    mark = next((i for i, part in enumerate(found) if part in ("?", "#")), len(found))
    yield from (*found[:1], *_path(found[1:mark]), *found[mark:])


def _path(parts: Iterable[Part]) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, Secret):
            yield part
            continue
        if _ESCAPE.search(part):
            yield Secret(UNKNOWN, part)
            continue
        for step in _STEPS.split(part):
            if step:
                unusual = _UNUSUAL.search(step) or not _STEP.fullmatch(step)
                yield Secret(UNKNOWN, step) if unusual and not _STEPS.fullmatch(step) else step


def _list(judge: Judge, place: str, text: str) -> Iterator[Part]:
    """Hosts, or names with values ("ftpservers=192.0.2.1,layer2tagging=1"), in a list."""
    alone = place in _HOSTS and _LABEL.fullmatch(text)
    for match in _PIECE.finditer(text):
        piece = match[0]
        name, equals, value = piece.partition("=")
        if piece in ", ;":
            yield piece
        elif equals and value.strip("=") and _NAME.fullmatch(name) and not forms.padded(piece):
            yield from (judge.name(name), "=", *judge.value("field", name, value))
        elif forms.host(piece) or forms.is_address(piece) or alone:
            yield piece
        else:
            yield Secret(UNKNOWN, piece)


def class_identifier(text: str) -> str | Secret:
    """Option 60, or a host name (option 12): product words, no token."""
    unusual = _CLASS.fullmatch(text) is None or forms.looks_like_token(text)
    return Secret(UNKNOWN, text) if unusual else text


def answer(judge: Judge, kind: str, data: str) -> Text | str:
    """The data of a DNS record in words: names and addresses; of a TXT record what is known."""
    if kind != "TXT" or "txt" in judge.shown_names:
        return data
    found: list[Part] = []
    for index, item in enumerate(re.split(r"(?<=\") (?=\")", data)):
        found.append(" " if index else "")
        inner = item.strip('"')
        if _TXT.match(inner):
            found.append(item)
            continue
        name, equals, value = inner.partition("=")
        named = value.strip("=") and _NAME.fullmatch(name) and not forms.padded(inner)
        if equals and named:
            found += ['"', judge.name(name), "=", *judge.value("field", name, value), '"']
        else:
            found += ['"', Secret(UNKNOWN, inner), '"']
    return texts(found) if any(isinstance(part, Secret) for part in found) else data
