"""`dissect report`: one page for the ticket, or one for each capture of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissect.cli.flow import NOTHING_FOUND, STATUS_CODES
from dissect.cli.folder import pages
from dissect.cli.limits import bounds
from dissect.cli.options import FLOW, PHONE_LOG, inputs, session, warn
from dissect.cli.writing import ANONYMIZE, DETAIL, THEME, ChartDrawing, check_name
from dissect.errors import UsageError

if TYPE_CHECKING:
    from dissect.workers import Limits

DEFAULT, DEFAULT_FOLDER = "report.html", "reports"


@click.command()
@inputs(required=False)
@PHONE_LOG
@FLOW
@click.option("--role", "roles", multiple=True, metavar="IP=ACTOR", help="Who an address is.")
@click.option(
    "-o",
    "outputs",
    multiple=True,
    metavar="OUT",
    help="report.html unless given; also what `dissect flow -o` writes; repeatable. "
    "For a folder of captures: the folder for the pages.",
)
@ANONYMIZE
@THEME
@DETAIL
@bounds
def report(
    captures: tuple[str, ...],
    phone_logs: tuple[str, ...],
    outputs: tuple[str, ...],
    anonymize: bool,
    theme: str,
    detail: str,
    jobs: int | None,
    limits: Limits,
    **options: Any,
) -> int:
    """Write a self-contained page about CAPTURE...: verdict, chart, messages, timing, TLS.

    A folder in place of CAPTURE... gives a page for each capture in it and for each of its
    subfolders (whose captures are taken together), and an index page. Each is read by a
    process of its own: one that ends early, or needs too much, is named in the index.

    Exit code: 0 complete, 1 failed or incomplete, 2 unreadable, 3 no flow found (the page
    is written all the same).
    """
    from dissect.output_conflicts import check_chosen

    if len(captures) == 1 and captures[0] != "-" and Path(captures[0]).is_dir():
        if phone_logs or len(outputs) > 1:
            raise UsageError("a folder takes one -o and no --phone-log: logs in it are found")
        target = Path(outputs[0] if outputs else DEFAULT_FOLDER)
        if not outputs:
            check_chosen((DEFAULT_FOLDER,))
        looks = {"anonymize": anonymize, "detail": detail}
        return pages(Path(captures[0]), target, looks, options, jobs, limits)
    if not captures and not phone_logs:
        raise click.UsageError("give a capture, or a phone log with --phone-log")
    if not outputs:
        outputs = (DEFAULT,)
        check_chosen(outputs)
    from dissect.stages.keep import reported

    run = session(captures, phone_logs=phone_logs, outputs=outputs, **options)
    if "-" not in captures:  # which would have to be kept as well
        run.keeping(reported)
    _ = run.registry  # a plugin's format may have an extension of its own
    for path in outputs:
        check_name(path)
    charts = run.charts
    warn(run)
    drawing = ChartDrawing(run, anonymize, theme, detail)
    for path in outputs:
        drawing.write(path)
    if not charts:
        click.echo("dissect: no flow found; the report has what else was read", err=True)
        return NOTHING_FOUND
    return max(STATUS_CODES[chart.status] for chart in charts)
