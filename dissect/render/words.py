"""Times, counts, frames and statuses in words, the same in every format.

Times are integer nanoseconds since the epoch, UTC; durations integer nanoseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from dissect.model import Arrow, Cause, SequenceChart, Source, Step

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
NO_BREAK = "\u00a0"
_ORDINAL = re.compile(r"‹(\w+) #(\d+)›")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

GLYPHS: Mapping[str, str] = {
    "done": "✓", "failed": "✗", "inferred": "≈", "hidden": "?", "missing": "–",
    "complete": "✓", "incomplete": "–",
}  # fmt: skip
ASCII_GLYPHS: Mapping[str, str] = {
    "done": "+", "failed": "X", "inferred": "~", "hidden": "?", "missing": "-",
    "complete": "+", "incomplete": "-",
}  # fmt: skip


def rfc3339(time_ns: int) -> str:
    """RFC 3339 in UTC with nine digits; a time no calendar holds is the nearest it does."""
    seconds, fraction = divmod(time_ns, SECOND)
    # A damaged capture can hold any 64-bit time; datetime ends at the years 1 and 9999.
    seconds = max(-62_135_596_800, min(253_402_300_799, seconds))
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}.{fraction:09d}Z"


def when(time_ns: int, source: Source) -> str:
    """A time of some evidence: RFC 3339; without a zone where a log's local clock is not known."""
    reported = rfc3339(time_ns)
    return reported.removesuffix("Z") if source.local else reported


def started(chart: SequenceChart) -> str:
    """Zero of the chart's axis as a time, and whose clock it is by; "" without arrows."""
    arrows = (arrow for step in chart.steps for arrow in step.arrows)
    first = min(arrows, key=lambda arrow: arrow.time_ns, default=None)
    if first is None:
        return ""
    text = when(first.time_ns, first.source)
    return f"{text} by the log's local clock" if first.source.local else text


def clock(offset_ns: int) -> str:
    """A time on the chart's axis, from its start: `0:07.250`, `1:02:03.004`, `-0:01.000`."""
    sign = "-" if offset_ns < 0 else ""
    milliseconds = abs(offset_ns) // MILLISECOND
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{sign}{head}:{seconds:02d}.{milliseconds:03d}"


