"""Where a key of a TOML file is written, and how msgspec's errors are told to who wrote it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

KeyPath = Sequence[tuple[str, int]]
"""Names of keys from the top of a file, each with its index where it is a list's."""

Location = tuple["SourceFile", KeyPath]

_HEADER = re.compile(r"\s*\[\[?\s*[A-Za-z0-9_-]")
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[(\.\.\.)\]")
_NAMED = re.compile(r"`([^`]*)`")


class SourceFile(msgspec.Struct, frozen=True):
    """A file: what errors call it, and its text."""

    name: str
    text: str

    def line(self, path: KeyPath) -> int:
        return line_of(self.text, path)

    def describe(self, path: KeyPath) -> str:
        """`file:line`; the file alone where no line has the key."""
        line = self.line(path)
        return f"{self.name}:{line}" if line else self.name


class SourceLocations(msgspec.Struct, frozen=True):
    """Where the tables of a definition are written: in its own file, but for those in `moved`.
    `included` are the tables of parts, and where the definition's own file includes them."""

    own: SourceFile
    moved: dict[tuple[tuple[str, int], ...], Location] = {}
    included: dict[tuple[tuple[str, int], ...], Location] = {}

    def find(self, path: KeyPath) -> Location:
        """The file that a key is written in, and its path there."""
        for length in range(len(path), 0, -1):
            there = self.moved.get(tuple(path[:length]))
            if there is not None:
                return there[0], [*there[1], *path[length:]]
        return self.own, path

    def describe(self, path: KeyPath) -> str:
        source, there = self.find(path)
        return source.describe(there)


def closest(name: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """What may be meant by a name that is not known, or nothing if less than `cutoff` (0 to 1)
    of it is like that."""
    from difflib import get_close_matches  # only when something is wrong

    return next(iter(get_close_matches(name, sorted(known), 1, cutoff)), "")


def line_of(text: str, path: KeyPath) -> int:
    """The line (from 1) of a key, or of the last table around it that has one; 0 if none has."""
    lines = text.splitlines()
    found, at, table = 0, 0, ""
    for name, index in path:
        quoted = rf"[\"']?{re.escape(name)}[\"']?"
        full = rf"{table}\s*\.\s*{quoted}" if table else quoted
        header = re.compile(rf"\s*\[\[?\s*{full}\s*\]")
        entry = re.compile(rf"\s*{quoted}\s*=")
        own = True  # still in the table's own lines
        for number in range(at, len(lines)):
            if header.match(lines[number]):
                own = False
                if index == 0:
                    found, at, table = number + 1, number + 1, full
                    break
                index -= 1
            elif _HEADER.match(lines[number]):
                own = False
            elif own and entry.match(lines[number]):
                return number + 1
        else:
            table = full  # of a table that only its tables name: [values.result]
    return found


def explain_error(
    error: msgspec.ValidationError,
    raw: Mapping[str, Any],
    root: type,
    others: Mapping[str, type] | None = None,
) -> tuple[str, KeyPath]:
    """What does not fit, in words for who wrote the file, and the key that it is about.
    `others` are tables that stand in the place of one of the root's, by how they are called."""
    sentence, _, where = str(error).partition(" - at `")
    path, kind, node = _resolved(where.rstrip("`"), raw, root)
    named = _NAMED.search(sentence)
    others, tables = others or {}, _tables(root)
    every = {**others, **tables}
    table = next((name for name, each in every.items() if each is kind), "")
    names = [name for name, _ in path]
    shown = ".".join(names)
    if "unknown field" in sentence and named:
        key = named[1]
        text = f"unknown key `{key}`" + (f" in {table}" if table else "")
        return f"{text}: {_instead(key, kind, tables, others)}", [*path, (key, 0)]
    if "missing required" in sentence and named:
        lacking = next((t for t in tables if t.strip("[]") == ".".join([*names, named[1]])), None)
        return f"{table or shown} lacks {lacking or f'`{named[1]}`'}", path
    if get_origin(kind) is Literal:
        allowed = ", ".join(_toml(value) for value in get_args(kind))
        return f"{shown} = {_toml(node)}: it is one of {allowed}", path
    if sentence.startswith("Expected `object") and _is_table(kind) and path:
        must = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
        needed = ", ".join(f'{name} = "…"' for name in must)
        return f"{sentence}: write {path[-1][0]} = {{ {needed} }}", path
    if sentence.startswith("Expected `array`") and isinstance(node, str) and path:
        item = get_args(kind)[0] if get_origin(kind) is tuple else str
        one = node if item is int else f'"{node}"'
        lists = " in a list of such lists" if names[-1] == "done_when" else ""
        hint = f"[[{one}]]" if get_origin(item) is tuple else f"[{one}]{lists}"
        return f"{sentence}: write {hint} ({shown})", path
    return sentence + (f" ({shown})" if shown else ""), path


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _instead(key: str, kind: Any, tables: Mapping[str, Any], others: Mapping[str, type]) -> str:
    homes = [name for name, each in tables.items() if key in _keys(each)]
    homes = homes or [name for name, each in others.items() if key in _keys(each) and each != kind]
    if homes:
        return f"it belongs in {' or '.join(homes)}"
    known = _keys(kind) if _is_table(kind) else []
    close = closest(key, known)
    return f"is it `{close}`?" if close else f"there are {', '.join(known)}"


def _keys(kind: Any) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _tables(root: type, name: str = "", many: bool = False) -> dict[str, Any]:
    """Every table that a file may have, by its header."""
    shown = (f"[[{name}]]" if many else f"[{name}]") if name else "the head of the file"
    found = {shown: root}
    for each in msgspec.structs.fields(root):
        kind = _part(each.type, {})
        items = get_origin(kind) is tuple
        inner = get_args(kind)[0] if items else kind
        if _is_table(inner):
            below = f"{name}.{each.encode_name}" if name else each.encode_name
            found |= _tables(inner, below, items)
    return found


def _part(kind: Any, node: object) -> Any:
    """Of a union the alternative that a value may be meant to be."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    given = [each for each in get_args(kind) if each is not type(None)]
    if isinstance(node, dict):
        return next((e for e in given if get_origin(e) is dict or _is_table(e)), given[0])
    if isinstance(node, list):
        return next((e for e in given if get_origin(e) is tuple), given[0])
    return given[0]


def _resolved(where: str, raw: Mapping[str, Any], root: type) -> tuple[KeyPath, Any, Any]:
    """The path that msgspec names, with the keys that it leaves out; type and value there."""
    path: list[tuple[str, int]] = []
    kind: Any = root
    node: Any = raw
    for name, index, any_key in _STEP.findall(where):
        if name:
            fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
            kind, node = fields[name], node[name]
            path.append((name, 0))
        elif index:
            kind, node = get_args(kind)[0], node[int(index)]
            path[-1] = (path[-1][0], int(index))
        elif any_key:
            kind = get_args(kind)[1]
            key = next(key for key, value in node.items() if not _is_of_type(value, kind))
            node = node[key]
            path.append((key, 0))
        kind = _part(kind, node)
    return path, kind, node


def _is_of_type(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
