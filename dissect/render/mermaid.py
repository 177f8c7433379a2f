"""Mermaid sequence diagrams, for Markdown that GitHub, GitLab or Jira draws.

Whatever a capture holds, the text parses: letters, digits and a few harmless characters
stand as they are, everything else as Mermaid's `#code;`. `render` gives one diagram below
Mermaid's default limit, shortened where it must be; `diagrams` gives all, split by step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissect.model import Actor, Arrow, SequenceChart, Step
from dissect.render import Options, words
from dissect.render.escape import visible
from dissect.render.fit import shorten, wrap
from dissect.render.lanes import culprit, elided, explanation, lanes, pause

TEXT_LIMIT = 50_000
"""Mermaid's default `maxTextSize`, characters."""

PART_ARROWS = 150
"""Arrows of a part where a chart is split: more is no longer read in one picture."""

LABEL_CELLS = 46  # a longer label is broken, so that lanes stay near each other
NOTE_CELLS = 90  # of a note over all lanes
MAX_LINES = 4
MAX_CELLS = 300  # of any one text: a title, a cause
_ROOM = TEXT_LIMIT - 500

_SAFE = re.compile(r"[A-Za-z0-9 .,()/?!'_=+*@…–→←↔‹›“”×≈✓✗-]+")
# Mermaid takes a "style…: #code;" for CSS of a node and eats its semicolon.
_KEYWORD = re.compile(r"(styl|classDe|en)(e|f|d)", re.I)
_SHAFTS = {"ok": "->>", "pending": "->>", "failed": "-x", "inferred": "-->>", "hidden": "-->>"}
_TINTS = {
    "done": "rgba(0, 150, 100, 0.10)",
    "failed": "rgba(200, 30, 30, 0.14)",
    "inferred": "rgba(0, 110, 200, 0.10)",
    "hidden": "rgba(140, 70, 170, 0.10)",
    "missing": "rgba(190, 130, 0, 0.12)",
}


@dataclass(frozen=True, slots=True)
class Diagram:
    """One diagram: what it shows ("Step 6, part 2 of 3"), the step's number, and its text."""

    title: str
    step: int | None
    text: str


def quoted(text: str, limit: int = MAX_CELLS) -> str:
    """`text` on one line as Mermaid's text: nothing in it can end it or be a keyword."""
    text = shorten(visible(text), limit)
    parts: list[str] = []
    end = 0
    for match in _SAFE.finditer(text):
        parts.extend(f"#{ord(c)};" for c in text[end : match.start()])
        parts.append(_KEYWORD.sub(lambda m: f"{m[1]}#{ord(m[2])};", match[0]))
        end = match.end()
    parts.extend(f"#{ord(c)};" for c in text[end:])
    # An empty text is none, and a text must not begin with a space or a sign of the grammar.
    return "".join(parts).strip() or "#8203;"


def _broken(text: str, lines: int = MAX_LINES, cells: int = LABEL_CELLS) -> str:
    """`text` on several lines."""
    shown = wrap(visible(words.joined(text)), cells, max_lines=lines)
    return "<br/>".join(quoted(line.replace(words.NO_BREAK, " ")) for line in shown)


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """All charts in one diagram below `TEXT_LIMIT`; what was left out is said in notes."""
    share = 1.0
    while True:
        text = _document(charts, options, share)
        if len(text) <= TEXT_LIMIT:
            return text
        if share < 0.01:
            return _verdicts(charts)
        share *= min(0.8, _ROOM / len(text))


def diagrams(charts: Sequence[SequenceChart], options: Options) -> list[Diagram]:
    """Everything: a diagram a chart where that fits, else one a step, or a part of one."""
    found: list[Diagram] = []
    for chart in charts:
        whole = _document([chart], options, 1.0)
        if len(whole) <= TEXT_LIMIT:
            found.append(Diagram(chart.title, None, whole))
        else:
            for step in chart.steps:
                found += _step_diagrams(chart, step)
    return found


def parts(charts: Sequence[SequenceChart], options: Options) -> list[tuple[str, str]]:
    """For files: (suffix of the name, text) of the pieces, if `render` had to shorten."""
    if len(_document(charts, options, 1.0)) <= TEXT_LIMIT:
        return []
    found = diagrams(charts, options)
    digits = len(str(len(found)))
    return [(f"part-{n:0{digits}}", item.text) for n, item in enumerate(found, 1)]


def _document(charts: Sequence[SequenceChart], options: Options, share: float) -> str:
    if not charts:
        return "sequenceDiagram\n    participant a0 as No sign-in was found\n"
    drawing = _Drawing(charts)
    lines = list(drawing.head())
    for number, chart in enumerate(charts, 1):
        title = f"Flow {number} of {len(charts)}: " if len(charts) > 1 else ""
        lines += drawing.verdict(chart, title)
        for step in chart.steps:
            lines += drawing.step(chart, step, list(elided(step.arrows, share)))
    return "\n".join(lines) + "\n"


def _verdicts(charts: Sequence[SequenceChart]) -> str:
    """What is left when even the bands of the steps are too much: the answers."""
    lines = ["sequenceDiagram", "    participant a0 as Verdict"]
    lines += [
        f"    Note over a0: {_broken(f'{chart.title}: {words.verdict(chart)}')}"
        for chart in charts[:50]
    ]
    return "\n".join(lines) + "\n"


