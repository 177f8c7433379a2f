"""Hostile text: Unicode's own categories say what must not pass."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.render.escape import MAX_COMBINING, ascii_only, json_text, visible

from .charts import HOSTILE

ACTING = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
# hypothesis leaves surrogates out unless asked for.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


@given(ANY_TEXT)
@settings(max_examples=300)
def test_nothing_that_acts_passes(text: str) -> None:
    shown = visible(text)
    assert not {c for c in shown if unicodedata.category(c) in ACTING}
    assert not any(ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF for c in shown)
    shown.encode("utf-8")
    assert visible(shown) == shown


def test_every_acting_character_is_known() -> None:
    passed = [
        hex(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in ACTING and visible(chr(code)) == chr(code)
    ]
    assert passed == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202eexe", r"\u202eexe"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("Zoë 漢字 ‹access_token #1›", "Zoë 漢字 ‹access_token #1›"),
        ("5\u00a0s", "5\u00a0s"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_combining_marks_do_not_pile_up() -> None:
    shown = visible("e" + "\u0301" * 50 + "x")
    assert shown.count("\u0301") == MAX_COMBINING
    assert visible("tiế́ng Việt") == "tiế́ng Việt"


@given(ANY_TEXT)
def test_ascii_is_ascii(text: str) -> None:
    assert ascii_only(text).isascii()


def test_ascii_reads_our_typography() -> None:
    shown = ascii_only("Phone ↔ Service, frames 1–2, 24×, ‹token #1›…")
    assert shown == "Phone <-> Service, frames 1-2, 24x, <token #1>..."


@given(st.text(max_size=60))
def test_json_values_are_not_changed(text: str) -> None:
    document = json_text(json.dumps({"k": text, text: 1}, ensure_ascii=False, indent=1))
    assert json.loads(document) == json.loads(json.dumps({"k": text, text: 1}))
    assert not {c for c in document if unicodedata.category(c) in ACTING} - {"\n"}


def test_json_lone_surrogates_become_visible_text() -> None:
    document = json_text(json.dumps(list(HOSTILE), ensure_ascii=False))
    values = json.loads(document.encode("utf-8"))
    assert r"lone \ud800 surrogate \udfff" in values[5]
    assert values[3] == HOSTILE[3]
