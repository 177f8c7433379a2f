"""What a terminal can show: characters (Unicode or ASCII) and colours (ANSI or none)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dissect.render import text_wrapping
from dissect.render.escape import ascii_only, visible
from dissect.render.words import ASCII_GLYPHS, GLYPHS, NO_BREAK, joined, sentence


@dataclass(frozen=True, slots=True)
class Strokes:
    """The characters of lanes and arrows; `solid`, `dashed`, `heavy` are shaft and crossing."""

    lane: str
    gap: str
    rule: str
    right: str
    left: str
    note: str
    solid: tuple[str, str]
    dashed: tuple[str, str]
    heavy: tuple[str, str]
    ellipsis: str
    to: str


UNICODE = Strokes("│", "┊", "─", ">", "<", "●", ("─", "┼"), ("╌", "┼"), ("━", "┿"), "…", "→")
ASCII = Strokes("|", ":", "-", ">", "<", "*", ("-", "+"), (".", "+"), ("=", "+"), "...", "->")

# SGR codes; bold and dim stay visible where a terminal has no colours.
_SGR: Mapping[str, str] = {
    "title": "1",
    "dim": "2",
    "key": "2",
    "done": "32",
    "complete": "1;32",
    "failed": "1;31",
    "inferred": "34",
    "hidden": "35",
    "missing": "33",
    "incomplete": "1;33",
    "pending": "2",
    "ok": "",
}


@dataclass(frozen=True, slots=True)
class TerminalStyle:
    """Makes captured text harmless and paints it."""

    color: bool = False
    ascii: bool = False

    @property
    def strokes(self) -> Strokes:
        return ASCII if self.ascii else UNICODE

    def glyph(self, status: str) -> str:
        return (ASCII_GLYPHS if self.ascii else GLYPHS).get(status, " ")

    def clean(self, text: str) -> str:
        return ascii_only(text) if self.ascii else visible(text)

    def paint(self, text: str, style: str) -> str:
        code = _SGR[style] if self.color and text else ""
        return f"\x1b[{code}m{text}\x1b[0m" if code else text

    def wrap(self, text: str, limit: int, max_lines: int | None = None) -> list[str]:
        """Lines of at most `limit` cells; a no-break space keeps what it joins together."""
        text = joined(text)
        text = visible(text) if not self.ascii else ascii_only(text, keep=NO_BREAK)
        lines = text_wrapping.wrap(
            text, limit, text_wrapping.cells, max_lines, self.strokes.ellipsis
        )
        return [line.replace(NO_BREAK, " ") for line in lines]

    def shorten(self, text: str, limit: int) -> str:
        return text_wrapping.shorten(
            self.clean(text), limit, text_wrapping.cells, self.strokes.ellipsis
        )


def listed(
    title: str, sentences: Sequence[str], terminal: TerminalStyle, width: int
) -> Iterator[str]:
    """A titled list, after an empty line; nothing of no sentences."""
    if not sentences:
        return
    yield ""
    yield terminal.paint(title, "title")
    for text in sentences:
        for index, line in enumerate(terminal.wrap(sentence(text), width - 4)):
            yield ("    " if index else "  - ") + line
