"""The arrows of all charts as CSV (RFC 4180), one row an arrow, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from dissect.model import SequenceChart
from dissect.render import Options
from dissect.render.escape import cell as inert
from dissect.render.overview import reduced
from dissect.render.words import when

COLUMNS = (
    "flow", "flow_status", "step", "step_title", "step_status", "time", "from", "to", "label",
    "status", "note", "count", "end_time", "capture", "first_frame", "last_frame", "stream",
    "transport", "line", "encrypted", "event",
)  # fmt: skip


def cell(value: object) -> str:
    """A value as a cell: one line, and no formula that a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return inert(str(value))


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """A header row, then the arrows in order of the charts' steps; lines end in LF."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for chart in reduced(charts, options.detail):
        for step in chart.steps:
            for arrow in step.arrows:
                source = arrow.source
                row = (
                    chart.flow, chart.status, step.number, step.title, step.status,
                    when(arrow.time_ns, source), arrow.sender, arrow.receiver, arrow.label,
                    arrow.status, arrow.note, arrow.count,
                    None if arrow.end_ns is None else when(arrow.end_ns, source), source.capture,
                    source.first_frame, source.last_frame, source.stream, source.transport,
                    source.line, source.encrypted, arrow.event,
                )  # fmt: skip
                writer.writerow([cell(value) for value in row])
    return buffer.getvalue()
