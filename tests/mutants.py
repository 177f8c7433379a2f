"""`make mutants`: does a test notice when the code is changed? By mutmut, on the files that differ
from main or on FILES, with the tests that are near to each (by imports), within bounds of time.

What mypy refuses is no mutant that could land, so it is left out. mutmut forks, so this runs on
POSIX alone. Exit code 1 if more than a tenth of what was tried survived, 2 if it can't be tried.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "out" / "mutants"
NEAREST = 8  # test files of a module; mutmut runs of them what covers the function
MAIN = "main"
LEFT = 0.1  # of those that were tried may survive
COPIED = ("dissect", "tests", "setup.cfg", "pyproject.toml")
NOT_LINKED = {*COPIED, ".git", ".venv", "out", "build", "dist"}
SLOW = "not long and not lab and not deep"
# Exit codes that mutmut keeps of each mutant.
SURVIVED, NO_TESTS, TYPES = 0, (5, 33), 37
CONFIG = """
[mutmut]
source_paths = dissect
only_mutate = {file}
track_dependencies = false
use_git_change_detection = false
pytest_add_cli_args_test_selection =
    {tests}
pytest_add_cli_args =
    -m
    {slow}
    -p
    no:cacheprovider
    --hypothesis-seed={seed}
"""
TYPED = """type_check_command =
    mypy
    --output
    json
    --no-warn-unused-ignores
    --cache-dir
    .mypy_cache
    {file}
