"""Colours by role. Hues are those of Okabe and Ito, told apart by colour-blind eyes; every
status has a glyph, a word and (dashes, weight) a stroke too, so grey print loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STATUSES = ("done", "failed", "inferred", "hidden", "missing", "complete", "incomplete")


@dataclass(frozen=True, slots=True)
class Theme:
    """`ink` by role for text, lines and edges; `fill` by role for boxes; the page's `paper`."""

    paper: str
    ink: Mapping[str, str]
    fill: Mapping[str, str]


def _theme(
    paper: str, base: Mapping[str, str], hue: Mapping[str, str], tint: Mapping[str, str]
) -> Theme:
    ink = {
        **base,
        **hue,
        "ok": base["ink"],
        "pending": base["soft"],
        "complete": hue["done"],
        "incomplete": hue["missing"],
    }
    fill = {"paper": paper, "head": tint["head"], "note": tint["note"]}
    for status in STATUSES:
        plain = {"complete": "done", "incomplete": "missing"}.get(status, status)
        fill["band-" + status] = tint[plain]
        fill["badge-" + status] = hue[plain]
        ink["band-" + status] = tint[plain]
        ink["badge-" + status] = hue[plain]
        fill["callout-" + status] = tint[plain]
        ink["callout-" + status] = hue[plain]
    ink |= {"paper": paper, "head": base["soft"], "note": base["soft"], "on-badge": paper}
    return Theme(paper, ink, fill)


LIGHT = _theme(
    "#ffffff",
    {
        "ink": "#1a1a1a",
        "soft": "#5c5c5c",
        "lane": "#b8b8b8",
        "axis": "#8a8a8a",
    },
    {
        "done": "#00694a",
        "failed": "#b5121b",
        "inferred": "#005a9c",
        "hidden": "#7a3b8f",
        "missing": "#8a5200",
    },
    {
        "done": "#e3f3ec",
        "failed": "#fde7e5",
        "inferred": "#e4effa",
        "hidden": "#f3e8f6",
        "missing": "#f8eeda",
        "head": "#f2f4f7",
        "note": "#f7f7f2",
    },
)

DARK = _theme(
    "#16191d",
    {
        "ink": "#e8e8e8",
        "soft": "#a9adb3",
        "lane": "#4a4f57",
        "axis": "#6c727b",
    },
    {
        "done": "#4fc79a",
        "failed": "#ff7b72",
        "inferred": "#6cb6ff",
        "hidden": "#d39be6",
        "missing": "#e3b341",
    },
    {
        "done": "#16302a",
        "failed": "#3d1d1f",
        "inferred": "#162a40",
        "hidden": "#30203a",
        "missing": "#35290f",
        "head": "#22272e",
        "note": "#24282c",
    },
)

THEMES: Mapping[str, Theme] = {"light": LIGHT, "dark": DARK}