def _step_diagrams(chart: SequenceChart, step: Step) -> Iterator[Diagram]:
    """A step's arrows in as many diagrams as they need."""
    drawing = _Drawing([chart])
    head = [*drawing.head(), *drawing.verdict(chart, "")]
    size = sum(len(line) + 1 for line in head) + 1000
    pieces: list[list[Arrow | int]] = [[]]
    used = size
    for arrow in step.arrows:
        length = len(drawing.arrow(chart, arrow)) + 100  # and a pause before it
        if pieces[-1] and (used + length > _ROOM or len(pieces[-1]) >= PART_ARROWS):
            pieces.append([])
            used = size
        pieces[-1].append(arrow)
        used += length
    for number, piece in enumerate(pieces, 1):
        part = f"part {number} of {len(pieces)}" if len(pieces) > 1 else ""
        lines = [*head, *drawing.step(chart, step, piece, part)]
        title = ", ".join(filter(None, (f"Step {step.number}", part)))
        yield Diagram(title, step.number, "\n".join(lines) + "\n")


class _Drawing:
    """The lanes of some charts, and lines below them."""

    def __init__(self, charts: Sequence[SequenceChart]) -> None:
        # Actors of several charts are one lane if they are the same machine.
        actors: dict[tuple[str, str | None], Actor] = {}
        for chart in charts:
            for actor in lanes(chart):
                actors.setdefault((actor.ident, actor.host), actor)
        idents = {key: f"a{index}" for index, key in enumerate(actors)}
        self.actors = {idents[key]: actor for key, actor in actors.items()}
        self._plans = {
            id(chart): _Plan(
                {actor.ident: idents[actor.ident, actor.host] for actor in lanes(chart)},
                words.CaptureKeys(chart),
                culprit(chart),
            )
            for chart in charts
        }

    def head(self) -> Iterator[str]:
        yield "sequenceDiagram"
        for ident, actor in self.actors.items():
            kind = "actor" if actor.ident == "user" else "participant"
            title = _broken(actor.title, 2)
            host = f"<br/>{_broken(actor.host, 2)}" if actor.host else ""
            yield f"    {kind} {ident} as {title}{host}"
        if not self.actors:
            yield "    participant a0 as Nobody"

    def verdict(self, chart: SequenceChart, before: str) -> Iterator[str]:
        glyph = words.GLYPHS.get(chart.status, "")
        subject = f", {chart.subject}" if chart.subject else ""
        texts = [f"{before}{chart.title}{subject}", f"{glyph} {words.verdict(chart)}"]
        if chart.cause:
            texts.append(f"{words.sentence(chart.cause.text)} ({chart.cause.code})")
        yield f"    Note over {self._all()}: {self._wide(texts)}"

    def _wide(self, texts: Sequence[str]) -> str:
        cells = NOTE_CELLS if len(self.actors) > 3 else LABEL_CELLS
        return "<br/>".join(_broken(text, MAX_LINES, cells) for text in texts)

    def _all(self) -> str:
        last = max(0, len(self.actors) - 1)
        return f"a0,a{last}" if last else "a0"

    def step(
        self, chart: SequenceChart, step: Step, arrows: Sequence[Arrow | int], part: str = ""
    ) -> Iterator[str]:
        yield f"    rect {_TINTS[step.status]}"
        head = f"{step.number} {words.GLYPHS.get(step.status, '')} {step.status}: {step.title}"
        texts = [f"{head}, {part}" if part else head]
        why = explanation(chart, step)
        if why:
            texts.append(words.sentence(why))
        yield f"    Note over {self._all()}: {self._wide(texts)}"
        before: Arrow | None = None
        for arrow in arrows:
            if isinstance(arrow, int):
                yield f"    Note over {self._all()}: {arrow} more arrows are left out here"
                continue
            length = pause(before, arrow)
            if length is not None:
                yield f"    Note over {self._all()}: {quoted(words.duration(length))} later"
            yield self.arrow(chart, arrow)
            before = arrow
        yield "    end"

    def arrow(self, chart: SequenceChart, arrow: Arrow) -> str:
        plan = self._plans[id(chart)]
        glyph = words.GLYPHS.get(arrow.status, "")
        texts = [_broken(f"{glyph} {arrow.label}".strip())]
        if arrow.note:
            texts.append(_broken(arrow.note, 2))
        frames = plan.keys.frames(arrow)
        details = [words.repeats(arrow), f"[{frames}]" if frames else ""]
        if any(details):
            texts.append(_broken(" ".join(filter(None, details)), 2))
        if chart.cause is not None and arrow is plan.culprit:
            texts.append(_broken(f"{words.sentence(chart.cause.text)} ({chart.cause.code})"))
        sender, receiver = plan.idents[arrow.sender], plan.idents[arrow.receiver]
        text = "<br/>".join(texts)
        if sender == receiver:
            return f"    Note over {sender}: {text}"
        return f"    {sender}{_SHAFTS[arrow.status]}{receiver}: {text}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked for each arrow of a chart, computed once."""

    idents: dict[str, str]
    keys: words.CaptureKeys
    culprit: Arrow | None
