"""Several captures → by how much the clock of each is moved; one capture → its clock as set."""

from __future__ import annotations

from collections.abc import Container, Sequence

from dissect.model import Event
from dissect.signin.offsets import Offset, estimate
from dissect.signin.timing_constraints import Observations
from dissect.stages.notes import Notes
from dissect.stages.run_options import RunOptions


def align(
    options: RunOptions, seen: Observations, events: Sequence[Event], without: Container[int]
) -> tuple[list[Offset], Notes]:
    """How the clocks of several captures stand to each other, and how that was found. `events`
    have the captures' own times; `without` are numbers of messages that another capture tells."""
    names, clocks = options.captures, options.clocks
    if not seen.times:
        return [], Notes()
    pinned = {index: clocks[name] for index, name in enumerate(names) if name in clocks}
    found = estimate(len(names), seen, events, names, pinned, without)
    reported = (
        item.sentence(names)
        for item in found
        if item.move_ns or item.set_ns is not None or _apart(item, seen)
    )
    return found, Notes(tuple(reported))


def as_set(options: RunOptions) -> tuple[list[Offset], Notes]:
    """The clock of the only capture, if the user has set it."""
    found = [Offset(0, None, set_ns=ns) for ns in options.clocks.values()]
    return found, Notes(tuple(item.sentence(options.captures) for item in found))


def moves(clocks: Sequence[Offset]) -> dict[int, int]:
    """ns to add to the times of captures, by index."""
    return {item.capture: item.move_ns for item in clocks if item.move_ns}


def _apart(offset: Offset, seen: Observations) -> bool:
    """Whether nothing ties a capture's clock to the others, and it shows another time."""
    own = seen.times.get(offset.capture)
    rest = [times for capture, times in seen.times.items() if capture != offset.capture]
    if offset.other is not None or own is None or not rest:
        return False
    return own[0] > max(last for _, last in rest) or own[1] < min(first for first, _ in rest)
