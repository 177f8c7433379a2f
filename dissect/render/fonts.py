"""What pictures are set in: DejaVu Sans, and for East Asian names what the machine has.

DejaVu Sans comes with matplotlib. A character that it lacks is written as `\\u738b`, but for
those of East Asian scripts and pictographs: where the machine has one of the fonts that
systems bring for them, they are set in that. So only a picture with such characters
depends on the machine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.ft2font import FT2Font, LoadFlags

from dissect.render.escape import spelled, visible
from dissect.render.primitives import POINTS_PER_INCH
from dissect.render.text_wrapping import cells

FAMILY = "DejaVu Sans"
# Of what Windows, macOS and the distributions of Linux bring, the first of a machine that has
# a character. None needs shaping or has colours.
OTHERS: tuple[str, ...] = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans CJK TC",
    "Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC", "Source Han Sans",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback",
    "Microsoft YaHei", "Yu Gothic", "Meiryo", "Malgun Gothic", "MS Gothic", "SimSun",
    "PingFang SC", "Hiragino Sans", "Hiragino Sans GB", "Apple SD Gothic Neo",
    "Arial Unicode MS", "Noto Emoji", "Segoe UI Symbol", "Symbola",
)  # fmt: skip
# Han with its radicals and signs, Kana, Bopomofo, Hangul, full and half width; pictographs.
_DRAWN = re.compile(
    "[\u2e80-\u303f\u3041-\u312f\u31c0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\uff01-\uffee\u2600-\u27bf"
    "\U0001f300-\U0001faff\U00020000-\U000323af]"
)


@contextmanager
def silenced() -> Iterator[None]:
    """matplotlib logs that a font has no bold face: it then is the same in bold."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@dataclass(frozen=True, slots=True)
class _Other:
    """A family of the machine's fonts; its bold face may be its only one."""

    family: str
    faces: dict[bool, FT2Font]

    def has(self, character: str) -> bool:
        return all(face.get_char_index(ord(character)) for face in self.faces.values())


class Letters:
    """The metrics of DejaVu Sans, unhinted, as all three backends use them.

    With `substitute` a character that nothing here can draw is `spelled`; without, another
    program will draw it (SVG). `embedded` takes only fonts that a PDF can hold."""

    def __init__(self, substitute: bool, embedded: bool = False) -> None:
        self.substitute = substitute
        self._embedded = embedded
        folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
        self._faces = {
            bold: FT2Font(str(folder / name))
            for bold, name in ((False, "DejaVuSans.ttf"), (True, "DejaVuSans-Bold.ttf"))
        }
        self._advances: dict[tuple[str, bool], float] = {}
        self._other: dict[str, _Other | None] = {}

    def advance(self, character: str, bold: bool) -> float:
        key = character, bold
        found = self._advances.get(key)
        if found is None:
            found = self._advances[key] = self._measure(character, bold)
        return found

    def _measure(self, character: str, bold: bool) -> float:
        face = self._faces[bold]
        if not face.get_char_index(ord(character)):
            other = self._other_with(character)
            if other is None:
                # Another program's font will draw it (SVG): wide ones are as wide as high, at most.
                return cells(character) * 0.62 if cells(character) < 2 else 1.05
            face = other.faces[bold]
        face.set_size(100, POINTS_PER_INCH)  # the machine's are shared with who draws
        glyph = face.load_char(ord(character), LoadFlags.NO_HINTING)
        return float(glyph.linearHoriAdvance) / 65536 / 100

    def shown(self, text: str) -> str:
        text = visible(text)
        if text.isascii() or not self.substitute:
            return text
        return "".join(c if self._has(c) or self._other_with(c) else spelled(c) for c in text)

    def families(self, text: str) -> list[str]:
        """What to set a text in that `shown` gave: DejaVu Sans, and what else it needs."""
        if text.isascii() or not self.substitute:
            return [FAMILY]
        needed = {other.family for c in text if (other := self._other_with(c)) is not None}
        return [FAMILY, *(family for family in OTHERS if family in needed)]

    def _has(self, character: str) -> bool:
        return all(face.get_char_index(ord(character)) for face in self._faces.values())

    def _other_with(self, character: str) -> _Other | None:
        """The font of the machine's that draws a character which DejaVu Sans lacks."""
        if not self.substitute or not _DRAWN.match(character) or self._has(character):
            return None
        if character not in self._other:
            found = (other for other in self._others if other.has(character))
            self._other[character] = next(found, None)
        return self._other[character]

    @cached_property
    def _others(self) -> list[_Other]:
        there = {entry.name for entry in fontManager.ttflist}
        with silenced():
            opened = [_opened(family, self._embedded) for family in OTHERS if family in there]
        return [other for other in opened if other is not None]


def _opened(family: str, embedded: bool) -> _Other | None:
    """A family's faces; None if it can't be read or, in a PDF, not embedded."""
    faces = {}
    for bold in (False, True):
        wanted = FontProperties(family=family, weight="bold" if bold else "normal")
        try:
            path = findfont(wanted, fallback_to_default=False)
            if embedded and not _is_truetype(Path(path)):
                return None
            faces[bold] = get_font(path)
        except (OSError, RuntimeError, ValueError):
            return None  # it was removed meanwhile, or is none that FreeType scales
    return _Other(family, faces)


def _is_truetype(path: Path) -> bool:
    """Whether the outlines are TrueType's: CFF in an OpenType file is not what a PDF says it is."""
    with path.open("rb") as file:
        head = file.read(16)
        if head[:4] == b"ttcf":  # a collection: where its first font is
            file.seek(int.from_bytes(head[12:16], "big"))
            head = file.read(4)
    return head[:4] in (b"\x00\x01\x00\x00", b"true")


@cache
def letters(*, substitute: bool, embedded: bool = False) -> Letters:
    """The one of its kind: what it has measured is measured once."""
    return Letters(substitute, embedded)
