"""Mutations of bytes that know lengths, words and other inputs, and of texts line by line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

EDGES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 127, 128, 254, 255, 256, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF,
         0x10000, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)  # fmt: skip
NUMBERS = (b"0", b"-1", b"1", b"00", b"99999999999999999999", b"4294967296", b"2147483648",
           b"1e999", b"NaN", b"0x10", "٣".encode(), b"", b"1.5", b"+7")  # fmt: skip
_DIGITS = re.compile(rb"\d+")
_Step = Callable[[bytearray, Random, Sequence[bytes], Sequence[bytes]], None]


def _flip(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    if data:
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _set(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    if data:
        data[dice.randrange(len(data))] = dice.choice(
            (0, 255, 127, 128, 10, 13, 32, dice.randrange(256))
        )


def _cut(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    del data[dice.randrange(len(data) + 1) :]


def _delete(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = dice.randrange(len(data) + 1)
    del data[at : at + dice.choice((1, 1, 2, 4, 16, 64))]


def _repeat(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = dice.randrange(len(data) + 1)
    piece = bytes(data[at : at + dice.choice((1, 2, 8, 32, 200))])
    data[at:at] = piece * dice.choice((1, 1, 2, 8, 50))


def _move(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    at, size = dice.randrange(len(data) + 1), dice.choice((1, 4, 16, 100))
    piece = bytes(data[at : at + size])
    del data[at : at + size]
    to = dice.randrange(len(data) + 1)
    data[to:to] = piece


def _length(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    """A number of 1 to 8 bytes somewhere: to an edge, a little off, or to what is left."""
    width = dice.choice((1, 2, 2, 3, 4, 4, 8))
    if len(data) < width:
        return
    at = dice.randrange(len(data) - width + 1)
    order = dice.choice(("big", "big", "little"))
    old = int.from_bytes(data[at : at + width], order)
    left = len(data) - at - width
    new = dice.choice(
        (dice.choice(EDGES), old + 1, old - 1, old * 2, old // 2, left, left + 1, left - 1)
    )
    data[at : at + width] = (new % (1 << 8 * width)).to_bytes(width, order)


def _digits(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    found = list(_DIGITS.finditer(data[: 1 << 16]))
    if found:
        match = dice.choice(found)
        data[match.start() : match.end()] = dice.choice(NUMBERS)


def _word(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    if words:
        at = dice.randrange(len(data) + 1)
        word = dice.choice(words)
        data[at : at + dice.choice((0, 0, len(word)))] = word


def _splice(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    """The beginning of one and the end of another, or a piece of another inside."""
    if not others:
        return
    other = dice.choice(others)
    start = dice.randrange(len(other) + 1)
    at = dice.randrange(len(data) + 1)
    if dice.random() < 0.5:
        data[at:] = other[start:]
    else:
        data[at:at] = other[start : start + dice.choice((4, 32, 256, 2048))]


def _lines(data: bytearray, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    """Lines of a text doubled, dropped, swapped or folded."""
    lines = bytes(data).splitlines(keepends=True)
    if len(lines) < 2:
        return
    one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
    kind = dice.randrange(5)
    if kind == 0:
        lines[two:two] = [lines[one]] * dice.choice((1, 2, 30))
    elif kind == 1:
        del lines[one]
    elif kind == 2:
        lines[one], lines[two] = lines[two], lines[one]
    elif kind == 3:
        lines[one] = b" " + lines[one]
    else:
        lines[one] = lines[one].rstrip(b"\r\n")
    data[:] = b"".join(lines)


STEPS: tuple[_Step, ...] = (
    _flip, _flip, _set, _set, _cut, _delete, _repeat, _move, _length, _length, _length,
    _digits, _digits, _word, _word, _splice, _splice, _lines,
)  # fmt: skip


def plain(data: bytes, dice: Random, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One to eight steps, one most often."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        dice.choice(STEPS)(out, dice, others, words)
    return bytes(out)
