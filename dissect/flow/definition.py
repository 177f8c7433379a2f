"""Flow definitions: TOML files, validated, that say what a flow looks like.

A definition names actors, steps, the events that are arrows of a step, what proves a
step, what fails it, and which values tie events together. `docs/flows.md` teaches the
format, `schema` has its tables. Nothing in this package knows any particular flow.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import msgspec

from dissect.errors import DefinitionError, UsageError
from dissect.flow import toml
from dissect.flow.causes import complete
from dissect.flow.failures import CauseDef, Failure, Trouble, Unfinished
from dissect.flow.fitting import Value
from dissect.flow.includes import expand
from dissect.flow.reading import SUFFIX, File, tables
from dissect.flow.references import check
from dissect.flow.schema import (
    FACT,
    FIELD,
    HIDDEN,
    HIDDEN_EVENT,
    TROUBLE,
    ActorDef,
    ArrowDef,
    Definition,
    Explanation,
    Gesture,
    IncludedArrows,
    Instance,
    LocatedMatch,
    Match,
    Part,
    StepDef,
    Within,
    Written,
)
from dissect.flow.source_locations import SourceFile, SourceLocations

__all__ = [
    "HIDDEN",
    "HIDDEN_EVENT",
    "TROUBLE",
    "ActorDef",
    "ArrowDef",
    "CauseDef",
    "Definition",
    "Explanation",
    "Failure",
    "Gesture",
    "Instance",
    "LocatedMatch",
    "Match",
    "StepDef",
    "Trouble",
    "Unfinished",
    "Value",
    "Within",
    "built_in",
    "json_schema",
    "load",
    "parse",
]


def parse(text: str, origin: str, folder: Path | None = None) -> Definition:
    """A definition from its TOML text; `origin` is named in errors. In `folder` are the files
    that it may include, besides the shipped parts.

    Raises DefinitionError with origin, line and key for anything that does not fit.
    """
    source = SourceFile(origin, text)
    raw, locations = expand(tables(source, Definition), File(source, folder, folder))
    definition = msgspec.convert(complete(raw, locations), Definition)
    check(definition, locations)
    placed = _located(definition, locations)
    given = {name: getattr(placed, name) for name in placed.__struct_fields__}
    return Written(**given, locations=locations)


def _located(definition: Definition, locations: SourceLocations) -> Definition:
    """With the event's name and the place in the file for each arrow that tshark finds."""
    if not definition.matched:
        return definition
    steps = []
    for number, step in enumerate(definition.step):
        arrows = []
        for index, arrow in enumerate(step.arrow):
            path = [("step", number), ("arrow", index)]
            if (arrow.match is None) == (arrow.event == ""):
                place = f"{locations.describe(path)}: step {step.number}"
                raise DefinitionError(f"{place}: an arrow has either `event` or `match`")
            if arrow.match is not None:
                place = f"{locations.describe([*path, ('match', 0)])}: step {step.number}"
                arrow = _found_by_tshark(definition.name, arrow, arrow.match, place)
            arrows.append(arrow)
        steps.append(msgspec.structs.replace(step, arrow=tuple(arrows)))
    return msgspec.structs.replace(definition, step=tuple(steps))


def _found_by_tshark(flow: str, arrow: ArrowDef, match: Match, place: str) -> ArrowDef:
    if not match.tshark.strip() or not match.tshark.isprintable():
        raise DefinitionError(f"{place}: match.tshark is no display filter on one line")
    for name, text in arrow.facts.items():
        if not FACT.search(text):
            raise DefinitionError(f'{place}: fields: "{name}" has no field in "{text}"')
        for field in FACT.findall(text):
            if not FIELD.fullmatch(field):
                raise DefinitionError(f'{place}: fields: "{field}" is no field\'s name')
            if "#" in field and not isinstance(arrow.fields, dict):
                called = f'{{ name = "{field}" }}'
                raise DefinitionError(f'{place}: fields: "{field}" needs a name: {called}')
    return msgspec.structs.replace(
        arrow,
        event=f"tshark.{flow}.{arrow.id}",
        match=LocatedMatch(match.tshark, match.ports, place),
    )


class Definitions(MutableMapping[str, Definition]):
    """Definitions by name: the shipped ones, each parsed when first asked for, and any more."""

    def __init__(self) -> None:
        self._made: dict[str, Definition | None] = dict.fromkeys(_shipped_names())

    def __getitem__(self, name: str) -> Definition:
        made = self._made[name]
        if made is None:
            made = self._made[name] = _shipped(name)
        return made

    def __setitem__(self, name: str, definition: Definition) -> None:
        self._made[name] = definition

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._made

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


@lru_cache(maxsize=1)
def _shipped_names() -> tuple[str, ...]:
    entries = (files("dissect.flow") / "definitions").iterdir()
    return tuple(sorted(e.name[: -len(SUFFIX)] for e in entries if e.name.endswith(SUFFIX)))


@lru_cache
def _shipped(name: str) -> Definition:
    """A shipped definition; its file is called as it is."""
    entry = files("dissect.flow") / "definitions" / f"{name}{SUFFIX}"
    return parse(entry.read_text("utf-8"), entry.name)


@lru_cache(maxsize=1)
def built_in() -> Definitions:
    """The shipped definitions by name."""
    return Definitions()


def load(reference: str) -> Definition:
    """A shipped definition by name, or one from a TOML file.

    Raises UsageError when there is neither, DefinitionError when the file does not fit.
    """
    if reference in built_in():
        return built_in()[reference]
    path = Path(reference)
    if path.suffix != SUFFIX:
        renamed = (one for one in built_in().values() if reference in one.former)
        if (found := next(renamed, None)) is not None:
            return found
        known = ", ".join(built_in())
        raise UsageError(f"no flow is called {reference!r}; there are: {known}, or a .toml file")
    try:
        with path.open("rb") as stream:
            data = stream.read(toml.MAX_BYTES + 1)
        if len(data) > toml.MAX_BYTES:
            raise DefinitionError(f"{reference} has more than {toml.MAX_BYTES >> 10} KiB")
        # Line ends of Windows, as a file that is opened as text has them.
        text = data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        return parse(text, reference, path.parent)
    except OSError as error:
        raise UsageError(f"{reference}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise DefinitionError(f"{reference}: a definition is UTF-8 text") from None


def json_schema() -> dict[str, object]:
    """The JSON schema of a definition, for editors; that of a part is `#/$defs/Part`."""
    (schema, *_), tables = msgspec.json.schema_components(
        (Definition, Part, IncludedArrows), ref_template="#/$defs/{name}"
    )
    for name in ("StepDef", "Part"):
        arrows = tables[name]["properties"]["arrow"]
        arrows["items"] = {"anyOf": [arrows["items"], {"$ref": "#/$defs/IncludedArrows"}]}
    return {**schema, "$defs": tables}