"""


# ------------------------------------------------------------------ which tests are near


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, module: str, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of dissect and of the tests that a file imports, anywhere in it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [item.name for item in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = ".".join(parts[: len(parts) - node.level + 1])
                base = f"{above}.{base}" if base else above
            names = [base, *(f"{base}.{item.name}" for item in node.names)]
        yield from (name for name in names if name in known)


def imports() -> dict[str, set[str]]:
    """Module or test file → the modules of dissect and of the tests that it imports."""
    paths = [*(ROOT / "dissect").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    known = {_name(path): path for path in paths}
    return {name: set(_imported(path, name, known)) for name, path in known.items()}


def reached(start: str, graph: Mapping[str, Iterable[str]]) -> set[str]:
    """All that a module imports, and what that imports."""
    found, waiting = {start}, [start]
    while waiting:
        for other in graph.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def near(file: str, graph: Mapping[str, Iterable[str]], most: int = NEAREST) -> list[str]:
    """The test files that are nearest to a module, of those that import it by any way: first what
    imports it itself, then its package's folder of tests; there what is called like it, then the
    narrowest (they are the fastest)."""
    module = _name(ROOT / file)
    folder = module.rpartition(".")[0].replace("dissect", "tests", 1) + "."
    ranks = []
    for test in graph:
        if not test.rpartition(".")[2].startswith("test_"):
            continue
        within = reached(test, graph)
        if module in within:
            direct = module in graph[test]
            alike = module.rpartition(".")[2][:3] in test.rpartition(".")[2]
            ranks.append((not direct, not test.startswith(folder), not alike, len(within), test))
    return [test.replace(".", "/") + ".py" for *_, test in sorted(ranks)[:most]]


def changed() -> list[str]:
    """The files of dissect that differ from where this branch left main, saved or not."""
    base = _git("merge-base", MAIN, "HEAD").strip() or "HEAD"
    listed = _git("diff", "--name-only", "--diff-filter=d", base, "--", "dissect")
    return [line for line in listed.splitlines() if line.endswith(".py")]


def _git(*words: str) -> str:
    run = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout if run.returncode == 0 else ""


# ------------------------------------------------------------------ one module


@dataclass
class Tried:
    """What became of the mutants of one file; `survivors` are names with what was changed."""

    file: str
    tests: list[str] = field(default_factory=list)
    refused: int = 0  # by mypy
    killed: int = 0
    unchecked: int = 0  # time was up, or not in the sample
    survivors: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def checked(self) -> int:
        return self.killed + len(self.survivors)


class Workshop:
    """A copy of the tree in which mutmut works; what is only read is linked."""

    def __init__(self, file: str, tests: Sequence[str], seed: int) -> None:
        self.file, self.root = file, OUT / file.replace("/", ".").removesuffix(".py")
        shutil.rmtree(self.root, ignore_errors=True)
        inner = self.root / "mutants"  # where mutmut runs the tests
        inner.mkdir(parents=True)
        for entry in ROOT.iterdir():
            if entry.name in ("dissect", "tests"):
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(entry, self.root / entry.name, ignore=ignored)
            elif entry.name in COPIED:
                shutil.copy(entry, self.root / entry.name)
            elif entry.name not in NOT_LINKED:
                (inner / entry.name).symlink_to(entry)
        shared = ROOT.parent / "shared"
        if shared.is_dir():
            (self.root / "shared").symlink_to(shared)
        self._config = (ROOT / "setup.cfg").read_text("utf-8") + CONFIG.format(
            file=file, tests="\n    ".join(tests), slow=SLOW, seed=seed
        )
        self.with_types(True)

    def with_types(self, wanted: bool) -> None:
        """Whether mypy is asked first."""
        text = self._config + (TYPED.format(file=self.file) if wanted else "")
        (self.root / "setup.cfg").write_text(text, "utf-8")

    def mutmut(self, *words: str, limit_s: float) -> str:
        """What mutmut prints; stopped (with the results so far) after `limit_s` seconds."""
        tools = str(Path(sys.executable).parent)
        environment = {**os.environ, "PATH": tools + os.pathsep + os.environ.get("PATH", "")}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment.pop("PYTHONPATH", None)
        child = subprocess.Popen(
            [str(Path(tools) / "mutmut"), *words],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            return child.communicate(timeout=limit_s)[0]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            return child.communicate()[0]

    @property
    def meta(self) -> Path:
        return self.root / "mutants" / (self.file + ".meta")

    def outcomes(self) -> dict[str, int | None]:
        """Mutant → exit code of its tests; None: not tried."""
        if not self.meta.exists():
            return {}
        found: dict[str, int | None] = json.loads(self.meta.read_text("utf-8"))["exit_code_by_key"]
        return found

    def covered(self) -> set[str]:
        """The functions that a test reaches."""
        path = self.root / "mutants" / "mutmut-stats.json"
        if not path.exists():
            return set()
        return set(json.loads(path.read_text("utf-8"))["tests_by_mangled_function_name"])


def tried(file: str, tests: list[str], sample: int, seed: int, limit_s: float) -> Tried:
    """Mutants of a file against tests: all, or `sample` of them, drawn by `seed`."""
    result = Tried(file, tests)
    if not tests:
        result.problem = "no test imports it"
        return result
    shop = Workshop(file, tests, seed)
    # A name that fits nothing: mutants are made and it is seen which tests cover them, no more.
    text = shop.mutmut("run", "--max-children", "1", "nothing", limit_s=limit_s)
    if not shop.covered():
        shop.with_types(False)  # such as a type error in code that mutmut itself has written
        text = shop.mutmut("run", "--max-children", "1", "nothing", limit_s=limit_s)
    covered, names = shop.covered(), sorted(shop.outcomes())
    if not covered or not names:
        result.problem = (text.strip().splitlines() or ["nothing to change"])[-1][:200]
        return result
    drawn = names if not sample else random.Random(seed).sample(names, min(sample, len(names)))
    run = [name for name in drawn if name.rpartition("__mutmut_")[0] in covered]
    if run:
        text = shop.mutmut("run", "--max-children", "1", *run, limit_s=limit_s)
    outcomes = shop.outcomes()
    if run and all(outcomes[name] is None for name in run):
        result.problem = (text.strip().splitlines() or ["mutmut said nothing"])[-1][:200]
    for name in drawn:
        code = outcomes[name]
        if name not in run or code in NO_TESTS:
            result.survivors[name] = "no test reaches it"
        elif code is None:
            result.unchecked += 1
        elif code == TYPES:
            result.refused += 1
        elif code == SURVIVED:
            result.survivors[name] = _shown(shop.mutmut("show", name, limit_s=60))
        else:
            result.killed += 1
    result.unchecked += len(names) - len(drawn)
    return result


def _shown(text: str) -> str:
    """The lines of a change."""
    lines = [
        line for line in text.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    return "\n".join(lines)


def _report(result: Tried) -> None:
    if result.problem:
        print(f"{result.file}: not tried: {result.problem}")
        return
    print(
        f"{result.file}: {result.killed} killed, {len(result.survivors)} survived, "
        f"{result.refused} refused by mypy, {result.unchecked} not tried"
    )
    for name, change in result.survivors.items():
        print(f"  {name}\n    " + change.replace("\n", "\n    "))
    sys.stdout.flush()


def main(words: Sequence[str] | None = None) -> int:
    """Prints a line for each file, and what survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument(
        "files", nargs="*", help="of dissect/; default: those that differ from main"
    )
    parser.add_argument("--sample", type=int, default=0, help="mutants of each file (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10, help="for each file and stage")
    parser.add_argument("--list", action="store_true", help="only name the tests of each file")
    options = parser.parse_args(words)
    if not options.list and (os.name != "posix" or shutil.which("mutmut", path=_tools()) is None):
        print("mutmut can't run here: it needs POSIX and `pip install .[mutants]`")
        return 2
    graph = imports()
    results = []
    for file in options.files or changed():
        tests = near(file, graph)
        if options.list:
            print(file, *tests, sep="\n  ")
            continue
        result = tried(file, tests, options.sample, options.seed, options.minutes * 60)
        _report(result)
        results.append(result)
    checked = sum(result.checked for result in results)
    left = sum(len(result.survivors) for result in results)
    if checked:
        print(f"{left} of {checked} survived ({100 * left / checked:.0f} %)")
    return 1 if left > LEFT * checked else 0


def _tools() -> str:
    return str(Path(sys.executable).parent)


if __name__ == "__main__":
    sys.exit(main())
