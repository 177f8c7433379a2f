"""Measuring and fitting text in points of a font."""

from __future__ import annotations

from dissect.render import text_wrapping, words
from dissect.render.escape import visible
from dissect.render.primitives import Font


class Canvas:
    """Text of a chart in one font: made harmless, measured, wrapped, shortened."""

    def __init__(self, font: Font) -> None:
        self.font = font
        self.replaced = False  # a character had no glyph and was spelled out
        self._advances: dict[bool, text_wrapping.Advance] = {
            bold: (lambda character, bold=bold: font.advance(character, bold))  # type: ignore[misc]
            for bold in (False, True)
        }

    def shown(self, text: str) -> str:
        text = words.joined(text)
        shown = self.font.shown(text)
        self.replaced |= shown != text and shown != visible(text)
        return shown

    def width(self, text: str, size: float, bold: bool = False) -> float:
        return text_wrapping.width(text, self._advances[bold]) * size

    def wrap(
        self, text: str, limit: float, size: float, bold: bool = False, lines: int | None = None
    ) -> list[str]:
        return text_wrapping.wrap(self.shown(text), limit / size, self._advances[bold], lines)

    def balance(self, text: str, limit: float, size: float, bold: bool, lines: int) -> list[str]:
        """As `wrap`, the lines about equally long."""
        return text_wrapping.balance(self.shown(text), limit / size, self._advances[bold], lines)

    def shorten(self, text: str, limit: float, size: float, bold: bool = False) -> str:
        return text_wrapping.shorten(self.shown(text), limit / size, self._advances[bold])
