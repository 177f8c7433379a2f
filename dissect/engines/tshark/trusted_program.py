"""Where tshark may lie: never in the current folder, nor beside what a customer sent.

Neither `shutil.which` (on Windows it looks into the current folder first) nor pyshark's own
search (it obeys a `config.ini` of the current folder) is asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dissect.engines import CaptureInput

_WINDOWS_FOLDERS = ("ProgramW6432", "ProgramFiles", "ProgramFiles(x86)")
_MAC_FOLDERS = (
    "/Applications/Wireshark.app/Contents/MacOS",
    "/opt/homebrew/bin",
    "/usr/local/bin",
)


def trusted_program(inputs: Iterable[CaptureInput] = ()) -> tuple[str | None, str | None]:
    """The absolute path of the first tshark on PATH, else of the one that Wireshark's
    installer put in its usual place; and of the first that was passed over. Each may be None.

    Entries of PATH that are relative (so are "" and ".") are never looked into. Passed over
    are the current folder and the folders of `inputs`, whatever they are called: a program
    there may have come with the capture.
    """
    name = "tshark.exe" if sys.platform == "win32" else "tshark"
    strange = _strange(inputs)
    passed_over = None
    for folder in (*_on_path(os.environ), *_usual(sys.platform, os.environ)):
        program = folder / name
        if not (program.is_file() and os.access(program, os.X_OK)):
            continue
        if _real(folder) not in strange:
            return str(program), passed_over
        passed_over = passed_over or str(program)
    return None, passed_over


def _on_path(environment: Mapping[str, str]) -> Iterator[Path]:
    for entry in environment.get("PATH", os.defpath).split(os.pathsep):
        folder = Path(entry.strip('"') if os.name == "nt" else entry)
        if folder.is_absolute():
            yield folder


def _usual(platform: str, environment: Mapping[str, str]) -> list[Path]:
    """Where installers put it, on systems where that is not on PATH."""
    if platform == "win32":
        roots = [Path(environment.get(name, "")) for name in _WINDOWS_FOLDERS]
        return [root / "Wireshark" for root in dict.fromkeys(roots) if root.is_absolute()]
    return [Path(folder) for folder in _MAC_FOLDERS] if platform == "darwin" else []


def _strange(inputs: Iterable[CaptureInput]) -> set[str]:
    """The current folder, and those that the files of a run lie in."""
    names: list[str] = []
    for item in inputs:
        names += [item.name, *item.key_logs, *item.found_key_logs, *item.rsa_keys]
    # A link is a name in its own folder and a file in another: both are strangers' folders.
    files = [Path(name) for name in names if name != "-"]
    folders = [Path(os.curdir), *(f.parent for f in files)]
    return {_real(f) for f in folders} | {os.path.dirname(_real(f)) for f in files}


def _real(path: Path) -> str:
    try:
        return os.path.normcase(os.path.realpath(path))
    except OSError:  # the current folder was removed
        return ""
