"""Parts: what several flow definitions share is written once, and put where they include it.

A file's tables are put together before they become a `Definition`; of each, `Places` knows
where it is written. What a file includes is a shipped part by name, or a file beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dissect.flow.reading import File, Raw, open_part
from dissect.flow.schema import FACT
from dissect.flow.source_locations import KeyPath as KeyPath
from dissect.flow.source_locations import Location, SourceLocations
from dissect.model import UNREACHABLE

MAX_DEPTH = 8  # of parts that include parts
MAX_ENTRIES = 4096  # arrows, tables, includes of a definition with its parts; facts that join
MAX_TEXT = 4096  # characters of a text with its words, and of a name with its prefix

_TABLES = ("unfinished", "trouble", "cause")  # of a definition's head, which parts may bring
_ICMP = {"event": UNREACHABLE, "label": "ICMP: {what}", "code": UNREACHABLE}
_KeyPath = tuple[tuple[str, int], ...]


class _IncludedTable(msgspec.Struct, frozen=True):
    """An entry of one of `_TABLES`."""

    kind: str
    given: Raw
    location: Location


class _IncludedArrow(msgspec.Struct, frozen=True):
    """An arrow, where it is written, and where what includes it says otherwise."""

    given: Raw
    location: Location
    elsewhere: dict[_KeyPath, Location] = {}

    @property
    def key(self) -> str:
        return str(self.given.get("id") or self.given.get("event", ""))

    @property
    def actors(self) -> set[str]:
        return {self.given[key] for key in ("from", "to", "at") if self.given.get(key)}


class _Contents(msgspec.Struct):
    """What a part brings, with what the parts bring that it includes."""

    arrows: list[_IncludedArrow] = []
    tables: list[_IncludedTable] = []
    values: list[tuple[str, dict[str, str], Location]] = []

    def join(self, other: _Contents) -> None:
        self.tables += other.tables
        self.values += other.values


def expand(raw: Raw, file: File) -> tuple[dict[str, Any], SourceLocations]:
    """A definition's tables with what it includes; `raw` fits the schema.

    Raises DefinitionError, with the line of what can't be included."""
    work, found = _Work(), _Contents()
    locations = SourceLocations(file.source)
    made = dict(raw)
    head = work.tables(raw, file, ())
    made["step"] = [
        _step(step, number, work, file, locations, found) for number, step in enumerate(raw["step"])
    ]
    head.join(found)
    for kind in _TABLES:
        every = list(raw.get(kind, ()))
        for table in head.tables:
            # The file's own come first, so that it can say something more special; twice is once.
            if table.kind == kind and table.given not in every:
                locations.moved[(kind, len(every)),] = table.location
                every.append(table.given)
        made[kind] = every
    _answered_by_icmp(made)
    values = {fact: dict(words) for fact, words in raw.get("values", {}).items()}
    for fact, words, place in head.values:
        if fact not in values:
            locations.moved[("values", 0), (fact, 0)] = place
        values[fact] = {**words, **values.get(fact, {})}
    made["values"] = values
    return made, locations


def _answered_by_icmp(made: dict[str, Any]) -> None:
    """ICMP's errors are an answer to a datagram of any flow (RFC 1122 §4.1.3.3): a flow that
    says nothing of them gets the shipped words."""
    if not any(table["event"] == _ICMP["event"] for table in made["trouble"]):
        made["trouble"] = [*made["trouble"], dict(_ICMP)]


def _step(
    step: Raw, number: int, work: _Work, file: File, locations: SourceLocations, found: _Contents
) -> Raw:
    if not any("include" in entry for entry in step.get("arrow", ())):
        return step
    arrows: list[Raw] = []
    for index, entry in enumerate(step["arrow"]):
        path = [("step", number), ("arrow", index)]
        including = "include" in entry
        for arrow in work.arrows(entry, file, path, {}, (), found):
            here = ("step", number), ("arrow", len(arrows))
            arrows.append(arrow.given)
            locations.moved[here] = arrow.location
            locations.moved.update({(*here, *key): place for key, place in arrow.elsewhere.items()})
            if including:
                locations.included[here] = file.source, path
    return {**step, "arrow": arrows}


