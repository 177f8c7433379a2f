"""The files of flow definitions and of their parts: read, and held against the schema.

What a definition may include is a shipped part by name, or a file beside it or below.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from dissect.errors import DefinitionError
from dissect.flow import toml
from dissect.flow.schema import IncludedArrows, Part
from dissect.flow.source_locations import KeyPath as KeyPath
from dissect.flow.source_locations import SourceFile, closest, explain_error

SUFFIX = ".toml"
MAX_BYTES = 64 * 1024  # of a part

Raw = Mapping[str, Any]

_INCLUDING = {"[[step.arrow]] in the place of an arrow": IncludedArrows}
_ARROW = {"from": "", "to": "", "label": "", "event": ""}


class File(msgspec.Struct, frozen=True):
    """A file, the folder of those that it may include, and the folder that none may leave;
    neither where a definition is text alone, or shipped."""

    source: SourceFile
    folder: Path | None = None
    root: Path | None = None

    def error(self, path: KeyPath, problem: str) -> DefinitionError:
        return DefinitionError(f"{self.source.describe(path)}: {problem}")


def tables(source: SourceFile, root: type) -> dict[str, Any]:
    """The tables of a file that fit the schema of `root`, a `Definition` or a `Part`.

    Raises DefinitionError with file, line and key for anything that does not fit.
    """
    try:
        raw = toml.loads(source.text)
    except ValueError as error:
        raise DefinitionError(f"{source.name}: {error}") from None
    alone = {**raw}
    steps = raw.get("step")
    if isinstance(steps, list):
        alone["step"] = [_without(step, [("step", n)], source) for n, step in enumerate(steps)]
    alone = _without(alone, [], source)
    try:
        msgspec.convert(alone, root)
    except msgspec.ValidationError as error:
        sentence, path = explain_error(error, alone, root, _INCLUDING)
        raise DefinitionError(f"{source.describe(path)}: {sentence}") from None
    return raw


def _without(table: Any, path: KeyPath, source: SourceFile) -> Any:
    """A table with an empty arrow where it includes some; those entries have a schema of their
    own, which they are held against here."""
    if not isinstance(table, dict) or not isinstance(table.get("arrow"), list):
        return table
    arrows = []
    for index, entry in enumerate(table["arrow"]):
        if isinstance(entry, dict) and "include" in entry:
            try:
                msgspec.convert(entry, IncludedArrows)
            except msgspec.ValidationError as error:
                sentence, below = explain_error(error, entry, IncludedArrows, _INCLUDING)
                place = source.describe([*path, ("arrow", index), *below])
                raise DefinitionError(f"{place}: {sentence}") from None
            entry = _ARROW
        arrows.append(entry)
    return {**table, "arrow": arrows}


def open_part(name: str, by: File, path: KeyPath) -> tuple[File, Raw]:
    """The part that a file includes at `path`.

    Raises DefinitionError: at that place if there is none, or none that may be read; at its
    own if it does not fit.
    """
    if name.endswith(SUFFIX):
        return _beside(name, by, path)
    if name not in _shipped_names():
        close = closest(name, _shipped_names())
        text = f'is it "{close}"?' if close else f"there are {', '.join(_shipped_names())}"
        raise by.error(path, f'no part is called "{name}": {text}')
    return _shipped(name)


@lru_cache(maxsize=1)
def _shipped_names() -> tuple[str, ...]:
    folder = files("dissect.flow") / "definitions" / "parts"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX)))


@lru_cache
def _shipped(name: str) -> tuple[File, Raw]:
    entry = files("dissect.flow") / "definitions" / "parts" / f"{name}{SUFFIX}"
    source = SourceFile(f"parts/{entry.name}", entry.read_text("utf-8"))
    return File(source), tables(source, Part)


def _beside(name: str, by: File, path: KeyPath) -> tuple[File, Raw]:
    if by.folder is None or by.root is None:
        raise by.error(path, f'"{name}": only a definition in a file can include one beside it')
    pure = PurePosixPath(name)
    strange = not name.isprintable() or any(sign in name for sign in "\\:")
    if strange or pure.is_absolute() or ".." in pure.parts:
        raise by.error(path, f"{name!r}: a file beside this one or below, without `..`")
    shown = str(Path(by.source.name).parent / pure)
    try:
        real = (by.folder / pure).resolve()
        if not real.is_relative_to(by.root.resolve()):
            raise by.error(path, f'"{name}" lies outside of the definition\'s folder')
        if not real.is_file():
            raise by.error(path, f"there is no file {shown}")
        with real.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError until 3.13
        reported = error.strerror if isinstance(error, OSError) else None
        raise by.error(path, f"{shown}: {(reported or str(error)).lower()}") from None
    if len(data) > MAX_BYTES:
        raise by.error(path, f"{shown} has more than {MAX_BYTES // 1024} KiB")
    try:
        source = SourceFile(shown, data.decode("utf-8"))
    except UnicodeDecodeError:
        raise by.error(path, f"{shown}: a part is UTF-8 text") from None
    return File(source, real.parent, by.root), tables(source, Part)
