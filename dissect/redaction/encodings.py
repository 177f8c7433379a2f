"""What is encoded inside a value: percent-encoding, base64, DEFLATE, JSON in a string, XML in text.

A value may be wrapped more than once (RFC 3986 §2.4: each layer is decoded once). At most `DEPTH`
layers are taken off; what is left then is no text that anybody could judge.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

from dissect.redaction.bounds import Bounds
from dissect.redaction.markup import html_unescaped

DEPTH = 3
MESSAGE_LIMIT = 1 << 20  # characters of a decoded layer; a bomb is cut there
# A SAML message packs to a fifth: what one inflates to, and all of a run together.
INFLATED_RATIO = 50  # bytes that one deflated byte may become
INFLATED_FLOOR = 64 << 10  # bytes that any deflated value may have
MAX_INFLATED = 16 << 20  # bytes of all values of a run, and RUN_RATIO more for each of a message
RUN_RATIO = 20
SMALLEST = 8  # characters of base64 that could hold a name and a value

_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}+={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}+")
_TEXT = bytes(range(32, 127)) + b"\r\n\t"
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});")


class Room:
    """What is left of `MAX_INFLATED` for the values of a run, however they are nested.

    Once it is `full` nothing is inflated any more; whoever asks what a value holds hides it.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._left = MAX_INFLATED
        self.full = False

    def came(self, size: int) -> None:
        """A message of so many bytes; what is inflated brings no room of its own."""
        self._left += RUN_RATIO * size

    def inflated(self, raw: bytes) -> bytes:
        """What DEFLATE data (RFC 1951) is, as far as there is room for it."""
        most = min(_most(raw), self._left)
        found = _inflated(raw, most)
        self._left -= len(found)
        if len(found) == most:
            self.full |= self._left <= 0
            self._bounds.say(
                "limit.inflated",
                f"deflated values that inflate to more than {INFLATED_RATIO} times their size, or "
                f"all together to more than {MAX_INFLATED >> 20} MB, are cut",
            )
        return found


def _most(raw: bytes) -> int:
    return min(MESSAGE_LIMIT, INFLATED_FLOOR + INFLATED_RATIO * len(raw))


def _inflated(raw: bytes, most: int) -> bytes:
    if most <= 0:  # which zlib takes for no bound
        return b""
    try:
        # 15 bits of window, no zlib header: RFC 1951, as the redirect binding demands.
        return zlib.decompressobj(-15).decompress(raw, most)
    except zlib.error:
        return b""


def saml(value: str, deflated: bool | None = None, room: Room | None = None) -> str | None:
    """The XML of a SAMLRequest or SAMLResponse; None where it is neither base64 nor XML.

    `deflated` None tries both: senders mix the bindings up. Without `room` only the one value is
    bounded.
    """
    compact = re.sub(r"\s+", "", value)
    if not compact or len(compact) > 2 * MESSAGE_LIMIT:
        return None
    try:
        raw = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    if deflated is not False:
        inflated = room.inflated(raw) if room is not None else _inflated(raw, _most(raw))
        if inflated.lstrip()[:1] == b"<":
            return inflated.decode("utf-8", "replace")
    return (
        raw.decode("utf-8", "replace") if raw.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<" else None
    )


def inner(value: str, room: Room | None = None) -> Iterator[str]:
    """What a value is once one layer is taken off, by each layer that it can have."""
    if len(value) > 2 * MESSAGE_LIMIT:
        return
    if "%" in value and _PERCENT.search(value):
        yield unquote_plus(value)
        if "+" in value:
            yield unquote(value)
    if "&" in value and _ENTITY.search(value):
        yield html_unescaped(value)
    if value[:1] == '"' and value[-1:] == '"':
        try:
            text = json.loads(value)
        except (ValueError, RecursionError):
            text = None
        if isinstance(text, str) and text != value:
            yield text
    text = _base64(value, room)
    if text is not None:
        yield text


def _base64(value: str, room: Room | None) -> str | None:
    compact = value.strip()
    if len(compact) < SMALLEST or not _BASE64.fullmatch(compact):
        return None
    plain = compact.rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        return None
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return saml(value, room=room) if len(compact) > 40 else None
    return text if text.isprintable() or text.lstrip()[:1] in ("{", "[", "<") else None


def holds_text(value: str) -> bool:
    """Whether hexadecimal or base64, compressed or not, hides a text (of `SMALLEST` bytes)."""
    return any(_readable(inner) for raw in _raw(value) for inner in (raw, _beginning(raw)))


def _raw(value: str) -> Iterator[bytes]:
    compact = value.strip()
    if _HEX.fullmatch(compact):
        yield bytes.fromhex(compact)
    if _BASE64.fullmatch(compact):
        plain = compact.rstrip("=").replace("-", "+").replace("_", "/")
        plain = plain[: len(plain) - (len(plain) % 4 == 1)]
        yield base64.b64decode(plain + "=" * (-len(plain) % 4))


def _beginning(raw: bytes) -> bytes:
    """The first 4 KB of what compressed data is, whatever its kind."""
    for bits in (47, -15):  # gzip or zlib by their headers, and RFC 1951 without one
        try:
            found = zlib.decompressobj(bits).decompress(raw, 4096)
        except zlib.error:  # not this kind
            continue
        if found:
            return found
    return b""


def _readable(raw: bytes) -> bool:
    """Text, also in UTF-16, but for a byte in twelve."""
    some = raw[:400].replace(b"\0", b"")
    if len(some) < SMALLEST:
        return False
    if len(some.translate(None, _TEXT)) <= len(some) // 12:
        return True
    try:
        return some.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def structured(value: str) -> str | None:
    """What kind of container a text is: "json", "xml", "form" or "url"; None for none."""
    start = value[:64].lstrip("\ufeff \t\r\n")
    if start[:1] in ("{", "["):
        return "json"
    if start[:1] == "<":
        return "xml"
    if "://" in start or (start[:1] == "/" and "?" in value):
        return "url"
    if re.match(r"[\w.$\[\]-]{1,64}=[^=&]", start):
        return "form"
    return None
