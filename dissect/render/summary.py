"""Several sign-ins at a glance: one row each, before their charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dissect.model import SequenceChart
from dissect.render import words

TITLES = ("#", "begins", "took", "who", "flow", "verdict")


@dataclass(frozen=True, slots=True)
class Row:
    """A chart in a line. `begins` is its time of day (UTC, the first row with its date), `who`
    its subject, else its first client's address."""

    number: int
    begins: str
    took: str
    who: str
    title: str
    status: str
    verdict: str
    cause: str

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of `TITLES`; the cause stands with the verdict."""
        said = f"{self.verdict} [{self.cause}]" if self.cause else self.verdict
        glyph = words.GLYPHS.get(self.status, "")
        return str(self.number), self.begins, self.took, self.who, self.title, f"{glyph} {said}"


def rows(charts: Sequence[SequenceChart]) -> list[Row]:
    """A row for each chart in the order given; none for fewer than two."""
    if len(charts) < 2:
        return []
    found = []
    date = ""
    for number, chart in enumerate(charts, 1):
        times = [
            at
            for step in chart.steps
            for arrow in step.arrows
            for at in (arrow.time_ns, arrow.end_ns or arrow.time_ns)
        ]
        begins = took = ""
        if times:
            day, _, clock = words.rfc3339(min(times)).partition("T")
            begins = clock[:8] if day == date else f"{day} {clock[:8]}"
            date = day
            took = words.duration(max(times) - min(times))
        addresses = [address for actor in chart.actors for address in actor.addresses[:1]]
        where = f" at step {chart.stopped_at}" if chart.stopped_at is not None else ""
        found.append(
            Row(
                number,
                begins,
                took,
                chart.subject or (addresses[0] if addresses else ""),
                chart.title,
                chart.status,
                f"{chart.status}{where}",
                chart.cause.code if chart.cause else "",
            )
        )
    return found
