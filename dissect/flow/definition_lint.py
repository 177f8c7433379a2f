"""What a definition says that can't be meant: a warning each, with file, line and step.

Only what can be known: the facts of an arrow with `match` are its `fields`; those of other
events are declared beside the rules that find them (`fact_doubts` asks for them).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from dissect.flow.causes import misspelt, registry
from dissect.flow.fact_lint import Facts, unknown_facts
from dissect.flow.failures import Failure, Trouble, Unfinished
from dissect.flow.schema import HIDDEN_EVENT, ArrowDef, Definition, StepDef, Written
from dissect.flow.source_locations import KeyPath, closest
from dissect.flow.texts import names, unbalanced

_ALWAYS = ("host", "server")
_OF_FAILURES = ("meaning", "cause", "remedy")  # the error catalogue's
_Warning = tuple[str, KeyPath]


def lint(
    definition: Definition,
    events: Collection[str] | None = None,
    facts: Facts | None = None,
) -> list[str]:
    """The warnings, in the order of the file, then those of its parts. `events` are all names
    of events that there can be, `facts` what each may have; None if that is not known."""
    if not isinstance(definition, Written) or definition.locations is None:
        return []
    locations = definition.locations
    found = [*_head(definition), *_texts_below(definition)]
    for index, step in enumerate(definition.step):
        found += _step(definition, step, [("step", index)], events)
    found += _other_events(definition, events)
    if facts is not None:
        found += unknown_facts(definition, facts)
    lines = []
    for warning, path in found:
        source, there = locations.find(path)
        lines.append((source is not locations.own, source.name, source.line(there), warning))
    return [f"{name}:{line}: {warning}" for _, name, line, warning in sorted(lines)]


def _head(definition: Definition) -> Iterator[_Warning]:
    facts = {name for arrow in definition.matched for name in arrow.facts}
    for name in definition.values:
        if name not in facts:
            warning = f'[values.{name}]: no arrow with `match` has a fact "{name}"'
            yield warning + _close(name, facts), [("values", 0), (name, 0)]
    if len(definition.matched) < len(definition.arrows):
        return
    rules = definition.instance
    for key, given, path in (
        ("subject", [n for t in definition.subject for n in names(t) or [t]], [("subject", 0)]),
        ("identifiers", definition.identifiers, [("identifiers", 0)]),
        ("keys", rules.keys, [("instance", 0), ("keys", 0)]),
        ("clues", rules.clues, [("instance", 0), ("clues", 0)]),
    ):
        for name in given:
            if name not in facts:
                yield f'{key}: no arrow has a fact "{name}"{_close(name, facts)}', path


def _step(
    definition: Definition, step: StepDef, path: KeyPath, events: Collection[str] | None
) -> Iterator[_Warning]:
    for index, arrow in enumerate(step.arrow):
        for warning, below in _arrow(definition, arrow, events):
            yield f"step {step.number}: {warning}", [*path, ("arrow", index), *below]
    for index, entry in enumerate(step.explain):
        seen = _by_key(definition, entry.seen)
        for warning in _text("text", entry.text, seen):
            yield f"step {step.number}: {warning}", [*path, ("explain", index), ("text", 0)]


def _arrow(
    definition: Definition, arrow: ArrowDef, events: Collection[str] | None
) -> Iterator[_Warning]:
    if arrow.match is not None and arrow.from_ == arrow.to:  # an entry of a log has one end
        yield f'from and to are both "{arrow.to}"', [("to", 0)]
    if arrow.match is None and events is not None and arrow.event not in events:
        yield _unknown(arrow.event, events), [("event", 0)]
    for key, text in (("label", arrow.label), ("note", arrow.note)):
        for warning in _text(key, text, arrow):
            yield warning, [(key, 0)]
    if arrow.fails is not None:
        for warning, below in _failure(definition, arrow.fails, arrow):
            yield warning, [("fails", 0), *below]
    if arrow.match is not None:
        for key, given in (
            ("where", arrow.where),
            ("unless", arrow.unless),
            ("secrets", arrow.secrets),
        ):
            for name in given:
                for warning in _facts(key, (name,), arrow):
                    yield warning, [(key, 0), (name, 0)]
    if arrow.within is not None and arrow.within.fact is not None:
        start = _by_key(definition, arrow.within.of)
        for warning in _facts("within", (arrow.within.fact,), start):
            yield warning, [("within", 0)]


def _texts_below(definition: Definition) -> Iterator[_Warning]:
    for index, entry in enumerate(definition.unfinished):
        last = _by_key(definition, entry.last)
        for warning, below in _failure(definition, entry, last):
            yield warning, [("unfinished", index), *below]
    for index, item in enumerate(definition.trouble):
        for warning in _text("label", item.label, None):
            yield warning, [("trouble", index), ("label", 0)]
        for warning, below in _failure(definition, item, None):
            yield warning, [("trouble", index), *below]


def _failure(
    definition: Definition, failure: Failure | Trouble | Unfinished, arrow: ArrowDef | None
) -> Iterator[_Warning]:
    meant = misspelt(failure.code, definition.cause)
    if meant:
        yield f'no cause is called "{failure.code}", but "{meant}"', [("code", 0)]
    shipped = {text for cause in registry().values() for text in (cause.text, cause.remedy)}
    for key in ("code", "text", "remedy"):
        text = getattr(failure, key)
        if text not in shipped:  # whoever wrote those knows the event, and what it may lack
            for warning in _text(key, text, arrow):
                yield warning, [(key, 0)]


def _other_events(definition: Definition, events: Collection[str] | None) -> Iterator[_Warning]:
    if events is None:
        return
    known = {*events, *(arrow.event for arrow in definition.matched)}
    for index, item in enumerate(definition.trouble):
        if item.event not in known:
            yield _unknown(item.event, events), [("trouble", index), ("event", 0)]
    for index, actor in enumerate(definition.actor):
        for entry in actor.learn:
            name = entry.partition(":")[0]
            if name not in known:
                yield f"learn: {_unknown(name, events)}", [("actor", index), ("learn", 0)]


def _unknown(name: str, events: Collection[str]) -> str:
    if name == HIDDEN_EVENT:
        return f'"{name}" is no arrow: `between` makes a step hidden'
    seen = _close(name, events) or "; `dissect events --list` has all"
    return f'there is no event "{name}"{seen}'


def _by_key(definition: Definition, key: str) -> ArrowDef | None:
    return next((arrow for _, arrow in definition.arrows if arrow.key == key), None)


def _text(key: str, text: str, arrow: ArrowDef | None) -> Iterator[str]:
    sign = unbalanced(text)
    if sign is not None:
        yield f'{key}: a "{sign}" without its other half in "{text}"'
    yield from _facts(key, names(text), arrow)


def _facts(key: str, given: Iterable[str], arrow: ArrowDef | None) -> Iterator[str]:
    if arrow is None or arrow.match is None:
        return
    known = [*arrow.facts, *_ALWAYS, *(_OF_FAILURES if arrow.fails else ())]
    for name in dict.fromkeys(given):
        if name not in known:
            have = f"; its fields are {', '.join(arrow.facts)}" if arrow.facts else ""
            yield f'{key}: arrow "{arrow.key}" has no fact "{name}"{_close(name, known) or have}'


def _close(name: str, known: Collection[str]) -> str:
    close = closest(name, known)
    return f', but "{close}"' if close else ""
