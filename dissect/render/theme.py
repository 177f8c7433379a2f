"""Colours by role. Hues are those of Okabe and Ito, distinguished by colour-blind eyes; every
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


_LEVELS = (0.2, 0.4, 0.6, 0.8)  # of antialiased edges, between a stroke and its ground


def palette(theme: Theme) -> list[int]:
    """256 colours (red, green, blue one after the other) that a drawing in `theme` is made of.

    All of the theme exactly, and blends of what is drawn with what lies under it.
    """
    grounds = dict.fromkeys([theme.paper, *theme.fill.values()])
    inks = dict.fromkeys(theme.ink.values())
    blends = dict.fromkeys([*grounds, *inks])
    pairs = [(ink, theme.paper) for ink in inks]
    pairs += [(theme.ink[name], theme.fill[f"band-{name}"]) for name in STATUSES]
    pairs += [(theme.ink["ink"], theme.fill[f"band-{name}"]) for name in STATUSES]
    pairs += [(theme.paper, theme.fill[f"badge-{name}"]) for name in STATUSES]
    pairs += [(theme.ink[role], theme.fill["head"]) for role in ("ink", "soft")]
    for level in (0.5, *_LEVELS):
        for over, under in pairs:
            blends.setdefault(_blend(over, under, level))
    values = [channel for color in list(blends)[:256] for channel in bytes.fromhex(color[1:])]
    return values + values[:3] * (256 - len(values) // 3)


def _blend(over: str, under: str, share: float) -> str:
    pairs = zip(bytes.fromhex(over[1:]), bytes.fromhex(under[1:]), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)
