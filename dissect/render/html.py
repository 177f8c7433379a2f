"""The report as one HTML file: opens from disk, loads nothing, runs only its own script.

Two lines of defence against captured text: every value that the template shows is made
`visible` and escaped, and the page's Content-Security-Policy allows the one style sheet and
the one script by their hashes, and nothing else. Details of messages are JSON that the
script puts on the page as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

import dissect
from dissect.model import SequenceChart
from dissect.render import Options, headline, summary, words
from dissect.render.details import Details
from dissect.render.escape import visible
from dissect.render.ladders import Items, flow_view, sip_view
from dissect.render.report_tables import anomaly_rows, redirect_chains, timing, tls_rows
from dissect.render.theme import DARK, LIGHT, Theme

_STATUSES = ("done", "failed", "inferred", "hidden", "missing")


@cache
def _page(name: str) -> str:
    return files("dissect.render").joinpath("pages", name).read_text("utf-8")


def _inert(value: Any) -> Any:
    """What the template shows of a value; markup of our own is let through."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_SEPARATED = re.compile(r"(?<=[/.?&=_@,:%-])(?=[^/.?&=_@,:%\s-])")


def _breakable(value: Any) -> Markup:
    """A URL or name that may be broken behind its separators, and copied without the breaks."""
    pieces = _SEPARATED.split(visible(str(value or "")))
    return Markup("<wbr>").join(map(escape, pieces))


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True, finalize=_inert, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = _breakable
    return environment


def _colors(theme: Theme) -> str:
    names = {
        "paper": theme.paper,
        **{name: theme.ink[name] for name in ("ink", "soft", "lane", "axis", *_STATUSES)},
        **{f"band-{name}": theme.fill[f"band-{name}"] for name in _STATUSES},
        "band-head": theme.fill["head"],
        "band-note": theme.fill["note"],
    }
    return "".join(f"--{name}:{value};" for name, value in names.items())


@cache
def style() -> str:
    """The style sheet; dark where the reader's system is, light on paper."""
    return (
        f":root{{{_colors(LIGHT)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{_colors(DARK)}}}}}"
        + _page("report.css")
    )


def hash_of(text: str) -> str:
    """The source expression of CSP for an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy() -> str:
    return (
        f"default-src 'none'; style-src {hash_of(style())}; "
        f"script-src {hash_of(_page('report.js'))}; base-uri 'none'; form-action 'none'"
    )


def json_block(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it ends one."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def index_page(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """The page that lists the reports of a folder, each row with its flows' verdicts."""
    counts: dict[str, int] = {}
    for row in rows:
        nothing = "not analysed" if row["problem"] else "without a sign-in"
        for flow in row["flows"] or ({"status": nothing},):
            counts[flow["status"]] = counts.get(flow["status"], 0) + 1
    page = _environment().from_string(_page("index.html.j2"))
    text: str = page.render(
        title=title or "Captures",
        policy=Markup(f"default-src 'none'; style-src {hash_of(style())}; base-uri 'none'"),
        style=Markup(style()),
        rows=rows,
        summary=", ".join(f"{number} {word}" for word, number in sorted(counts.items())),
    )
    return text + "\n"


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """The page; `options.details` adds what the charts alone don't know."""
    details = options.details or Details()
    items = Items(details)
    flows = [
        flow_view(chart, number, items, options.detail) for number, chart in enumerate(charts, 1)
    ]
    zero = min(
        (start for chart in charts if (start := words.start_ns(chart)) is not None), default=0
    )
    sip = sip_view(details.sip, zero, items)
    reported = {line for chart in charts for line in (*chart.diagnostics, *details.clocks)}
    environment = details.environment or (("dissect", dissect.__version__),)
    title = "No sign-in was found"
    if charts:
        title = f"{headline.verdict(charts[0])} – {charts[0].title}"
    if len(charts) > 1:
        title = headline.count(charts)
    rows = summary.rows(charts)
    page = _environment().from_string(_page("report.html.j2"))
    return (
        page.render(
            title=words.sentence(title),
            policy=Markup(policy()),
            style=Markup(style()),
            script=Markup(_page("report.js")),
            flows=flows,
            overview=[(row, f"f{row.number}") for row in rows],
            several={
                "count": words.sentence(headline.count(charts)),
                "status": headline.worst(charts),
                "glyph": words.GLYPHS[headline.worst(charts)],
                "device": any(row.device for row in rows),
            }
            if rows
            else None,
            everyone=list(items.people.values()),
            timing=timing(details.exchanges, zero),
            redirects=redirect_chains(details.redirects),
            sip=sip,
            tls=tls_rows(details.tls),
            clocks=details.clocks,
            notes=[
                words.sentence(s) for s in dict.fromkeys(options.diagnostics) if s not in reported
            ],
            anomalies=anomaly_rows(details.anomalies),
            environment=environment,
            left_out=(*details.left_out, *items.left_out),
            anonymous=options.anonymous,
            data=json_block({"items": items.items, "messages": items.messages}),
        )
        + "\n"
    )
