"""What addresses and sentences ask back of the judge that has them taken apart.

They are read by rules of their own (`sip`, `sentences`), but a value, a URL or a parameter in
them is decided on by the one `Judge`; this is the side of it that they see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from dissect.model import Secret, Text
from dissect.redaction.harmless import Place

Part = str | Secret


class Judging(Protocol):
    """The questions; `Judge` has the answers and says what they mean."""

    shown_names: frozenset[str]
    calls: set[str]

    def value(
        self,
        place: Place,
        name: str,
        value: str,
        wire: str = "",
        typed: bool = False,
        depth: int = 0,
    ) -> list[Part]: ...

    def inner_url(self, value: str, raw: str, wire: str, depth: int) -> list[Part]: ...

    def inside(self, value: str, depth: int = 0) -> bool: ...

    def query(self, query: str, depth: int = 0, place: Place = "query") -> Text: ...

    def name(self, name: str, wire: str = "") -> Part: ...

    def bare(self, name: str, wire: str) -> Part: ...

    def flag(self, word: str) -> Part: ...

    def url(self, url: str, depth: int = 0) -> Text: ...

    def words(self, value: str, depth: int = 0) -> Iterator[Part]: ...
