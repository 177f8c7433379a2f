"""No output of a run takes the place of one of its inputs, or of another output.

The one check for all commands, before any work. Files are recognised by what the system says of
them (device and number), so that links and other spellings of a path are the same file.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from dissect.errors import UsageError
from dissect.pipeline import RunOptions, found_beside, split_binding
from dissect.saving import is_stream

STANDARD_INPUT, STANDARD_OUTPUT = "standard input", "standard output"
MAX_INCLUDED = 1000  # files that definitions include, in all
MAX_DEFINITION = 1 << 20  # bytes of a definition that are looked through for them
_INCLUDED = re.compile(rb"[\"']([^\"'\n]{1,500}\.toml)[\"']")
_PARTS = re.compile(r"\.part-[0-9]+", re.ASCII)

FileKey = tuple[object, ...]


def check(options: RunOptions, outputs: Iterable[str], also: Iterable[str] = ()) -> None:
    """Raises UsageError, one line, where a run with `options` would write to a file that it
    reads (`also` names further ones), or to one file twice. Standard output counts too."""
    outputs = list(outputs)
    check_files([*files(options), *also], outputs)
    for path in outputs:
        if os.path.isdir(path):
            raise UsageError(f"{path}: is a directory")
        if not is_stream(path) and not os.path.isdir(os.path.dirname(path) or "."):
            raise UsageError(f"{path}: its folder does not exist")


def check_chosen(paths: Iterable[str]) -> None:
    """Raises UsageError where a name that nobody gave is a link, a pipe or a device: a stranger's
    folder may hold a `report.html` that leads to any file of the user's."""
    for path in paths:
        if os.path.islink(path):
            why = "is a symbolic link, which is followed only for a name that you give"
        elif is_stream(path):
            why = "is no file"
        else:
            continue
        raise UsageError(f"{path} {why}: remove it, or name another place with -o")


def check_files(inputs: Iterable[str], outputs: Iterable[str]) -> None:
    """The same, where the names of all files read are known."""
    outputs = list(outputs)
    redirected = _printed()
    if not outputs and redirected is None:
        return
    taken: dict[FileKey, str] = {}
    for name in inputs:
        key = _standard_input() if name == "-" else _file(name)
        if key is not None:
            taken.setdefault(key, STANDARD_INPUT if name == "-" else name)
    written: dict[FileKey, str] = {}
    if redirected is not None:
        if redirected in taken:
            raise UsageError(f"standard output goes to {taken[redirected]}, which is an input")
        written[redirected] = STANDARD_OUTPUT
    for path in outputs:
        _check_one(path, taken, written)
    _check_parts(outputs, taken)


def _check_one(path: str, taken: dict[FileKey, str], written: dict[FileKey, str]) -> None:
    key = _file(path)
    if key is not None and key in taken:
        same = "" if taken[key] == path else f": it is {taken[key]}"
        raise UsageError(f"{path} is an input of this run{same}; give another name for the output")
    if is_stream(path):
        return  # what is written to it comes one after the other
    for place in (key, _slot(path)):
        if place is None:
            continue
        if place in written:
            raise UsageError(f"{written[place]} and {path} are the same file: give each its own")
        written[place] = path


def _check_parts(outputs: Sequence[str], taken: dict[FileKey, str]) -> None:
    """What a format's limits leave out goes to files beside it: `chart.part-1.mmd`."""
    from dissect.render import FORMATS

    endings = {f".{e}" for form in FORMATS.values() if form.parts for e in form.extensions}
    for path in outputs:
        target = Path(path)
        if target.suffix.lower() not in endings:
            continue
        for name in _beside(target, outputs):
            middle = name[len(target.stem) : len(name) - len(target.suffix)]
            if not (name.startswith(target.stem) and _PARTS.fullmatch(middle)):
                continue
            part = str(target.with_name(name))
            if _slot(part) in {_slot(other) for other in outputs if other != path}:
                raise UsageError(f"{part} may be written with {path}: give it another name")
            key = _file(part)
            if key is not None and key in taken:
                raise UsageError(
                    f"{part} is an input of this run and may be written with {path}; "
                    "give another name for the output"
                )


def _beside(target: Path, outputs: Sequence[str]) -> list[str]:
    try:
        there = os.listdir(target.parent)
    except OSError:
        there = []
    return [*there, *(Path(path).name for path in outputs)]


def files(options: RunOptions) -> list[str]:
    """What a run with these options reads, or would read if it were asked to: the key logs
    beside the captures count even where --no-auto-keys leaves them alone."""
    names = [*options.captures, *options.phone_logs, *options.rsa_keys, *options.plugins]
    for item in options.key_logs:
        names += {item, split_binding(item, options.captures)[1]}
    for capture in options.captures or ("-",):
        names += found_beside(capture)
    return [*names, *_definitions(options.flows)]


def _definitions(flows: Iterable[str]) -> list[str]:
    """Files of definitions, and those that they include: beside them or below."""
    found = [path for path in dict.fromkeys(flows) if os.path.isfile(path)]
    for path in found:  # it grows
        try:
            with open(path, "rb") as file:
                text = file.read(MAX_DEFINITION)
        except OSError:
            continue
        for match in _INCLUDED.finditer(text):
            part = os.path.join(os.path.dirname(path), os.fsdecode(match[1]))
            if len(found) < MAX_INCLUDED and part not in found and os.path.isfile(part):
                found.append(part)
    return found


def _file(path: str) -> FileKey | None:
    """What the system calls the file. None where there is none, and for a terminal or
    /dev/null: they may be read and written."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if stat.S_ISCHR(status.st_mode):
        return None
    return _key(status) or _slot(path)


def _key(status: os.stat_result) -> FileKey | None:
    return (status.st_dev, status.st_ino) if status.st_ino else None


def _slot(path: str) -> FileKey:
    """The place of a file that need not be there: its folder and its name in it."""
    folder, name = os.path.split(os.path.realpath(path))
    try:
        status = os.stat(folder)
    except OSError:
        return "slot", folder, name
    if _ignores_case(folder):
        name = unicodedata.normalize("NFC", name).casefold()
    return "slot", (status.st_dev, status.st_ino) if status.st_ino else folder, name


def _ignores_case(folder: str) -> bool:
    """Whether the file system takes `A` for `a`, as on Windows and macOS."""
    other = folder.swapcase()
    try:
        return other != folder and os.path.samefile(folder, other)
    except OSError:
        return os.name == "nt"


def _printed() -> FileKey | None:
    """The file that standard output was redirected to, if it is one."""
    return _standard(sys.stdout)


def _standard_input() -> FileKey | None:
    return _standard(sys.stdin)


def _standard(stream: object) -> FileKey | None:
    try:
        status = os.fstat(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None
    return _key(status) if stat.S_ISREG(status.st_mode) else None
