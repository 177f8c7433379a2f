"""A verdict in words, the same in every format: what failed, where, and what proves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dissect.model import SequenceChart, Source
from dissect.render import words

LISTED = 6  # numbers of frames of one connection

_Stream = tuple[str, int | None]


def headline(chart: SequenceChart) -> str:
    """What became of it: "ADFS did not accept the credentials of anna@…"; "" of one that is
    complete, and of one of which nothing but its step is known."""
    if chart.status == "complete":
        return ""
    cause = chart.cause
    return chart.headline or (cause.headline or cause.text if cause else "")


def place(chart: SequenceChart) -> str:
    """Where it ended: "step 4 of 7: Redirect to ADFS"; "" of one that is complete."""
    if chart.stopped_at is None:
        return ""
    title = next((s.title for s in chart.steps if s.number == chart.stopped_at), "")
    where = f"step {chart.stopped_at} of {len(chart.steps)}"
    return f"{where}: {title}" if title else where


def unseen(chart: SequenceChart) -> bool:
    """Whether the verdict is that the steps can't be read, not that they were not taken."""
    stopped = next((step for step in chart.steps if step.number == chart.stopped_at), None)
    hidden = stopped is not None and stopped.status == "hidden"
    return hidden and chart.cause is None and bool(chart.headline)


def whose(chart: SequenceChart) -> str:
    """What it is, and of whom: "Web Sign-in of a VVX phone, anna@…"."""
    return f"{chart.title}, {chart.subject}" if chart.subject else chart.title


def verdict(chart: SequenceChart) -> str:
    """Status and what became of it: "failed: ADFS did not accept …"; without more to say its
    step, as `words.verdict`."""
    reported = headline(chart)
    if reported:
        return f"{chart.status}: {reported}"
    took = _took(chart) if chart.status == "complete" else ""
    return f"{words.verdict(chart)} in {took}" if took else words.verdict(chart)


def _took(chart: SequenceChart) -> str:
    times = [t for s in chart.steps for a in s.arrows for t in (a.time_ns, a.end_ns or a.time_ns)]
    return words.duration(max(times) - min(times)) if times else ""


def at(chart: SequenceChart) -> str:
    """The place as it follows a verdict, "" where the verdict has it already, and where it ended
    only because no more can be read."""
    if not headline(chart) or unseen(chart) or not (where := place(chart)):
        return ""
    return f"at {where}" if chart.status == "failed" else f"stopped at {where}"


def last_line(chart: SequenceChart) -> str:
    """All in one line, for the end of a long text: status, step, what, of whom."""
    reported, number = headline(chart), chart.stopped_at
    if reported and unseen(chart):
        return f"{chart.status}: {reported}"
    if not reported or number is None:
        return f"{words.verdict(chart)}: {whose(chart)}"
    word = "failed at" if chart.status == "failed" else f"{chart.status}, stopped at"
    return f"{word} step {number} of {len(chart.steps)}: {reported}"


def count(charts: Sequence[SequenceChart]) -> str:
    """Of several: "2 of 5 sign-ins failed, 1 is incomplete", "both calls are complete"."""
    kinds = list(dict.fromkeys(chart.kind for chart in charts))
    *some, last = [f"{kind}s" for kind in kinds]
    name = f"{', '.join(some)} and {last}" if some else last
    failed = sum(chart.status == "failed" for chart in charts)
    open_ = sum(chart.status == "incomplete" for chart in charts)
    total = len(charts)
    if not failed and not open_:
        return f"{'both' if total == 2 else f'all {total}'} {name} are complete"
    be = "is" if open_ == 1 else "are"
    if not failed:
        return f"{open_} of {total} {name} {be} incomplete"
    rest = f", {open_} {be} incomplete" if open_ else ""
    return f"{failed} of {total} {name} failed{rest}"


def worst(charts: Sequence[SequenceChart]) -> str:
    """The status of several together."""
    found = {chart.status for chart in charts}
    return next((s for s in ("failed", "incomplete") if s in found), "complete")


def evidence(chart: SequenceChart) -> str:
    """The cause's evidence in time order, each file and stream named once: "frames 6 and 8 of
    a.pcapng (tcp.stream 4)"; of a complete one, of what its last step ended with."""
    if chart.cause is None:
        last = [a for step in chart.steps[-1:] for a in step.arrows if a.status == "ok"]
        if chart.status != "complete" or not last:
            return ""
        return f"{last[-1].label}, {listed([last[-1].source])}"
    return listed(chart.cause.evidence, _times(chart))


def _times(chart: SequenceChart) -> dict[Source, int]:
    found: dict[Source, int] = {}
    for step in chart.steps:
        for arrow in step.arrows:
            for source in (arrow.source, *arrow.sources):
                found[source] = min(arrow.time_ns, found.get(source, arrow.time_ns))
    return found


def listed(sources: Sequence[Source], times: Mapping[Source, int] | None = None) -> str:
    """Sources in words, by file in order of time."""
    known = times or {}
    latest = max(known.values(), default=0)
    order = {source: known.get(source, latest) for source in sources}
    files: dict[str, dict[_Stream, list[Source]]] = {}
    for source in sorted(order, key=lambda each: order[each]):
        stream = ("line", None) if source.line is not None else (source.transport, source.stream)
        files.setdefault(source.capture, {}).setdefault(stream, []).append(source)
    return "; ".join(_file(name, streams) for name, streams in files.items())


def _file(name: str, streams: Mapping[_Stream, Sequence[Source]]) -> str:
    parts = []
    for (transport, number), sources in streams.items():
        stream = "" if number is None else f"({transport}.stream {number})"
        if numbers := _numbers(sources):
            parts.append((numbers, stream))
    if not parts:
        return name
    if len(parts) == 1:
        numbers, stream = parts[0]
        return f"{numbers} of {name} {stream}".rstrip()
    return f"{_and([f'{numbers} {stream}'.rstrip() for numbers, stream in parts])} of {name}"


def _numbers(sources: Sequence[Source]) -> str:
    """ "frame 6", "frames 6 and 120–131", "lines 4 and 9"."""
    lines = sorted({source.line for source in sources if source.line is not None})
    if lines:
        return f"line{'s' if len(lines) > 1 else ''} {_and([str(n) for n in lines])}"
    spans = sorted(
        {(s.first_frame, s.last_frame or s.first_frame) for s in sources if s.first_frame}
    )
    if not spans:
        return ""
    several = len(spans) > 1 or spans[0][0] != spans[0][1]
    reported = [f"{a}–{b}" if b != a else f"{a}" for a, b in spans]
    return f"frame{'s' if several else ''} {_and(reported)}"


def _and(reported: Sequence[str]) -> str:
    if len(reported) > LISTED:
        reported = [*reported[: LISTED - 1], f"{len(reported) - LISTED + 1} more"]
    *first, last = reported
    return f"{', '.join(first)} and {last}" if first else last
