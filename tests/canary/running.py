"""Runs commands in this process, and keeps every byte that they give out or leave behind."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from dissect.cli.main import cli

WIDE = {"COLUMNS": "4000", "NO_COLOR": "1"}  # a narrow terminal would cut canaries


@dataclass
class Watch:
    """What a run does besides its output: programs it starts, temporary files it removes."""

    temporary: Path
    on: bool = False
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    programs: int = 0
    removed: int = 0

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "subprocess.Popen":
            self.programs += 1
            program, argv, folder, environment = arguments
            own = {k: v for k, v in (environment or {}).items() if os.environ.get(k) != v}
            self.seen.append(("program", repr((program, argv, folder, own)).encode()))
            self.look()
        elif event in ("os.remove", "os.rename", "shutil.rmtree", "os.rmdir"):
            self.look()

    def look(self) -> None:
        """Every temporary file as it is now."""
        for path in self.temporary.rglob("*"):
            with contextlib.suppress(OSError):  # gone meanwhile, or a pipe's place
                if path.is_file():
                    self.removed += 1
                    self.seen.append(
                        ("temporary file", os.fsencode(path) + b"\n" + path.read_bytes())
                    )


_WATCHES: list[Watch] = []
_HOOKED: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for watch in _WATCHES:
        watch.hook(event, arguments)


@contextlib.contextmanager
def watching(temporary: Path) -> Iterator[Watch]:
    """Temporary files go to `temporary` and are looked at before they are removed."""
    if not _HOOKED:
        sys.addaudithook(_hook)  # there is no way to take one away again
        _HOOKED.append(True)
    watch = Watch(temporary)
    before = tempfile.tempdir
    names = {name: os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")}
    tempfile.tempdir = str(temporary)
    os.environ.update(dict.fromkeys(names, str(temporary)))
    _WATCHES.append(watch)
    watch.on = True
    try:
        yield watch
    finally:
        watch.on = False
        _WATCHES.remove(watch)
        tempfile.tempdir = before
        for name, value in names.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass(frozen=True)
class Output:
    """Bytes that came out, of which command, where."""

    command: str
    place: str
    content: bytes


@dataclass
class Runner:
    """Runs commands; `outputs` are all that came out so far."""

    folder: Path
    reveal: bool = False
    outputs: list[Output] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    programs: int = 0

    def run(self, *arguments: str, out: tuple[str, ...] = ()) -> bytes:
        """Run a command; `out` are names of files for `-o`. Returns its standard output."""
        count = len(self.codes)
        folder, temporary = self.folder / f"out{count}", self.folder / f"temporary{count}"
        folder.mkdir()
        temporary.mkdir()
        words = [*arguments, *(["--reveal"] if self.reveal else [])]
        label = " ".join(word for word in words if os.sep not in word)[:80]
        for name in out:
            words += ["-o", str(folder / name)]
        with watching(temporary) as watch:
            result = CliRunner().invoke(cli, words, standalone_mode=False, env=WIDE)
            watch.look()
        self.programs += watch.programs
        self.outputs.append(Output(label, "standard output", result.stdout_bytes))
        self.outputs.append(Output(label, "standard error", result.stderr_bytes))
        if result.exception is not None:
            reported = "".join(traceback.format_exception(result.exception))
            self.outputs.append(Output(label, "exception", reported.encode("utf-8", "replace")))
            module = type(result.exception).__module__
            if not module.startswith(("dissect.errors", "click.")):
                self.unexpected.append(f"{label}: {reported[-600:]}")
        self.outputs += [Output(label, place, content) for place, content in watch.seen]
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.outputs.append(Output(label, path.name, path.read_bytes()))
        value = result.return_value
        self.codes[f"{count} {label}"] = value if isinstance(value, int) else -1
        return bytes(result.stdout_bytes)
