"""`dissect report`: one page for the ticket, or one for each capture of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissect.cli.flow import NOTHING_FOUND, STATUS_CODES
from dissect.cli.options import FLOW, PHONE_LOG, inputs, session, warn
from dissect.cli.writing import ANONYMIZE, DETAIL, THEME, Drawing, check_name, save
from dissect.errors import CaptureError, UsageError

if TYPE_CHECKING:
    from dissect.report.folder import Run


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
def report(
    captures: tuple[str, ...],
    phone_logs: tuple[str, ...],
    outputs: tuple[str, ...],
    anonymize: bool,
    theme: str,
    detail: str,
    **options: Any,
) -> int:
    """Write a self-contained page about CAPTURE...: verdict, chart, messages, timing, TLS.

    A folder in place of CAPTURE... gives a page for each capture in it and for each of its
    subfolders (whose captures are taken together), and an index page.

    Exit code: 0 complete, 1 failed or incomplete, 2 unreadable, 3 no flow found (the page
    is written all the same).
    """
    if len(captures) == 1 and captures[0] != "-" and Path(captures[0]).is_dir():
        if phone_logs or len(outputs) > 1:
            raise UsageError("a folder takes one -o and no --phone-log: logs in it are found")
        return _folder(
            Path(captures[0]),
            Path(outputs[0] if outputs else "reports"),
            anonymize,
            detail,
            options,
        )
    if not captures and not phone_logs:
        raise click.UsageError("give a capture, or a phone log with --phone-log")
    outputs = outputs or ("report.html",)
    run = session(captures, phone_logs=phone_logs, **options)
    _ = run.registry  # a plugin's format may have an extension of its own
    for path in outputs:
        check_name(path)
    charts = run.charts
    warn(run)
    drawing = Drawing(run, anonymize, theme, detail)
    for path in outputs:
        drawing.write(path)
    if not charts:
        click.echo("dissect: no flow found; the report has what else was read", err=True)
        return NOTHING_FOUND
    return max(STATUS_CODES[chart.status] for chart in charts)


def _folder(
    folder: Path, target: Path, anonymize: bool, detail: str, options: dict[str, Any]
) -> int:
    """A page for each run of a folder, and the index; the worst exit code of all."""
    from dissect.report.folder import index, runs

    found = runs(folder)
    if not found:
        raise UsageError(f"{folder}: no captures in this folder")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{target}: {(error.strerror or str(error)).lower()}") from None
    done: list[Run] = []
    for item in found:
        page = target / f"{item.name}.html"
        try:
            run = session(item.captures, phone_logs=item.phone_logs, **options)
            drawing = Drawing(run, anonymize, detail=detail)
        except CaptureError as error:
            click.echo(f"dissect: {error}", err=True)
            done.append(item.failed(str(error)))
            continue
        drawing.write(str(page))
        done.append(item.read(page.name, drawing.charts, run.reading.captures))
    save(str(target / "index.html"), index(folder.name, done))
    click.echo(f"wrote {target / 'index.html'}", err=True)
    return max(_code(item) for item in done)


def _code(item: Run) -> int:
    if item.problem:
        return 2
    return max((STATUS_CODES[c.status] for c in item.charts), default=NOTHING_FOUND)
