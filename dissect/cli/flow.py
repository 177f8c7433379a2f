"""`dissect flow`: the chart, the step it stopped at, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dissect.cli.options import FLOW, PHONE_LOG, inputs, session, warn
from dissect.cli.writing import ANONYMIZE, DETAIL, THEME, ChartDrawing, check_name

if TYPE_CHECKING:
    from dissect.pipeline import Session

WITH_BODIES = (".html", ".htm", ".har")  # formats that show messages
STATUS_CODES = {"complete": 0, "failed": 1, "incomplete": 1}
NOTHING_FOUND = 3


@click.command()
@inputs(required=False)
@PHONE_LOG
@FLOW
@click.option(
    "-o",
    "outputs",
    multiple=True,
    metavar="OUT",
    help="Write OUT.{txt,svg,png,pdf,html,md,mmd,puml,json,csv,har}; repeatable.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "mermaid", "plantuml", "markdown", "csv"]),
    help="What goes to standard output; text unless -o is given.",
)
@click.option("--role", "roles", multiple=True, metavar="IP=ACTOR", help="Who an address is.")
@ANONYMIZE
@THEME
@DETAIL
def flow(
    captures: tuple[str, ...],
    phone_logs: tuple[str, ...],
    outputs: tuple[str, ...],
    format_: str | None,
    anonymize: bool,
    theme: str,
    detail: str,
    **options: Any,
) -> int:
    """Draw the sign-in in CAPTURE... as a sequence chart, with the verdict first.

    Exit code: 0 complete, 1 failed or incomplete, 2 unreadable, 3 no flow found.
    """
    if not captures and not phone_logs:
        raise click.UsageError("give a capture, or a phone log with --phone-log")
    from dissect.stages.keep import everything, nothing

    bodies = any(path.lower().endswith(WITH_BODIES) for path in outputs)
    keep = everything if bodies or anonymize else nothing
    run = session(captures, phone_logs=phone_logs, outputs=outputs, **options).keeping(keep)
    _ = run.registry  # a plugin's format may have an extension of its own
    for path in outputs:
        check_name(path)
    charts = run.charts
    warn(run)
    drawing = ChartDrawing(run, anonymize, theme, detail)
    if not charts:
        click.echo(f"dissect: no flow found: {_nothing(run)}", err=True)
        if format_ == "json":
            click.echo(drawing.text("json"), nl=False)
        return NOTHING_FOUND
    if format_ or not outputs:
        content = drawing.text(format_ or "text")
        click.echo(content, nl=content[-1:] != "\n")
    for path in outputs:
        drawing.write(path)
    return max(STATUS_CODES[chart.status] for chart in charts)


def _nothing(run: Session) -> str:
    """What there is instead, so that the next step is clear."""
    rows, hidden = run.tls_counts
    events = len(run.events)
    if run.options.flows and hidden:
        return (
            f"{hidden} TLS connections stayed shut, and nothing of {', '.join(run.options.flows)} "
            "is seen by names or ports; `--role ADDRESS=ACTOR` says who is who"
        )
    if rows and hidden == rows:
        which = f"all {hidden} TLS connections" if hidden > 1 else "the one TLS connection"
        return (
            f"{which} stayed shut, and what can be seen begins no known flow; "
            "`dissect tls` says to whom and why"
        )
    return f"{events} events of sign-in protocols, none that begins a known flow (`dissect events`)"
