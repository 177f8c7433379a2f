"""Texts for people: secrets by their number, and those that no rule had met masked too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from dissect.model import UNKNOWN, Secret, Source, Text
from dissect.redaction.judge import Part
from dissect.redaction.masking import Masks
from dissect.redaction.policy import Policy

MIN_MASKED = 8  # characters of a secret that is looked for in other texts
_KEPT = frozenset({"source", "environment", "key_logs"})  # fields that no capture fills

Value = TypeVar("Value")


class MaskedTexts:
    """Shows what a policy judged, and remembers each secret that its book doesn't know.

    The numbers of the book stay as the charts have them: an unknown secret is shown without
    number, and `masked` replaces its value in all texts that were made before it was seen.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._unmet: dict[str, str] = {}

    def show(self, text: Text | str | None) -> str:
        if text is None:
            return ""
        if isinstance(text, Text):
            for part in text.parts:
                if isinstance(part, Secret):
                    self._note(part)
        return self.policy.show(text)

    def words(self, text: str | None) -> str:
        """Free text of the wire, whose token-like words are secrets."""
        return self.show(self.policy.words(text)) if text else ""

    def parts(self, parts: tuple[Part, ...]) -> str:
        return self.show(Text(parts))

    def _note(self, secret: Secret) -> None:
        # A label without number: the book doesn't know it. What is hidden only because nothing
        # says that it is harmless may be a word of other texts.
        if secret.kind == UNKNOWN or len(secret.value) < MIN_MASKED:
            return
        if self.policy.show(secret) != str(secret):
            return
        for form in (
            secret.value,
            quote(secret.value, safe="", errors="replace"),
            quote_plus(secret.value, errors="replace"),
        ):
            self._unmet.setdefault(form, str(secret))

    def masked(self, value: Value) -> Value:
        """A copy of some details with every unknown secret masked in every text."""
        if self.policy.reveal or not self._unmet:
            return value
        return mapped(value, Masks(self._unmet).apply)


def mapped(value: Value, change: Callable[[str], str]) -> Value:
    """A copy of details, charts or plain values with every text of a capture changed.

    Evidence (`Source`), fingerprints and names of files stay as they are.
    """
    copy: Value = _mapped(value, change)
    return copy


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(_mapped(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type | Source):
        changed = {
            item.name: _mapped(getattr(value, item.name), change)
            for item in fields(value)
            if item.name not in _KEPT
        }
        return replace(value, **changed)
    return value
