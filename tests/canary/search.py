"""Looks for canaries in any bytes: as they are, and through whatever was put around them."""

from __future__ import annotations

import base64
import binascii
import html
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from tests.canary.values import FOUND, HEAD, TAIL, number

DEPTH = 5  # encodings in each other that are undone; escapes are undone to the end
SWEEPS = 6
LARGEST = 1 << 22  # of one unpacked run
_RUN = re.compile(rb"[A-Za-z0-9+/_-]{10,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :]?){6,}")
_QUOTED = re.compile(rb"(?:=[0-9A-Fa-f]{2}(?:[0-9A-Fa-f]{2})?){3,}")
_SOFT = re.compile(rb"=\r?\n")  # RFC 2045 §6.7: soft line breaks of quoted-printable
_ESCAPED = re.compile(rb"\\+u00([0-9A-Fa-f]{2})|\\+x([0-9A-Fa-f]{2})")
_ENTITY = re.compile(rb"&#?\w{1,8};")
_STREAM = re.compile(rb"stream\r?\n")
_SHOWN = re.compile(rb"\(((?:[^()\\]|\\.)*)\)")  # the texts of a PDF, cut for kerning
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_WORDS = HEAD.encode(), TAIL.encode(), HEAD[::-1].encode(), TAIL[::-1].encode()


@dataclass(frozen=True)
class Hit:
    """A canary that was found: its position's number (None: cut off), where, what is around."""

    number: int | None
    way: str  # through which layers
    around: bytes


