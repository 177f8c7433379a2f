"""TOML of somebody else's: parsed within bounds."""

from __future__ import annotations

import re
import tomllib
from operator import methodcaller
from typing import Any

MAX_BYTES = 1 << 20  # of a file that a user names
MAX_KEY_PARTS = 32  # of a dotted key: tomllib's time grows with the square of their number

_TOKEN = (
    r'#[^\n]*+|"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?+'
    r"|'''(?:[^']|'(?!''))*+(?:''')?+"
    r"""|(?P<part>"(?:[^"\\\n]|\\.)*+"?+|'[^'\n]*+'?+|[A-Za-z0-9_-]++)"""
    r"|(?P<dot>[ \t]*+\.[ \t]*+)|[ \t]++|."
)


def loads(text: str) -> dict[str, Any]:
    """The tables of a document. Raises ValueError where it is none, or beyond the bounds."""
    line = _long_key(text)
    if line:
        raise ValueError(f"a key with more than {MAX_KEY_PARTS} parts (at line {line})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def _long_key(text: str) -> int:
    """The line (from 1) with a key of too many parts, 0 if there is none."""
    if max(map(methodcaller("count", "."), text.split("\n"))) < MAX_KEY_PARTS:
        return 0  # as in every definition that is meant well
    parts, joined = 0, False
    for token in re.finditer(_TOKEN, text, re.S):
        if token.lastgroup == "part":
            parts = parts + 1 if joined else 1
            if parts > MAX_KEY_PARTS:
                return text.count("\n", 0, token.start()) + 1
        elif token.lastgroup is None:
            parts = 0
        joined = token.lastgroup == "dot" and parts > 0
    return 0
