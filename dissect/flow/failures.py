"""The tables of a flow definition that say how a flow ends badly, and in which words."""

from __future__ import annotations

import msgspec

from dissect.flow.fitting import Value, fits
from dissect.model import Event


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    pass


class CauseDef(_Strict, frozen=True):
    """A cause code, declared once; a "*" in `code` is what a message completes it with.

    `text` is the verdict's sentence and `remedy` what to do: they may hold `{fact}` of the event.
    `headline` is what failed in a few words; without it the main clause of `text` is. `means` says
    in the documents what the code means, `source` where that was read. `said` are the events that
    may end a flow so ("*" is a wildcard; all, if none is named); `fact` is the fact that holds the
    code where a rule decides on it; `catalogue` names the tables of the error catalogue that know
    what completes the code."""

    code: str
    text: str
    remedy: str
    headline: str = ""
    means: str = ""
    source: str = ""
    said: tuple[str, ...] = ()
    fact: str = ""
    catalogue: tuple[str, ...] = ()


class Failure(_Strict, frozen=True):
    """What a failing arrow means: a cause code, which may hold `{fact}`s, and this flow's own
    words for it. Without them `text` and `remedy` are those of the cause that is declared; without
    `headline` it is the main clause of `text`. `outcome`: what a failure leads to (an application's
    own error page); where another step failed before it, that is why, and this fails nothing."""

    code: str
    text: str = ""
    remedy: str = ""
    headline: str = ""
    outcome: bool = False


class Unfinished(_Strict, frozen=True):
    """Why a flow stopped short, if an arrow with key `last` is the last that was seen; texts as
    in a `Failure`. With `within` it is not said of a capture that goes on for more than so many
    seconds after it."""

    last: str
    code: str
    text: str = ""
    remedy: str = ""
    headline: str = ""
    within: float = 0.0


class Trouble(_Strict, frozen=True):
    """Something below the protocols (a refused connection, a name unknown) that fails the
    first step between its two ends that is not done otherwise. Where the capture ends within
    `patience` seconds it fails nothing: the client may still have answered. Texts as in a
    `Failure`."""

    event: str
    label: str
    code: str
    text: str = ""
    remedy: str = ""
    headline: str = ""
    where: dict[str, Value | tuple[Value, ...]] = {}
    unless: dict[str, Value | tuple[Value, ...]] = {}
    patience: float = 0.0

    def matches(self, event: Event) -> bool:
        return event.name == self.event and fits(event, self.where, self.unless)
