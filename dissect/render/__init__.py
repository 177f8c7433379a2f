"""SequenceChart → text, JSON, PNG, SVG, PDF. Renderers decide coordinates and colours only.

A format is one `Renderer` in `FORMATS`; its module is imported when it is first used, so
that text costs nothing of matplotlib. All formats understand the same `Options`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from dissect.errors import UsageError
from dissect.model import CaptureInfo, SequenceChart

DEFAULT_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked of a renderer; each takes what concerns it.

    `width` (terminal cells), `color` (ANSI) and `ascii` concern text; `theme` and `dpi`
    the pictures. `captures` and `diagnostics` are the run's, beyond those of the charts.
    """

    width: int = DEFAULT_WIDTH
    color: bool = False
    ascii: bool = False
    theme: Literal["light", "dark"] = "light"
    dpi: int = 150
    captures: tuple[CaptureInfo | str, ...] = ()
    diagnostics: tuple[str, ...] = ()


Render = Callable[[Sequence[SequenceChart], Options], "str | bytes"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """A format: its name, file extensions, and `module:function` that draws it."""

    name: str
    extensions: tuple[str, ...]
    media_type: str
    binary: bool
    target: str

    def load(self) -> Render:
        module, _, function = self.target.partition(":")
        return getattr(import_module(module), function)  # type: ignore[no-any-return]


FORMATS: dict[str, Renderer] = {}


def register(renderer: Renderer) -> None:
    """Add a format, or replace the one of the same name."""
    FORMATS[renderer.name] = renderer


for _renderer in (
    Renderer("text", ("txt",), "text/plain", False, "dissect.render.text:render"),
    Renderer("json", ("json",), "application/json", False, "dissect.render.json:render"),
    Renderer("png", ("png",), "image/png", True, "dissect.render.mpl:png"),
    Renderer("svg", ("svg",), "image/svg+xml", True, "dissect.render.mpl:svg"),
    Renderer("pdf", ("pdf",), "application/pdf", True, "dissect.render.mpl:pdf"),
):
    register(_renderer)


def format_of(path: str | os.PathLike[str]) -> Renderer:
    """The format that a file name's extension asks for.

    Raises:
        UsageError: no format has this extension; the text lists those there are.
    """
    extension = os.path.splitext(os.fspath(path))[1].lstrip(".").lower()
    for renderer in FORMATS.values():
        if extension in renderer.extensions:
            return renderer
    known = ", ".join(f".{e}" for renderer in FORMATS.values() for e in renderer.extensions)
    raise UsageError(f"can't tell the format of {os.fspath(path)!r}: use one of {known}")


def render(
    charts: SequenceChart | Sequence[SequenceChart], format: str | Renderer, **options: Any
) -> str | bytes:
    """Draw one chart or several as `format` (a name of `FORMATS`); options as in `Options`.

    Raises:
        UsageError: no such format.
    """
    if isinstance(format, str):
        if format not in FORMATS:
            raise UsageError(f"no format {format!r}: use one of {', '.join(FORMATS)}")
        format = FORMATS[format]
    if isinstance(charts, SequenceChart):
        charts = (charts,)
    return format.load()(charts, Options(**options))