@dataclass
class Searcher:
    """Remembers lines and runs that it has looked through, for outputs repeat each other."""

    runs: dict[bytes, list[Hit]] = field(default_factory=dict)
    lines: dict[bytes, list[Hit]] = field(default_factory=dict)

    def search(self, content: bytes) -> list[Hit]:
        found = [hit for part in (content, *_streams(content)) for hit in self._whole(part)]
        return list(dict.fromkeys(found))

    def _whole(self, content: bytes) -> Iterator[Hit]:
        if content.startswith((b"\x89PNG", b"%PDF")):
            yield from _plain(content, "")
            return
        if content[:4] in (b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1") or b"\0" in content[:4096]:
            yield from self._search(content, "", DEPTH)
        for line in content.split(b"\n"):
            if line not in self.lines:
                self.lines[line] = list(self._search(line, "", DEPTH))
            yield from self.lines[line]
        if _SOFT.search(content):  # the one encoding that runs over lines
            yield from self._search(_SOFT.sub(b"", content), "quoted-printable", DEPTH)

    def _search(self, content: bytes, way: str, depth: int) -> Iterator[Hit]:
        yield from _plain(content, way)
        yield from self._runs(content, way, depth)
        for _ in range(SWEEPS):
            before = content
            for name, inner in _views(content):
                content = inner
                way = f"{way} {name}".strip()
                yield from _plain(content, way)
                yield from self._runs(content, way, depth)
            if content == before:
                return

    def _runs(self, content: bytes, way: str, depth: int) -> Iterator[Hit]:
        if depth:
            for run in dict.fromkeys(_RUN.findall(content)):
                yield from self._run(run, "base64", way, depth)
            for run in dict.fromkeys(_HEX.findall(content)):
                yield from self._run(run, "hex", way, depth)

    def _run(self, run: bytes, name: str, way: str, depth: int) -> Iterator[Hit]:
        key = name.encode() + run
        if key not in self.runs:
            self.runs[key] = []  # what holds itself ends here
            decoded = _hexed(run) if name == "hex" else _decoded(run)
            self.runs[key] = [hit for inner in decoded for hit in self._inside(inner, name, depth)]
        for hit in self.runs[key]:
            yield Hit(hit.number, f"{way} {hit.way}".strip(), hit.around)

    def _inside(self, content: bytes, name: str, depth: int) -> Iterator[Hit]:
        """Of what was decoded only texts go on being unpacked; noise is looked at as it is."""
        if len(content) > 16 and (inflated := _inflated(content)):
            yield from self._search(inflated, f"{name} inflated", depth - 1)
        if _texty(content):
            yield from self._search(content, name, depth - 1)
        else:
            yield from _plain(content, name)


def _texty(content: bytes) -> bool:
    """Mostly printable ASCII, or UTF-16 of it."""
    some = content[:400].replace(b"\0", b"")
    anomaly = len(some.translate(None, bytes(range(32, 127)) + b"\r\n\t"))
    return len(some) > 5 and anomaly <= 4 + len(some) // 20


def _plain(content: bytes, way: str) -> Iterator[Hit]:
    low = content.lower()
    texts = (("", low), ("UTF-16", low.replace(b"\0", b""))) if b"\0" in low else (("", low),)
    for name, text in texts:
        if not any(word in text for word in _WORDS):
            continue
        for match in FOUND.finditer(text):
            own = match[1] or match[2] or b""
            around = text[max(0, match.start() - 50) : match.end() + 30]
            yield Hit(number(own.decode()) if own else None, f"{way} {name}".strip(), around)
        for word in _WORDS[2:]:
            if word in text:
                at = text.find(word)
                yield Hit(None, f"{way} backwards".strip(), text[max(0, at - 50) : at + 50])


def _views(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The content with one kind of escapes after the other undone, where there are any."""
    if content.count(0) * 3 > len(content):
        content = content.replace(b"\0", b"")
        yield "UTF-16", content
    if b"%" in content and (inner := unquote_to_bytes(content)) != content:
        content = inner
        yield "percent", content
    if b"\\" in content and (inner := _ESCAPED.sub(_byte, content)) != content:
        content = inner
        yield "escaped", content
    if b"&" in content and _ENTITY.search(content):
        inner = html.unescape(content.decode("latin-1")).encode("latin-1", "replace")
        if inner != content:
            content = inner
            yield "entities", content
    if b"=" in content and (inner := _QUOTED.sub(_bytes, content)) != content:
        yield "quoted-printable", inner


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(next(filter(None, match.groups())).decode("ascii"))


def _bytes(match: re.Match[bytes]) -> bytes:
    return binascii.a2b_qp(match[0])


def _decoded(run: bytes) -> Iterator[bytes]:
    """A run of base64 or base64url, wherever in it the encoding began."""
    standard = run.translate(_TO_STANDARD)
    for shift in range(4):
        part = standard[shift:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        try:
            yield base64.b64decode(part + b"=" * (-len(part) % 4))
        except (binascii.Error, ValueError):  # no base64: nothing is in it
            continue


def _hexed(run: bytes) -> Iterator[bytes]:
    digits = run.translate(None, b" :")
    for shift in (0, 1):
        part = digits[shift:]
        yield bytes.fromhex(part[: len(part) // 2 * 2].decode("ascii"))


def _inflated(content: bytes) -> bytes:
    for bits in (47, -15):
        try:
            found = zlib.decompressobj(bits).decompress(content, LARGEST)
        except zlib.error:  # not this kind
            continue
        if len(found) > 5:
            return found
    return b""


def _streams(content: bytes) -> Iterator[bytes]:
    """What is deflated in a PDF or PNG, and a whole file that is."""
    if content.startswith(b"%PDF"):
        for match in _STREAM.finditer(content):
            inner = _inflated(content[match.end() :])
            yield inner
            yield b"".join(_SHOWN.findall(inner))
    elif content.startswith(b"\x89PNG"):
        at = 8
        while at < len(content):
            size = int.from_bytes(content[at : at + 4])
            kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
            if kind in (b"zTXt", b"iTXt"):
                yield _inflated(body.split(b"\0", 2)[-1])
            at += size + 12
    elif content.startswith(b"\x1f\x8b"):
        yield _inflated(content)
