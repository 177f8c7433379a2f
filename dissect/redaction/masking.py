"""Known values in any text, found in one pass however many they are.

Each value is indexed by `_STRIDE` neighbouring pieces of `_PIECE` characters, one of which
starts at a multiple of `_STRIDE` wherever the value stands: only those places of a text are
looked at. Tokens of one issuer begin alike, so the piece is taken where fewest share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

_PIECE = 4
_STRIDE = 3
SHORTEST = _PIECE + _STRIDE - 1
"""Characters of the shortest value that can be looked for."""


class Masks:
    """Values and what to write in their places.

    Values that overlap in a text are masked together, under the name of the longest: a token
    that holds another is masked whole, and nothing of either is left beside a mask.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        """`labels` by value; a value shorter than `SHORTEST` is a ValueError."""
        # piece → (offset of the piece in the value, length of the value) → its values
        self._index: dict[str, dict[tuple[int, int], set[str]]] = {}
        self._labels = dict(labels)
        for value in self._labels:
            if len(value) < SHORTEST:
                raise ValueError("too short a value to be looked for")
            self._add(value)

    def _add(self, value: str) -> None:
        last = len(value) - SHORTEST
        # Behind an end that may be padding, the middle, the end, the start.
        starts = dict.fromkeys((max(0, last - 6), last // 2, last, 0))
        start = min(starts, key=lambda place: self._sharing(value, place))
        for offset in range(start, start + _STRIDE):
            shapes = self._index.setdefault(value[offset : offset + _PIECE], {})
            shapes.setdefault((offset, len(value)), set()).add(value)

    def _sharing(self, value: str, start: int) -> int:
        pieces = (value[offset : offset + _PIECE] for offset in range(start, start + _STRIDE))
        return sum(len(self._index.get(piece, ())) for piece in pieces)

    def found(self, text: str) -> Iterator[tuple[int, int]]:
        """Start and end of every known value, in any order."""
        index = self._index
        for place in range(0, len(text) - _PIECE + 1, _STRIDE):
            shapes = index.get(text[place : place + _PIECE])
            if shapes is None:
                continue
            for (offset, length), values in shapes.items():
                start = place - offset
                if start >= 0 and text[start : start + length] in values:
                    yield start, start + length

    def apply(self, text: str, hidden: Sequence[tuple[int, int, str]] = ()) -> str:
        """`text` with every known value replaced by its label; `hidden` are places (start, end)
        that are masked in any case, in order, and their labels."""
        found = [(start, end, self._labels[text[start:end]]) for start, end in self._known(text)]
        found = sorted([*hidden, *found], key=lambda item: item[:2])
        parts: list[str] = []
        done = number = 0
        while number < len(found):
            start, end, label = found[number]
            longest = end - start
            number += 1
            while number < len(found) and found[number][0] < end:
                other = found[number]
                end = max(end, other[1])
                if other[1] - other[0] > longest:
                    longest, label = other[1] - other[0], other[2]
                number += 1
            parts += [text[done:start], label]
            done = end
        return "".join(parts) + text[done:] if parts else text

    def _known(self, text: str) -> Iterator[tuple[int, int]]:
        return self.found(text) if self._index else iter(())
