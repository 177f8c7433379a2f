"""Leave out any captures, key logs or phone logs: a verdict says less, never something else."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.certainty import ByFlow, by_flow, wrong
from tests.lab import ALL, CAPTURES

# These few see every kind of evidence fail; the others take their turn in `make test-long`.
QUICK = ("proxy-ntlm", "unknown-ca", "wrong-code-once")
NAMES = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.long)
    for name in ALL
]  # fmt: skip


def parts_of(folder: Path) -> list[Path]:
    """Captures, key logs and phone logs of a scenario."""
    return sorted(
        path for path in folder.iterdir() if path.suffix in (".pcapng", ".pcap", ".keys", ".log")
    )


def subsets(parts: list[Path]) -> list[frozenset[Path]]:
    """All in which a key log has its capture, and that have something to read."""
    found = []
    captures = {path.stem for path in parts if path.suffix.startswith(".pcap")}
    for taken in product((True, False), repeat=len(parts)):
        chosen = frozenset(path for path, there in zip(parts, taken, strict=True) if there)
        read = {path.stem for path in chosen if path.suffix.startswith(".pcap")}
        keyed = {path.stem for path in chosen if path.suffix == ".keys"} & captures
        if keyed <= read and any(path.suffix != ".keys" for path in chosen):
            found.append(chosen)
    return found


def read(parts: frozenset[Path]) -> ByFlow:
    captures = sorted(path for path in parts if path.suffix.startswith(".pcap"))
    logs = {path.stem: path for path in parts if path.suffix == ".keys"}
    return by_flow(
        map(str, captures),
        [f"{path}:{logs[path.stem]}" for path in captures if path.stem in logs],
        sorted(str(path) for path in parts if path.suffix == ".log"),
    )


@pytest.mark.parametrize("name", NAMES)
def test_less_evidence_is_less_certainty_and_nothing_else(name: str) -> None:
    parts = parts_of(CAPTURES / name)
    chosen = subsets(parts)
    assert len(chosen) > 1
    whole = read(frozenset(parts))
    assert any(whole.charts.values())
    found = {tuple(sorted(path.name for path in some)): wrong(read(some), whole) for some in chosen}
    assert {some: lines for some, lines in found.items() if lines} == {}
