"""SequenceChart → text, pictures, diagrams, documents, data.

Renderers decide coordinates and colours only.

A format is one `Renderer` in `FORMATS`; its module is imported when it is first used, so
that text costs nothing of matplotlib. All formats understand the same `Options`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from dissect.errors import UsageError
from dissect.model import CaptureInfo, SequenceChart

if TYPE_CHECKING:  # only a report has details
    from dissect.render.details import Details

DEFAULT_WIDTH = 80
Detail = Literal["overview", "steps", "full"]


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked of a renderer; each takes what concerns it.

    `width` (terminal cells), `color` (ANSI) and `ascii` concern text; `theme` and `dpi`
    the pictures. `captures` and `diagnostics` are the run's, beyond those of the charts;
    `details` are what an HTML report shows of its messages. `anonymous` says that names and
    addresses were replaced. `detail` is how much is drawn: of each sign-in its overview (a few
    numbered arrows), its steps with the arrows that decided them, or every arrow.
    """

    width: int = DEFAULT_WIDTH
    color: bool = False
    ascii: bool = False
    theme: Literal["light", "dark"] = "light"
    dpi: int = 150
    captures: tuple[CaptureInfo | str, ...] = ()
    diagnostics: tuple[str, ...] = ()
    details: Details | None = None
    anonymous: bool = False
    detail: Detail = "full"


Render = Callable[[Sequence[SequenceChart], Options], "str | bytes"]
Parts = Callable[[Sequence[SequenceChart], Options], "list[tuple[str, str]]"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """A format: its name, file extensions, and `module:function` that draws it, or the
    function `draw` itself (of a plugin).

    `parts` names the function that gives what the format's own limits left out of the
    drawing: (suffix of a file name, content) for each further file.
    """

    name: str
    extensions: tuple[str, ...]
    media_type: str
    binary: bool
    target: str
    parts: str | None = None
    draw: Render | None = None

    def load(self) -> Render:
        if self.draw is not None:
            return self.draw
        return cast("Render", _load(self.target))

    def load_parts(self) -> Parts | None:
        return cast("Parts", _load(self.parts)) if self.parts else None


def _load(target: str) -> Any:
    module, _, function = target.partition(":")
    return getattr(import_module(module), function)


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
    Renderer(
        "mermaid",
        ("mmd", "mermaid"),
        "text/vnd.mermaid",
        False,
        "dissect.render.mermaid:render",
        "dissect.render.mermaid:parts",
    ),
    Renderer(
        "plantuml",
        ("puml", "plantuml"),
        "text/x-plantuml",
        False,
        "dissect.render.plantuml:render",
    ),
    Renderer(
        "markdown", ("md", "markdown"), "text/markdown", False, "dissect.render.markdown:render"
    ),
    Renderer("html", ("html", "htm"), "text/html", False, "dissect.render.html:render"),
    Renderer("csv", ("csv",), "text/csv", False, "dissect.render.csv:render"),
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
