"""PlantUML sequence diagrams: one `@startuml` block a chart, long charts in several.

PlantUML reads far more than a sequence diagram in a text (creole, `<img:file>`, `!include`,
`%functions()`), so of captured text only letters, digits and a few harmless characters
stand as they are; everything else is written as `<U+code>`, which is drawn, never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dissect.model import Arrow, SequenceChart, Step
from dissect.render import Options, words
from dissect.render.escape import visible
from dissect.render.fit import shorten, wrap
from dissect.render.lanes import culprit, explanation, lanes, pause

BLOCK_ARROWS = 120
"""Arrows of one diagram; a picture of more is cut at PlantUML's default 4,096 pixels."""

NEW_LINE = "\\n"
LABEL_CELLS = 60
MAX_LINES = 5
MAX_CELLS = 400

# Signs that mean something only when doubled or at the start stand between letters.
_SAFE = re.compile(
    r"(?:[A-Za-z0-9 ,()?–→←↔‹›“”×≈✓✗]"
    r"|(?<=[A-Za-z0-9])[-/_:@=](?=[A-Za-z0-9])|(?<=[A-Za-z0-9])\.(?!\.))+"
)
_SHAFTS = {"ok": "->", "pending": "->", "failed": "-[#B5121B,bold]>x"}
_DASHED = {"inferred": "-[dashed]->", "hidden": "-[dashed]->"}
_TINTS = {
    "done": "#E3F3EC",
    "failed": "#FDE7E5",
    "inferred": "#E4EFFA",
    "hidden": "#F3E8F6",
    "missing": "#F8EEDA",
}


def quoted(text: str, limit: int = MAX_CELLS) -> str:
    """`text` on one line as PlantUML's text: it is drawn as it is, whatever it holds."""
    text = shorten(visible(text), limit)
    parts: list[str] = []
    end = 0
    for match in _SAFE.finditer(text):
        parts.extend(f"<U+{ord(c):04X}>" for c in text[end : match.start()])
        parts.append(match[0])
        end = match.end()
    parts.extend(f"<U+{ord(c):04X}>" for c in text[end:])
    return "".join(parts) or "<U+00A0>"


def _broken(text: str, lines: int = MAX_LINES) -> str:
    shown = wrap(visible(words.joined(text)), LABEL_CELLS, max_lines=lines)
    return NEW_LINE.join(quoted(line.replace(words.NO_BREAK, " ")) for line in shown)


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """All charts, each in one `@startuml` block or more."""
    if not charts:
        return "@startuml\nnote over Nobody : No sign-in was found\n@enduml\n"
    return "\n".join(line for chart in charts for line in _blocks(chart))


def _blocks(chart: SequenceChart) -> Iterator[str]:
    """The blocks of a chart, cut between arrows when full."""
    pieces: list[list[tuple[Step, tuple[Arrow, ...], bool]]] = [[]]
    room = BLOCK_ARROWS
    for step in chart.steps:
        begin = 0
        while True:
            arrows = step.arrows[begin : begin + room]
            pieces[-1].append((step, arrows, begin > 0))
            begin += len(arrows)
            room -= len(arrows)
            if begin >= len(step.arrows):
                break
            pieces.append([])
            room = BLOCK_ARROWS
        if room <= 0:
            pieces.append([])
            room = BLOCK_ARROWS
    pieces = [piece for piece in pieces if piece] or [[]]
    drawing = _Drawing(chart)
    for number, piece in enumerate(pieces, 1):
        page = f"part {number} of {len(pieces)}" if len(pieces) > 1 else ""
        yield "@startuml"
        yield from drawing.head(page)
        for step, arrows, again in piece:
            yield from drawing.step(step, arrows, again)
        yield "@enduml\n"


class _Drawing:
    """A chart as PlantUML's lines."""

    def __init__(self, chart: SequenceChart) -> None:
        self.chart = chart
        self.keys = words.CaptureKeys(chart)
        self.culprit = culprit(chart)
        self.actors = lanes(chart)
        self.idents = {actor.ident: f"a{index}" for index, actor in enumerate(self.actors)}

    def head(self, page: str) -> Iterator[str]:
        chart = self.chart
        yield "hide footbox"
        yield "skinparam shadowing false"
        yield "skinparam responseMessageBelowArrow false"
        subject = f", {chart.subject}" if chart.subject else ""
        glyph = words.GLYPHS.get(chart.status, "")
        texts = [f"{chart.title}{subject}", f"{glyph} {words.verdict(chart)}"]
        if chart.cause:
            texts.append(f"{words.sentence(chart.cause.text)} ({chart.cause.code})")
        if page:
            texts.append(page)
        yield "title " + NEW_LINE.join(map(_broken, texts))
        for actor in self.actors:
            kind = "actor" if actor.ident == "user" else "participant"
            host = NEW_LINE + _broken(actor.host, 2) if actor.host else ""
            yield f'{kind} "{_broken(actor.title, 2)}{host}" as {self.idents[actor.ident]}'
        if not self.actors:
            yield "participant a0"

    def _all(self) -> str:
        last = len(self.actors) - 1
        return f"a0, a{last}" if last > 0 else "a0"

    def step(self, step: Step, arrows: Sequence[Arrow], again: bool) -> Iterator[str]:
        head = f"{step.number} {words.GLYPHS.get(step.status, '')} {step.status}: {step.title}"
        texts = [f"{head} (continued)" if again else head]
        why = explanation(self.chart, step)
        if why and not again:
            texts.append(words.sentence(why))
        text = NEW_LINE.join(map(_broken, texts))
        yield f"rnote over {self._all()} {_TINTS[step.status]} : {text}"
        before: Arrow | None = None
        for arrow in arrows:
            length = pause(before, arrow)
            if length is not None:
                yield f"...{quoted(words.duration(length))} later..."
            yield self.arrow(arrow)
            before = arrow

    def arrow(self, arrow: Arrow) -> str:
        glyph = words.GLYPHS.get(arrow.status, "")
        texts = [_broken(f"{glyph} {arrow.label}".strip())]
        if arrow.note:
            texts.append(_broken(arrow.note, 2))
        frames = self.keys.frames(arrow)
        details = [words.repeats(arrow), f"({frames})" if frames else ""]
        if any(details):
            texts.append(_broken(" ".join(filter(None, details)), 2))
        if self.chart.cause is not None and arrow is self.culprit:
            cause = self.chart.cause
            texts.append(_broken(f"{words.sentence(cause.text)} ({cause.code})"))
        sender, receiver = self.idents[arrow.sender], self.idents[arrow.receiver]
        text = NEW_LINE.join(texts)
        if sender == receiver:
            return f"note over {sender} : {text}"
        shaft = _DASHED.get(arrow.status) or _SHAFTS[arrow.status]
        return f"{sender} {shaft} {receiver} : {text}"
