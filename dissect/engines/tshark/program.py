"""Finding tshark and pyshark: either is there and good enough, or one line says what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dissect.engines.tshark.names import OLDEST
from dissect.errors import UsageError

_VERSION = re.compile(r"TShark[^\d]{0,80}(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")
_PYSHARK = "pyshark is not installed: pip install 'dissect-flow[tshark]'"
# Where Wireshark's installers put it on Windows and macOS, without a place in PATH.
_USUAL = (
    os.path.join(os.environ.get("PROGRAMFILES", "C:/Program Files"), "Wireshark", "tshark.exe"),
    "/Applications/Wireshark.app/Contents/MacOS/tshark",
)
START_LIMIT = 30  # seconds that `tshark --version` may take

# No console window may flash up on Windows for each run.
CREATION_FLAGS = int(getattr(subprocess, "CREATE_NO_WINDOW", 0))


@dataclass(frozen=True, slots=True)
class Program:
    """A tshark that can be used: its path and version, and the pyshark that drives it."""

    path: str
    version: tuple[int, int]
    release: str
    pyshark: str

    def __str__(self) -> str:
        return f"tshark {self.release}, pyshark {self.pyshark}"


def find() -> Program:
    """The tshark on this machine.

    Raises UsageError, one line, if tshark or pyshark is absent or tshark is too old.
    """
    try:
        import pyshark  # noqa: F401
        from pyshark.tshark.tshark import TSharkNotFoundException, get_process_path
    except ImportError:
        raise UsageError(_PYSHARK) from None
    from importlib.metadata import version as version_of

    try:
        path = str(get_process_path())
    except TSharkNotFoundException:
        raise UsageError(f"tshark is not installed: {_how_to_install()}") from None
    release, version = _checked(path)
    return Program(path, version, release, version_of("pyshark"))


def locate() -> str:
    """The path of a tshark that is new enough, for runs that need no pyshark.

    Raises UsageError, one line, if it is absent or too old.
    """
    places = [shutil.which("tshark"), *(path for path in _USUAL if Path(path).is_file())]
    path = next((place for place in places if place), None)
    if path is None:
        raise UsageError(f"tshark is not installed: {_how_to_install()}")
    _checked(path)
    return path


def _checked(path: str) -> tuple[str, tuple[int, int]]:
    release = _release(path)
    numbers = tuple(int(part) for part in release.split("."))
    version = (numbers[0], numbers[1])
    if version < OLDEST:
        raise UsageError(
            f"tshark {release} is too old, {OLDEST[0]}.{OLDEST[1]} is needed: {_how_to_install()}"
        )
    return release, version


@cache
def _release(path: str) -> str:
    """The version that a tshark tells; asked once a path."""
    try:
        result = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=START_LIMIT,
            check=False,
            env=environment(),
            creationflags=CREATION_FLAGS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{path} can't be run ({type(error).__name__})") from None
    found = _VERSION.search(result.stdout.decode("utf-8", "replace"))
    if found is None:
        raise UsageError(f"{path} tells no version (exit code {result.returncode})")
    return ".".join(part for part in found.groups() if part)


def environment(config: str | None = None) -> dict[str, str]:
    """What tshark runs in: UTC, no translated texts, and no user's preferences.

    A profile may switch protocols off or number sequences otherwise; results must not
    depend on it. `config` is an empty folder that stands in for the user's.
    """
    changed = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
    if config is not None:
        changed["WIRESHARK_CONFIG_DIR"] = config
    return {**os.environ, **changed}


def _how_to_install() -> str:
    if sys.platform.startswith("linux"):
        return "install your distribution's package tshark (Debian, Ubuntu: apt install tshark)"
    if sys.platform == "darwin":
        return "brew install wireshark, or https://www.wireshark.org/download.html"
    return "install Wireshark with TShark, https://www.wireshark.org/download.html"
