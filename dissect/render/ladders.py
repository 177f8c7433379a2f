"""The ladders of the HTML report: lanes, steps and rows as the template wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dissect.model import Actor, Arrow, Cause, SequenceChart, Source, Step
from dissect.render import Detail, headline, words
from dissect.render.details import Details, MessageView, SipView, evidence_key
from dissect.render.escape import visible
from dissect.render.lanes import culprit, explanation, lanes, pause, unsaid
from dissect.render.overview import overview, reduced
from dissect.render.strokes import Lane, stroke_view
from dissect.render.wireshark import display_filter, tshark_command

MAX_SIP_LANES = 8
MAX_ITEM_MESSAGES = 12  # of a folded arrow: its first ones
WORDS = {"failed": "failed", "inferred": "inferred", "hidden": "not decrypted"}


@dataclass(slots=True)
class Items:
    """What the script shows of each row; messages that several rows show are kept once.

    `people` are the actors of all flows by ident: what the filter names them, and the title.
    """

    details: Details
    items: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    _known: dict[int, int] = field(default_factory=dict)

    def add(self, title: str, facts: Sequence[tuple[str, str]], sources: Sequence[Source]) -> int:
        """A row's details; returns its number."""
        packets = [source for source in sources if source.first_frame is not None]
        by_capture: dict[str, list[Source]] = {}
        for source in packets:
            by_capture.setdefault(source.capture, []).append(source)
        copy = []
        for capture, group in by_capture.items():
            found = display_filter(group)
            copy.append(["Wireshark filter", found])
            keys = self.details.key_logs.get(capture, ())
            copy.append(["tshark command", tshark_command(capture, keys, found)])
        views: dict[int, MessageView] = {}
        for source in sources:
            for view in self.details.messages.get(evidence_key(source), ()):
                if source.last_frame in (None, view.source.last_frame):
                    views.setdefault(id(view), view)
        shown = list(views.values())[:MAX_ITEM_MESSAGES]
        if len(views) > len(shown):
            facts = [*facts, ("Messages", f"the first {len(shown)} of {len(views)} are shown")]
        self.items.append(
            {
                "title": visible(title),
                "facts": [[name, visible(value)] for name, value in facts if value],
                "copy": [[name, visible(text)] for name, text in copy],
                "messages": [self._message(view) for view in shown],
            }
        )
        return len(self.items) - 1

    def person(self, actor: Actor) -> str:
        """The filter's name of an actor, the same in all flows."""
        return self.people.setdefault(actor.ident, (f"w{len(self.people)}", actor.title))[0]

    def _message(self, view: MessageView) -> int:
        number = self._known.get(id(view))
        if number is None:
            number = self._known[id(view)] = len(self.messages)
            body = view.body
            self.messages.append(
                {
                    "title": visible(view.title),
                    "facts": [["Frames", words.evidence(view.source)], *_plain(view.facts)],
                    "headers": _plain(view.headers),
                    "note": visible(view.body_note),
                    "body": None if body is None else "\n".join(map(visible, body.split("\n"))),
                }
            )
        return number


