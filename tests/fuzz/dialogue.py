"""Conversations as bytes: any bytes are one, so that a fuzzer may change them as it likes.

A part is a byte of flags (1: the server's, 2: a gap), its length in two bytes, and its content
(none for a gap); the last may be short. A bundle is the same of files: a byte for the kind, the
length in four bytes, the content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

from tests.fuzz import mutate

SERVER, GAP = 1, 2
Part = tuple[int, bytes | int]  # direction, and bytes or the length of a gap
Item = tuple[int, bytes]  # kind of file, content
MAX_PARTS = 400

CAPTURE, KEY_LOG, PHONE_LOG, FLOW, RSA_KEY = range(5)
KINDS = 5


def parts(data: bytes) -> list[Part]:
    found: list[Part] = []
    at = 0
    while at + 3 <= len(data) and len(found) < MAX_PARTS:
        flags, size = data[at], int.from_bytes(data[at + 1 : at + 3])
        at += 3
        if flags & GAP:
            found.append((flags & SERVER, size))
        else:
            found.append((flags & SERVER, data[at : at + size]))
            at += size
    return found


def joined(found: Iterable[Part]) -> bytes:
    out = bytearray()
    for direction, content in found:
        if isinstance(content, int):
            out += bytes((direction | GAP,)) + min(content, 0xFFFF).to_bytes(2)
        else:
            for start in range(0, len(content) or 1, 0xFFFF):
                piece = content[start : start + 0xFFFF]
                out += bytes((direction,)) + len(piece).to_bytes(2) + piece
    return bytes(out)


def items(data: bytes) -> list[Item]:
    found: list[Item] = []
    at = 0
    while at + 5 <= len(data) and len(found) < 2 * KINDS:
        kind, size = data[at] % KINDS, int.from_bytes(data[at + 1 : at + 5])
        found.append((kind, data[at + 5 : at + 5 + size]))
        at += 5 + size
    return found


def bundle(found: Iterable[Item]) -> bytes:
    return b"".join(bytes((kind,)) + len(body).to_bytes(4) + body for kind, body in found)


def _rearranged(found: list[Part], dice: Random, others: Sequence[bytes]) -> None:
    """Parts doubled, dropped, swapped, sent by the other side, cut in two, lost, or another's."""
    at = dice.randrange(len(found))
    kind = dice.randrange(8)
    if kind == 0:
        found[at:at] = [found[at]] * dice.choice((1, 1, 2, 20))
    elif kind == 1:
        del found[at]
    elif kind == 2:
        other = dice.randrange(len(found))
        found[at], found[other] = found[other], found[at]
    elif kind == 3:
        found[at] = (found[at][0] ^ SERVER, found[at][1])
    elif kind == 4:
        direction, content = found[at]
        if isinstance(content, bytes) and len(content) > 1:
            cut = dice.randrange(1, len(content))
            found[at : at + 1] = [(direction, content[:cut]), (direction, content[cut:])]
    elif kind == 5:
        direction, content = found[at]
        found[at] = (direction, len(content) if isinstance(content, bytes) else content)
    elif kind == 6:
        found[at:at] = [(dice.randrange(2), dice.choice((1, 5, 100, 1460, 0xFFFF)))]
    elif others:
        strange = parts(dice.choice(others))
        start = dice.randrange(len(strange) + 1)
        found[at:at] = strange[start : start + dice.choice((1, 1, 3))]


def mutated(data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """A conversation with its parts rearranged, or with the content of one of them changed."""
    found = parts(data)
    if not found or dice.random() < 0.05:
        return mutate.plain(data, dice, others, words)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        if not found:
            break
        if dice.random() < 0.4:
            _rearranged(found, dice, others)
            continue
        at = dice.randrange(len(found))
        direction, content = found[at]
        if isinstance(content, bytes):
            strange = (
                [c for _, c in parts(dice.choice(others)) if isinstance(c, bytes)] if others else []
            )
            found[at] = (direction, mutate.plain(content, dice, strange, words))
    return joined(found)


def of_items(by_kind: Callable[[int], Callable[..., bytes]]) -> Callable[..., bytes]:
    """A mutation of bundles: of one of the files, each kind in its own way."""

    def change(data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
        found = items(data)
        if not found:
            return mutate.plain(data, dice, others, words)
        at = dice.randrange(len(found))
        kind, body = found[at]
        strange = [b for k, b in items(dice.choice(others)) if k == kind] if others else []
        found[at] = (kind, by_kind(kind)(body, dice, strange, words))
        if dice.random() < 0.05:
            del found[dice.randrange(len(found))]
        return bundle(found)

    return change
