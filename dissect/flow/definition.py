"""Flow definitions: TOML files, validated, that say what a flow looks like.

A definition names actors, steps, the events that are arrows of a step, what proves a
step, what fails it, and which values tie events together. `docs/flows.md` teaches the
format. Nothing in this package knows any particular flow.
"""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec

from dissect.errors import DefinitionError, UsageError
from dissect.model import Event, Secret

Value = str | int | bool
# Not an arrow of any definition but of every step: traffic that could not be decrypted.
HIDDEN_EVENT = "tls.hidden"
HIDDEN = "hidden:"
# Nor is this: something below the protocols that went wrong between two actors.
TROUBLE = "trouble:"


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    pass


class ActorDef(_Strict, frozen=True):
    """A lane. `hosts` are name patterns (`*.example.com`) of a server; `learn` names facts
    ("event.name:fact") that hold a host name of it. A client is told by its arrows, and,
    where its traffic is shut, by a server it talks to (`known_by`: an actor's id, or a host
    name pattern)."""

    id: str
    title: str
    kind: Literal["client", "server", "person"] = "server"
    hosts: tuple[str, ...] = ()
    learn: tuple[str, ...] = ()
    known_by: tuple[str, ...] = ()


class Failure(_Strict, frozen=True):
    """What a failing arrow means. The texts may hold `{fact}` of the event."""

    code: str
    text: str
    remedy: str


class Within(_Strict, frozen=True):
    """A time limit: at most `seconds`, or that many seconds as fact `fact` of arrow `of`
    says plus `slack`, after the latest arrow `of` before it."""

    of: str
    seconds: float | None = None
    fact: str | None = None
    slack: float = 0.0


class ArrowDef(_Strict, frozen=True):
    """An event drawn as an arrow from one actor to another.

    `where` holds facts that must be equal (a list: any of it), `unless` those that must
    not. `at` demands that the event's host is one of that actor's (for events that any
    host can have, such as a refused connection). `after` names arrows that may not come
    later; `within` a time limit: an event that breaks either proves nothing. `fold` draws
    repeats as one arrow; `pending` is an answer that settles nothing; an arrow that `leads`
    is drawn in the step of the same client's next arrow, to which it led. `either` side may
    send it: it is drawn from the actor whose address sent it.
    """

    event: str
    from_: str
    to: str
    label: str
    id: str = ""
    note: str = ""
    where: dict[str, Value | tuple[Value, ...]] = {}
    unless: dict[str, Value | tuple[Value, ...]] = {}
    at: str = ""
    after: tuple[str, ...] = ()
    within: Within | None = None
    fold: bool = False
    pending: bool = False
    leads: bool = False
    either: bool = False
    fails: Failure | None = None

    @property
    def key(self) -> str:
        """The name by which the definition refers to this arrow."""
        return self.id or self.event

    def matches(self, event: Event) -> bool:
        """Whether name and facts fit; `at` is the matcher's to check."""
        return self.event == event.name and _fits(event, self.where, self.unless)


class Explanation(_Strict, frozen=True):
    """Why a step may lack evidence: said if an arrow with key `seen` was seen."""

    seen: str
    text: str


class Gesture(_Strict, frozen=True):
    """What a person does that no packet shows; drawn dashed where the step was taken."""

    from_: str
    to: str
    label: str


class StepDef(_Strict, frozen=True):
    """A step. `between` are its parties, the client first: traffic between them that can't
    be read makes it hidden. It is done when every arrow of one list in `done_when` was
    seen; an arrow in `settled_by` does that alone and after a failure, too. Arrows in
    `inferred_by` let it be taken for granted, and nothing more."""

    number: int
    title: str
    between: tuple[str, ...] = ()
    done_when: tuple[tuple[str, ...], ...] = ()
    settled_by: tuple[str, ...] = ()
    inferred_by: tuple[str, ...] = ()
    inference: str = ""
    explain: tuple[Explanation, ...] = ()
    gesture: Gesture | None = None
    arrow: tuple[ArrowDef, ...] = ()


class Instance(_Strict, frozen=True):
    """How events become one sign-in: equal values of the facts in `keys` tie them, `clues`
    help to choose. A sign-in has one of the arrows `anchors`; events that belong to none
    make one of their own if they have one of `fallback`. "hidden:ACTOR" stands for shut
    traffic with that actor, "trouble:ACTOR" for a `trouble` with it."""

    keys: tuple[str, ...]
    anchors: tuple[str, ...]
    clues: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()


