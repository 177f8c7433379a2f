"""Fills the texts of a definition with an event's facts."""

from __future__ import annotations

import re
from collections.abc import Callable

from dissect.model import Event, Fact

_FIELD = re.compile(r"\{([A-Za-z_][\w.-]*)\}")  # also names of Wireshark's fields
# What is asked of an optional fact: "[ for {user}]" vanishes where there is no user, and
# "[{remedy}|Look it up.]" is the first alternative whose facts are all there.
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_SIGN = re.compile(r"[\[\]{}]")
_ADDED = re.compile(r"(?:\[(?=[:;,] | \())?(?:[:;] | \()")  # ": why", "[: why]", "[ (text)]"

LISTED = 8  # values of a list that a text shows


def names(template: str) -> list[str]:
    """The facts that a text names."""
    return _FIELD.findall(template)


def unbalanced(template: str) -> str | None:
    """A bracket that has no other half, or None."""
    rest = _FIELD.sub("", _OPTIONAL.sub(lambda match: _FIELD.sub("", match.group(1)), template))
    found = _SIGN.search(rest)
    return found.group(0) if found else None


def main_clause(template: str) -> str:
    """What failed, of a text that also says how and why: all before the first colon, semicolon or
    bracket (which may begin an optional part), and the meaning of its error, if it names one."""
    found = _ADDED.search(template)
    if found is None:
        return template
    meaning = "[: {meaning}]" if "{meaning}" in template[found.start() :] else ""
    return template[: found.start()] + meaning


def fill(template: str, event: Event, show: Callable[[Fact | None], str]) -> str:
    """`{fact}` becomes the fact as `show` gives it (never a secret's value), or nothing;
    a part in square brackets vanishes if a fact in it is missing, or becomes the first of
    its alternatives (`[a|b]`) in which none is. Of a long list the first `LISTED` are shown."""

    def value(name: str) -> str:
        if name == "host":
            return show(event.host)
        if name == "server" and event.server is not None:
            return show(str(event.server))
        fact = event.facts.get(name)
        if isinstance(fact, tuple) and len(fact) > LISTED:
            return f"{show(fact[:LISTED])}, … ({len(fact)} in all)"
        return show(fact)

    def optional(match: re.Match[str]) -> str:
        for part in match.group(1).split("|"):
            if all(value(name) for name in _FIELD.findall(part)):
                return part
        return ""

    text = _OPTIONAL.sub(optional, template)
    return _FIELD.sub(lambda match: value(match.group(1)), text)
