"""The lines of a Mermaid sequence diagram: texts that are inert, lanes, notes, arrows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissect.model import Actor, Arrow, SequenceChart, Step
from dissect.render import headline, summary, words
from dissect.render.escape import visible
from dissect.render.lanes import culprit, explanation, lanes, pause
from dissect.render.overview import Stroke
from dissect.render.text_wrapping import shorten, wrap

LABEL_CELLS = 46  # a longer label is broken, so that lanes stay near each other
TITLE_CELLS = 15  # of a lane's title
PAGE_CELLS = 80  # of all lanes together, where there are few
LANE_CELLS = 17  # of a label for each lane that its arrow crosses, so that a page holds them all
NOTE_CELLS = 500  # of a note
MAX_LINES = 8
MAX_CELLS = 300  # of any one text: a title, a cause
MAX_ROWS = 20  # of an overview of several
# Lanes as near as their titles allow: a page of GitHub is 830 pixels wide.
_LINE_HEIGHT = 17  # pixels
_CLOSE = (
    '%%{{init: {{"sequence": {{"actorMargin": 12, "width": 105, "height": {height}, '
    '"wrapPadding": 4, "mirrorActors": false}}}}}}%%'
)

_SAFE = re.compile(r"[A-Za-z0-9 .,()/?!'_=+*@…–→←↔‹›“”×≈✓✗-]+")
# Mermaid takes a "style…: #code;" for CSS of a node and eats its semicolon.
_KEYWORD = re.compile(r"(styl|classDe|en)(e|f|d)", re.I)
_SHAFTS = {"ok": "->>", "pending": "->>", "failed": "-x", "inferred": "-->>", "hidden": "-->>"}
_SHAFTS |= {"done": "->>", "missing": "--)"}
_TINTS = {
    "done": "rgba(0, 150, 100, 0.10)",
    "failed": "rgba(200, 30, 30, 0.14)",
    "inferred": "rgba(0, 110, 200, 0.10)",
    "hidden": "rgba(140, 70, 170, 0.10)",
    "missing": "rgba(190, 130, 0, 0.12)",
}


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


def broken(text: str, lines: int = MAX_LINES, cells: int = LABEL_CELLS) -> str:
    """`text` on several lines."""
    shown = wrap(visible(words.joined(text)), cells, max_lines=lines)
    return "<br/>".join(quoted(line.replace(words.NO_BREAK, " ")) for line in shown)


class MermaidDrawing:
    """The lanes of some charts, and lines below them."""

    def __init__(
        self, charts: Sequence[SequenceChart], busy: Sequence[Sequence[Actor]] | None = None
    ) -> None:
        self.short = busy is not None  # an overview has titles only
        # Actors of several charts are one lane if they are the same machine.
        actors: dict[tuple[str, str | None], Actor] = {}
        for own in busy or [lanes(chart) for chart in charts]:
            for actor in own:
                actors.setdefault((actor.ident, actor.host), actor)
        idents = {key: f"a{index}" for index, key in enumerate(actors)}
        self.actors = {idents[key]: actor for key, actor in actors.items()}
        self._plans = {
            id(chart): _Plan(
                {
                    actor.ident: idents[actor.ident, actor.host]
                    for actor in lanes(chart)
                    if (actor.ident, actor.host) in idents
                },
                words.CaptureKeys(chart),
                culprit(chart),
            )
            for chart in charts
        }

    def head(self) -> Iterator[str]:
        heads = {ident: self._title(actor) for ident, actor in self.actors.items()}
        lines = max((head.count("<br/>") + 1 for head in heads.values()), default=1)
        yield _CLOSE.format(height=max(50, lines * _LINE_HEIGHT + 14))
        yield "sequenceDiagram"
        for ident, actor in self.actors.items():
            kind = "actor" if actor.ident == "user" else "participant"
            yield f"    {kind} {ident} as {heads[ident]}"
        if not self.actors:
            yield "    participant a0 as Nobody"

    def _title(self, actor: Actor) -> str:
        title = broken(actor.title, 3, TITLE_CELLS)
        if self.short or not actor.host:
            return title
        return f"{title}<br/>{broken(actor.host, 6, TITLE_CELLS)}"

    def note(self, over: str, *texts: str) -> Iterator[str]:
        """Texts as notes over lanes, each as wide as those: Mermaid fits what it wraps itself,
        and moves lanes apart for what is broken here."""
        for text in filter(None, texts):
            shown = f"wrap:{quoted(text, NOTE_CELLS)}" if "," in over else broken(text)
            yield f"    Note over {over}: {shown}"

    def several(self, charts: Sequence[SequenceChart]) -> Iterator[str]:
        """How many failed, and where each stopped."""
        rows = summary.rows(charts)
        if not rows:
            return
        glyph = words.GLYPHS[headline.worst(charts)]
        texts = [f"{glyph} {words.sentence(headline.count(charts))}"]
        for row in rows[:MAX_ROWS]:
            about = ", ".join(filter(None, (row.who, row.address, row.start)))
            where = f"{row.status} at step {row.step}" if row.step else row.status
            text = f": {row.what}" if row.what else ""
            texts.append(f"{row.number} {words.GLYPHS[row.status]} {about}, {where}{text}")
        if len(rows) > MAX_ROWS:
            texts.append(f"and {len(rows) - MAX_ROWS} more")
        yield from self.note(self.all(), *texts)

    def verdict(self, chart: SequenceChart, before: str) -> Iterator[str]:
        """What it is, what became of it, and what would help."""
        glyph = words.GLYPHS.get(chart.status, "")
        yield from self.note(
            self.all(),
            f"{before}{headline.whose(chart)}",
            f"{glyph} {words.sentence(headline.verdict(chart))}",
            words.sentence(headline.at(chart)),
            f"What to do: {chart.advice}" if chart.advice else "",
        )

    def cause(self, chart: SequenceChart, ends: Sequence[str] = ()) -> Iterator[str]:
        """Cause and remedy as notes: over the lanes of what failed and those beside them."""
        cause = chart.cause
        if cause is not None:
            yield from self.note(
                self._beside(ends),
                f"✗ {words.sentence(cause.text)} ({cause.code})",
                f"Remedy: {words.sentence(cause.remedy)}" if cause.remedy else "",
            )

    def _beside(self, ends: Sequence[str]) -> str:
        """The lanes of a note, at least four where there are so many."""
        idents = list(self.actors)
        places = sorted(idents.index(end) for end in ends) or [0, len(idents) - 1]
        low, high = places[0], places[-1]
        while high - low < min(4, len(idents)) - 1:
            low, high = (low - 1, high) if low > 0 else (low, high + 1)
        return f"a{low},a{high}" if high > low else f"a{low}"

    def all(self) -> str:
        last = max(0, len(self.actors) - 1)
        return f"a0,a{last}" if last else "a0"

    def step(
        self, chart: SequenceChart, step: Step, arrows: Sequence[Arrow | int], part: str = ""
    ) -> Iterator[str]:
        yield f"    rect {_TINTS[step.status]}"
        head = f"{step.number} {words.GLYPHS.get(step.status, '')} {step.status}: {step.title}"
        why = explanation(chart, step)
        yield from self.note(
            self.all(), f"{head}, {part}" if part else head, words.sentence(why) if why else ""
        )
        before: Arrow | None = None
        for arrow in arrows:
            if isinstance(arrow, int):
                yield f"    Note over {self.all()}: {arrow} more arrows are left out here"
                continue
            length = pause(before, arrow)
            if length is not None:
                yield f"    Note over {self.all()}: {quoted(words.duration(length))} later"
            yield self.arrow(chart, arrow)
            plan = self._plans[id(chart)]
            if arrow is plan.culprit:
                yield from self.cause(
                    chart, [plan.idents[arrow.sender], plan.idents[arrow.receiver]]
                )
            before = arrow
        if step.number == chart.stopped_at and self._plans[id(chart)].culprit is None:
            yield from self.cause(chart)
        yield "    end"

    def arrow(self, chart: SequenceChart, arrow: Arrow) -> str:
        plan = self._plans[id(chart)]
        sender, receiver = plan.idents[arrow.sender], plan.idents[arrow.receiver]
        cells = self._cells(sender, receiver)
        glyph = words.GLYPHS.get(arrow.status, "")
        texts = [broken(f"{glyph} {arrow.label}".strip(), MAX_LINES, cells)]
        if arrow.note:
            texts.append(broken(arrow.note, 4, cells))
        frames = plan.keys.frames(arrow)
        details = [words.repeats(arrow), f"[{frames}]" if frames else ""]
        if any(details):
            texts.append(broken(" ".join(filter(None, details)), 4, cells))
        return self.line(sender, receiver, arrow.status, "<br/>".join(texts))

    def stroke(self, chart: SequenceChart, stroke: Stroke) -> Iterator[str]:
        """An arrow of the overview, and what it failed of."""
        plan = self._plans[id(chart)]
        wording = f"{stroke.number} {words.GLYPHS[stroke.status]} {stroke.label}"
        when = ", ".join(filter(None, (stroke.clock, stroke.took if stroke.clock else "")))
        if stroke.sender not in plan.idents or stroke.receiver not in plan.idents:
            yield from self.note(self.all(), f"{wording} ({stroke.status})")
            return
        sender, receiver = plan.idents[stroke.sender], plan.idents[stroke.receiver]
        cells = self._cells(sender, receiver)
        texts = [wording, when or stroke.status]
        shown = "<br/>".join(broken(text, MAX_LINES, cells) for text in texts)
        yield self.line(sender, receiver, stroke.status, shown)
        if stroke.blamed:
            yield from self.cause(chart, [sender, receiver])

    def line(self, sender: str, receiver: str, status: str, text: str) -> str:
        if sender == receiver:
            return f"    Note over {sender}: {text}"
        return f"    {sender}{_SHAFTS[status]}{receiver}: {text}"

    def _cells(self, sender: str, receiver: str) -> int:
        """How wide a label may be: as its arrow is, so that it moves no lanes apart."""
        idents = list(self.actors)
        crossed = abs(idents.index(sender) - idents.index(receiver))
        lane = max(LANE_CELLS, PAGE_CELLS // len(idents))
        return min(LABEL_CELLS, lane * max(1, crossed))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked for each arrow of a chart, computed once."""

    idents: dict[str, str]
    keys: words.CaptureKeys
    culprit: Arrow | None
