"""Plugins: a module with a function `register(registry)`.

From two places, never from the current folder by itself: installed distributions with an
entry point in the group `dissect.plugins`, and files named with `--plugin FILE`. A plugin
adds sign-in rules, flow definitions, output formats, stream parsers and log readers
(`docs/plugins.md`); the built-in ones are in the same registry. What a plugin does wrong is
told with its name, in one line, without a byte of the capture.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import ParamSpec, TypeVar

from dissect.engines.logs import LogFile, LogReader
from dissect.errors import DissectError, PluginError, UsageError
from dissect.flow.definition import Definitions, parse
from dissect.model import Anomaly, Direction, Message, Output, SequenceChart, Span, StreamParser
from dissect.protocols.base import Layer, StreamReader
from dissect.protocols.record import Protocol
from dissect.render import Options, Renderer, register
from dissect.signin.built_in import BUILT_IN
from dissect.signin.exchange import Exchange
from dissect.signin.rule import Found, Rule

GROUP = "dissect.plugins"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_TAKEN = frozenset(
    ("http", "sip", "sip_dialogs", "tls", "tcp", "dns", "dhcp", "ntp", "events", "redirects")
)
_ROW_KEYS = (
    "capture", "stream", "first_frame", "last_frame", "time", "client", "server", "encrypted",
    "event",
)  # fmt: skip

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Registry:
    """What dissect knows to do; a plugin's `register` gets one and adds to it."""

    rules: list[Rule] = field(default_factory=lambda: list(BUILT_IN))
    definitions: Definitions = field(default_factory=Definitions)
    readers: list[StreamReader] = field(default_factory=list)
    protocols: dict[str, Protocol] = field(default_factory=dict)
    added_log_readers: list[LogReader] = field(default_factory=list)
    plugins: list[tuple[str, str]] = field(default_factory=list)  # name, what it added
    _current: str = ""
    _added: list[str] = field(default_factory=list)

    @property
    def log_readers(self) -> list[LogReader]:
        """Those of plugins first; the built-in ones load when a log is read."""
        from dissect.engines.phone_log import BUILT_IN as LOG_READERS

        return [*self.added_log_readers, *LOG_READERS]

    def add_rule(self, rule: Rule) -> None:
        """A sign-in rule: a pure function from an exchange to the events found in it."""
        self.rules.append(_guarded_rule(self._current, rule))
        self._added.append(f"rule {getattr(rule, '__name__', 'without name')}")

    def add_flow(self, text: str) -> None:
        """A flow definition as TOML text. Raises DefinitionError if it does not fit."""
        definition = parse(text, self._current)
        if definition.name in self.definitions:
            raise PluginError(f"plugin {self._current}: there is a flow {definition.name} already")
        self.definitions[definition.name] = definition
        self._added.append(f"flow {definition.name}")

    def add_renderer(self, renderer: Renderer) -> None:
        """An output format, by name and file extensions; `draw` is the function itself."""
        draw = _guarded(self._current, f"format {renderer.name}", renderer.draw or _later(renderer))
        register(replace(renderer, draw=draw))
        self._added.append(f"format {renderer.name}")

    def add_parser(self, reader: StreamReader) -> None:
        """A parser of TCP streams or UDP datagrams, asked before the built-in ones."""
        name, what = self._current, f"parser {reader.name}"
        opened = _guarded(name, what, reader.open)

        def open_(layer: Layer) -> StreamParser:
            return _Guarded(name, what, opened(layer))

        self.readers.append(replace(reader, begins=_guarded(name, what, reader.begins), open=open_))
        self._added.append(what)

    def add_protocol(self, protocol: Protocol) -> None:
        """A protocol: its parser, its table, and what tshark calls the same."""
        problem = _unfit(protocol, self.protocols)
        if problem:
            raise PluginError(f"plugin {self._current}: protocol {protocol.name!r} {problem}")
        self.add_parser(protocol.reader)
        self._added[-1] = f"protocol {protocol.name}"
        self.protocols[protocol.name] = protocol

    def add_log_reader(self, reader: LogReader) -> None:
        """A reader of logs (`--phone-log`), asked before the built-in ones."""
        name, what = self._current, f"log reader {reader.name}"

        def read(files: Sequence[LogFile], year: int) -> Iterator[Message | Anomaly]:
            with _blame(name, what):
                yield from reader.read(files, year)

        fits = _guarded(name, what, reader.fits)
        self.added_log_readers.insert(0, replace(reader, fits=fits, read=read))
        self._added.append(what)

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


def _unfit(protocol: Protocol, known: Collection[str]) -> str | None:
    """Why a protocol can't be added, or None."""
    keys = [column.name for column in protocol.columns]
    if not _NAME.fullmatch(protocol.name) or protocol.name in _TAKEN or protocol.name in known:
        return "has a name that is taken, or is not of lower-case letters, digits and _"
    if len({*keys, *_ROW_KEYS}) < len(keys) + len(_ROW_KEYS):
        return "has a column twice, or one that every table has"
    if not set(protocol.shows) <= set(keys):
        return "shows a column that it has not"
    return None


@contextmanager
def _blame(name: str, what: str) -> Iterator[None]:
    """Anything that escapes but what parsers may raise becomes one line with the plugin's name."""
    try:
        yield
    except DissectError:
        raise
    except Exception as error:
        # The text of the error may hold bytes of the capture: only its type is reported.
        raise PluginError(f"plugin {name}: its {what} raised {type(error).__name__}") from error


def _guarded(name: str, what: str, function: Callable[P, T]) -> Callable[P, T]:
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        with _blame(name, what):
            return function(*arguments, **options)

    return guarded


def _guarded_rule(name: str, rule: Rule) -> Rule:
    def guarded(exchange: Exchange) -> Iterator[Found]:
        with _blame(name, "rule"):
            yield from rule(exchange)

    return guarded


def _later(renderer: Renderer) -> Callable[[Sequence[SequenceChart], Options], str | bytes]:
    def draw(charts: Sequence[SequenceChart], options: Options) -> str | bytes:
        return renderer.load()(charts, options)

    return draw


class _Guarded:
    """A plugin's parser; what it yields is taken while its view is valid."""

    def __init__(self, name: str, what: str, parser: StreamParser) -> None:
        self._name, self._what, self._parser = name, what, parser

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        with _blame(self._name, self._what):
            return list(self._parser.data(direction, view, span))

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        with _blame(self._name, self._what):
            return list(self._parser.gap(direction, length, span))

    def end(self, direction: Direction, span: Span) -> Output:
        with _blame(self._name, self._what):
            return list(self._parser.end(direction, span))


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
