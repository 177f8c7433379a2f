"""Canary values: words of which no list and no heuristic knows, each with its position's number.

A canary is one word of small letters, as a password may be: `quvzoj`, four letters that are the
position's number, `jexwyk`. Half of one is found as well as the whole.
"""

from __future__ import annotations

import base64
import gzip
import json
import quopri
import re
import zlib
from collections.abc import Callable
from urllib.parse import quote

HEAD, TAIL = "quvzoj", "jexwyk"
_CONSONANTS, _VOWELS = "bcdfghklmnprstvw", "aeiou"
_PAIRS = [a + b for a in _CONSONANTS for b in _VOWELS]
MOST = len(_PAIRS) ** 2
FOUND = re.compile(
    rf"{HEAD}[ .]?([a-z]{{4}})?(?:[ .]|7xq)?(?:{TAIL})?|([a-z]{{4}})?(?:[ .]|7xq)?{TAIL}".encode()
)


def letters(number: int) -> str:
    """A position's number in four letters."""
    return _PAIRS[number // len(_PAIRS)] + _PAIRS[number % len(_PAIRS)]


def number(text: str) -> int | None:
    """The position's number; None where the letters are none."""
    if text[:2] not in _PAIRS or text[2:] not in _PAIRS:
        return None
    return _PAIRS.index(text[:2]) * len(_PAIRS) + _PAIRS.index(text[2:])


# What a secret may look like: a word, a token, words, two with dots, one in capitals, a host's name.
SHAPES: dict[str, Callable[[str], str]] = {
    "word": lambda own: HEAD + own + TAIL,
    "token": lambda own: f"{HEAD.title()}{own}7Xq{TAIL.title()}94",
    "words": lambda own: f"{HEAD} {own} {TAIL}",
    "dotted": lambda own: f"{HEAD}.{own}.{TAIL}",
    "upper": lambda own: (HEAD + own + TAIL).upper(),
    "host": lambda own: f"{HEAD}{own}{TAIL}.example.com",
}


def _deflated(text: str) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text.encode()) + packer.flush()


# One layer around a text; each gives a text again, so that any can stand in any other.
LAYERS: dict[str, Callable[[str], str]] = {
    "percent": lambda t: "".join(f"%{byte:02x}" for byte in t.encode()),
    "quote": lambda t: quote(f"={t}&", safe=""),
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "base64-1": lambda t: base64.b64encode(b"\0" + t.encode()).decode(),
    "base64-2": lambda t: base64.b64encode(b"u:" + t.encode()).decode(),
    "base64url": lambda t: base64.urlsafe_b64encode(b"\xff\xfe\xfb" + t.encode()).decode(),
    "hex": lambda t: t.encode().hex(),
    "HEX": lambda t: t.encode().hex().upper(),
    "escaped": lambda t: "".join(f"\\u{ord(c):04x}" for c in t),
    "json": lambda t: json.dumps({"password": t}),
    "json-unknown": lambda t: json.dumps({"zeta": [{"eta": t}]}),
    "form": lambda t: f"password={quote(t, safe='')}&x=1",
    "url": lambda t: f"https://h.example/a?zeta={quote(t, safe='')}#b",
    "entities": lambda t: "".join(f"&#x{ord(c):x};" for c in t),
    "xml": lambda t: f"<zeta>{t.replace('&', '&amp;').replace('<', '&lt;')}</zeta>",
    "quoted-printable": lambda t: quopri.encodestring(t.encode(), quotetabs=True).decode()
    if not t.isalpha()
    else "".join(f"={ord(c):02X}" for c in t),
    "utf16-base64": lambda t: base64.b64encode(t.encode("utf-16-le")).decode(),
    "gzip-base64": lambda t: base64.b64encode(gzip.compress(t.encode(), mtime=0)).decode(),
    "deflate-base64": lambda t: base64.b64encode(_deflated(t)).decode(),
}  # fmt: skip
Chain = tuple[str, ...]


def wrapped(text: str, chain: Chain) -> str:
    """`text` in the layers of `chain`, the first innermost."""
    for layer in chain:
        text = LAYERS[layer](text)
    return text
