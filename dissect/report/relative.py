"""Files without the folders they lie in: what a report shows leaves the house, and the names of
folders tell of customers and of people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path, PurePath
from typing import Any, TypeVar

Value = TypeVar("Value")


class Relative:
    """Shortens absolute paths wherever they stand: to what is below the working folder, else to as
    many of the last parts as tell them apart. Other paths stay as they were given."""

    def __init__(self, paths: Iterable[str]) -> None:
        given = [path for path in dict.fromkeys(paths) if os.path.isabs(path)]
        short = {path: _below(path) for path in given}
        for path in given:
            short[path] = short[path] or _distinguished(path, given)
        # A path may begin with another one.
        self._short = dict(sorted(short.items(), key=lambda pair: -len(pair[0])))

    def text(self, text: str) -> str:
        for path, name in self._short.items():
            if path in text:
                text = text.replace(path, name)
        return text

    def of(self, value: Value) -> Value:
        """`value` (charts, details, lines), with every string in it shortened."""
        if not self._short:
            return value
        found: Value = self._mapped(value)
        return found

    def _mapped(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple | list):
            return type(value)(map(self._mapped, value))
        if isinstance(value, Mapping):
            return {self._mapped(key): self._mapped(item) for key, item in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            changed = {item.name: self._mapped(getattr(value, item.name)) for item in fields(value)}
            return replace(value, **changed)
        return value


def _below(path: str) -> str:
    try:
        return PurePath(path).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return ""


def _distinguished(path: str, others: Iterable[str]) -> str:
    parts = PurePath(path).parts[1:]
    rest = [PurePath(other).parts[1:] for other in others if other != path]
    for count in range(1, len(parts) + 1):
        tail = parts[-count:]
        if not any(other[-count:] == tail for other in rest):
            return "/".join(tail)
    return "/".join(parts)
