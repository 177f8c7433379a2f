"""Whether a feature really happened: what the clear part of the wire tells.

Read here by hand from RFC 5246 §7.4.1 and RFC 8446 §4.1, apart from the code under test.
What is not in clear the peers say themselves (`Recorded.unsaid`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..drive import C, Part, S

ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, SESSION_TICKET = 22, 23, 35
HELLO_RETRY_REQUEST = hashlib.sha256(b"HelloRetryRequest").digest()
# Bytes that encryption adds to a record at most: IV, MAC, padding to a block.
OVERHEAD = 16 + 48 + 16


@dataclass
class Hello:
    random: bytes
    session: bytes
    extensions: dict[int, bytes]


def records(parts: Sequence[Part], direction: int) -> list[tuple[int, bytes]]:
    stream = b"".join(flight for way, flight in parts if way == direction)  # type: ignore[misc]
    found, at = [], 0
    while at + 5 <= len(stream):
        end = at + 5 + int.from_bytes(stream[at + 3 : at + 5])
        found.append((stream[at], stream[at + 5 : end]))
        at = end
    return found


def hellos(parts: Sequence[Part], direction: int) -> list[Hello]:
    """The hellos of one side that are in clear."""
    text = b""
    changed = False  # up to TLS 1.2 what follows is encrypted, but not behind a first hello
    for kind, payload in records(parts, direction):
        whole = payload[:1] == bytes((1 + direction,)) and len(payload) == 4 + int.from_bytes(
            payload[1:4]
        )
        if kind == 23:
            break
        changed |= kind == 20
        if kind == 22 and (whole or not changed):
            text += payload
    found, at = [], 0
    while at + 4 <= len(text) and text[at] in (1, 2, 11, 12, 13, 14, 16):
        end = at + 4 + int.from_bytes(text[at + 1 : at + 4])
        if text[at] == 1 + direction:
            found.append(_hello(text[at + 4 : end], direction))
        at = end
    return found


def _hello(body: bytes, direction: int) -> Hello:
    random, at = body[2:34], 35 + body[34]
    session = body[35:at]
    if direction == S:
        at += 3
    else:
        at += 2 + int.from_bytes(body[at : at + 2])
        at += 1 + body[at]
    at += 2
    extensions: dict[int, bytes] = {}
    while at + 4 <= len(body):
        size = int.from_bytes(body[at + 2 : at + 4])
        extensions[int.from_bytes(body[at : at + 2])] = body[at + 4 : at + 4 + size]
        at += 4 + size
    return Hello(random, session, extensions)


def lacks(feature: str, version: str, suite: str, parts: Sequence[Part]) -> str | None:
    """What speaks against the feature on the wire; None if nothing does."""
    asked, answered = hellos(parts, C), hellos(parts, S)
    if not asked or not answered:
        return "no hello"
    sizes = [len(payload) for kind, payload in records(parts, C) if kind == 23]
    if feature == "HelloRetryRequest":
        retried = answered[0].random == HELLO_RETRY_REQUEST and len(asked) == 2
        return None if retried else "no HelloRetryRequest"
    if feature == "small records":
        both = [*sizes, *(len(payload) for kind, payload in records(parts, S) if kind == 23)]
        return None if max(both) <= 512 + OVERHEAD else "a large record"
    if feature == "record padding":
        tag = 8 if "CCM_8" in suite else 16
        return None if all((size - tag) % 256 == 0 for size in sizes) else "not padded"
    if version == "TLS 1.3":
        return None
    first, answer = asked[0], answered[0]
    if feature == "no EMS":
        return "EMS" if EXTENDED_MASTER_SECRET in answer.extensions else None
    if feature == "no EtM":
        return "EtM" if ENCRYPT_THEN_MAC in answer.extensions else None
    if EXTENDED_MASTER_SECRET not in answer.extensions:
        return "no EMS"
    offered = ENCRYPT_THEN_MAC in first.extensions
    if "CBC" in suite and offered and ENCRYPT_THEN_MAC not in answer.extensions:
        return "no EtM"
    ticket = first.extensions.get(SESSION_TICKET, b"")
    if feature == "resumed by ticket" and not ticket:
        return "no ticket was sent"
    if feature == "resumed by id" and (ticket or first.session != answer.session):
        return "not by id"
    return None
