"""From outputs to leaks: which canary was found where, and whether it may be there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.canary.allowed import reason
from tests.canary.running import Output
from tests.canary.scene import Scene
from tests.canary.search import Searcher


@dataclass(frozen=True, order=True)
class Leak:
    """A canary where it may not be."""

    position: str
    command: str
    place: str
    way: str
    around: bytes

    def __str__(self) -> str:
        way = f" through {self.way}" if self.way else ""
        return f"{self.position} | {self.command} | {self.place}{way} | {self.around!r}"


def leaks(scene: Scene, outputs: Iterable[Output], searcher: Searcher | None = None) -> list[Leak]:
    """One leak for each position, command and place."""
    searcher = searcher or Searcher()
    found: dict[tuple[str, str, str], Leak] = {}
    for output in outputs:
        for hit in searcher.search(output.content):
            position = scene.positions.get(-1 if hit.number is None else hit.number, "cut off")
            chained = bool(scene.chain or scene.rotate)
            if reason(position, scene.shape, output.place, chained) is None:
                leak = Leak(position, output.command, output.place, hit.way, hit.around)
                found.setdefault((position, output.command, output.place), leak)
    return sorted(found.values())


def table(found: Iterable[Leak]) -> str:
    """The leaks by position: for a failed test's message."""
    by: dict[str, list[Leak]] = {}
    for leak in found:
        by.setdefault(leak.position, []).append(leak)
    lines = [
        f"{position}: {', '.join(sorted({f'{i.command.split()[0]} {i.place}' for i in items}))}: "
        f"{items[0].around[:120]!r}"
        for position, items in by.items()
    ]
    return f"{len(lines)} positions leak\n" + "\n".join(lines)


def seen(scene: Scene, outputs: Iterable[Output], searcher: Searcher | None = None) -> set[str]:
    """The positions whose canaries occur at all."""
    searcher = searcher or Searcher()
    numbers = {hit.number for output in outputs for hit in searcher.search(output.content)}
    return {scene.positions[n] for n in numbers if n is not None and n in scene.positions}
