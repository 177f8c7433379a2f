"""Flow definitions: TOML files, validated, that say what a flow looks like.

A definition names actors, steps, the events that are arrows of a step, what proves a
step, what fails it, and which values tie events together. `docs/flows.md` teaches the
format, `schema` has its tables. Nothing in this package knows any particular flow.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import msgspec

from dissect.errors import DefinitionError, UsageError
from dissect.flow.places import Path as KeyPath
from dissect.flow.places import line_of, told
from dissect.flow.schema import (
    FACT,
    HIDDEN,
    HIDDEN_EVENT,
    TROUBLE,
    ActorDef,
    ArrowDef,
    Definition,
    Explanation,
    Failure,
    Gesture,
    Instance,
    Match,
    PlacedMatch,
    StepDef,
    Trouble,
    Unfinished,
    Value,
    Within,
    Written,
)

__all__ = [
    "HIDDEN",
    "HIDDEN_EVENT",
    "TROUBLE",
    "ActorDef",
    "ArrowDef",
    "Definition",
    "Explanation",
    "Failure",
    "Gesture",
    "Instance",
    "Match",
    "PlacedMatch",
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

_FIELD = re.compile(r"[A-Za-z_][\w.-]*")  # how Wireshark names fields


def parse(text: str, origin: str) -> Definition:
    """A definition from its TOML text; `origin` is named in errors.

    Raises DefinitionError with origin, line and key for anything that does not fit.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{origin}: {error}") from None
    try:
        definition = msgspec.convert(raw, Definition)
    except msgspec.ValidationError as error:
        sentence, path = told(error, raw, Definition)
        line = line_of(text, path)
        place = f"{origin}:{line}" if line else origin
        raise DefinitionError(f"{place}: {sentence}") from None
    _check_references(definition, text, origin)
    placed = _placed(definition, text, origin)
    given = {name: getattr(placed, name) for name in placed.__struct_fields__}
    return Written(**given, origin=origin, text=text)


def _placed(definition: Definition, text: str, origin: str) -> Definition:
    """With the event's name and the place in the file for each arrow that tshark finds."""
    if not definition.matched:
        return definition
    steps = []
    for number, step in enumerate(definition.step):
        arrows = []
        for index, arrow in enumerate(step.arrow):
            path = [("step", number), ("arrow", index)]
            place = f"{origin}:{line_of(text, path)}: step {step.number}"
            if (arrow.match is None) == (arrow.event == ""):
                raise DefinitionError(f"{place}: an arrow has either `event` or `match`")
            if arrow.match is not None:
                place = f"{origin}:{line_of(text, [*path, ('match', 0)])}: step {step.number}"
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
    for field in arrow.wireshark_fields:
        if not _FIELD.fullmatch(field):
            raise DefinitionError(f'{place}: fields: "{field}" is no field\'s name')
    return msgspec.structs.replace(
        arrow,
        event=f"tshark.{flow}.{arrow.id}",
        match=PlacedMatch(match.tshark, match.ports, place),
    )


def _check_references(definition: Definition, text: str, origin: str) -> None:
    actors = {actor.id for actor in definition.actor}
    keys = {arrow.key for _, arrow in definition.arrows}
    keys |= {prefix + actor for prefix in (HIDDEN, TROUBLE) for actor in actors}

    def demand(ok: bool, word: str, problem: str) -> None:
        if not ok:
            number = next(
                (n for n, line in enumerate(text.splitlines(), 1) if f'"{word}"' in line), 0
            )
            raise DefinitionError(
                f"{origin}:{number}: {problem}" if number else f"{origin}: {problem}"
            )

    for index, (before, step) in enumerate(pairwise(definition.step), 1):
        if step.number <= before.number:
            line = line_of(text, [("step", index), ("number", 0)])
            raise DefinitionError(f"{origin}:{line}: step numbers must rise, each once")
    if not definition.step or not definition.instance.anchors:
        raise DefinitionError(f"{origin}: a flow has at least one step and one anchor")
    _each_once(definition, text, origin)
    for step, arrow in definition.arrows:
        if arrow.match is None:
            said = arrow.event or arrow.label
            demand(bool(arrow.event), said, f"step {step.number}: an arrow has `event` or `match`")
            demand(not arrow.fields, said, f"step {step.number}: `fields` are for `match`")
        for ident in (arrow.from_, arrow.to, *((arrow.at,) if arrow.at else ())):
            demand(ident in actors, ident, f'step {step.number}: no actor is called "{ident}"')
        for key in (*arrow.after, *((arrow.within.of,) if arrow.within else ())):
            demand(key in keys, key, f'step {step.number}: no arrow is called "{key}"')
    for step in definition.step:
        gesture = (step.gesture.from_, step.gesture.to) if step.gesture else ()
        for ident in (*step.between, *gesture):
            demand(ident in actors, ident, f'step {step.number}: no actor is called "{ident}"')
        named = [key for group in step.done_when for key in group]
        named += [*step.settled_by, *step.reopened_by, *step.inferred_by]
        named += [entry.seen for entry in step.explain]
        for key in named:
            demand(key in keys, key, f'step {step.number}: no arrow is called "{key}"')
    for key in (*definition.instance.anchors, *definition.instance.fallback):
        demand(key in keys, key, f'no arrow is called "{key}"')
    for unfinished in definition.unfinished:
        demand(unfinished.last in keys, unfinished.last, f'no arrow is called "{unfinished.last}"')
    for actor in definition.actor:
        for ident in actor.known_by:
            ok = ident in actors or "." in ident
            demand(ok, ident, f'actor {actor.id}: "{ident}" is no actor and no host name')


def _each_once(definition: Definition, text: str, origin: str) -> None:
    """Raises DefinitionError for an id that two actors or two arrows have."""
    first: dict[tuple[str, str], KeyPath] = {}

    def once(kind: str, ident: str, path: KeyPath) -> None:
        if (other := first.setdefault((kind, ident), path)) is not path:
            here, there = (line_of(text, [*each, ("id", 0)]) for each in (path, other))
            said = f'two {kind}s are called "{ident}", the other in line {there}'
            raise DefinitionError(f"{origin}:{here}: {said}")

    for number, actor in enumerate(definition.actor):
        once("actor", actor.id, [("actor", number)])
    for number, step in enumerate(definition.step):
        for index, arrow in enumerate(step.arrow):
            if arrow.match is not None and not arrow.id:
                line = line_of(text, [("step", number), ("arrow", index)])
                raise DefinitionError(f"{origin}:{line}: an arrow with `match` needs an `id`")
            if arrow.id:
                once("arrow", arrow.id, [("step", number), ("arrow", index)])


@lru_cache(maxsize=1)
def built_in() -> dict[str, Definition]:
    """The shipped definitions by name."""
    folder = files("dissect.flow") / "definitions"
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".toml"):
            definition = parse(entry.read_text("utf-8"), entry.name)
            found[definition.name] = definition
    return found


def load(reference: str) -> Definition:
    """A shipped definition by name, or one from a TOML file.

    Raises UsageError when there is neither, DefinitionError when the file does not fit.
    """
    if reference in built_in():
        return built_in()[reference]
    path = Path(reference)
    if path.suffix != ".toml":
        known = ", ".join(built_in())
        raise UsageError(f"no flow is called {reference!r}; there are: {known}, or a .toml file")
    try:
        return parse(path.read_text("utf-8"), reference)
    except OSError as error:
        raise UsageError(f"{reference}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise DefinitionError(f"{reference}: a definition is UTF-8 text") from None


def json_schema() -> dict[str, object]:
    """The JSON schema of a definition, for editors."""
    return msgspec.json.schema(Definition)
