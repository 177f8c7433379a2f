"""What matplotlib's SVG lacks: a title for each arrow, so that a pointer over it tells more,
and fonts of the same widths where the viewer has no DejaVu Sans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

_GROUP = re.compile(r'<g id="((?:flow-\d+-)?arrow-\d+)">')

# In a start tag only: `<` is escaped in text, so captured text can't look like this.
_FAMILY = re.compile(r"(<text style=\"[^\"<>]*font-family: 'DejaVu Sans')")


def titled(document: str, titles: Mapping[str, str]) -> str:
    """`document` with a `<title>` in each group whose id is in `titles`, and fallback fonts."""

    def add(match: re.Match[str]) -> str:
        title = titles.get(match[1])
        return match[0] if title is None else f"{match[0]}<title>{escape(title)}</title>"

    document = _FAMILY.sub(r"\1, Verdana, sans-serif", document)
    return _GROUP.sub(add, document)
