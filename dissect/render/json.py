"""Charts as JSON, schema 1: for scripts, `dissect check` and other renderers.

The keys are a promise (CHANGELOG.md announces every change); additions are allowed.
Times are RFC 3339 in UTC with nanoseconds; frames and streams as Wireshark counts them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dissect.model import Actor, Arrow, CaptureInfo, Cause, SequenceChart, Source, Step
from dissect.render import Options
from dissect.render.escape import json_text
from dissect.render.headline import headline
from dissect.render.overview import Stroke, overview, reduced
from dissect.render.words import rfc3339, when

SCHEMA = 1


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """One JSON object for all `charts`, indented, keys in a fixed order, ending in a newline."""
    text = json.dumps(document(charts, options), ensure_ascii=False, indent=2)
    return json_text(text) + "\n"


def document(charts: Sequence[SequenceChart], options: Options) -> dict[str, Any]:
    """What `render` writes, as plain dicts, lists, strings and numbers."""
    reported = [sentence for chart in charts for sentence in chart.diagnostics]
    drawn = reduced(charts, options.detail)
    names = dict.fromkeys(name for chart in charts for name in chart.captures)
    captures = options.captures or tuple(names)
    return {
        "schema": SCHEMA,
        "flows": [_flow(*pair) for pair in zip(charts, drawn, strict=True)],
        "captures": [_capture(capture) for capture in captures],
        "diagnostics": list(dict.fromkeys([*options.diagnostics, *reported])),
    }


def _flow(chart: SequenceChart, drawn: SequenceChart) -> dict[str, Any]:
    """A chart; its steps have the arrows of `drawn`."""
    return {
        "flow": chart.flow,
        "title": chart.title,
        "status": chart.status,
        "stopped_at": chart.stopped_at,
        "cause": _cause(chart.cause) if chart.cause else None,
        "subject": chart.subject,
        "actors": [_actor(actor) for actor in chart.actors],
        "steps": [_step(step) for step in drawn.steps],
        "diagnostics": list(chart.diagnostics),
        "kind": chart.kind,
        "device": chart.device,
        "headline": headline(chart) or None,
        "advice": chart.advice or None,
        "overview": [_stroke(stroke) for stroke in overview(chart).strokes],
    }


def _stroke(stroke: Stroke) -> dict[str, Any]:
    """An arrow of the overview; what was not seen has neither time nor evidence."""
    arrow = stroke.arrow
    return {
        "step": stroke.number,
        "from": stroke.sender or None,
        "to": stroke.receiver or None,
        "label": stroke.label,
        "status": stroke.status,
        "time": when(arrow.time_ns, arrow.source) if arrow else None,
        **(_source(arrow.source) if arrow else {}),
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "code": cause.code,
        "text": cause.text,
        "remedy": cause.remedy,
        "evidence": [_source(source) for source in cause.evidence],
        "identifiers": dict(cause.identifiers),
        "identified_by": _source(cause.identified_by) if cause.identified_by else None,
    }


def _actor(actor: Actor) -> dict[str, Any]:
    return {
        "id": actor.ident,
        "title": actor.title,
        "host": actor.host,
        "addresses": list(actor.addresses),
        "names": list(actor.names),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "number": step.number,
        "title": step.title,
        "status": step.status,
        "explanation": step.explanation,
        "arrows": [_arrow(arrow) for arrow in step.arrows],
    }


def _arrow(arrow: Arrow) -> dict[str, Any]:
    result = {
        "time": when(arrow.time_ns, arrow.source),
        "from": arrow.sender,
        "to": arrow.receiver,
        "label": arrow.label,
        "status": arrow.status,
        **_source(arrow.source),
        "event": arrow.event or None,
        "note": arrow.note,
        "count": arrow.count,
        "end_time": None if arrow.end_ns is None else when(arrow.end_ns, arrow.source),
    }
    if arrow.sources:
        result["sources"] = [_source(source) for source in arrow.sources]
    return result


def _source(source: Source) -> dict[str, Any]:
    return {
        "capture": source.capture,
        "first_frame": source.first_frame,
        "last_frame": source.last_frame,
        "stream": source.stream,
        "transport": source.transport,
        "line": source.line,
        "encrypted": source.encrypted,
    }


def _capture(capture: CaptureInfo | str) -> dict[str, Any]:
    if isinstance(capture, str):
        return {"capture": capture}
    return {
        "capture": capture.name,
        "frames": capture.frames,
        "frames_skipped": dict(capture.frames_skipped),
        "link_types": list(capture.link_types),
        "interfaces": list(capture.interfaces),
        "start": None if capture.start_ns is None else rfc3339(capture.start_ns),
        "end": None if capture.end_ns is None else rfc3339(capture.end_ns),
        "snaplen": capture.snaplen,
        "drops": capture.drops,
        "key_logs": list(capture.key_logs),
    }
