"""Several sign-ins at a glance: one row each, before their charts, what failed first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dissect.model import SequenceChart
from dissect.render import headline, words

TITLES = ("#", "status", "who", "address", "device", "start", "end", "step", "what happened")
_ORDER = {"failed": 0, "incomplete": 1, "complete": 2}


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """A chart in a line. `number` is its place among the charts. `who` is its subject, `address`
    its first client's, `device` what that calls itself; `start` and `end` are times of day (UTC,
    with the date in the first row and where it differs); `step` is where it ended ("4 of 7"),
    `what` why, in words, `cause` the code of that. What is not known is "".
    """

    number: int
    status: str
    who: str
    address: str
    device: str
    start: str
    end: str
    took: str
    step: str
    what: str
    cause: str
    title: str

    @property
    def glyph(self) -> str:
        return words.GLYPHS.get(self.status, "")

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of `TITLES`."""
        return (
            str(self.number), f"{self.glyph} {self.status}", self.who, self.address, self.device,
            self.start, self.end, self.step, self.what,
        )  # fmt: skip


def rows(charts: Sequence[SequenceChart]) -> list[SummaryRow]:
    """A row for each chart, failed ones first, then incomplete ones, else in the order given;
    none for fewer than two. Where the flows differ `what` begins with the flow's title."""
    if len(charts) < 2:
        return []
    several = len({chart.title for chart in charts}) > 1
    ordered = sorted(enumerate(charts, 1), key=lambda pair: _ORDER.get(pair[1].status, 1))
    found = []
    date = ""
    for number, chart in ordered:
        start, end, took, date = _times(chart, date)
        addresses = [address for actor in chart.actors for address in actor.addresses[:1]]
        stopped = chart.stopped_at
        what = words.sentence(headline.headline(chart) or headline.place(chart))
        found.append(
            SummaryRow(
                number=number,
                status=chart.status,
                who=chart.subject or "",
                address=addresses[0] if addresses else "",
                device=chart.device or "",
                start=start,
                end=end,
                took=took,
                step=f"{stopped} of {len(chart.steps)}" if stopped is not None else "",
                what=": ".join(filter(None, (chart.title if several else "", what))),
                cause=chart.cause.code if chart.cause else "",
                title=chart.title,
            )
        )
    return found


def _times(chart: SequenceChart, date: str) -> tuple[str, str, str, str]:
    """Start, end, how long, and the date that was last said."""
    arrows = [arrow for step in chart.steps for arrow in step.arrows]
    times = [at for arrow in arrows for at in (arrow.time_ns, arrow.end_ns or arrow.time_ns)]
    if not times:
        return "", "", "", date
    reported = []
    for time_ns in (min(times), max(times)):
        day, _, clock = words.rfc3339(time_ns).partition("T")
        reported.append(clock[:8] if day == date else f"{day} {clock[:8]}")
        date = day
    return reported[0], reported[1], words.duration(max(times) - min(times)), date
