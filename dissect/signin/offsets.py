"""How far the clocks of captures are apart, and which of them to move.

The intervals of `timing_constraints` vote by Marzullo's algorithm, so that one that is wrong does
no harm; what most agree on is the answer, its half width the uncertainty. A clock is moved only if
no difference at all is ruled out. A capture whose clock the user has set stays as set and moves no
other, unless nothing else ties that one; what the packets say of it is only reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from dissect.model import Event
from dissect.signin import timing_constraints
from dissect.signin.timing_constraints import FOREVER, SECOND, Bound, Dates, Observations, agree

TRUE_CLOCK = 2 * SECOND  # a capture this near to the servers' Dates needs no other
NOTICED = 1_000_000  # a difference below a millisecond puts nothing in another order


@dataclass(frozen=True, slots=True)
class Offset:
    """Capture `capture` by its index: its clock against that of `other` (None: nothing ties
    them). `move_ns` is to be added to its times, `error_ns` the uncertainty; None if only the
    least difference is known. `kinds` say what told it, with how many observations. `set_ns`
    is what the user had added to its times (None: nothing); the others are then after that."""

    capture: int
    other: int | None
    ahead_ns: int = 0
    error_ns: int | None = None
    move_ns: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    set_ns: int | None = None

    def sentence(self, names: Sequence[str]) -> str:
        """For the reader, with the uncertainty and how to overrule it."""
        name = names[self.capture]
        if self.set_ns is not None:
            return self._as_set(name, names)
        if self.other is None:
            return (
                f"{name}: nothing ties its clock to the other captures', which show another "
                f"time; if they belong together, --clock {name}=OFFSET brings them together"
            )
        if not self.move_ns:
            return f"{name}: its clock and that of {self._agrees(names[self.other])}"
        text = f"{name}: its clock is {self._differs(names[self.other])}"
        return f"{text}; its times are moved by that (--clock {name}=OFFSET overrules it)"

    def _as_set(self, name: str, names: Sequence[str]) -> str:
        text = f"{name}: its times stay as they are (--clock)"
        if self.set_ns:
            text = f"{name}: {_signed(self.set_ns)} is added to its times (--clock)"
        if self.other is None:
            return text
        if not self.ahead_ns:
            return f"{text}; its clock and that of {self._agrees(names[self.other])}"
        return f"{text}; its clock is then {self._differs(names[self.other])}"

    @property
    def _reported(self) -> str:
        return ", ".join(f"{count} × {kind}" for kind, count in self.kinds.items())

    def _agrees(self, other: str) -> str:
        error = self.error_ns
        within = "as far as that can be told" if error is None else f"within {_seconds(error)}"
        return f"{other} agree {within}, told by {self._reported}"

    def _differs(self, other: str) -> str:
        way = "ahead of" if self.ahead_ns > 0 else "behind"
        size = _seconds(abs(self.ahead_ns))
        much = f"at least {size}"
        if self.error_ns is not None:
            much = f"{size} (± {_seconds(max(self.error_ns, 1000))})"
        return f"{much} {way} that of {other}, told by {self._reported}"


def estimate(
    captures: int,
    seen: Observations,
    events: Sequence[Event],
    names: Sequence[str],
    pinned: Mapping[int, int] | None = None,
    without: Container[int] = (),
) -> list[Offset]:
    """An offset for each capture but the one that the others are measured against.

    `seen` is what was noted of all messages, reported twice where two captures hold them; `events`
    are those of the messages that are reported, by the captures' own clocks; `names` the captures'
    names, by which events know them. `pinned` are captures with what the user had added to their
    times (ns), as the messages had them; each has an offset, too, which moves nothing. `without`
    are serial numbers of messages that another capture tells.
    """
    reported = seen.dates(without)
    bounds: dict[tuple[int, int], list[Bound]] = defaultdict(list)
    for found in (
        seen.shared(),
        timing_constraints.by_date(reported),
        timing_constraints.by_value(events, names),
    ):
        for (first, second), bound in found:
            bounds[first, second].append(bound)
            bounds[second, first].append(Bound(-bound.high, -bound.low, bound.kind))
    best = {pair: agreed for pair, every in bounds.items() if (agreed := agree(every))}
    fixed = pinned or {}
    start = min(range(captures), key=lambda index: (index in fixed, _off(reported, index), index))
    moves = {start: 0, **dict.fromkeys(fixed, 0)}
    result = []
    while len(moves) < captures:
        tied = [
            (first in fixed, agreed.high - agreed.low, second, first)
            for (first, second), (agreed, _) in best.items()
            if first in moves and second not in moves
        ]
        if not tied:
            break
        *_, second, first = min(tied)
        offset = _offset(second, first, *best[first, second])
        moves[second] = moves[first] + offset.move_ns
        result.append(Offset(second, first, offset.ahead_ns, offset.error_ns, moves[second],
                             offset.kinds))  # fmt: skip
    result += [Offset(index, None) for index in range(captures) if index not in moves]
    for index, ns in fixed.items():
        against = {} if index == start else best
        result.append(_of_pinned(index, ns, against, moves, fixed))
    return result


def _of_pinned(
    capture: int,
    set_ns: int,
    best: Mapping[tuple[int, int], tuple[Bound, Mapping[str, int]]],
    moves: Mapping[int, int],
    fixed: Mapping[int, int],
) -> Offset:
    """What the packets say of a clock that the user has set, against the others as moved."""
    tied = [
        (first in fixed, agreed.high - agreed.low, first)
        for (first, second), (agreed, _) in best.items()
        if second == capture and first in moves
    ]
    if not tied:
        return Offset(capture, None, set_ns=set_ns)
    *_, other = min(tied)
    agreed, kinds = best[other, capture]
    shift = moves[other]
    low = agreed.low if agreed.low <= -FOREVER else agreed.low - shift
    high = agreed.high if agreed.high >= FOREVER else agreed.high - shift
    offset = _offset(capture, other, Bound(low, high, agreed.kind), kinds)
    ahead = offset.ahead_ns if offset.move_ns else 0
    return Offset(capture, other, ahead, offset.error_ns, kinds=kinds, set_ns=set_ns)


def _offset(capture: int, other: int, agreed: Bound, kinds: Mapping[str, int]) -> Offset:
    low, high = agreed.low, agreed.high
    if low <= -FOREVER or high >= FOREVER:
        ahead = low if low > 0 else min(0, high)
        return Offset(capture, other, ahead, None, -ahead, kinds)
    ahead = (low + high) // 2
    needless = low <= 0 <= high or abs(ahead) < NOTICED
    return Offset(capture, other, ahead, (high - low + 1) // 2, 0 if needless else -ahead, kinds)


def _seconds(ns: int) -> str:
    if ns >= 10 * SECOND:
        return f"{ns / SECOND:.1f} s"
    return f"{ns / SECOND:.3f} s" if ns >= NOTICED else f"{ns / 1e6:.3f} ms"


def _signed(ns: int) -> str:
    return f"{'-' if ns < 0 else '+'}{_seconds(abs(ns))}"


def _off(reported: Dates, capture: int) -> int:
    """How far a capture's clock is from its servers' Dates, as far as that matters."""
    agreed = agree([bound for every in reported.get(capture, {}).values() for bound in every])
    if agreed is None:
        return 0
    middle = (agreed[0].low + agreed[0].high) // 2
    return max(0, abs(middle) - TRUE_CLOCK)
