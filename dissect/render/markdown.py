"""Markdown for tickets: verdict, steps, a Mermaid diagram, arrows, evidence.

Plain CommonMark with tables, as GitHub, GitLab, Jira and ServiceNow read it. Captured text
is escaped; a word that would link, mention or embed something becomes a code span.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dissect.model import SequenceChart
from dissect.render import Options, summary, words
from dissect.render.escape import visible
from dissect.render.fit import shorten
from dissect.render.lanes import explanation, unsaid
from dissect.render.mermaid import diagrams
from dissect.render.wireshark import display_filter

MAX_ARROWS = 300
"""Arrows in the table; a ticket holds 65,536 characters on GitHub."""

MAX_DIAGRAMS = 3
MAX_CELLS = 400

_ESCAPED = re.compile(r"([\\`*_{}\[\]#!|~^$])")
_LIST_ITEM = re.compile(r"^(\d*)([-+.)=])(?=[ \-=]|$)")  # or of a rule, where a text starts
_WORD = re.compile(r"(‹\w+ #\d+›)|[^ ‹]+|‹| ")
# Links, mentions, references to issues and commits, emoji, HTML, templates.
_ACTING = re.compile(
    r"://|^\W*(?:www\.|[@#!]\w|[0-9a-f]{7,40}$)|:[\w+-]+:|[<>`]|\w[#!]\d|\{\{|\{%|&#?\w+;", re.I
)


def code(text: str, *, cell: bool = False) -> str:
    """`text` as a code span; `cell`: inside a table, where `|` needs its backslash."""
    text = visible(text).strip()
    if not text:
        return ""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    span = f"{fence}{pad}{text}{pad}{fence}"
    return span.replace("|", "\\|") if cell else span


def prose(text: str, limit: int = MAX_CELLS, *, cell: bool = False) -> str:
    """`text` on one line, nothing in it markup."""
    pieces: list[tuple[bool, str]] = []
    for match in _WORD.finditer(shorten(visible(text), limit).strip()):
        acting = bool(match[1] or _ACTING.search(match[0]))
        if acting and pieces and pieces[-1][0]:
            # Two code spans side by side would be read as one with backticks inside.
            pieces[-1] = (True, pieces[-1][1] + match[0])
        else:
            pieces.append((acting, match[0]))
    shown = "".join(
        code(word, cell=cell) if acting else _ESCAPED.sub(r"\\\1", word.replace("&", "&amp;"))
        for acting, word in pieces
    )
    return _LIST_ITEM.sub(r"\1\\\2", shown)


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """One Markdown document; ends in a newline."""
    lines: list[str] = [] if charts else ["No sign-in was found."]
    lines += _overview(charts)
    for number, chart in enumerate(charts, 1):
        if number > 1:
            lines += ["", "---", ""]
        lines += _chart(chart, options)
    said = {sentence for chart in charts for sentence in chart.diagnostics}
    rest = [line for line in dict.fromkeys(options.diagnostics) if line not in said]
    lines += _list("Notes of this run", rest)
    return "\n".join(lines) + "\n"


def _overview(charts: Sequence[SequenceChart]) -> Iterator[str]:
    """A table of several charts, before the first."""
    rows = summary.rows(charts)
    if not rows:
        return
    yield "| " + " | ".join(summary.TITLES) + " |"
    yield "|---:|---|---|---|---|---|"
    for row in rows:
        yield "| " + " | ".join(prose(cell, cell=True) for cell in row.cells) + " |"
    yield ""


def _chart(chart: SequenceChart, options: Options) -> Iterator[str]:
    glyph = words.GLYPHS.get(chart.status, "")
    yield f"## {glyph} {prose(words.sentence(words.verdict(chart)))}"
    yield ""
    subject = f", {prose(chart.subject)}" if chart.subject else ""
    yield f"{prose(chart.title)}{subject}"
    cause = chart.cause
    if cause:
        yield ""
        yield f"- **Cause:** {prose(words.sentence(cause.text))} ({code(cause.code)})"
        if cause.remedy:
            yield f"- **Remedy:** {prose(words.sentence(cause.remedy))}"
        for source in cause.evidence[:6]:
            found = display_filter([source])
            yield f"- **Evidence:** {prose(words.evidence(source))}" + (
                f": {code(found)}" if found else ""
            )
        for name, value in cause.identifiers.items():
            yield f"- **Reference:** {prose(name)} {code(value)}{prose(words.identified(cause))}"
    yield from _steps(chart)
    yield from _diagrams(chart, options)
    yield from _arrows(chart)
    yield from _list("Notes", unsaid(chart))


def _steps(chart: SequenceChart) -> Iterator[str]:
    if not chart.steps:
        return
    zero = words.start_ns(chart) or 0
    yield ""
    yield "| # | Status | Step | When | |"
    yield "|---:|---|---|---|---|"
    for step in chart.steps:
        glyph = words.GLYPHS.get(step.status, "")
        status = f"**{step.status}**" if step.number == chart.stopped_at else step.status
        why = explanation(chart, step) or ""
        when = words.step_time(step, zero)
        yield (
            f"| {step.number} | {glyph} {status} | {prose(step.title, cell=True)} | {when} "
            f"| {prose(words.sentence(why), cell=True)} |"
        )


def _diagrams(chart: SequenceChart, options: Options) -> Iterator[str]:
    found = diagrams([chart], options)
    for item in found[:MAX_DIAGRAMS]:
        yield ""
        if len(found) > 1:
            yield f"{prose(item.title)}:"
            yield ""
        yield "```mermaid"
        yield item.text.rstrip("\n")
        yield "```"
    if len(found) > MAX_DIAGRAMS:
        yield ""
        yield (
            f"{len(found) - MAX_DIAGRAMS} more diagrams are left out: "
            "`dissect flow … -o chart.mmd` writes each to a file."
        )


def _arrows(chart: SequenceChart) -> Iterator[str]:
    arrows = [(step, arrow) for step in chart.steps for arrow in step.arrows]
    if not arrows:
        return
    keys = words.CaptureKeys(chart)
    zero = words.start_ns(chart) or 0
    yield ""
    yield f"Times are from {words.rfc3339(zero)}; frames of {', '.join(map(prose, keys.legend()))}."
    yield ""
    yield "| Step | Time | From → to | Message | Frames |"
    yield "|---:|---:|---|---|---|"
    for step, arrow in arrows[:MAX_ARROWS]:
        mark = words.GLYPHS.get(arrow.status, "")
        note = f"; {prose(arrow.note, cell=True)}" if arrow.note else ""
        often = words.repeats(arrow)
        frames = keys.frames(arrow)
        yield (
            f"| {step.number} | {words.clock(arrow.time_ns - zero)} "
            f"| {prose(arrow.sender, cell=True)} → {prose(arrow.receiver, cell=True)} "
            f"| {f'{mark} {prose(arrow.label, cell=True)}'.strip()}{note}"
            f"{f' ({often})' if often else ''} | {frames} |"
        )
    if len(arrows) > MAX_ARROWS:
        yield ""
        yield f"{len(arrows) - MAX_ARROWS} more arrows are left out."


def _list(title: str, sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield ""
        yield f"**{title}**"
        yield ""
        for sentence in sentences:
            yield f"- {prose(words.sentence(sentence))}"
