"""Finding tshark and pyshark: either is there and good enough, or one line says what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from dissect.engines import CaptureInput
from dissect.engines.tshark.names import OLDEST
from dissect.engines.tshark.private import EXTCAP, PLUGINS, PrivateFolder
from dissect.engines.tshark.trusted_program import trusted_program
from dissect.errors import UsageError

_VERSION = re.compile(r"TShark[^\d]{0,80}(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")
_PYSHARK = "pyshark is not installed: pip install 'dissect-flow[tshark]'"
# Variables by which a user's Wireshark, GLib, Lua and libsmi find what they read.
_LEADING = ("WIRESHARK_", "XDG_", "LUA_", "SMIPATH")
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


def find(inputs: Iterable[CaptureInput] = ()) -> Program:
    """The tshark on this machine, for runs over `inputs`.

    Raises UsageError, one line, if tshark or pyshark is absent or tshark is too old.
    """
    try:
        import pyshark  # noqa: F401
    except ImportError:
        raise UsageError(_PYSHARK) from None
    except FileNotFoundError:  # pyshark asks for it when it is imported
        raise UsageError("the current folder no longer exists") from None
    from importlib.metadata import version as version_of

    path = _located(inputs)
    release, version = _checked(path)
    return Program(path, version, release, version_of("pyshark"))


def locate(inputs: Iterable[CaptureInput] = ()) -> str:
    """The path of a tshark that is new enough, for runs over `inputs` that need no pyshark.

    Raises UsageError, one line, if it is absent or too old.
    """
    path = _located(inputs)
    _checked(path)
    return path


def _located(inputs: Iterable[CaptureInput]) -> str:
    path, passed_over = trusted_program(inputs)
    if path is None and passed_over is not None:
        raise UsageError(
            f"{passed_over} is not used, it lies in the current folder or beside a capture: "
            "change to another folder, or move the captures"
        )
    if path is None:
        raise UsageError(f"tshark is not installed: {_how_to_install()}")
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
        with PrivateFolder() as folder:
            result = subprocess.run(
                [path, "--version"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=START_LIMIT,
                check=False,
                cwd=folder.config(),
                env=environment(folder.config()),
                creationflags=CREATION_FLAGS,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{path} can't be run ({type(error).__name__})") from None
    found = _VERSION.search(result.stdout.decode("utf-8", "replace"))
    if found is None:
        raise UsageError(f"{path} tells no version (exit code {result.returncode})")
    return ".".join(part for part in found.groups() if part)


def environment(config: str) -> dict[str, str]:
    """What tshark runs in: UTC, no translated texts, and nothing of the user's Wireshark.

    A profile may switch protocols off or number sequences otherwise, a plugin or a Lua script
    do anything. `config` is a `PrivateFolder.config`. It stands in for the user's folder of
    configuration, of plugins (also `~/.local/lib/wireshark`, which only HOME tells on POSIX)
    and of extcap programs. No variable leads tshark anywhere else; but started by root it
    takes plugins from its installation, whatever is set here.
    """
    kept = {key: text for key, text in os.environ.items() if not key.upper().startswith(_LEADING)}
    private = {
        "HOME": config,
        "WIRESHARK_CONFIG_DIR": config,
        "WIRESHARK_PLUGIN_DIR": os.path.join(config, PLUGINS),
        "WIRESHARK_EXTCAP_DIR": os.path.join(config, EXTCAP),
    }
    return {**kept, **private, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _how_to_install() -> str:
    if sys.platform.startswith("linux"):
        return "install your distribution's package tshark (Debian, Ubuntu: apt install tshark)"
    if sys.platform == "darwin":
        return "brew install wireshark, or https://www.wireshark.org/download.html"
    return "install Wireshark with TShark, https://www.wireshark.org/download.html"
