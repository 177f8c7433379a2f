"""Texts of a definition: facts, optional parts, alternatives."""

from __future__ import annotations

import pytest

from dissect.flow.texts import fill
from dissect.model import Event, Fact, Source
from dissect.redaction.book import SecretBook


@pytest.mark.parametrize(
    ("template", "facts", "text"),
    [
        ("a {x}", {"x": "1"}, "a 1"),
        ("a[ for {x}]", {}, "a"),
        ("a[ for {x}]", {"x": "1"}, "a for 1"),
        ("[{x}|Look.]", {}, "Look."),
        ("[{x}|Look.]", {"x": "Do."}, "Do."),
        ("a[ ({x}: {y})| ({x})| ({y})]", {"y": "2"}, "a (2)"),
        ("a[ ({x}: {y})| ({x})| ({y})]", {"x": "1"}, "a (1)"),
        ("a[ ({x}: {y})| ({x})]", {}, "a"),
        ("{x}", {"x": "[{y}|b]", "y": "no"}, "[{y}|b]"),
    ],
)
def test_fill(template: str, facts: dict[str, Fact], text: str) -> None:
    event = Event("a.b", 0, "1", "2", None, Source("c"), facts)
    assert fill(template, event, SecretBook().show) == text
