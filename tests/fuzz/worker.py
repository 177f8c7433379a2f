"""One target in a process of its own: `python -m tests.fuzz.worker TARGET …`.

With atheris, and where the target asks for it, mutants are guided by coverage; else they are
made at random by the same mutations. What breaks is made smaller and kept in the folder of
findings; the run goes on, so that one fault does not hide another.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.fuzz import budget

if TYPE_CHECKING:  # what imports dissect comes after `instrument`
    from tests.fuzz.material import Material
    from tests.fuzz.target import Target

CORPUS = Path(__file__).parent / "corpus"
DICTIONARIES = Path(__file__).parent / "dictionaries"
SHRINK_S = 8.0  # CPU seconds that making one finding smaller may take
MAX_FINDINGS = 40


def words_of(target: Target) -> list[bytes]:
    """The words of the target's dictionary; a line is `"word"` with \\xNN escapes (libFuzzer's)."""
    if target.dictionary is None:
        return []
    lines = (DICTIONARIES / f"{target.dictionary}.dict").read_text("utf-8").splitlines()
    found = [line for line in lines if line.startswith('"')]
    return [line[1:-1].encode().decode("unicode_escape").encode("latin-1") for line in found]


def committed(target: Target) -> list[bytes]:
    folder = CORPUS / target.name
    return [path.read_bytes() for path in sorted(folder.glob("*"))] if folder.is_dir() else []


def all_seeds(target: Target, material: Material) -> list[bytes]:
    """The committed corpus, and what the recordings give; one empty input if there is none."""
    found = committed(target) + list(target.seeds(material))
    return sorted({data[: target.max_size] for data in found if data}) or [b""]


def prepare(target: Target, material: Material, out: Path) -> None:
    """Writes the seeds of a target to where its worker reads them."""
    folder = out / "seeds" / target.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, data in enumerate(all_seeds(target, material)):
        (folder / f"{number:05}").write_bytes(data)


def why(target: Target, data: bytes) -> tuple[str, str] | None:
    """Runs one input: None, or (what broke and where, the traceback)."""
    before = budget.peak()
    try:
        with budget.cpu_limit(target.base_s + target.per_byte_us * len(data) / 1e6):
            target.run(data)
    except budget.TooSlow as error:
        return f"too slow in {_module(error)}", _reported(error)
    except Exception as error:
        return f"{type(error).__name__} {_place(error)}", _reported(error)
    grown = budget.peak() - before
    if grown > budget.GROWTH + budget.GROWTH_PER_BYTE * len(data):
        return "memory", f"the peak grew by {grown >> 20} MB with {len(data)} bytes"
    return None


def _frames(error: BaseException) -> list[tuple[str, str, int]]:
    found = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in found if f"{os.sep}dissect{os.sep}" in frame.filename]
    return [
        (frame.filename.rpartition(f"{os.sep}dissect{os.sep}")[2], frame.name, frame.lineno or 0)
        for frame in own
    ]


def _place(error: BaseException) -> str:
    frames = _frames(error)
    reported = str(error) if type(error).__name__ == "Broken" else ""
    return reported or (
        f"{frames[-1][0]}:{frames[-1][1]}:{frames[-1][2]}" if frames else "outside dissect"
    )


def _module(error: BaseException) -> str:
    frames = _frames(error)
    return frames[-1][0] if frames else "outside dissect"


def _reported(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def shrunk(target: Target, data: bytes, label: str) -> bytes:
    """The input without whatever is not needed to break the same, as far as time allows."""
    deadline = time.process_time() + SHRINK_S
    size = max(1, len(data) // 2)
    while size and time.process_time() < deadline:
        at = 0
        while at < len(data) and time.process_time() < deadline:
            shorter = data[:at] + data[at + size :]
            found = why(target, shorter)
            if found is not None and found[0] == label:
                data = shorter
            else:
                at += size
        size //= 2
    return data


class Runner:
    """Counts inputs, keeps what breaks, and ends the process when its time is over."""

    def __init__(self, target: Target, seconds: float, seed: int, out: Path) -> None:
        self.target, self.seed, self.out = target, seed, out
        self.count = 0
        self.found: dict[str, int] = {}
        self._start = time.monotonic()
        self._end = self._start + seconds
        self._saved = self._start
        self._current = os.open(out / f"{target.name}.current", os.O_RDWR | os.O_CREAT, 0o600)

    def one(self, data: bytes) -> None:
        self.count += 1
        # A crash of the interpreter leaves the input that caused it.
        os.pwrite(self._current, len(data).to_bytes(4) + data, 0)
        problem = why(self.target, data)
        if problem is not None:
            self._keep(data, *problem)
        now = time.monotonic()
        if now > self._saved + 1 or problem is not None:
            self._saved = now
            self.save()

    @property
    def over(self) -> bool:
        return time.monotonic() > self._end

    def _keep(self, data: bytes, label: str, reported: str) -> None:
        self.found[label] = self.found.get(label, 0) + 1
        if self.found[label] > 1 or len(self.found) > MAX_FINDINGS:
            return
        small = shrunk(self.target, data, label)
        number = len(self.found)
        stem = self.out / f"{self.target.name}-{self.seed}-{number}"
        stem.with_suffix(".bin").write_bytes(small)
        stem.with_suffix(".txt").write_text(f"{label}\n{len(small)} bytes\n\n{reported}", "utf-8")

    def save(self) -> None:
        reported = {
            "target": self.target.name, "mutants": self.count, "seed": self.seed,
            "seconds": round(time.monotonic() - self._start, 1), "found": self.found,
        }  # fmt: skip
        path = self.out / f"{self.target.name}.json"
        path.with_suffix(".part").write_text(json.dumps(reported), "utf-8")
        os.replace(path.with_suffix(".part"), path)

    def finish(self) -> None:
        """Ends the process: libFuzzer's loop is left by nothing else."""
        self.save()
        sys.stdout.flush()
        os._exit(1 if self.found else 0)


