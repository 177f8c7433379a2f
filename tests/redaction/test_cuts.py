"""A text is cut between words: half of a secret is never left."""

from __future__ import annotations

import pytest

from dissect.redaction.cuts import cut
from dissect.redaction.policy import Policy

CASES = [
    ("a b c", 5, "a b c"),
    ("aa bb cc", 5, "aa bb …"),
    ("aa bb cc", 4, "aa …"),
    ("aa bb cc", 3, "aa …"),
    ("abcdef", 5, "…"),
    ("", 5, ""),
]


@pytest.mark.parametrize(("text", "limit", "expected"), CASES)
def test_words_are_whole(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


@pytest.mark.parametrize("start", range(280, 301))
def test_no_half_of_a_word_wherever_it_stands(start: int) -> None:
    text = "x" * (start - 1) + " quvzojjexwyk end"
    assert "quvz" not in cut(text, 300) or "quvzojjexwyk" in cut(text, 300)


@pytest.mark.parametrize(
    "value",
    ['"password=quvzojjexwyk" <sip:a@b.example>', '"x token: quvzojjexwyk" <sip:a@b.example>'],
)
@pytest.mark.parametrize("name", ["From", "To", "Contact", "P-Asserted-Identity"])
def test_a_display_name_that_names_a_secret(name: str, value: str) -> None:
    shown = Policy().header(name, value, True).parts
    assert "quvzojjexwyk" not in "".join(part for part in shown if isinstance(part, str))
    assert "sip:a@b.example" in "".join(part for part in shown if isinstance(part, str))
