"""Plugins: a module with a function `register(registry)`.

From two places, never from the current folder by itself: installed distributions with an
entry point in the group `dissect.plugins`, and files named with `--plugin FILE`. A plugin
adds sign-in rules, flow definitions and renderers; the built-in rules and flows are in the
same registry. What a plugin does wrong is told with its name.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from dissect.errors import PluginError, UsageError
from dissect.flow.definition import Definition, built_in, parse
from dissect.render import Renderer, register
from dissect.signin.exchange import Exchange
from dissect.signin.recognise import BUILT_IN
from dissect.signin.rule import Found, Rule

GROUP = "dissect.plugins"


@dataclass(slots=True)
class Registry:
    """What dissect knows to do; a plugin's `register` gets one and adds to it."""

    rules: list[Rule] = field(default_factory=lambda: list(BUILT_IN))
    definitions: dict[str, Definition] = field(default_factory=lambda: dict(built_in()))
    plugins: list[tuple[str, str]] = field(default_factory=list)  # name, what it added
    _current: str = ""
    _added: list[str] = field(default_factory=list)

    def add_rule(self, rule: Rule) -> None:
        """A sign-in rule: a pure function from an exchange to the events found in it."""
        self.rules.append(_guarded(self._current, rule))
        self._added.append(f"rule {getattr(rule, '__name__', 'without name')}")

    def add_flow(self, text: str) -> None:
        """A flow definition as TOML text. Raises DefinitionError if it does not fit."""
        definition = parse(text, self._current)
        if definition.name in self.definitions:
            raise PluginError(f"plugin {self._current}: there is a flow {definition.name} already")
        self.definitions[definition.name] = definition
        self._added.append(f"flow {definition.name}")

    def add_renderer(self, renderer: Renderer) -> None:
        """An output format, by name and file extensions."""
        register(renderer)
        self._added.append(f"format {renderer.name}")

    def load(self, name: str, function: Callable[[Registry], None]) -> None:
        """Let a plugin's `register` add to this registry; its errors carry its name."""
        self._current, self._added = name, []
        try:
            function(self)
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(f"plugin {name}: {type(error).__name__}: {error}") from error
        self.plugins.append((name, ", ".join(self._added) or "nothing"))


def _guarded(name: str, rule: Rule) -> Rule:
    def guarded(exchange: Exchange) -> Iterator[Found]:
        try:
            yield from rule(exchange)
        except Exception as error:
            # The text of the error may hold bytes of the capture: only its type is told.
            raise PluginError(f"plugin {name}: its rule raised {type(error).__name__}") from error

    return guarded


def registry(files: Sequence[str] = ()) -> Registry:
    """The built-ins, what is installed, and the plugins in `files`.

    Raises UsageError for a file that can't be read, PluginError for one that fails.
    """
    found = Registry()
    for entry in sorted(entry_points(group=GROUP), key=lambda item: item.name):
        try:
            function = entry.load()
        except Exception as error:
            raise PluginError(f"plugin {entry.name}: {type(error).__name__}: {error}") from error
        found.load(entry.name, function)
    for path in files:
        found.load(path, _from_file(path))
    return found


def _from_file(path: str) -> Callable[[Registry], None]:
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"{path}: no such plugin file")
    spec = importlib.util.spec_from_file_location(f"dissect_plugin_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: a plugin is a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PluginError(f"plugin {path}: {type(error).__name__}: {error}") from error
    function = getattr(module, "register", None)
    if not callable(function):
        raise PluginError(f"plugin {path}: it has no function register(registry)")
    return function  # type: ignore[no-any-return]