class _Work:
    """The parts of one definition, as they are put together."""

    def __init__(self) -> None:
        self._left = MAX_ENTRIES
        self._read: dict[tuple[Path | None, str], tuple[File, Raw]] = {}

    def arrows(
        self,
        entry: Raw,
        file: File,
        path: KeyPath,
        words: Mapping[str, str],
        within: tuple[str, ...],
        found: _Contents,
    ) -> list[_IncludedArrow]:
        """One arrow, or those of a part; its tables join what is `found`."""
        self._spend(file, path)
        if "include" not in entry:
            return [_IncludedArrow(_worded(entry, words, file, path), (file.source, path))]
        name, at = entry["include"], [*path, ("include", 0)]
        given = {
            word: _filled(text, words, file, [*path, ("words", 0)])
            for word, text in entry.get("words", {}).items()
        }
        contents = self._contents(name, file, at, given, within)
        if not contents.arrows:
            raise file.error(at, f'"{name}" has no arrows: include it in the head')
        actors = {actor for arrow in contents.arrows for actor in arrow.actors}
        for actor in entry.get("actors", {}):
            if actor not in actors:
                problem = f'"{name}" has no actor "{actor}"; it has {_listed(actors)}'
                raise file.error([*path, ("actors", 0)], problem)
        arrows = [self._included(arrow, entry, file, path) for arrow in contents.arrows]
        if entry.get("prefix"):
            keys = {arrow.key for arrow in contents.arrows}
            if max(map(len, keys)) + len(entry["prefix"]) > MAX_TEXT:
                raise file.error([*path, ("prefix", 0)], f"more than {MAX_TEXT} characters")
            arrows = [_prefixed_arrow(arrow, entry["prefix"], keys) for arrow in arrows]
            contents.tables = [_prefixed(table, entry["prefix"], keys) for table in contents.tables]
        found.join(contents)
        return arrows

    def _included(
        self, arrow: _IncludedArrow, entry: Raw, file: File, path: KeyPath
    ) -> _IncludedArrow:
        """An arrow of a part as the entry that includes it has it."""
        given, elsewhere = dict(arrow.given), dict(arrow.elsewhere)
        actors = entry.get("actors", {})
        for key in ("from", "to", "at"):
            if given.get(key) in actors:
                given[key] = actors[given[key]]
                elsewhere[((key, 0),)] = file.source, [*path, ("actors", 0)]
        if entry.get("at") and not given.get("at"):
            given["at"] = entry["at"]
            elsewhere[(("at", 0),)] = file.source, [*path, ("at", 0)]
        for key in ("where", "unless"):
            if entry.get(key):
                given[key] = {**given.get(key, {}), **entry[key]}
                self._spend(file, [*path, (key, 0)], len(given[key]))
                for fact in entry[key]:
                    elsewhere[(key, 0), (fact, 0)] = file.source, [*path, (key, 0), (fact, 0)]
        return _IncludedArrow(given, arrow.location, elsewhere)

    def tables(self, raw: Raw, file: File, within: tuple[str, ...]) -> _Contents:
        """What the parts bring that a file's head includes."""
        found, path = _Contents(), [("include", 0)]
        for name in raw.get("include", ()):
            contents = self._contents(name, file, path, {}, within)
            if contents.arrows:
                problem = f'"{name}" has arrows: include it in a step, in the place of an arrow'
                raise file.error(path, problem)
            found.join(contents)
        return found

    def _contents(
        self,
        name: str,
        by: File,
        path: KeyPath,
        given: Mapping[str, str],
        within: tuple[str, ...],
    ) -> _Contents:
        self._spend(by, path)
        file, raw = self._open(name, by, path)
        if file.source.name in within:
            chain = " → ".join([*within[within.index(file.source.name) :], file.source.name])
            raise by.error(path, f"a part includes itself: {chain}")
        if len(within) >= MAX_DEPTH:
            raise by.error(path, f"parts are included in parts more than {MAX_DEPTH} deep")
        within = *within, file.source.name
        words = dict(raw.get("words", {}))
        for word in given:
            if word not in words:
                problem = f'"{name}" has no word "{word}"; it has {_listed(words)}'
                raise by.error([*path[:-1], ("words", 0)], problem)
        words.update(given)
        contents = _Contents()
        for kind in _TABLES:
            for index, table in enumerate(raw.get(kind, ())):
                here = [(kind, index)]
                self._spend(file, here)
                given_here = _worded(table, words, file, here)
                contents.tables.append(_IncludedTable(kind, given_here, (file.source, here)))
        for fact, values in raw.get("values", {}).items():
            contents.values.append((fact, values, (file.source, [("values", 0), (fact, 0)])))
        contents.join(self.tables(raw, file, within))
        for index, entry in enumerate(raw.get("arrow", ())):
            here = [("arrow", index)]
            contents.arrows += self.arrows(entry, file, here, words, within, contents)
        return contents

    def _open(self, name: str, by: File, path: KeyPath) -> tuple[File, Raw]:
        key = by.folder, name
        if key not in self._read:
            self._read[key] = open_part(name, by, path)
        return self._read[key]

    def _spend(self, file: File, path: KeyPath, entries: int = 1) -> None:
        self._left -= entries
        if self._left < 0:
            raise file.error(path, f"more than {MAX_ENTRIES} arrows, tables, includes and facts")


def _prefixed_arrow(arrow: _IncludedArrow, prefix: str, keys: set[str]) -> _IncludedArrow:
    given = {**arrow.given, "id": prefix + arrow.key}
    if "after" in given:
        given["after"] = [_renamed(key, prefix, keys) for key in given["after"]]
    if "within" in given:
        start = _renamed(given["within"]["of"], prefix, keys)
        given["within"] = {**given["within"], "of": start}
    return _IncludedArrow(given, arrow.location, arrow.elsewhere)


def _renamed(key: str, prefix: str, keys: set[str]) -> str:
    return prefix + key if key in keys else key


def _prefixed(table: _IncludedTable, prefix: str, keys: set[str]) -> _IncludedTable:
    if "last" not in table.given:
        return table
    last = _renamed(table.given["last"], prefix, keys)
    return _IncludedTable(table.kind, {**table.given, "last": last}, table.location)


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _worded(table: Raw, words: Mapping[str, str], file: File, path: KeyPath) -> Raw:
    """A table with the words in its texts."""
    if not words:
        return table
    changed: dict[str, Any] = dict(table)
    for key in ("label", "note", "code", "text", "remedy", "headline"):
        if key in changed:
            changed[key] = _filled(changed[key], words, file, [*path, (key, 0)])
    if "fails" in changed:
        changed["fails"] = _worded(changed["fails"], words, file, [*path, ("fails", 0)])
    return changed


def _filled(text: str, words: Mapping[str, str], file: File, path: KeyPath) -> str:
    length = len(text) + sum(len(words.get(name, "")) for name in FACT.findall(text))
    if length > MAX_TEXT:
        raise file.error(path, f"more than {MAX_TEXT} characters")
    return FACT.sub(lambda match: words.get(match[1], match[0]), text)
