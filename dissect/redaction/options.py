"""What may be shown of DHCP options and DNS answers.

A vendor's options are the vendor's affair (RFC 2132 §8.4): a value that is no address, host, URL
or path is hidden; of the suboptions that Lync phones read the documented values stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissect.model import UNKNOWN, Secret, Text
from dissect.redaction import forms
from dissect.redaction.judge import Judge, Part, texts

_LABEL = re.compile(r"[a-z][a-z-]{0,40}[0-9]{0,3}")
_CLASS = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:,/()+-]{0,79}")
_FILE = re.compile(r"[A-Za-z0-9_./\\%$@+\[\]{}-]{1,160}")
_PIECE = re.compile(r"[^,; ]++|[,; ]")
_HOSTS = frozenset({"66"})
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
    if place in judge.opened:
        return text
    found = texts(_option(judge, place, text))
    return found if any(isinstance(part, Secret) for part in found.parts) else text


def _option(judge: Judge, place: str, text: str) -> Iterator[Part]:
    if "://" in text and " " not in text:
        yield from judge.url(text).parts
    elif "@" in text and " " not in text and "=" not in text:
        # "user:password@host" is read as a URL by phones, with and without its scheme.
        yield from judge.url("x://" + text).parts[1:]
    elif place in _LYNC:
        yield text if text.lower() in _LYNC[place] else Secret(UNKNOWN, text)
    elif place == "43.5" or (place == "67" and _FILE.fullmatch(text)):
        plain = place == "67" or (text[:1] == "/" and _FILE.fullmatch(text))
        yield from judge.path(text) if plain else [Secret(UNKNOWN, text)]
    else:
        yield from _list(judge, place, text)


def _list(judge: Judge, place: str, text: str) -> Iterator[Part]:
    """Hosts, or names with values ("ftpservers=192.0.2.1,layer2tagging=1"), in a list."""
    for match in _PIECE.finditer(text):
        piece = match[0]
        name, equals, value = piece.partition("=")
        if piece in ", ;":
            yield piece
        elif equals and re.fullmatch(r"[A-Za-z][\w.-]{0,40}", name) and not forms.padded(piece):
            yield from (name, "=", *judge.value("sip", name, value))
        elif (
            forms.host(piece)
            or forms.is_address(piece)
            or (place in _HOSTS and _LABEL.fullmatch(piece))
        ):
            yield piece
        else:
            yield Secret(UNKNOWN, piece)


def class_identifier(text: str) -> str | Secret:
    """Option 60, or a host name (option 12): product words, no token."""
    odd = _CLASS.fullmatch(text) is None or forms.looks_like_token(text)
    return Secret(UNKNOWN, text) if odd else text


def answer(judge: Judge, kind: str, data: str) -> Text | str:
    """The data of a DNS record in words: names and addresses; of a TXT record what is known."""
    if kind != "TXT" or "txt" in judge.opened:
        return data
    found: list[Part] = []
    for index, item in enumerate(re.split(r"(?<=\") (?=\")", data)):
        found.append(" " if index else "")
        inner = item.strip('"')
        if _TXT.match(inner):
            found.append(item)
            continue
        name, equals, value = inner.partition("=")
        if equals and re.fullmatch(r"[A-Za-z][\w.-]{0,60}", name):
            found += ['"', name, "=", *judge.value("sip", name, value), '"']
        else:
            found += ['"', Secret(UNKNOWN, inner), '"']
    return texts(found) if any(isinstance(part, Secret) for part in found) else data