def duration(length_ns: int) -> str:
    """`350 µs`, `40 ms`, `2.5 s`, `1 m 55 s`, `2 h 3 m`, `4 d 2 h`; two units at most."""
    if length_ns < 0:
        return "-" + duration(-length_ns)
    if 0 < length_ns < MILLISECOND:
        return f"{length_ns // 1000} µs"
    if 0 < length_ns < SECOND:
        return f"{length_ns // MILLISECOND} ms"
    tenths = (length_ns * 10 + SECOND // 2) // SECOND
    if tenths < 100:
        return f"{tenths // 10} s" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10} s"
    seconds = (length_ns + SECOND // 2) // SECOND
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return _two(days, "d", hours % 24, "h")
    if hours:
        return _two(hours, "h", minutes % 60, "m")
    return _two(minutes, "m", seconds % 60, "s")


def _two(high: int, high_unit: str, low: int, low_unit: str) -> str:
    parts = ((high, high_unit), (low, low_unit))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def repeats(arrow: Arrow) -> str:
    """How often a folded arrow happened: `polled 24×, every 5 s over 1 m 55 s`; else ''.

    Numbers and units are joined by no-break spaces.
    """
    if arrow.count < 2:
        return ""
    polled = "polled " if "poll" in f"{arrow.event} {arrow.label}".lower() else ""
    times = f"{polled}{arrow.count}×"
    length = (arrow.end_ns or 0) - arrow.time_ns
    if length <= 0:
        return times
    every = duration(length // (arrow.count - 1)).replace(" ", NO_BREAK)
    if arrow.count == 2:
        return f"{times}, {every} apart"
    return f"{times}, every {every} over {duration(length).replace(' ', NO_BREAK)}"


def joined(text: str) -> str:
    """`text` with the space in each `‹kind #n›` unbreakable."""
    return _ORDINAL.sub(rf"‹\1{NO_BREAK}#\2›", text)


def sentence(text: str) -> str:
    """`text` with a capital at its start, unless it starts with a name (`aka.ms refused …`)."""
    first = text.partition(" ")[0].rstrip(",:;")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _numbers(first: int, last: int | None) -> str:
    return f"{first}–{last}" if last is not None and last != first else f"{first}"


def evidence(source: Source) -> str:
    """`frames 120–131 of phone.pcapng (tcp.stream 7)`, `line 4 of phone.log`."""
    if source.line is not None:
        return f"line {source.line} of {source.capture}"
    if source.first_frame is None:
        return source.capture
    plural = "s" if source.last_frame not in (None, source.first_frame) else ""
    numbers = _numbers(source.first_frame, source.last_frame)
    stream = "" if source.stream is None else f" ({source.transport}.stream {source.stream})"
    return f"frame{plural} {numbers} of {source.capture}{stream}"


def identified(cause: Cause) -> str:
    """Whose a cause's identifiers are, if not of the message that failed; else nothing."""
    return f" (of {evidence(cause.identified_by)})" if cause.identified_by else ""


def evidence_list(sources: Sequence[Source], limit: int = 4) -> str:
    """The first `limit` pieces of evidence, and how many more there are."""
    shown = [evidence(source) for source in sources[:limit]]
    if len(sources) > limit:
        shown.append(f"and {len(sources) - limit} more")
    return "; ".join(shown)


class CaptureKeys:
    """Short names of the captures of a chart: A, B … where there are several."""

    def __init__(self, chart: SequenceChart) -> None:
        names = dict.fromkeys(chart.captures)
        for step in chart.steps:
            for arrow in step.arrows:
                for source in (arrow.source, *arrow.sources):
                    if source.first_frame is not None or source.line is not None:
                        names.setdefault(source.capture)
        self.names = tuple(names)
        self._keys = {name: _letters(index) for index, name in enumerate(names)}

    def key(self, capture: str) -> str:
        """The capture's letter, '' where it is the only one."""
        return self._keys.get(capture, "") if len(self.names) > 1 else ""

    def legend(self) -> list[str]:
        """`A phone.pcapng`, …; the bare name if there is one capture only."""
        return [f"{self.key(name)} {name}".strip() for name in self.names]

    def frames(self, arrow: Arrow) -> str:
        """An arrow's evidence in short: `A 120–131`, `A 120…1310` (folded), `C line 4`."""
        source = arrow.source
        key = self.key(source.capture)
        prefix = f"{key} " if key else ""
        if source.line is not None:
            return f"{prefix}line {source.line}"
        if source.first_frame is None:
            return ""
        lasts = [
            s.last_frame or s.first_frame for s in arrow.sources if s.capture == source.capture
        ]
        last = max((n for n in lasts if n is not None), default=0)
        if arrow.count > 1 and last > (source.last_frame or source.first_frame):
            return f"{prefix}{source.first_frame}…{last}"
        return prefix + _numbers(source.first_frame, source.last_frame)


def _letters(index: int) -> str:
    """A … Z, AA, AB …"""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def start_ns(chart: SequenceChart) -> int | None:
    """The earliest arrow's time: zero of the chart's axis."""
    return min((arrow.time_ns for step in chart.steps for arrow in step.arrows), default=None)


def step_time(step: Step, zero_ns: int) -> str:
    """When a step was: `at 0:12.300, for 1 m 51 s`; '' without arrows."""
    if not step.arrows:
        return ""
    first = min(arrow.time_ns for arrow in step.arrows)
    last = max(max(arrow.time_ns, arrow.end_ns or 0) for arrow in step.arrows)
    at = f"at {clock(first - zero_ns)}"
    return f"{at}, for {duration(last - first)}" if last - first >= MILLISECOND else at


def verdict(chart: SequenceChart) -> str:
    """The answer in one line: `complete`, `failed at step 4 of 7: Redirect to ADFS`."""
    if chart.stopped_at is None:
        return chart.status
    title = next((s.title for s in chart.steps if s.number == chart.stopped_at), "")
    word = "failed at" if chart.status == "failed" else f"{chart.status}, stopped at"
    place = f"{word} step {chart.stopped_at} of {len(chart.steps)}"
    return f"{place}: {title}" if title else place
