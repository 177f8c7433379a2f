"""What a definition's keys name must be there: actors and arrows, each called once."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import pairwise

from dissect.errors import DefinitionError
from dissect.flow.schema import GESTURE, HIDDEN, TROUBLE, Definition, StepDef
from dissect.flow.source_locations import KeyPath as KeyPath
from dissect.flow.source_locations import SourceLocations


def check(definition: Definition, locations: SourceLocations) -> None:
    """Raises DefinitionError, with its place, for the first that does not hold."""
    actors = {actor.id for actor in definition.actor}
    keys = {arrow.key for _, arrow in definition.arrows}
    keys |= {prefix + actor for prefix in (HIDDEN, TROUBLE) for actor in actors}

    def wrong(path: KeyPath, problem: str) -> DefinitionError:
        return DefinitionError(f"{locations.describe(path)}: {problem}")

    for index, (before, step) in enumerate(pairwise(definition.step), 1):
        if step.number <= before.number:
            raise wrong([("step", index), ("number", 0)], "step numbers must rise, each once")
    if not definition.step or not definition.instance.anchors:
        raise wrong([], "a flow has at least one step and one anchor")
    _each_once(definition, locations)
    for index, step in enumerate(definition.step):
        for problem, below in _wrong_in(step, actors, keys):
            raise wrong([("step", index), *below], f"step {step.number}: {problem}")
    for key, path in _keys_named(definition):
        if key not in keys:
            raise wrong(path, f'no arrow is called "{key}"')
    for index, actor in enumerate(definition.actor):
        for ident in actor.known_by:
            if ident not in actors and ident not in keys and "." not in ident:
                text = f'actor {actor.id}: "{ident}" is no actor, arrow or host name'
                raise wrong([("actor", index), ("known_by", 0)], text)


def _wrong_in(
    step: StepDef, actors: Container[str], keys: Container[str]
) -> Iterator[tuple[str, KeyPath]]:
    """What does not hold in a step, each with its path in the step."""
    for number, arrow in enumerate(step.arrow):
        if arrow.match is None and not arrow.event:
            yield "an arrow has `event` or `match`", [("arrow", number)]
        if arrow.match is None and arrow.fields:
            yield "`fields` are for `match`", [("arrow", number), ("fields", 0)]
    for named, below in _actors_named(step):
        if named not in actors:
            yield f'no actor is called "{named}"', below
    for named, below in _arrows_named(step):
        if named not in keys:
            yield f'no arrow is called "{named}"', below


def _keys_named(definition: Definition) -> Iterator[tuple[str, KeyPath]]:
    """The arrows that are named outside of the steps, each with its path."""
    rules = definition.instance
    for name, listed in (("anchors", rules.anchors), ("fallback", rules.fallback)):
        for key in listed:
            yield key, [("instance", 0), (name, 0)]
    for index, entry in enumerate(definition.unfinished):
        yield entry.last, [("unfinished", index), ("last", 0)]


def _actors_named(step: StepDef) -> Iterator[tuple[str, KeyPath]]:
    """The actors that a step's keys name, each with the key's path in the step."""
    for ident in step.between:
        yield ident, [("between", 0)]
    if step.gesture:
        yield step.gesture.from_, [("gesture", 0), ("from", 0)]
        yield step.gesture.to, [("gesture", 0), ("to", 0)]
    for index, arrow in enumerate(step.arrow):
        for key, ident in (("from", arrow.from_), ("to", arrow.to), ("at", arrow.at)):
            if ident or key != "at":
                yield ident, [("arrow", index), (key, 0)]


def _arrows_named(step: StepDef) -> Iterator[tuple[str, KeyPath]]:
    """The arrows that a step's keys name, likewise."""
    for index, arrow in enumerate(step.arrow):
        for name in arrow.after:
            yield name, [("arrow", index), ("after", 0)]
        if arrow.within:
            yield arrow.within.of, [("arrow", index), ("within", 0), ("of", 0)]
    for name in (name for group in step.done_when for name in group):
        yield name, [("done_when", 0)]
    for key in ("settled_by", "reopened_by", "inferred_by"):
        for name in getattr(step, key):
            yield name, [(key, 0)]
    for index, line in enumerate(step.summary):
        for name in line.arrows:
            if name != GESTURE or step.gesture is None:
                yield name, [("summary", index), ("arrows", 0)]
    for name in step.titles:
        yield name, [("titles", 0), (name, 0)]
    for index, entry in enumerate(step.explain):
        yield entry.seen, [("explain", index), ("seen", 0)]


def _each_once(definition: Definition, locations: SourceLocations) -> None:
    """Raises DefinitionError for an id that two actors or two arrows have."""
    first: dict[tuple[str, str], KeyPath] = {}

    def once(kind: str, ident: str, path: KeyPath) -> None:
        if (other := first.setdefault((kind, ident), path)) is path:
            return
        text = f'two {kind}s are called "{ident}"'
        (here, below), (there, above) = (
            locations.find([*each, ("id", 0)]) for each in (path, other)
        )
        if here == there and below == above:
            source, including = locations.included[tuple(path)]
            hint = "its part is included twice: give one of them a `prefix`"
            at = source.describe([*including, ("include", 0)])
            raise DefinitionError(f"{at}: {text}; {hint}")
        line = there.line(above)
        second = f"line {line}" if here == there else f"{there.name}:{line}"
        raise DefinitionError(f"{here.describe(below)}: {text}, the other in {second}")

    for number, actor in enumerate(definition.actor):
        once("actor", actor.id, [("actor", number)])
    for number, step in enumerate(definition.step):
        for index, arrow in enumerate(step.arrow):
            path = [("step", number), ("arrow", index)]
            if arrow.match is not None and not arrow.id:
                raise DefinitionError(
                    f"{locations.describe(path)}: an arrow with `match` needs an `id`"
                )
            if arrow.id:
                once("arrow", arrow.id, path)
