"""What a run may take from the current folder and the user's settings: nothing unasked.

The command line owns its process, so it may narrow what the libraries look at. Who imports
dissect as a library keeps PATH and matplotlib as they are; pictures are drawn with our own
settings either way (`render.mpl`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec

_MODULE = "matplotlib"
_SETTINGS = "matplotlibrc"  # looked for in the current folder before all else
_VARIABLES = ("MATPLOTLIBRC", "MPLBACKEND")
# Set, Windows starts no program of the current folder that is called by its name alone.
_NOT_HERE = "NoDefaultCurrentDirectoryInExePath"


@contextmanager
def own_surroundings() -> Iterator[None]:
    """While it lasts, programs are found in absolute folders of PATH only, and an import of
    matplotlib reads no settings but those it comes with.

    matplotlib starts fc-list, scapy ldconfig. Where an entry of PATH is empty or ".", which
    a slip in a start-up file does, that would be the current folder's.
    """
    finder = _Finder()
    path = os.environ.get("PATH")
    sys.meta_path.insert(0, finder)
    with _variables({"PATH": None if path is None else _absolute(path), _NOT_HERE: "1"}):
        try:
            yield
        finally:
            sys.meta_path.remove(finder)


def _absolute(path: str) -> str:
    """A PATH without its relative entries. An empty one would mean the current folder."""
    entries = [entry for entry in path.split(os.pathsep) if os.path.isabs(entry.strip('"'))]
    return os.pathsep.join(entries) or os.devnull


class _Finder:
    """Finds matplotlib as the others do, and has it loaded our way."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _MODULE:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None and spec.origin is not None:
            spec.loader = _Loader(spec.loader, spec.origin)  # type: ignore[assignment]
        return spec


class _Loader:
    """Loads matplotlib. It reads the first `matplotlibrc` of the current folder, MATPLOTLIBRC
    and the user's folder, later the styles there; one that is no UTF-8 ends the import, and
    so does MPLBACKEND if it names none."""

    def __init__(self, loader: Loader, origin: str) -> None:
        self._loader = loader
        self._data = os.path.join(os.path.dirname(origin), "mpl-data")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        exists = os.path.exists
        packaged = os.path.join(self._data, _SETTINGS)
        with _variables({**dict.fromkeys(_VARIABLES), "MATPLOTLIBRC": packaged}):
            os.path.exists = lambda path: path != _SETTINGS and exists(path)
            try:
                self._loader.exec_module(module)
            finally:
                os.path.exists = exists
        nowhere = os.path.join(self._data, "no-user")
        module.get_configdir = lambda: nowhere  # type: ignore[attr-defined]


@contextmanager
def _variables(wanted: dict[str, str | None]) -> Iterator[None]:
    """The environment changed so for a while; None removes a variable."""
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(before)


def _set(wanted: dict[str, str | None]) -> None:
    for name, text in wanted.items():
        if text is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = text
