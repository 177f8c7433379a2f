"""`make fuzz MINUTES=n`: all targets one after the other, a process each; exit 1 on a finding."""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.material import ROOT, Material
from tests.fuzz.registry import TARGETS
from tests.fuzz.target import Target
from tests.fuzz.worker import has_atheris, prepare

SHOWN = 600  # bytes of a finding that is printed
GRACE_S = 60  # beyond its time, until a worker is taken for hung
HEAVY = ("run", "run-log", "run-flow", "secrets", "frames", "tls", "exchange", "tshark")
"""They do more for each input, and get three times the time of others."""


def shares(names: Sequence[str], seconds: float) -> dict[str, float]:
    weights = {name: 3 if name in HEAVY else 1 for name in names}
    return {name: seconds * weight / sum(weights.values()) for name, weight in weights.items()}


def run(target: Target, seconds: float, seed: int, out: Path, guide: bool) -> dict[str, object]:
    """The figures of one target: mutants, and what was found."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.worker", target.name]
    command += ["--seconds", str(seconds), "--seed", str(seed), "--out", str(out)]
    if guide and target.modules:
        command += ["--modules", ",".join(target.modules)]
    reported = out / f"{target.name}.json"
    reported.unlink(missing_ok=True)
    log = out / f"{target.name}.log"
    try:
        with log.open("wb") as file:
            code = subprocess.run(
                command, cwd=ROOT, stdout=file, stderr=file, timeout=seconds + GRACE_S, check=False
            ).returncode
    except subprocess.TimeoutExpired:
        code = -1
    figures: dict[str, object] = {"target": target.name, "mutants": 0, "seed": seed, "found": {}}
    if reported.exists():
        figures = json.loads(reported.read_text("utf-8"))
    if code not in (0, 1):
        how = "hung" if code == -1 else f"ended with {code}"
        figures["found"] = {**dict(figures["found"]), f"the worker {how}, see {log}": 1}  # type: ignore[call-overload]
        current = out / f"{target.name}.current"
        if current.exists():
            size = int.from_bytes(current.read_bytes()[:4])
            (out / f"{target.name}-{seed}-crash.bin").write_bytes(
                current.read_bytes()[4 : 4 + size]
            )
    return figures


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=3.0, help="for all targets together")
    parser.add_argument("--seed", type=int, help="a fresh one unless given")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only these")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "fuzz")
    parser.add_argument("--replay", type=Path, help="run one kept input, with its traceback")
    chosen = parser.parse_args(arguments)
    names = chosen.target or list(TARGETS)
    if chosen.replay:
        TARGETS[names[0]].run(chosen.replay.read_bytes())
        return 0
    seed = chosen.seed if chosen.seed is not None else secrets.randbelow(1 << 31)
    chosen.out.mkdir(parents=True, exist_ok=True)
    guide = has_atheris()
    print(
        f"seed {seed}; {'guided by coverage' if guide else 'at random: atheris is not installed'}",
        flush=True,
    )
    material = Material()
    for name in names:
        prepare(TARGETS[name], material, chosen.out)
    total = found = 0
    for name, seconds in shares(names, chosen.minutes * 60).items():
        figures = run(TARGETS[name], seconds, seed, chosen.out, guide)
        total += int(str(figures["mutants"]))
        print(f"{name:15} {figures['mutants']:>8} mutants", flush=True)
        for label, times in dict(figures["found"]).items():  # type: ignore[call-overload]
            found += 1
            print(f"  FOUND {label} ({times} times)", flush=True)
        for path in sorted(chosen.out.glob(f"{name}-{seed}-*.bin")):
            # Where the folder is thrown away (CI) a small one can be kept by copying this line.
            data = path.read_bytes()
            reported = (
                base64.b64encode(data).decode() if len(data) <= SHOWN else f"{len(data)} bytes"
            )
            print(f"  {path.name}: {reported}", flush=True)
    print(f"{total} mutants, {found} findings" + (f", kept in {chosen.out}" if found else ""))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
