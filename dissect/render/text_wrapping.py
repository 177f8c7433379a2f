"""Fit text into a width, whatever the unit: terminal cells or points of a font.

Widths are sums over characters (`Advance`), so a line's width is known while it is
built and fitting is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

Advance = Callable[[str], float]
"""The width of one character."""

# Words too long for a line are cut after the separators of URLs and names, and around the
# `‹kind #n›` of a secret, which stays whole.
_SEPARATORS = r"/?&=.,;:_\-@–…"
_PIECE = re.compile(
    rf"‹[^‹›]*›[{_SEPARATORS}]*|[^{_SEPARATORS}‹]*[{_SEPARATORS}]+|[^{_SEPARATORS}‹]+|‹"
)


def cells(character: str) -> int:
    """Terminal cells of a character: 2 for wide ones, 0 for combining ones (UAX #11)."""
    if character < "\u0300":
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width(text: str, advance: Advance = cells) -> float:
    """The width of `text` on one line."""
    if advance is cells and text.isascii():
        return len(text)
    return sum(map(advance, text))


def cell_width(text: str) -> int:
    return int(width(text))


def shorten(text: str, limit: float, advance: Advance = cells, ellipsis: str = "…") -> str:
    """`text`, cut with an ellipsis where it is wider than `limit`."""
    if width(text, advance) <= limit:
        return text
    room = limit - width(ellipsis, advance)
    kept: list[str] = []
    for character in text:
        room -= advance(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip(" ,…") + ellipsis


def pad(text: str, columns: int) -> str:
    """`text` filled with spaces to `columns` terminal cells."""
    return text + " " * (columns - cell_width(text))


def wrap(
    text: str,
    limit: float,
    advance: Advance = cells,
    max_lines: int | None = None,
    ellipsis: str = "…",
) -> list[str]:
    """Lines of at most `limit`; at spaces, else in URLs and names, else anywhere.

    With `max_lines` what is left over is cut with an ellipsis. At least one line.
    """
    lines: list[tuple[str, str]] = []  # what stood before the line break, and the line
    space = advance(" ")
    line, used, before = "", 0.0, ""
    for word in filter(None, text.split(" ")):
        glue = " " if line or lines else ""
        for piece in _pieces(word, limit, advance):
            size = width(piece, advance)
            gap = space if glue and line else 0
            if line and used + gap + size > limit:
                lines.append((before, line))
                line, used, before = piece, size, glue
            else:
                line += (glue if line else "") + piece
                used += gap + size
            glue = ""
    lines.append((before, line))
    shown = [line for _, line in lines]
    if max_lines is not None and len(lines) > max_lines:
        rest = shown[max_lines - 1] + "".join(b + line for b, line in lines[max_lines:])
        shown[max_lines - 1 :] = [shorten(rest, limit, advance, ellipsis)]
    return shown


def balance(text: str, limit: float, advance: Advance, max_lines: int) -> list[str]:
    """As `wrap`, but the lines are about equally long: no word is left alone on the last."""
    best = wrap(text, limit, advance, max_lines)
    total = width(text, advance)
    if len(best) == 1 or total > limit * max_lines:
        return best
    low, high = total / len(best), limit
    for _ in range(5):
        middle = (low + high) / 2
        lines = wrap(text, middle, advance)
        if len(lines) == len(best) and max(width(x, advance) for x in lines) <= limit:
            best, high = lines, middle
        else:
            low = middle
    return best


def _pieces(word: str, limit: float, advance: Advance) -> list[str]:
    """`word` itself if it fits, else its parts, none wider than `limit` if avoidable."""
    if width(word, advance) <= limit:
        return [word]
    pieces: list[str] = []
    for part in _PIECE.findall(word):
        chunk, used = "", 0.0
        for character in part:
            size = advance(character)
            if chunk and used + size > limit:
                pieces.append(chunk)
                chunk, used = "", 0.0
            chunk += character
            used += size
        pieces.append(chunk)
    return pieces
