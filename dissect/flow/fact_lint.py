"""Facts that a definition names and that no event of its arrows can have.

Whoever calls says which facts an event may have; of an event that is not among them (a
plugin's) nothing is known, and so nothing is doubted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from dissect.flow.schema import ArrowDef, Definition
from dissect.flow.source_locations import KeyPath, closest
from dissect.flow.texts import names

Facts = Mapping[str, Collection[str]]
_ALWAYS = ("host", "server")
_OF_FAILURES = ("meaning", "cause", "remedy")  # the error catalogue's
_Warning = tuple[str, KeyPath]


def unknown_facts(definition: Definition, facts: Facts) -> Iterator[_Warning]:
    """What is reported of each such fact, and the path of the key that names it."""
    by_key: dict[str, ArrowDef] = {}
    for _, arrow in reversed(definition.arrows):
        by_key[arrow.key] = arrow
    yield from _head(definition, facts)
    for number, step in enumerate(definition.step):
        warning = f"step {step.number}: "
        for index, arrow in enumerate(step.arrow):
            path: KeyPath = [("step", number), ("arrow", index)]
            for text, below in _arrow(arrow, by_key, facts):
                yield warning + text, [*path, *below]
        for index, entry in enumerate(step.explain):
            for text in _of_arrow("text", names(entry.text), by_key.get(entry.seen), facts):
                yield warning + text, [("step", number), ("explain", index), ("text", 0)]
    yield from _ends(definition, by_key, facts)


def _ends(
    definition: Definition, by_key: Mapping[str, ArrowDef], facts: Facts
) -> Iterator[_Warning]:
    """Of what is reported of a flow as a whole: where it ended, troubles, what actors learn."""
    for index, left in enumerate(definition.unfinished):
        last = by_key.get(left.last)
        for key in ("code", "text", "remedy"):
            for text in _of_arrow(key, names(getattr(left, key)), last, facts):
                yield text, [("unfinished", index), (key, 0)]
    for index, item in enumerate(definition.trouble):
        for key in ("code", "label", "text", "remedy"):
            given = names(getattr(item, key))
            for text in _of_event(key, given, item.event, facts, _OF_FAILURES):
                yield text, [("trouble", index), (key, 0)]
    for index, actor in enumerate(definition.actor):
        for source in actor.learn:
            event, _, fact = source.partition(":")
            for text in _of_event("learn", [fact], event, facts):
                yield text, [("actor", index), ("learn", 0)]


def _head(definition: Definition, facts: Facts) -> Iterator[_Warning]:
    known = set(_ALWAYS)
    for _, arrow in definition.arrows:
        if arrow.match is None and arrow.event not in facts:
            return
        known.update(arrow.facts if arrow.match is not None else facts[arrow.event])
    if all(arrow.match is not None for _, arrow in definition.arrows):
        return  # `lint` has said it
    rules = definition.instance
    locations: tuple[tuple[str, Iterable[str], KeyPath], ...] = (
        ("subject", [n for t in definition.subject for n in names(t) or [t]], [("subject", 0)]),
        ("identifiers", definition.identifiers, [("identifiers", 0)]),
        ("keys", rules.keys, [("instance", 0), ("keys", 0)]),
        ("clues", rules.clues, [("instance", 0), ("clues", 0)]),
    )
    for key, given, path in locations:
        for name in _strange(given, known):
            yield f'{key}: no arrow has a fact "{name}"{_like(name, known)}', path


def _arrow(arrow: ArrowDef, by_key: Mapping[str, ArrowDef], facts: Facts) -> Iterator[_Warning]:
    texts = [("label", arrow.label), ("note", arrow.note)]
    for key, text in texts:
        for warning in _of_arrow(key, names(text), arrow, facts):
            yield warning, [(key, 0)]
    if arrow.fails is not None:
        for key in ("code", "text", "remedy"):
            for warning in _of_arrow(key, names(getattr(arrow.fails, key)), arrow, facts):
                yield warning, [("fails", 0), (key, 0)]
    for key, given in (("where", arrow.where), ("unless", arrow.unless)):
        for name in given:
            for warning in _of_arrow(key, [name], arrow, facts):
                yield warning, [(key, 0), (name, 0)]
    if arrow.within is not None and arrow.within.fact is not None:
        start = by_key.get(arrow.within.of)
        for warning in _of_arrow("within", [arrow.within.fact], start, facts):
            yield warning, [("within", 0)]


def _of_arrow(
    key: str, given: Iterable[str], arrow: ArrowDef | None, facts: Facts
) -> Iterator[str]:
    if arrow is None or arrow.match is not None:
        return
    yield from _of_event(key, given, arrow.event, facts, _OF_FAILURES if arrow.fails else ())


def _of_event(
    key: str, given: Iterable[str], event: str, facts: Facts, more: Iterable[str] = ()
) -> Iterator[str]:
    if event not in facts:
        return
    known = {*facts[event], *_ALWAYS, *more}
    for name in _strange(given, known):
        yield f'{key}: event "{event}" has no fact "{name}"{_like(name, known)}'


def _strange(given: Iterable[str], known: Collection[str]) -> Iterator[str]:
    patterns = [name for name in known if name.endswith("*")]
    for name in dict.fromkeys(given):
        if name not in known and not any(fnmatchcase(name, pattern) for pattern in patterns):
            yield name


def _like(name: str, known: Collection[str]) -> str:
    close = closest(name, known)
    return f": is it `{close}`?" if close else "; `dissect events --list` has its facts"
