"""When the facts of an event are those that a definition wants."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Self

from dissect.model import Event, Fact, Secret

Value = str | int | bool
Wanted = dict[str, Value | tuple[Value, ...]]


class Worded(str):
    """A fact that a definition has a word for (`values`), and what it was: `where` takes both."""

    __slots__ = ("raw",)

    raw: Fact

    def __new__(cls, word: str, raw: Fact) -> Self:
        made = super().__new__(cls, word)
        made.raw = raw
        return made


def fits(event: Event, where: Wanted, unless: Wanted) -> bool:
    """Whether every fact of `where` is as wanted, and none of `unless`."""
    return all(_equal(event, name, value) for name, value in where.items()) and not any(
        _equal(event, name, value) for name, value in unless.items()
    )


def _equal(event: Event, name: str, wanted: Value | tuple[Value, ...]) -> bool:
    value = event.host if name == "host" else event.facts.get(name)
    if isinstance(value, Secret):
        return False  # a definition can't hold secrets, and must not be able to test for them
    options = wanted if isinstance(wanted, tuple) else (wanted,)
    if isinstance(value, tuple):
        return any(_same(item, option) for item in value for option in options)
    return any(_same(value, option) for option in options)


def _same(value: Fact | None, option: Value) -> bool:
    if isinstance(value, Worded) and _same(value.raw, option):
        return True
    if isinstance(option, str) and isinstance(value, str | int) and not isinstance(value, bool):
        return fnmatchcase(str(value), option)  # a number has digits for patterns, too
    return value == option and type(value) is type(option)
