"""Masking of known values: against a search of each value, and in time that stays flat."""

from __future__ import annotations

from collections.abc import ItemsView

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.redaction import masking
from dissect.redaction.masking import SHORTEST, Masks


def covered(text: str, values: list[str]) -> list[bool]:
    """Which characters belong to some value, by looking for each at every place."""
    found = [False] * len(text)
    for value in values:
        for start in range(len(text) - len(value) + 1):
            if text.startswith(value, start):
                found[start : start + len(value)] = [True] * len(value)
    return found


VALUES = st.lists(st.text("ab", min_size=SHORTEST, max_size=14), max_size=8, unique=True)


@given(VALUES, st.lists(st.text("ab", max_size=9) | st.integers(0, 7), max_size=8))
@settings(max_examples=300)
def test_masks_what_a_plain_search_finds(values: list[str], pieces: list[str | int]) -> None:
    """Two letters only, so that values overlap and repeat as no tokens would."""
    text = "".join(
        piece if isinstance(piece, str) else values[piece % len(values)] if values else ""
        for piece in pieces
    )
    shown = Masks(dict.fromkeys(values, "\0")).apply(text)
    kept = "".join(
        letter if not hit else "\0" for letter, hit in zip(text, covered(text, values), strict=True)
    )
    assert [part for part in shown.split("\0") if part] == [p for p in kept.split("\0") if p]


@pytest.mark.parametrize(
    ("labels", "text", "wanted"),
    [
        ({"secret1": "‹1›"}, "secret1", "‹1›"),
        ({"secret1": "‹1›", "secret1-and-more": "‹2›"}, "x=secret1-and-more&y=secret1", "x=‹2›&y=‹1›"),
        ({"abcdefgh": "‹1›", "efghijklmn": "‹2›"}, "-abcdefghijklmn-", "-‹2›-"),
        ({"abcdef": "‹1›"}, "abcdefabcdef abcde", "‹1›‹1› abcde"),
        ({"pässwörd": "‹1›"}, "«pässwörd»", "«‹1›»"),
        ({}, "nothing is known", "nothing is known"),
    ],
)  # fmt: skip
def test_longest_and_neighbours(labels: dict[str, str], text: str, wanted: str) -> None:
    assert Masks(labels).apply(text) == wanted


def test_too_short_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        Masks({"abc": "‹1›"})


def test_work_does_not_grow_with_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: what is compared for one text, with ten tokens and ten thousand."""
    head = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9."
    text = f"see https://h.test/?t={head}{7:0>6}.{7 * 7919:0>40}&x=1 " + "words " * 50

    def compared(count: int) -> int:
        tokens = [f"{head}{number:0>6}.{number * 7919:0>40}" for number in range(count)]
        masks = Masks(dict.fromkeys(tokens, "‹t›"))
        looked = 0

        class Counting(dict[tuple[int, int], set[str]]):
            def items(self) -> ItemsView[tuple[int, int], set[str]]:
                nonlocal looked
                looked += len(self)
                return super().items()

        monkeypatch.setattr(
            masks, "_index", {piece: Counting(shapes) for piece, shapes in masks._index.items()}
        )
        assert masks.apply(text) == "see https://h.test/?t=‹t›&x=1 " + "words " * 50
        return looked

    assert compared(10_000) <= compared(10) + 3 * masking.SHORTEST