def _plain(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    return [[visible(name), visible(value)] for name, value in pairs]


def lane_heads(actors: Sequence[Actor], names: Sequence[str]) -> tuple[Lane, ...]:
    count = max(1, len(actors))
    return tuple(
        Lane(name, actor.title, actor.host, round((index + 0.5) * 100 / count, 2))
        for index, (actor, name) in enumerate(zip(actors, names, strict=True))
    )


def flow_view(
    chart: SequenceChart, number: int, items: Items, detail: Detail = "full"
) -> dict[str, Any]:
    """A chart for the template."""
    view = overview(chart)
    (chart,) = reduced([chart], detail)
    actors = lanes(chart)
    heads = lane_heads(actors, [items.person(actor) for actor in actors])
    drawing = _Rows(chart, f"f{number}", actors, heads, items)
    steps = [drawing.step(step) for step in chart.steps]
    short = [
        stroke_view(s, drawing.lanes, f"f{number}", drawing.ident_of, chart) for s in view.strokes
    ]
    zero = words.started(chart)
    legend = f"Frames of {', '.join(drawing.keys.legend())}." if drawing.keys.names else ""
    start = f"0:00.000 is {zero}." if zero else ""
    cause = None
    if chart.cause:
        cause = {
            "code": chart.cause.code,
            "text": words.sentence(chart.cause.text),
            "remedy": words.sentence(chart.cause.remedy),
            "evidence": [
                {"text": headline.listed([source]), "row": drawing.row_of.get(source)}
                for source in chart.cause.evidence[:1]
            ]
            if len(chart.cause.evidence) == 1
            else [{"text": headline.evidence(chart), "row": drawing.first_of(chart.cause)}],
            "identifiers": [
                (name, value, words.identified(chart.cause))
                for name, value in chart.cause.identifiers.items()
            ],
        }
    return {
        "ident": f"f{number}",
        "status": chart.status,
        "glyph": words.GLYPHS.get(chart.status, ""),
        "verdict": words.sentence(headline.verdict(chart)),
        "place": words.sentence(headline.at(chart)),
        "advice": words.sentence(chart.advice),
        "title": chart.title,
        "subject": chart.subject,
        "cause": cause,
        "facts": f"{start} {legend}".strip(),
        "steps": steps,
        "short": short,
        "whole": detail != "overview",
        "lanes": {"actors": heads},
        "notes": [words.sentence(line) for line in unsaid(chart)],
    }


class _Rows:
    """The steps and rows of one chart."""

    def __init__(
        self,
        chart: SequenceChart,
        prefix: str,
        actors: Sequence[Actor],
        heads: Sequence[Lane],
        items: Items,
    ) -> None:
        self.chart, self.prefix, self.items = chart, prefix, items
        self.keys = words.CaptureKeys(chart)
        self.zero_ns = words.start_ns(chart) or 0
        self.culprit = culprit(chart)
        self.lanes = {actor.ident: lane for actor, lane in zip(actors, heads, strict=True)}
        self.row_of: dict[Source, str] = {}
        self.ident_of: dict[Arrow, str] = {}
        self._count = 0

    def step(self, step: Step) -> dict[str, Any]:
        rows = []
        before: Arrow | None = None
        for arrow in step.arrows:
            rows.append(self.row(step, arrow, pause(before, arrow)))
            before = arrow
        why = explanation(self.chart, step)
        return {
            "ident": f"{self.prefix}s{step.number}",
            "number": step.number,
            "title": step.title,
            "status": step.status,
            "glyph": words.GLYPHS.get(step.status, ""),
            "stopped": step.number == self.chart.stopped_at,
            "time": words.step_time(step, self.zero_ns),
            "why": [words.sentence(why)] if why else [],
            "rows": rows,
        }

    def first_of(self, cause: Cause) -> str | None:
        """The row of the evidence that is drawn first."""
        rows = [self.row_of[source] for source in cause.evidence if source in self.row_of]
        return min(rows, key=lambda ident: int(ident.rpartition("a")[2]), default=None)

    def row(self, step: Step, arrow: Arrow, pause_ns: int | None) -> dict[str, Any]:
        self._count += 1
        ident = f"{self.prefix}a{self._count}"
        sender, receiver = self.lanes[arrow.sender], self.lanes[arrow.receiver]
        self.row_of.setdefault(arrow.source, ident)
        self.ident_of[arrow] = ident
        cause = self.chart.cause
        blame = []
        if cause is not None and arrow is self.culprit:
            blame = [f"{words.sentence(cause.text)} ({cause.code})"]
        time = words.clock(arrow.time_ns - self.zero_ns)
        often = words.repeats(arrow).replace(words.NO_BREAK, " ")
        sources = arrow.sources or (arrow.source,)
        facts = [
            ("Step", f"{step.number}: {step.title}"),
            ("Time", f"{words.when(arrow.time_ns, arrow.source)} ({time})"),
            ("From, to", f"{sender.title} → {receiver.title}"),
            ("Repeated", often),
            ("Status", WORDS.get(arrow.status, arrow.status)),
            ("Evidence", words.evidence_list(sources)),
            ("Note", arrow.note or ""),
            ("Cause", blame[0] if blame else ""),
            ("Remedy", words.sentence(cause.remedy) if blame and cause else ""),
        ]
        return _row(
            ident, sender, receiver, arrow.status, arrow.label,
            time=time, frames=self.keys.frames(arrow), often=often,
            pause=f"{words.duration(pause_ns)} later" if pause_ns is not None else "",
            notes=[arrow.note] if arrow.note else [], cause=blame,
            item=self.items.add(arrow.label, facts, sources),
        )  # fmt: skip


def _row(
    ident: str, sender: Lane, receiver: Lane, status: str, label: str, **rest: Any
) -> dict[str, Any]:
    alone = sender.ident == receiver.ident
    between = sender.title if alone else f"{sender.title} to {receiver.title}: "
    return {
        "ident": ident,
        "status": status if status in ("ok", "failed", "pending", "inferred", "hidden") else "ok",
        "glyph": words.GLYPHS.get(status, ""),
        "word": WORDS.get(status, ""),
        "label": label,
        "who": " ".join(dict.fromkeys((sender.ident, receiver.ident))),
        "between": between,
        "x": sender.x,
        "x1": None if alone else sender.x,
        "x2": receiver.x,
        **rest,
    }


def sip_view(messages: Sequence[SipView], zero_ns: int, items: Items) -> dict[str, Any]:
    """SIP messages by Call-ID, as ladders between their endpoints (the busiest lanes)."""
    ends: dict[str, int] = {}
    for message in messages:
        for end in (message.sender, message.receiver):
            ends[end] = ends.get(end, 0) + 1
    busiest = sorted(ends, key=lambda end: -ends[end])[:MAX_SIP_LANES]
    names = [end for end in ends if end in busiest]
    if len(ends) > len(names):
        names.append("others")
        items.left_out.append(f"{len(ends) - len(busiest)} endpoints of SIP share a lane")
    actors = [Actor(name, name) for name in names]
    heads = lane_heads(actors, [f"e{index}" for index in range(len(actors))])
    lane_of = {lane.title: lane for lane in heads}
    calls: dict[str, list[dict[str, Any]]] = {}
    for number, message in enumerate(messages, 1):
        sender = lane_of.get(message.sender) or lane_of["others"]
        receiver = lane_of.get(message.receiver) or lane_of["others"]
        clock = words.clock(message.time_ns - zero_ns)
        facts = [
            ("Time", f"{words.rfc3339(message.time_ns)} ({clock})"),
            ("From, to", f"{message.sender} → {message.receiver}"),
            ("Call-ID", message.call),
            ("Evidence", words.evidence(message.source)),
        ]
        calls.setdefault(message.call, []).append(
            _row(
                f"s{number}", sender, receiver, "failed" if message.failed else "ok", message.label,
                time=clock, frames=_frames(message.source),
                often="repeated" if message.repeated else "", pause="",
                notes=[message.note] if message.note else [], cause=[],
                item=items.add(message.label, facts, [message.source]),
            )
        )  # fmt: skip
    steps = [
        {
            "ident": f"call{number}", "number": 0, "title": f"Call-ID {call or 'not given'}",
            "status": "", "time": "", "why": [], "rows": rows,
        }
        for number, (call, rows) in enumerate(calls.items(), 1)
    ]  # fmt: skip
    return {"lanes": {"actors": heads}, "steps": steps}


def _frames(source: Source) -> str:
    if source.first_frame is None:
        return f"line {source.line}"
    last = source.last_frame
    return f"{source.first_frame}" + (f"–{last}" if last and last != source.first_frame else "")
