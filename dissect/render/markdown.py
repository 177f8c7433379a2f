"""Markdown for tickets: verdict, steps, a Mermaid diagram, arrows, evidence.

Plain CommonMark with tables, as GitHub, GitLab, Jira and ServiceNow read it. Captured text
is escaped; a word that would link, mention or embed something becomes a code span.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dissect.model import SequenceChart
from dissect.render import Options, headline, summary, words
from dissect.render.escape import visible
from dissect.render.lanes import explanation, unsaid
from dissect.render.mermaid import diagrams, short
from dissect.render.overview import reduced
from dissect.render.text_wrapping import shorten
from dissect.render.wireshark import display_filter

MAX_ARROWS = 300
"""Arrows in the table; a ticket holds 65,536 characters on GitHub."""

MAX_DIAGRAMS = 3
MAX_CELLS = 400
MAX_ADVICE = 800

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
    lines += _several(charts)
    for number, chart in enumerate(charts, 1):
        if len(charts) > 1:
            lines += ["", "---", "", f"## Chart {number}", ""]
        lines += _chart(chart, options, "###" if len(charts) > 1 else "##")
    reported = {sentence for chart in charts for sentence in chart.diagnostics}
    rest = [line for line in dict.fromkeys(options.diagnostics) if line not in reported]
    lines += _list("Notes of this run", rest)
    return "\n".join(lines) + "\n"


def _several(charts: Sequence[SequenceChart]) -> Iterator[str]:
    """How many failed, and a table of all, each row with a link to its chart."""
    rows = summary.rows(charts)
    if not rows:
        return
    glyph = words.GLYPHS[headline.worst(charts)]
    yield f"# {glyph} {prose(words.sentence(headline.count(charts)))}"
    yield ""
    titles = list(summary.TITLES)
    cells = [[prose(cell, cell=True) for cell in row.cells] for row in rows]
    shown = [n for n in range(len(titles)) if n < 3 or any(row[n] for row in cells)]
    yield "| " + " | ".join(titles[n] for n in shown) + " |"
    yield "|---:" + "|---" * (len(shown) - 1) + "|"
    for row, texts in zip(rows, cells, strict=True):
        texts[0] = f"[{row.number}](#chart-{row.number})"
        texts[-1] += f" ({code(row.cause, cell=True)})" if row.cause else ""
        yield "| " + " | ".join(texts[n] for n in shown) + " |"


def _chart(chart: SequenceChart, options: Options, heading: str) -> Iterator[str]:
    glyph = words.GLYPHS.get(chart.status, "")
    yield f"{heading} {glyph} {prose(words.sentence(headline.verdict(chart)))}"
    yield ""
    where = headline.at(chart)
    if where:
        yield f"{prose(words.sentence(where))}."
        yield ""
    yield prose(headline.whose(chart))
    yield from _cause(chart)
    yield from _fenced(short([chart]))
    yield from _steps(chart)
    if options.detail != "overview":
        (drawn,) = reduced([chart], options.detail)
        yield from _diagrams(drawn, options)
        yield from _arrows(drawn)
    yield from _list("Notes", unsaid(chart))


def _cause(chart: SequenceChart) -> Iterator[str]:
    cause, lines = chart.cause, []
    if cause:
        lines.append(f"**Cause:** {prose(words.sentence(cause.text))} ({code(cause.code)})")
        if cause.remedy:
            lines.append(f"**Remedy:** {prose(words.sentence(cause.remedy))}")
        lines.append(f"**Evidence:** {prose(headline.evidence(chart))}")
        for name in dict.fromkeys(source.capture for source in cause.evidence):
            found = display_filter(s for s in cause.evidence if s.capture == name)
            if found:
                lines.append(f"**Filter for {prose(name)}:** {code(found)}")
        for name, value in cause.identifiers.items():
            text = f"**Reference:** {prose(name)} {code(value)} {prose(words.identified(cause))}"
            lines.append(text.rstrip())
    if chart.advice:
        lines.append(f"**What to do:** {prose(words.sentence(chart.advice), MAX_ADVICE)}")
    if lines:
        yield ""
        yield from (f"- {line}" for line in lines)


def _fenced(text: str) -> Iterator[str]:
    yield ""
    yield "```mermaid"
    yield text.rstrip("\n")
    yield "```"


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
    found = diagrams([chart], replace(options, detail="full"))
    for item in found[:MAX_DIAGRAMS]:
        yield ""
        if len(found) > 1:
            yield f"{prose(item.title)}:"
        yield from _fenced(item.text)
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
    start = words.started(chart) or words.rfc3339(zero)
    yield f"Times are from {start}; frames of {', '.join(map(prose, keys.legend()))}."
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
