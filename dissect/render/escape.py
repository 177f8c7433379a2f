"""Captured text is hostile: make everything that acts instead of showing visible.

Control characters, terminal escapes, bidirectional overrides, invisible and
format characters, private-use ones, lone surrogates and non-characters become `\\x1b`, `\\u202e` …;
so do combining marks piled higher than any language needs. What is left may be put
on a terminal, in a font renderer or in XML (after the format's own quoting).
"""

from __future__ import annotations

import re
import unicodedata

MAX_COMBINING = 3
"""Combining marks allowed on one character (Vietnamese and Thai need two)."""

# Invisible though Unicode calls them letters or symbols; used to hide or to spoof text.
_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"

# Cc, Cf, Co, Cs, Zl, Zp and non-characters, as ranges: the answer must not change with the
# Unicode version of the Python that runs us.
_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\ud800-\udfff"
    "\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ue000-\uf8ff\U000f0000-\U0010ffff"
    + "".join(
        f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 15)
    )
    + _BLANK_LETTERS
)
_UNSAFE_CHARACTER = re.compile(f"[{_UNSAFE}]")

# Typographic characters of our own texts and their ASCII readings.
_ASCII = {
    "–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "‹": "<", "›": ">", "“": '"', "”": '"',
    "‘": "'", "’": "'", "↔": "<->", "→": "->", "←": "<-", "·": "|", "≥": ">=", "≤": "<=",
    "µ": "u", "\u00a0": " ", "\u202f": " ",
}  # fmt: skip


# What a spreadsheet may run, at the start of a cell; the wide ones for East Asian versions.
_FORMULA = re.compile(r"(^|;)([\s\"']*+[=+\-@|%\uff1d\uff0b\uff0d\uff20])")


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def spelled(character: str) -> str:
    """A character by its number, as in Python's strings."""
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _combining(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")


def visible(text: str) -> str:
    """`text` on one line, with every character that is not plain to see written out."""
    if text.isascii() and text.isprintable():
        return text
    shown = _UNSAFE_CHARACTER.sub(lambda match: spelled(match[0]), text)
    if shown.isascii():
        return shown
    result: list[str] = []
    marks = 0
    for character in shown:
        marks = marks + 1 if ord(character) > 0x2FF and _combining(character) else 0
        result.append(spelled(character) if marks > MAX_COMBINING else character)
    return "".join(result)


def cell(text: str) -> str:
    """`visible`, and no formula of a spreadsheet: what would begin one has an apostrophe before it.

    Where the comma is the decimal sign, a spreadsheet takes the semicolon for the end of a cell,
    whatever is in quotation marks: what follows one counts as a beginning, too.
    """
    return _FORMULA.sub(lambda match: f"{match[1]}'{match[2]}", visible(text))


def ascii_only(text: str, keep: str = "") -> str:
    """`visible`, and then in ASCII (and `keep`): typography by its reading, the rest escaped."""
    shown = visible(text)
    if shown.isascii():
        return shown
    return "".join(c if c.isascii() or c in keep else _ASCII.get(c) or spelled(c) for c in shown)


def json_text(document: str) -> str:
    """A JSON document that was written without `ensure_ascii`, made inert.

    Non-ASCII characters stand in JSON strings only, so the unsafe ones can be replaced by
    JSON's own escapes without changing a value. A lone surrogate is no Unicode text at
    all (RFC 8259 §8.2); it becomes the six visible characters of its escape.
    """

    def escape(match: re.Match[str]) -> str:
        code = ord(match[0])
        if 0xD800 <= code <= 0xDFFF:
            return f"\\\\u{code:04x}"
        if code > 0xFFFF:
            code -= 0x10000
            return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
        return match[0] if match[0] == "\n" else f"\\u{code:04x}"

    return _UNSAFE_CHARACTER.sub(escape, document)
