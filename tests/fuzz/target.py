"""What is fuzzed, and by what it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.fuzz import mutate

if TYPE_CHECKING:
    from tests.fuzz.material import Material

Mutate = Callable[[bytes, Random, Sequence[bytes], Sequence[bytes]], bytes]
"""(seed, dice, other seeds of the target, words of the dictionary) → a mutant."""


class Broken(AssertionError):
    """An invariant that does not hold; the text is the same for every input that breaks it."""


@dataclass(frozen=True, slots=True)
class Target:
    """`run` takes any bytes and raises nothing; `Broken` where an invariant does not hold.

    `seeds` makes inputs of the recordings. `modules` are what coverage is counted in; none:
    the target is not guided. `max_size` bounds seeds and mutants (bytes). CPU time may be
    `base_s` and `per_byte_us` for each byte of the input.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[Material], Iterable[bytes]]
    modules: tuple[str, ...] = ()
    dictionary: str | None = None
    mutate: Mutate = mutate.plain
    max_size: int = 16 * 1024
    base_s: float = 2.0
    per_byte_us: float = 100.0
