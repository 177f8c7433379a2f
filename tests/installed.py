"""Builds sdist and wheel, installs the wheel in a clean environment of every Python that can be
had here, and reads one sign-in with it: `make installed`.

The wheel is built from the sdist. A Python is looked for as `python3.N`, among pyenv's versions,
with uv, and (root on Debian or Ubuntu) with apt. One that can't be had is named; one that is had
and fails is an error. Every program that is run is bounded in time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINORS = (11, 12, 13, 14)  # of Python 3; setup.cfg asks for 3.11 and newer
MINUTES = 5  # of one program
SCENARIO = ROOT / "captures" / "web-signin"
SIGNIN = ("flow", "phone.pcapng", "browser.pcapng", "--phone-log", "phone.log", "--format", "json")
# What is built: all that git has but recordings and tests, which no package holds.
SOURCES = ("dissect", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


class Failed(Exception):
    """A step that had to work did not; the text is a line for people."""


def run(command: Sequence[str | os.PathLike[str]], where: Path, ends: int = 0) -> str:
    """Standard output of a program that must end with the code `ends` within `MINUTES`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SSLKEYLOG"))}
    try:
        done = subprocess.run(
            command, cwd=where, env=clean, capture_output=True, text=True, timeout=MINUTES * 60,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]}: {error}") from error
    if done.returncode != ends:
        shown = " ".join(map(str, command))
        raise Failed(f"{shown} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout


def build(target: Path) -> Path:
    """The wheel, made from the sdist; both are in `target`."""
    source = target / "source"
    source.mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    run([sys.executable, "-m", "build", "--outdir", target, source], target)
    (wheel,) = target.glob("*.whl")
    (sdist,) = target.glob("*.tar.gz")
    print(f"built {sdist.name} and {wheel.name}", flush=True)
    return wheel


def _candidates(minor: int) -> Iterator[str]:
    name = f"python3.{minor}"
    found = shutil.which(name)
    if found:
        yield found
    for root in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"):
        if root:
            yield from map(str, sorted(Path(root, "versions").glob(f"3.{minor}.*/bin/python")))
    uv = shutil.which("uv")
    if uv:
        for ask in (("find",), ("install", "--quiet")):
            try:
                run([uv, "python", *ask, f"3.{minor}"], ROOT)
                yield run([uv, "python", "find", f"3.{minor}"], ROOT).strip()
            except Failed:
                continue
    apt = shutil.which("apt-get")
    if apt and hasattr(os, "geteuid") and os.geteuid() == 0:
        try:
            run([apt, "install", "-y", "-qq", name, f"{name}-venv"], ROOT)
        except Failed:
            return
        yield f"/usr/bin/{name}"


def python(minor: int) -> str | None:
    """A Python 3.`minor` that runs and can make environments."""
    for path in _candidates(minor):
        try:
            reported = run(
                [path, "-c", "import sys, venv, ensurepip; print(sys.version_info[1])"], ROOT
            )
        except Failed:
            continue
        if reported.strip() == str(minor):
            return path
    return None


def try_wheel(interpreter: str, wheel: Path, folder: Path) -> str:
    """Install the wheel in a clean environment below `folder` and read a sign-in; what it says."""
    run([interpreter, "-m", "venv", folder], folder.parent)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run([programs / "python", "-m", "pip", "install", "--quiet", wheel], folder)
    asked = [programs / "python", "-c", "import dissect; print(dissect.__file__)"]
    if not Path(run(asked, folder).strip()).is_relative_to(folder):
        raise Failed("what was imported is not what was installed")
    (flow,) = json.loads(run([programs / "dissect", *SIGNIN], SCENARIO))["flows"]
    if flow["status"] != "complete":
        raise Failed(f"the sign-in of {SCENARIO.name} is {flow['status']}")
    return f"{flow['title']}: {flow['status']}"


def main() -> int:
    failed = had = 0
    with tempfile.TemporaryDirectory() as made:
        target = Path(made).resolve()
        wheel = build(target)
        for minor in MINORS:
            interpreter = python(minor)
            if interpreter is None:
                print(f"MISSING: Python 3.{minor} can't be had here; not tried", flush=True)
                continue
            had += 1
            try:
                text = try_wheel(interpreter, wheel, target / f"3.{minor}")
            except Failed as error:
                failed += 1
                text = f"FAILED: {error}"
            print(f"Python 3.{minor}: {text}", flush=True)
    return 1 if failed or not had else 0


if __name__ == "__main__":
    raise SystemExit(main())
