"""The sequence chart: all that a renderer needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dissect.model.events import Source

StepStatus = Literal["done", "failed", "inferred", "hidden", "missing"]


ArrowStatus = Literal["ok", "failed", "pending", "inferred", "hidden"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A lane of the chart. `addresses` are those seen for it, `host` its best name, `names` the
    name by which each address was asked, "" where that is not known."""

    ident: str
    title: str
    host: str | None = None
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def addresses_of(self, name: str | None) -> list[str]:
        """The addresses that were asked by a name, or, without names, all."""
        named = zip(self.addresses, self.names, strict=False)
        own = [address for address, its in named if its == (name or "")]
        return own or list(self.addresses if not any(self.names) else ())

    @property
    def where(self) -> str:
        """Names, each with its addresses."""
        names = dict.fromkeys([*([self.host] if self.host else []), *self.names]) or {"": None}
        each = (f"{name} {', '.join(self.addresses_of(name))}".strip() for name in names)
        return ", ".join(filter(None, each))


@dataclass(frozen=True, slots=True)
class Arrow:
    """One arrow of the chart, or several folded into one (`count` > 1).

    `label` and `note` hold no secret values. `end_ns` is the time of the last folded one.
    """

    time_ns: int
    sender: str
    receiver: str
    label: str
    status: ArrowStatus
    source: Source
    note: str | None = None
    count: int = 1
    end_ns: int | None = None
    event: str = ""
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyArrow:
    """What stands for a step, or half of it, in the overview: from whom to whom, and in about
    five words what. `arrow` is what was seen of it, None where nothing was."""

    sender: str
    receiver: str
    label: str
    arrow: Arrow | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A numbered step, its status and, for anything but done, why in one sentence.

    `summary` are the few arrows that stand for it in the overview."""

    number: int
    title: str
    status: StepStatus
    arrows: tuple[Arrow, ...] = ()
    explanation: str | None = None
    summary: tuple[KeyArrow, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a flow stopped: stable code, plain sentence, remedy, and the frames that prove it.

    `headline` says what failed, without how that is known; "" where the text is all there is.
    `identifiers` are of the failing message, or of that in `identified_by`, the last before it
    that has any."""

    code: str
    text: str
    remedy: str
    evidence: tuple[Source, ...] = ()
    identifiers: Mapping[str, str] = field(default_factory=dict)
    identified_by: Source | None = None
    headline: str = ""


@dataclass(frozen=True, slots=True)
class SequenceChart:
    """All that a renderer needs; it decides coordinates and colours and nothing else.

    `headline` says what became of the sign-in, without its status and step ("" where a renderer
    may say it by the cause), `advice` what the next capture needs where this one shows too little.
    `device` is how the client calls itself, `kind` what such a flow is called ("call")."""

    flow: str
    title: str
    status: Literal["complete", "failed", "incomplete"]
    stopped_at: int | None
    cause: Cause | None
    actors: tuple[Actor, ...]
    steps: tuple[Step, ...]
    diagnostics: tuple[str, ...] = ()
    captures: tuple[str, ...] = ()
    subject: str | None = None
    headline: str = ""
    advice: str = ""
    device: str | None = None
    kind: str = "sign-in"