class Unfinished(_Strict, frozen=True):
    """Why a flow stopped short, if an arrow with key `last` is the last that was seen."""

    last: str
    code: str
    text: str
    remedy: str


class Trouble(_Strict, frozen=True):
    """Something below the protocols (a refused connection, a name unknown) that fails the
    first step between its two ends that is not done otherwise."""

    event: str
    label: str
    code: str
    text: str
    remedy: str
    where: dict[str, Value | tuple[Value, ...]] = {}
    unless: dict[str, Value | tuple[Value, ...]] = {}

    def matches(self, event: Event) -> bool:
        return event.name == self.event and _fits(event, self.where, self.unless)


class Definition(_Strict, frozen=True):
    """A flow. The more specific of two that fit has the higher `specificity`."""

    schema: Literal[1]
    name: str
    title: str
    instance: Instance
    actor: tuple[ActorDef, ...]
    step: tuple[StepDef, ...]
    specificity: int = 0
    about: str = ""
    subject: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    trouble: tuple[Trouble, ...] = ()

    def actor_def(self, ident: str) -> ActorDef:
        return next(actor for actor in self.actor if actor.id == ident)

    @property
    def arrows(self) -> list[tuple[StepDef, ArrowDef]]:
        return [(step, arrow) for step in self.step for arrow in step.arrow]


Wanted = dict[str, Value | tuple[Value, ...]]


def _fits(event: Event, where: Wanted, unless: Wanted) -> bool:
    return all(_equal(event, name, value) for name, value in where.items()) and not any(
        _equal(event, name, value) for name, value in unless.items()
    )


def _equal(event: Event, name: str, wanted: Value | tuple[Value, ...]) -> bool:
    value = event.host if name == "host" else event.facts.get(name)
    if isinstance(value, Secret):
        return False  # a definition can't hold secrets, and must not be able to test for them
    options = wanted if isinstance(wanted, tuple) else (wanted,)
    if isinstance(value, tuple):
        return any(option in value for option in options)
    return any(
        fnmatchcase(value, option)
        if isinstance(value, str) and isinstance(option, str)
        else value == option and type(value) is type(option)
        for option in options
    )


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
        sentence, _, where = str(error).partition(" - at `")
        key = where.rstrip("`").removeprefix("$").lstrip(".")
        line = _line_of(text, key)
        place = f"{origin}:{line}" if line else origin
        raise DefinitionError(f"{place}: {sentence}" + (f" ({key})" if key else "")) from None
    _check_references(definition, text, origin)
    return definition


def _line_of(text: str, key: str) -> int | None:
    """The line of a key path such as `step[1].arrow[0].label`, by counting table headers."""
    headers = re.findall(r"([\w-]+)(?:\[(\d+)\])?", key)
    line = 0
    lines = text.splitlines()
    path = ""
    for name, index in headers:
        path = f"{path}.{name}" if path else name
        pattern = re.compile(
            rf"\s*\[\[{re.escape(path)}\]\]|\s*\[{re.escape(path)}\]|\s*{re.escape(name)}\s*="
        )
        remaining = int(index) if index else 0
        for number in range(line, len(lines)):
            if pattern.match(lines[number]):
                line = number
                if remaining == 0:
                    break
                remaining -= 1
                line += 1
        else:
            break
    return line + 1 if key else None


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

    numbers = [step.number for step in definition.step]
    if numbers != sorted(set(numbers)):
        raise DefinitionError(f"{origin}: step numbers must rise, each once")
    for step, arrow in definition.arrows:
        for ident in (arrow.from_, arrow.to, *((arrow.at,) if arrow.at else ())):
            demand(ident in actors, ident, f'step {step.number}: no actor is called "{ident}"')
        for key in (*arrow.after, *((arrow.within.of,) if arrow.within else ())):
            demand(key in keys, key, f'step {step.number}: no arrow is called "{key}"')
    for step in definition.step:
        gesture = (step.gesture.from_, step.gesture.to) if step.gesture else ()
        for ident in (*step.between, *gesture):
            demand(ident in actors, ident, f'step {step.number}: no actor is called "{ident}"')
        named = [key for group in step.done_when for key in group]
        named += [*step.settled_by, *step.inferred_by, *(e.seen for e in step.explain)]
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