def at_random(runner: Runner, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    """A mutant of every seed in turn, again and again."""
    target = runner.target
    dice = Random(f"{runner.seed}:{target.name}")
    order = list(seeds)
    while not runner.over:
        dice.shuffle(order)
        for data in order:
            if runner.over:
                break
            mutant = target.mutate(data, dice, dice.choices(seeds, k=3), words)
            runner.one(mutant[: target.max_size])


def guided(runner: Runner, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
    """atheris's loop; half of the mutants are libFuzzer's own, half know the structure."""
    import atheris  # type: ignore[import-not-found]

    target = runner.target
    grown = runner.out / "corpus" / target.name  # libFuzzer adds what reaches new branches
    grown.mkdir(parents=True, exist_ok=True)

    def one(data: bytes) -> None:
        if runner.over:
            runner.finish()
        runner.one(data)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        dice = Random(seed)
        if dice.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return target.mutate(data, dice, dice.choices(seeds, k=3), words)[:max_size]

    arguments = ["fuzz", f"-seed={runner.seed % (1 << 31) + 1}", f"-max_len={target.max_size}"]
    arguments += [
        "-verbosity=0",
        "-timeout=1000000",
        "-rss_limit_mb=0",
        "-detect_leaks=0",
        "-handle_int=0",
    ]
    arguments.append(f"-artifact_prefix={runner.out}{os.sep}")
    if target.dictionary:
        arguments.append(f"-dict={DICTIONARIES / target.dictionary}.dict")
    folders = [str(grown), str(runner.out / "seeds" / target.name)]
    atheris.Setup([*arguments, *folders], one, custom_mutator=change)
    atheris.Fuzz()


def instrument(modules: Sequence[str]) -> None:
    """Imports these modules and what is below them so that atheris sees their branches."""
    import atheris

    with atheris.instrument_imports(include=list(modules)):
        for name in modules:
            module = importlib.import_module(name)
            for inner in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
                importlib.import_module(inner.name)


def has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--modules", default="")
    chosen = parser.parse_args(arguments)
    if chosen.modules:
        instrument(chosen.modules.split(","))
    from tests.fuzz.registry import TARGETS

    target = TARGETS[chosen.target]
    folder = chosen.out / "seeds" / target.name
    seeds, words = [path.read_bytes() for path in sorted(folder.iterdir())], words_of(target)
    runner = Runner(target, chosen.seconds, chosen.seed, chosen.out)
    budget.limit_memory()
    loop: Callable[[Runner, Sequence[bytes], Sequence[bytes]], Any] = (
        guided if chosen.modules else at_random
    )
    loop(runner, seeds, words)
    runner.finish()


if __name__ == "__main__":
    main(sys.argv[1:])
