"""What messages of several protocols hold: header fields and a body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dissect.model.secrets import NOTHING, Opaque


def wire_text(value: bytes) -> str:
    """Bytes of a header or target as text: UTF-8 where they are that, else ISO 8859-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


MAX_NAMES = 1024
"""Names of header fields that are kept once for all messages: there are few, in many."""


_NAMES: dict[bytes, Opaque] = {}


def _named(name: bytes) -> Opaque:
    made = Opaque(name)
    if len(_NAMES) < MAX_NAMES and len(name) <= 40:
        _NAMES[bytes(name)] = made
    return made


@lru_cache(maxsize=1024)
def _wanted(name: str) -> bytes:
    """A name as it is looked up: few are, and each for every message."""
    return name.lower().encode("latin-1")


class Headers(tuple[tuple[Opaque, Opaque], ...]):
    """Header fields in wire order, repeats kept; names as sent. Shows names only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"‹{len(self)} header fields›"

    __str__ = __repr__

    @classmethod
    def of(cls, pairs: Sequence[tuple[bytes, bytes]]) -> Headers:
        known = _NAMES.get
        return cls([(known(name) or _named(name), Opaque(value)) for name, value in pairs])

    def get(self, name: str) -> str | None:
        """The first value of `name` (any case) as `wire_text`, or None."""
        found = self._by_name().get(_wanted(name))
        return wire_text(found[0]) if found else None

    def all(self, name: str) -> Iterator[str]:
        """Every value of `name` (any case) in wire order, as `wire_text`."""
        found = self._by_name().get(_wanted(name))
        return iter([wire_text(value) for value in found] if found else ())

    def _by_name(self) -> dict[bytes, list[Opaque]]:
        # A message is asked for fifty fields in a row, then never again: one index is enough.
        if _LAST.headers is not self:
            index: dict[bytes, list[Opaque]] = {}
            for key, value in self:
                index.setdefault(key.lower(), []).append(value)
            _LAST.headers, _LAST.index = self, index
        return _LAST.index


class _Indexed:
    """The fields of the message that was asked last, by name in lower case."""

    __slots__ = ("headers", "index")

    def __init__(self) -> None:
        self.headers: Headers | None = None
        self.index: dict[bytes, list[Opaque]] = {}


_LAST = _Indexed()


@dataclass(frozen=True, slots=True)
class Body:
    """A message body after transfer and content decoding.

    `wire_size` counts body bytes before content decoding (chunk framing excluded).
    `problem` says in one sentence what is missing or could not be decoded, else None.
    """

    data: Opaque = NOTHING
    wire_size: int = 0
    problem: str | None = None

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


EMPTY_BODY = Body()
