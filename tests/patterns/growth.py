"""How the steps of a pattern grow with its input: the worst text of all that are tried."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from tests.patterns.attacks import Attacks, Make
from tests.patterns.steps import Program, TooManySteps, count

FIRST = 12  # repeats of the first try; what grows no faster there is not looked at again
SUSPECT = 2.15
SUPERLINEAR = 3.0  # twice the input: 2 is linear, 4 quadratic
LIMIT = 1_500_000
MOST_A_CHARACTER = 3_000  # a bounded repeat is linear, and may be too heavy all the same


class Finding(NamedTuple):
    """An input that costs too much: how it is made, and steps at n and 2n (None: no end)."""

    made: str
    n: int
    steps: int | None
    twice: int | None


def worst(pattern: re.Pattern[Any], use: str) -> Finding | None:
    """The first text on which the pattern's steps grow faster than its length; None if none."""
    program = Program(pattern)
    for make in Attacks(program).texts():
        found = _grows(program, use, make)
        if found:
            return found
    return None


def _grows(program: Program, use: str, make: Make) -> Finding | None:
    # A bounded repeat is linear beyond its bound; one of some hundred counts as unbounded.
    for n in (FIRST, 5 * FIRST, 20 * FIRST):
        try:
            steps = count(program, use, make(n), LIMIT)
        except TooManySteps:
            return Finding(make.__doc__ or "", n, None, None)
        try:
            twice = count(program, use, make(2 * n), LIMIT)
        except TooManySteps:
            return Finding(make.__doc__ or "", n, steps, None)
        if steps > MOST_A_CHARACTER * max(len(make(n)), 100):
            return Finding(make.__doc__ or "", n, steps, twice)
        if twice < SUSPECT * steps:
            return None
    return Finding(make.__doc__ or "", n, steps, twice) if twice >= SUPERLINEAR * steps else None
