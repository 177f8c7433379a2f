"""The registry of cause codes, and what a definition's failures take from it.

`causes.toml` declares each code once, with its sentence, remedy and source and the events that
may end a flow so; a definition declares its own in `[[cause]]`. A "*" in a declared code stands
for what a message completes it with.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import Any

import msgspec

from dissect.errors import DefinitionError
from dissect.flow.failures import CauseDef
from dissect.flow.schema import FACT
from dissect.flow.source_locations import KeyPath, SourceLocations, closest

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_NEARLY = 0.9  # of a code is like that of another: a typing error
TEXTS = ("text", "remedy", "headline")


@lru_cache(maxsize=1)
def registry() -> dict[str, CauseDef]:
    """The shipped causes by code, in the order of the file."""
    raw = tomllib.loads((files("dissect.flow") / "causes.toml").read_text("utf-8"))
    return {code: msgspec.convert({"code": code, **given}, CauseDef) for code, given in raw.items()}


def alternatives(template: str) -> list[str]:
    """The codes that a template may become, with `{fact}`s in them: "a.[{b}|c]" is "a.{b}" or
    "a.c", "a[.{b}]" is "a.{b}" or "a"."""
    parts: list[Sequence[str]] = []
    end = 0
    for choice in _CHOICE.finditer(template):
        inside = choice[1].split("|")
        parts += [[template[end : choice.start()]], inside if len(inside) > 1 else [*inside, ""]]
        end = choice.end()
    return ["".join(each) for each in product(*parts, [template[end:]])]


class Causes:
    """The causes that a definition may refer to: the shipped ones and its own."""

    def __init__(self, own: Sequence[CauseDef] = ()) -> None:
        self._known: dict[str, CauseDef] = {**registry(), **{cause.code: cause for cause in own}}

    def declared(self, code: str) -> CauseDef | None:
        """The cause of a code that may hold `{fact}`s: of several that fit the longest."""
        lone = FACT.fullmatch(code)
        if lone:
            return next((each for each in self._known.values() if each.fact == lone[1]), None)
        shape = FACT.sub("*", code)
        fitting = (each for each in self._known if fnmatchcase(shape, each))
        found = max(fitting, key=len, default=None)
        return None if found is None else self._known[found]

    def of(self, template: str) -> list[CauseDef | None]:
        """The cause of each alternative of a template; None for one that nobody declared."""
        return [self.declared(code) for code in alternatives(template)]

    def problem(self, template: str, event: str) -> str | None:
        """Why a failure of `event` can't have the code `template`, or None."""
        for code in alternatives(template):
            cause = self.declared(code)
            if cause is None:
                near = closest(code, self._known)
                meant = f', but "{near}"' if near else ""
                return (
                    f'no cause is called "{code}"{meant}; a flow declares its own in [[cause]], or '
                    "gives `text` and `remedy` here"
                )
            if cause.said and not any(fnmatchcase(event, each) for each in cause.said):
                return f'the cause "{cause.code}" is for {", ".join(cause.said)}, not for "{event}"'
        return None

    def completed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A failure's table with the texts that it lacks: those of the last, the most general,
        of its code's alternatives."""
        cause = self.of(str(given["code"]))[-1]
        lacking = [] if cause is None else [name for name in TEXTS if name not in given]
        if "text" in given and "headline" in lacking:
            lacking.remove("headline")  # that of another sentence
        return {**given, **{name: getattr(cause, name) for name in lacking}}


def complete(raw: Mapping[str, Any], locations: SourceLocations) -> dict[str, Any]:
    """A definition's tables, which fit the schema, with the texts of the causes in their failures.

    Raises DefinitionError, with its place, for a cause that is not declared, or not for the event;
    whoever gives a failure its own text and remedy declares its code by that."""
    causes = Causes(msgspec.convert(raw.get("cause", ()), tuple[CauseDef, ...]))

    def entry(given: Mapping[str, Any], event: str, path: KeyPath) -> dict[str, Any]:
        if not (given.get("text") and given.get("remedy")):
            problem = causes.problem(given["code"], event)
            if problem:
                raise DefinitionError(f"{locations.describe([*path, ('code', 0)])}: {problem}")
        return causes.completed(given)

    made, events = dict(raw), dict[str, str]()
    made["step"] = steps = [dict(step) for step in raw["step"]]
    for number, step in enumerate(steps):
        arrows = step["arrow"] = [dict(arrow) for arrow in step.get("arrow", ())]
        for index, arrow in enumerate(arrows):
            found = f"tshark.{raw['name']}.{arrow.get('id', '')}" if "match" in arrow else ""
            event = arrow.get("event") or found
            events.setdefault(arrow.get("id") or event, event)
            if "fails" in arrow:
                path = [("step", number), ("arrow", index), ("fails", 0)]
                arrow["fails"] = entry(arrow["fails"], event, path)
    for kind, key in (("unfinished", "last"), ("trouble", "event")):
        tables = raw.get(kind, ())
        made[kind] = [
            entry(table, events.get(table[key], table[key]), [(kind, index)])
            for index, table in enumerate(tables)
        ]
    return made


def misspelt(template: str, own: Sequence[CauseDef]) -> str | None:
    """The declared cause that is meant by a code that nobody declared, or None."""
    causes = Causes(own)
    unknown = (code for code in alternatives(template) if causes.declared(code) is None)
    near = (closest(code, registry(), _NEARLY) for code in unknown)
    return next(filter(None, near), None)
