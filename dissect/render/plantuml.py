"""PlantUML sequence diagrams: one `@startuml` block a chart, long charts in several.

PlantUML reads far more than a sequence diagram in a text (creole, `<img:file>`, `!include`,
`%functions()`), so of captured text only letters, digits and a few harmless characters
stand as they are; everything else is written as `<U+code>`, which is drawn, never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dissect.model import Arrow, SequenceChart, Step
from dissect.render import Options, headline, summary, words
from dissect.render.escape import visible
from dissect.render.lanes import culprit, explanation, lanes, pause
from dissect.render.overview import Overview, overview, reduced
from dissect.render.text_wrapping import shorten, wrap

BLOCK_ARROWS = 120
"""Arrows of one diagram; a picture of more is cut at PlantUML's default 4,096 pixels."""

NEW_LINE = "\\n"
LABEL_CELLS = 36
WIDE_CELLS = 56  # of a title or a note
MAX_ROWS = 30  # of an overview of several
MAX_LINES = 9
MAX_CELLS = 400

# Signs that mean something only when doubled or at the start stand between letters.
_SAFE = re.compile(
    r"(?:[A-Za-z0-9 ,()?–→←↔‹›“”×≈✓✗]"
    r"|(?<=[A-Za-z0-9])[-/_:@=](?=[A-Za-z0-9])|(?<=[A-Za-z0-9])\.(?!\.))+"
)
_SHAFTS = {"ok": "->", "pending": "->", "failed": "-[#B5121B,bold]>x"}
_SHAFTS["done"] = "->"
_DASHED = dict.fromkeys(("inferred", "hidden", "missing"), "-[dashed]->")
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


def _broken(text: str, lines: int = MAX_LINES, cells: int = LABEL_CELLS) -> str:
    shown = wrap(visible(words.joined(text)), cells, max_lines=lines)
    return NEW_LINE.join(quoted(line.replace(words.NO_BREAK, " ")) for line in shown)


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """All charts, each in one `@startuml` block or more."""
    if not charts:
        return "@startuml\nnote over Nobody : No sign-in was found\n@enduml\n"
    lines = list(_several(charts))
    for chart, drawn in zip(charts, reduced(charts, options.detail), strict=True):
        short = options.detail == "overview"
        lines += _Drawing(chart, overview(chart)).short() if short else _blocks(drawn)
    return "\n".join(lines)


def _several(charts: Sequence[SequenceChart]) -> Iterator[str]:
    """Of several how many failed, and where each stopped: a diagram of its own."""
    rows = summary.rows(charts)
    if not rows:
        return
    glyph = words.GLYPHS[headline.worst(charts)]
    yield "@startuml"
    yield "hide footbox"
    yield "skinparam shadowing false"
    yield f"title {_broken(f'{glyph} {words.sentence(headline.count(charts))}', cells=WIDE_CELLS)}"
    yield 'participant "Overview" as a0'
    for row in rows[:MAX_ROWS]:
        about = ", ".join(filter(None, (row.who, row.address, row.start)))
        where = f"{row.status} at step {row.step}" if row.step else row.status
        texts = [f"{row.number} {words.GLYPHS[row.status]} {about}", where, row.what]
        shown = NEW_LINE.join(_broken(text, cells=WIDE_CELLS) for text in texts if text)
        tint = _TINTS.get(row.status, _TINTS["missing" if row.status == "incomplete" else "done"])
        yield f"rnote over a0 {tint} : {shown}"
    yield "@enduml\n"


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

    def __init__(self, chart: SequenceChart, view: Overview | None = None) -> None:
        self.chart, self.view = chart, view
        self.keys = words.CaptureKeys(chart)
        self.culprit = culprit(chart)
        self.actors = view.busy if view else lanes(chart)
        self.idents = {actor.ident: f"a{index}" for index, actor in enumerate(self.actors)}

    def head(self, page: str) -> Iterator[str]:
        chart = self.chart
        yield "hide footbox"
        yield "skinparam shadowing false"
        yield "skinparam responseMessageBelowArrow false"
        glyph = words.GLYPHS.get(chart.status, "")
        texts = [
            headline.whose(chart),
            f"{glyph} {words.sentence(headline.verdict(chart))}",
            words.sentence(headline.at(chart)),
        ]
        if chart.advice:
            texts.append(f"What to do: {chart.advice}")
        texts = [text for text in texts if text]
        if page:
            texts.append(page)
        shown = (_broken(text, MAX_LINES, WIDE_CELLS) for text in texts)
        yield "title " + NEW_LINE.join(shown)
        for actor in self.actors:
            kind = "actor" if actor.ident == "user" else "participant"
            host = NEW_LINE + _broken(actor.host, 2) if actor.host and not self.view else ""
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
            if arrow is self.culprit:
                yield from self.cause(self.idents[arrow.sender], self.idents[arrow.receiver])
            before = arrow
        if step.number == self.chart.stopped_at and self.culprit is None and not again:
            yield from self.cause()

    def cause(self, *ends: str) -> Iterator[str]:
        """Cause and remedy as a note over the lanes of what failed, or over all."""
        cause = self.chart.cause
        if cause is None:
            return
        texts = [f"✗ {words.sentence(cause.text)} ({cause.code})"]
        if cause.remedy:
            texts.append(f"Remedy: {words.sentence(cause.remedy)}")
        over = ", ".join(sorted(set(ends), key=lambda end: int(end[1:]))) or self._all()
        shown = NEW_LINE.join(_broken(text, MAX_LINES, WIDE_CELLS) for text in texts)
        yield f"note over {over} {_TINTS['failed']} : {shown}"

    def short(self) -> Iterator[str]:
        """The overview: a numbered arrow, or a few, for each step."""
        yield "@startuml"
        yield from self.head("")
        for stroke in self.view.strokes if self.view else ():
            wording = f"{stroke.number} {words.GLYPHS[stroke.status]} {stroke.label}"
            when = ", ".join(filter(None, (stroke.clock, stroke.took if stroke.clock else "")))
            text = NEW_LINE.join((_broken(wording), quoted(when or stroke.status)))
            if stroke.sender not in self.idents or stroke.receiver not in self.idents:
                yield f"note over {self._all()} : {text}"
                continue
            sender, receiver = self.idents[stroke.sender], self.idents[stroke.receiver]
            if sender == receiver:
                yield f"note over {sender} : {text}"
            else:
                shaft = _DASHED.get(stroke.status) or _SHAFTS[stroke.status]
                yield f"{sender} {shaft} {receiver} : {text}"
            if stroke.blamed:
                yield from self.cause(sender, receiver)
        yield "@enduml\n"

    def arrow(self, arrow: Arrow) -> str:
        glyph = words.GLYPHS.get(arrow.status, "")
        texts = [_broken(f"{glyph} {arrow.label}".strip())]
        if arrow.note:
            texts.append(_broken(arrow.note, 2))
        frames = self.keys.frames(arrow)
        details = [words.repeats(arrow), f"({frames})" if frames else ""]
        if any(details):
            texts.append(_broken(" ".join(filter(None, details)), 2))
        sender, receiver = self.idents[arrow.sender], self.idents[arrow.receiver]
        text = NEW_LINE.join(texts)
        if sender == receiver:
            return f"note over {sender} : {text}"
        shaft = _DASHED.get(arrow.status) or _SHAFTS[arrow.status]
        return f"{sender} {shaft} {receiver} : {text}"
