"""`dissect flow`: the chart, the step it stopped at, and why."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissect.cli.options import inputs, session, warn
from dissect.errors import UsageError

if TYPE_CHECKING:
    from dissect.model import SequenceChart
    from dissect.pipeline import Session

STATUS_CODES = {"complete": 0, "failed": 1, "incomplete": 1}
NOTHING_FOUND = 3


@click.command()
@inputs(required=False)
@click.option(
    "--phone-log",
    "phone_logs",
    multiple=True,
    metavar="FILE",
    help="A VVX phone's own log; its clock is aligned with the captures'.",
)
@click.option(
    "--flow",
    "flows",
    multiple=True,
    metavar="NAME|FILE.toml",
    help="Look for this flow only. `dissect flows` lists the names.",
)
@click.option(
    "-o",
    "outputs",
    multiple=True,
    metavar="OUT",
    help="Write OUT.{txt,json,png,svg,pdf}; repeatable.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    help="What goes to standard output; text unless -o is given.",
)
@click.option("--role", "roles", multiple=True, metavar="IP=ACTOR", help="Who an address is.")
def flow(
    captures: tuple[str, ...],
    phone_logs: tuple[str, ...],
    outputs: tuple[str, ...],
    format_: str | None,
    **options: Any,
) -> int:
    """Draw the sign-in in CAPTURE... as a sequence chart, with the verdict first.

    Exit code: 0 complete, 1 failed or incomplete, 2 unreadable, 3 no flow found.
    """
    from dissect.render import format_of

    if not captures and not phone_logs:
        raise click.UsageError("give a capture, or a phone log with --phone-log")
    for path in outputs:
        format_of(path)  # a wrong extension is told before any work
    run = session(captures, phone_logs=phone_logs, **options)
    charts = run.charts
    warn(run)
    if not charts:
        click.echo(f"dissect: no flow found: {_nothing(run)}", err=True)
        if format_ == "json":
            click.echo(_render(run, charts, "json"), nl=False)
        return NOTHING_FOUND
    if format_ or not outputs:
        content = _render(run, charts, format_ or "text")
        click.echo(content, nl=content[-1:] != "\n")
    for path in outputs:
        _write(path, _render(run, charts, format_of(path).name))
        click.echo(f"wrote {path}", err=True)
    return max(STATUS_CODES[chart.status] for chart in charts)


def _render(run: Session, charts: Sequence[SequenceChart], name: str) -> str | bytes:
    from dissect.render import render

    terminal = sys.stdout.isatty() and name == "text"
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    width = 100
    if terminal:
        width = max(60, os.get_terminal_size().columns)
    diagnostics = (*run.reading.warnings, *run.diagnostics)
    return render(
        charts,
        name,
        width=width,
        color=terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb",
        ascii=name == "text" and not encoding.startswith("utf"),
        captures=tuple(run.reading.captures),
        diagnostics=tuple(run.book.scrub(line) for line in diagnostics),
    )


def _write(path: str, content: str | bytes) -> None:
    try:
        if isinstance(content, bytes):
            Path(path).write_bytes(content)
        else:
            Path(path).write_text(content, "utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _nothing(run: Session) -> str:
    """What there is instead, so that the next step is clear."""
    from dissect.model import TlsConnection

    rows = [message for message in run.messages if isinstance(message, TlsConnection)]
    shut = sum(1 for row in rows if row.decrypted == "none")
    events = len(run.events)
    if rows and shut == len(rows):
        return (
            f"all {shut} TLS connections are encrypted and no host of a known flow is among them; "
            "`dissect tls` says why each stayed shut"
        )
    return f"{events} events of sign-in protocols, none that begins a known flow (`dissect events`)"
