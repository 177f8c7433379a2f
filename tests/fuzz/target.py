"""What is fuzzed, and by what it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING

from dissect.errors import internal
from tests.fuzz import mutate

if TYPE_CHECKING:
    from tests.fuzz.material import Material

Mutate = Callable[[bytes, Random, Sequence[bytes], Sequence[bytes]], bytes]
"""(seed, dice, other seeds of the target, words of the dictionary) → a mutant."""


class Broken(AssertionError):
    """An invariant that does not hold; the text is the same for every input that breaks it."""


@dataclass(frozen=True, slots=True)
class Target:
    """`take` takes any bytes and raises nothing; `Broken` where an invariant does not hold. `run`
    is the same, but what a guard of the program would catch and tell as an internal error leaves.

    `seeds` makes inputs of the recordings. `modules` are what coverage is counted in; none:
    the target is not guided. `max_size` bounds seeds and mutants (bytes). CPU time may be
    `base_s` and `per_byte_us` for each byte of the input.
    """

    name: str
    take: Callable[[bytes], None]
    seeds: Callable[[Material], Iterable[bytes]]
    modules: tuple[str, ...] = ()
    dictionary: str | None = None
    mutate: Mutate = mutate.plain
    max_size: int = 16 * 1024
    base_s: float = 2.0
    per_byte_us: float = 100.0

    def run(self, data: bytes) -> None:
        with unguarded():
            self.take(data)


# Where a bug of a parser, a rule or a reader is caught, so that it costs only what it met.
GUARDS = (
    "dissect.engines.logs",
    "dissect.protocols.tls.inside",
    "dissect.signin.emitter",
    "dissect.transport.delivery",
    "dissect.transport.udp",
)


@contextmanager
def unguarded() -> Iterator[None]:
    """While it lasts, nothing is caught there."""
    modules = [import_module(name) for name in GUARDS]
    for module in modules:
        module.__dict__["internal"] = _leave
    try:
        yield
    finally:
        for module in modules:
            module.__dict__["internal"] = internal


def _leave(error: Exception) -> str:
    raise error
