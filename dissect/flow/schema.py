"""What a flow definition consists of: the tables of its TOML file, and when an event fits.

`docs/flows.md` teaches the format. Nothing in this package knows any particular flow.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from dissect.flow.failures import CauseDef, Failure, Trouble, Unfinished
from dissect.flow.fitting import Value, fits
from dissect.flow.source_locations import SourceLocations
from dissect.model import Event

FACT = re.compile(r"\{([^{}]*)\}")
# A field of Wireshark's, and which of its values in a frame, if one is meant: 1 is the first
# that occurs, -1 the last.
FIELD = re.compile(r"([A-Za-z_][\w.-]*)(?:#(-?[1-9]\d{0,3}))?")
# Not an arrow of any definition but of every step: traffic that could not be decrypted.
HIDDEN_EVENT = "tls.hidden"
HIDDEN = "hidden:"
# Nor is this: something below the protocols that went wrong between two actors.
TROUBLE = "trouble:"
# And this: what a person does that no packet shows.
GESTURE = "gesture"


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    pass


class ActorDef(_Strict, frozen=True):
    """A lane. `hosts` are name patterns (`*.example.com`) of a server, `ports` its own where
    its name says nothing; `learn` names facts ("event.name:fact") that hold a host name of it.
    A client is told by its arrows, and, where its traffic is shut, by a server it talks to or
    an arrow of its (`known_by`: an actor's id, an arrow's, or a host name pattern); `hint` says
    how what it does can be read the next time, where no key log opened its connections."""

    id: str
    title: str
    kind: Literal["client", "server", "person"] = "server"
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    learn: tuple[str, ...] = ()
    known_by: tuple[str, ...] = ()
    hint: str = ""


class Within(_Strict, frozen=True):
    """A time limit: at most `seconds`, or that many seconds as fact `fact` of arrow `of`
    says plus `slack`, after the latest arrow `of` before it."""

    of: str
    seconds: float | None = None
    fact: str | None = None
    slack: float = 0.0


class Match(_Strict, frozen=True):
    """Frames of any protocol, by tshark: those that the display filter `tshark` selects.

    Where a capture has traffic on one of `ports` the flow is looked for unasked; without
    them only if it is asked for by name."""

    tshark: str
    ports: tuple[int, ...] = ()


class LocatedMatch(Match, frozen=True):
    """A `Match` that remembers where it was written (`file:line`), for errors."""

    place: str = ""


class ArrowDef(_Strict, frozen=True):
    """An event, or a frame that `match` selects, drawn as an arrow from one actor to another.

    `fields` are the facts of such a frame: names of Wireshark's fields, or a table of fact
    and field, or of fact and a text with `{field}`s in it, where `field#3` is the third value
    of a frame and `field#-1` the last; `secrets` are those facts that are never shown. Its
    event is called "tshark.FLOW.ID", so it needs an `id`.
    `where` holds facts that must be equal (a list: any of it), `unless` those that must
    not. `at` demands that the event's host is one of that actor's (for events that any
    host can have, such as a refused connection). `after` names arrows that may not come
    later; `within` a time limit: an event that breaks either proves nothing. `fold` draws
    repeats as one arrow; `pending` is an answer that settles nothing; an arrow that `leads`
    is drawn in the step of the same client's next arrow, to which it led. `either` side may
    send it: it is drawn from the actor whose address sent it. What is `inferred` (from the
    sizes and times of what can't be read) is drawn dashed, and only if its client is known.
    """

    from_: str
    to: str
    label: str
    event: str = ""
    match: Match | None = None
    fields: tuple[str, ...] | dict[str, str] = ()
    secrets: tuple[str, ...] = ()
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
    inferred: bool = False
    fails: Failure | None = None

    @property
    def key(self) -> str:
        """The name by which the definition refers to this arrow."""
        return self.id or self.event

    def matches(self, event: Event) -> bool:
        """Whether name and facts fit; `at` is the matcher's to check."""
        return self.event == event.name and fits(event, self.where, self.unless)

    @property
    def facts(self) -> dict[str, str]:
        """Fact → text with Wireshark's `{field}`s in it, of an arrow with `match`."""
        given = self.fields
        pairs = given.items() if isinstance(given, dict) else zip(given, given, strict=True)
        return {name: text if "{" in text else f"{{{text}}}" for name, text in pairs}

    @property
    def wireshark_fields(self) -> list[str]:
        """The fields that the facts are made of."""
        named = (name for text in self.facts.values() for name in FACT.findall(text))
        return [name.partition("#")[0] for name in named]


class IncludedArrows(_Strict, frozen=True):
    """In the place of an arrow: all those of the part `include`, in their order.

    `actors` says who the part's actors are here, `words` what its texts put for `{word}`.
    `at` holds for each of its arrows that has none; `where` and `unless` join their own;
    `prefix` goes before their names, where a part is included twice."""

    include: str
    actors: dict[str, str] = {}
    words: dict[str, str] = {}
    at: str = ""
    where: dict[str, Value | tuple[Value, ...]] = {}
    unless: dict[str, Value | tuple[Value, ...]] = {}
    prefix: str = ""


class Explanation(_Strict, frozen=True):
    """Why a step may lack evidence: said if an arrow with key `seen` was seen."""

    seen: str
    text: str


class Gesture(_Strict, frozen=True):
    """What a person does that no packet shows; drawn dashed where the step was taken."""

    from_: str
    to: str
    label: str


class Summary(_Strict, frozen=True):
    """An arrow of the overview, called `label`: the latest with the first key that was seen."""

    label: str
    arrows: tuple[str, ...]


class StepDef(_Strict, frozen=True):
    """A step; `label` is it in about five words. `summary` says which arrows stand for it in the
    overview ("gesture" for what the person does); without it the gesture does, else its first
    request and what decided it. Where an arrow of `titles` was seen it is called as that says.
    `between` are its parties, the client first: traffic between them that can't be read makes it
    hidden. It is done when every arrow of one list in `done_when` was seen; an arrow in
    `settled_by` does that alone and after a failure, too; after one in `reopened_by` a failure no
    longer stands, though the step is not done yet. Arrows in `inferred_by` let it be taken for
    granted, and nothing more."""

    number: int
    title: str
    label: str = ""
    summary: tuple[Summary, ...] = ()
    titles: dict[str, str] = {}
    between: tuple[str, ...] = ()
    done_when: tuple[tuple[str, ...], ...] = ()
    settled_by: tuple[str, ...] = ()
    reopened_by: tuple[str, ...] = ()
    inferred_by: tuple[str, ...] = ()
    inference: str = ""
    explain: tuple[Explanation, ...] = ()
    gesture: Gesture | None = None
    arrow: tuple[ArrowDef, ...] = ()


class Instance(_Strict, frozen=True):
    """How events become one sign-in: equal values of the facts in `keys` tie them, `clues`
    help to choose. A sign-in has one of the arrows `anchors`; events that belong to none
    make one of their own if they have one of `fallback`. "hidden:ACTOR" stands for shut
    traffic with that actor, "trouble:ACTOR" for a `trouble` with it. A device's next try soon
    after one that came to nothing is the same story, unless `retries` is false; what nothing
    but time ties to a sign-in is no part of it if `time_ties` is false. Events of one connection
    with different values of a fact in `identity` are of different sign-ins, and those with
    different values of one in `party` no tries of the same."""

    keys: tuple[str, ...]
    anchors: tuple[str, ...]
    clues: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    retries: bool = True
    time_ties: bool = True
    identity: tuple[str, ...] = ()
    party: tuple[str, ...] = ()


class Definition(_Strict, frozen=True):
    """A flow. The more specific of two that fit has the higher `specificity`; one that is a
    `last_resort` is only listed where no other is found, one that `yields` not beside a more
    specific one that has an event of it. `former` are names that still find it. `values` are words
    for what tshark shows for a fact: "*" for all else, "" for no fact at all. `cause` declares
    causes that are not in the shipped registry. `kind` is what such a flow is called,
    `device` the facts that tell what its first client is, the first that there is."""

    schema: Literal[1]
    name: str
    title: str
    instance: Instance
    actor: tuple[ActorDef, ...]
    step: tuple[StepDef, ...]
    specificity: int = 0
    last_resort: bool = False
    yields: bool = False
    former: tuple[str, ...] = ()
    about: str = ""
    kind: str = "sign-in"
    subject: tuple[str, ...] = ()
    device: tuple[str, ...] = ("user_agent",)
    identifiers: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    trouble: tuple[Trouble, ...] = ()
    cause: tuple[CauseDef, ...] = ()
    values: dict[str, dict[str, str]] = {}

    def actor_def(self, ident: str) -> ActorDef:
        return next(actor for actor in self.actor if actor.id == ident)

    @property
    def arrows(self) -> list[tuple[StepDef, ArrowDef]]:
        return [(step, arrow) for step in self.step for arrow in step.arrow]

    @property
    def matched(self) -> list[ArrowDef]:
        """The arrows that tshark has to find, in the order of the file."""
        return [arrow for _, arrow in self.arrows if arrow.match is not None]

    @property
    def ports(self) -> frozenset[int]:
        """Ports whose traffic is reason enough to look for these arrows."""
        return frozenset(p for arrow in self.matched if arrow.match for p in arrow.match.ports)


class Part(_Strict, frozen=True):
    """What several flows share: arrows of a step, and tables of a flow; no flow by itself.

    `include` names further parts. `words` are those that its texts put for `{word}`, if who
    includes its arrows gives no other."""

    schema: Literal[1]
    about: str = ""
    include: tuple[str, ...] = ()
    words: dict[str, str] = {}
    arrow: tuple[ArrowDef, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    trouble: tuple[Trouble, ...] = ()
    cause: tuple[CauseDef, ...] = ()
    values: dict[str, dict[str, str]] = {}


class Written(Definition, frozen=True):
    """A `Definition` that remembers where each of its tables is written, for warnings."""

    locations: SourceLocations | None = None
