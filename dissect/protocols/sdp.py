"""What an SDP body says of a call: media, codecs, addresses (RFC 8866, RFC 3264).

Keys in it (a=crypto, a=ice-pwd, k=) are reported, never read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dissect.redaction import multipart

MAX_LINES = 4096  # of a description
MAX_MEDIA = 64

# RFC 3551 §6: payload types that need no rtpmap.
_STATIC = {
    0: "PCMU/8000", 3: "GSM/8000", 4: "G723/8000", 8: "PCMA/8000", 9: "G722/8000",
    10: "L16/44100/2", 11: "L16/44100", 13: "CN/8000", 15: "G728/8000", 18: "G729/8000",
    26: "JPEG/90000", 31: "H261/90000", 32: "MPV/90000", 34: "H263/90000",
}  # fmt: skip
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(slots=True)
class Media:
    """One m= section: what it is, where it is wanted, and how it may be coded."""

    kind: str
    port: int
    protocol: str
    address: str | None = None
    codecs: list[str] = field(default_factory=list)
    direction: str = "sendrecv"
    encryption: str | None = None

    def __str__(self) -> str:
        where = f"{self.address or '?'}:{self.port}" if self.port else "rejected"
        words = [self.kind, where, self.protocol, *self.codecs, self.direction]
        return " ".join(words + ([self.encryption] if self.encryption else []))


@dataclass(slots=True)
class Description:
    """One session description."""

    name: str = ""
    address: str | None = None
    media: list[Media] = field(default_factory=list)
    problem: str | None = None  # what of it was not read, and why


def descriptions(content_type: str | None, body: str) -> list[Description]:
    """The SDP in a message's body, also in the parts of a multipart one; never raises."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == "application/sdp":
        return [parse(body)]
    found = [
        parse(inner)
        for named, inner in multipart.parts(content_type, body)
        if named.partition(";")[0].strip().lower() == "application/sdp"
    ]
    if multipart.more(content_type, body):
        text = f"a body of more than {multipart.MAX_PARTS} parts: the others are not read"
        found.append(Description(problem=text))
    return found


def parse(text: str) -> Description:
    """One description; lines that are none are passed over."""
    found = Description()
    media: Media | None = None
    names: dict[str, str] = {}
    formats: list[tuple[Media, list[str], dict[str, str]]] = []
    direction = "sendrecv"
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        found.problem = f"only the first {MAX_LINES} lines of a description are read"
    for line in lines[:MAX_LINES]:
        kind, equals, value = line.strip().partition("=")
        if not equals or len(kind) != 1:
            continue
        if kind == "m":
            media = None
            if len(found.media) >= MAX_MEDIA:
                found.problem = f"only the first {MAX_MEDIA} media of a description are read"
                continue
            if (opened := _media(value)) is None:
                continue
            media, numbers = opened
            media.address, media.direction = found.address, direction
            names = {}
            formats.append((media, numbers, names))
            found.media.append(media)
        elif kind == "c":
            address = value.split()[-1].partition("/")[0] if value.split() else None
            if media is not None:
                media.address = address
            elif not found.media:
                found.address = address
        elif kind == "s" and media is None:
            found.name = value
        elif kind == "a":
            name, _, rest = value.partition(":")
            if media is not None:
                _attribute(media, name, rest, names)
            elif name in _DIRECTIONS and not found.media:
                direction = name
    for item, numbers, named in formats:
        item.codecs = [_codec(number, named, item.protocol) for number in numbers]
    return found


def _media(value: str) -> tuple[Media, list[str]] | None:
    words = value.split()
    port = words[1].partition("/")[0] if len(words) > 3 else ""
    if not (port.isascii() and port.isdigit()):
        return None
    media = Media(words[0], min(int(port[:6]), 65535), words[2])
    if "SAVP" in words[2]:
        media.encryption = "SRTP"
    return media, words[3:]


def _attribute(media: Media, name: str, rest: str, names: dict[str, str]) -> None:
    if name in _DIRECTIONS:
        media.direction = name
    elif name == "rtpmap":
        number, _, codec = rest.partition(" ")
        names[number] = codec.strip()
    elif name == "crypto":
        words = rest.split()
        media.encryption = f"SRTP {words[1]}" if len(words) > 1 else "SRTP"
    elif name == "fingerprint" and media.encryption in (None, "SRTP"):
        media.encryption = "DTLS-SRTP"


def _codec(number: str, names: dict[str, str], protocol: str) -> str:
    if number in names:
        return names[number]
    if "RTP" in protocol and number.isascii() and number.isdigit():
        return _STATIC.get(int(number[:4]), f"payload {number}")
    return number
