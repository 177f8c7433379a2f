"""Measuring and wrapping, against rich's cell widths."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from dissect.render import text_wrapping

TEXT = st.text(st.sampled_from("ab /?&=.-–‹›漢🙂é\u0301"), max_size=80)


@pytest.mark.parametrize(
    "text",
    ["plain", "漢字とかな", "한국어", "Zoë", "e\u0301", "🙂🚀", "│─┼…–‹›✓✗", "ｆｕｌｌ", "ｱｲｳ", ""],
)
def test_cells_agree_with_rich(text: str) -> None:
    assert text_wrapping.cell_width(text) == cell_len(text)


@given(TEXT, st.integers(2, 30))
@settings(max_examples=200)
def test_lines_fit_and_lose_nothing(text: str, limit: int) -> None:
    lines = text_wrapping.wrap(text, limit)
    assert all(cell_len(line) <= limit for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(TEXT, st.integers(2, 30), st.integers(1, 3))
@settings(max_examples=200)
def test_a_cut_is_marked_and_fits(text: str, limit: int, most: int) -> None:
    whole, lines = text_wrapping.wrap(text, limit), text_wrapping.wrap(text, limit, max_lines=most)
    assert len(lines) <= most
    assert all(cell_len(line) <= limit for line in lines)
    assert lines[-1].endswith("…") if len(whole) > most else lines == whole


@given(TEXT, st.integers(4, 30))
def test_balanced_lines_are_not_more(text: str, limit: int) -> None:
    lines = text_wrapping.balance(text, limit, text_wrapping.cells, 3)
    assert len(lines) == len(text_wrapping.wrap(text, limit, max_lines=3))
    assert all(cell_len(line) <= limit for line in lines)


@pytest.mark.parametrize(
    ("text", "limit", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("GET /api/DeviceConfig/Polycom", 14, ["GET /api/", "DeviceConfig/", "Polycom"]),
        ("漢字漢字", 5, ["漢字", "漢字"]),
        ("5\u00a0s and 6\u00a0s", 7, ["5\u00a0s and", "6\u00a0s"]),
        (
            "/x/‹opaque_value\u00a0#1›/svc/user",
            20,
            ["/x/", "‹opaque_value\u00a0#1›/", "svc/user"],
        ),
        ("‹a‹b_c", 3, ["‹a‹", "b_c"]),
        ("", 5, [""]),
    ],
)
def test_examples(text: str, limit: int, lines: list[str]) -> None:
    assert text_wrapping.wrap(text, limit) == lines


def test_balance() -> None:
    text = "200 sign-in form again: Incorrect user ID or password"
    assert text_wrapping.wrap(text, 48)[-1] == "password"
    first, second = text_wrapping.balance(text, 48, text_wrapping.cells, 3)
    assert abs(len(first) - len(second)) < 10


def test_shorten() -> None:
    assert text_wrapping.shorten("漢字漢字", 7) == "漢字漢…"
    assert text_wrapping.shorten("short", 5) == "short"
    assert text_wrapping.shorten("shorter", 5, ellipsis="...") == "sh..."
