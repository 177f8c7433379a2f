"""JSON written anew, each leaf judged by its name and place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from dissect.model import Secret
from dissect.redaction import forms, typed
from dissect.redaction.judge import Judge, Part
from dissect.redaction.kinds import kind_by_words, kind_of
from dissect.redaction.typed import Item, Served

MAX_DEPTH = 60

# Of these kinds an object or a list is one as a whole.
_WHOLE = frozenset(
    {
        "password", "one_time_code", "private_key", "api_key", "client_secret", "access_token",
        "refresh_token", "id_token", "token", "bearer_token", "ticket",
    }
)  # fmt: skip
_NAMING = ("name", "key", "id", "field", "parameter", "n", "k", "claim", "attribute", "property")
_USER = "user"  # in place of a kind: the user's name, which is shown
_VALUED = ("value", "val", "v", "values")
_NAME = re.compile(r"[^\W\d][\w.:/$\[\] -]{0,79}")
_WORDS = re.compile(r"[A-Za-z][A-Za-z_.]{2,79}")


class Leaf:
    """A leaf's parts, in place of its value: what `parsed` makes of a document."""

    __slots__ = ("literal", "parts")

    def __init__(self, parts: list[Part], literal: bool) -> None:
        self.parts = parts
        self.literal = literal  # a number or boolean, written without quotes


def loads(content: str) -> Any:
    """The value of JSON text; raises ValueError or RecursionError."""
    return json.loads(content.lstrip("\ufeff"))


def judged(judge: Judge, served: Served, value: Any, posted: bool = False) -> Any:
    """A document whose leaves are `Leaf`s. `posted`: a client sent it."""
    walk = _Walk(judge)
    tree = walk.value(value, "", None, 0)
    items = [Item(name, text) for name, text, _ in walk.leaves]
    place_parts = (
        typed.form(judge, served, items, "json")
        if posted and len(items) <= 4 * typed.MAX_BESIDE
        else [judge.value("json", item.name, item.value) for item in items]
    )
    for (_, _, leaf), parts in zip(walk.leaves, place_parts, strict=True):
        leaf.parts = parts
    return tree


class _Walk:
    """Collects the leaves that are judged by their names; the others are known on sight."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.leaves: list[tuple[str, str, Leaf]] = []

    def value(self, value: Any, name: str, kind: str | None, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return Leaf(["…"], literal=True)
        if isinstance(value, dict):
            return self._object(value, kind, depth)
        if isinstance(value, list):
            return [self.value(item, name, kind, depth + 1) for item in value]
        literal = not isinstance(value, str)
        text = json.dumps(value) if literal else value
        if value is None or isinstance(value, bool) or text == "":
            return Leaf([text], literal)
        if kind == _USER:
            return Leaf([text], literal)
        if kind is not None:
            return Leaf([Secret(kind, text)], literal)
        leaf = Leaf([], literal)
        self.leaves.append((name, text, leaf))
        return leaf

    def _object(self, value: dict[str, Any], kind: str | None, depth: int) -> dict[str, Any]:
        naming, valued = _pair(value)
        callback = _callback(value)
        explained = any(
            key.lower() in ("message", "error", "errormessage", "status") for key in value
        )
        found = {}
        for key, item in value.items():
            name, inner = key, kind
            if key == naming:
                found[key] = Leaf([self.judge.name(item)], literal=False)
                continue
            if key == valued:
                name = str(value[naming]) if naming else key
            if inner is None:
                inner = callback if key == "input" else _whole(self.judge, name, item)
            if explained and key.lower() == "code" and _plain_code(item):
                name = "errorcode"  # the code of an error is no authorization code
            found[key] = self.value(item, name, inner, depth + 1)
        return found


def _pair(value: dict[str, Any]) -> tuple[str | None, str | None]:
    """The keys of a name and of its value, where an object is such a pair."""
    if len(value) > 12:
        return None, None
    lower = {key.lower(): key for key in value}
    valued = next((lower[key] for key in _VALUED if key in lower), None)
    if valued is None:
        return None, None
    for key in _NAMING:
        name = value.get(lower.get(key, ""))
        if isinstance(name, str) and _NAME.fullmatch(name) and not forms.looks_like_token(name):
            return lower[key], valued
    return None, valued


def _callback(value: dict[str, Any]) -> str | None:
    """ForgeRock's callbacks say by their type what the input is (javax.security.auth.callback)."""
    kind = value.get("type")
    if not isinstance(kind, str) or not kind.endswith("Callback"):
        return None
    if kind == "NameCallback":
        return _USER
    return "password" if kind.endswith("PasswordCallback") else None


def _whole(judge: Judge, name: str, item: Any) -> str | None:
    if not isinstance(item, dict | list):
        return None
    kind = kind_of(name) or kind_by_words(name)
    if kind not in _WHOLE or forms.by_last_word(name, "1"):
        return None
    if name.lower().endswith(("_supported", "methods", "types", "policy", "policies")):
        return None
    if name.lower() in judge.shown_names:
        judge.kept.add(name.lower())
    return kind


def _plain_code(item: Any) -> bool:
    if isinstance(item, int):
        return True
    return isinstance(item, str) and (item.isdigit() or _WORDS.fullmatch(item) is not None)


def written(judge: Judge, tree: Any, depth: int = 0) -> Iterator[Part]:
    """The judged document as text, indented."""
    if isinstance(tree, Leaf):
        yield from _leaf(tree)
    elif isinstance(tree, dict):
        members = (((*_key(judge, key),), item) for key, item in tree.items())
        yield from _items(judge, "{", "}", members, depth)
    else:
        yield from _items(judge, "[", "]", (((), item) for item in tree), depth)


def _leaf(leaf: Leaf) -> Iterator[Part]:
    if leaf.literal:
        yield from leaf.parts
        return
    yield '"'
    for part in leaf.parts:
        yield part if isinstance(part, Secret) else json.dumps(part, ensure_ascii=False)[1:-1]
    yield '"'


def _key(judge: Judge, key: str) -> tuple[Part, ...]:
    """A key with its quotes; one that looks like a token is wrapped."""
    name = judge.name(key)
    if isinstance(name, Secret):
        return '"', name, '": '
    return (json.dumps(key, ensure_ascii=False) + ": ",)


def _items(
    judge: Judge,
    opening: str,
    closing: str,
    items: Iterator[tuple[tuple[Part, ...], Any]],
    depth: int,
) -> Iterator[Part]:
    yield opening
    empty = True
    for lead, item in items:
        yield ("\n" if empty else ",\n") + "  " * (depth + 1)
        yield from lead
        yield from written(judge, item, depth + 1)
        empty = False
    yield closing if empty else "\n" + "  " * depth + closing


def parts(tree: Any) -> Iterator[Part]:
    """All that is judged in a document, in any order."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Leaf):
            yield from item.parts
        else:
            waiting += item.values() if isinstance(item, dict) else item


def is_message(content: str) -> bool:
    """Whether no name stands twice in an object, and none too deep: whether what was judged is
    all that the text says."""
    twice = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        twice |= len(dict(pairs)) < len(pairs)
        return dict(pairs)

    value = json.loads(content.lstrip("\ufeff"), object_pairs_hook=members)
    return not twice and _depth(value) <= MAX_DEPTH


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [child for items in inner for child in items if isinstance(child, dict | list)]
        depth += 1
    return depth
