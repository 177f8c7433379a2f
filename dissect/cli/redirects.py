"""`dissect redirects`: a sign-in followed from host to host, one row a hop."""

from __future__ import annotations

from typing import Any

import click

from dissect.cli.options import inputs, session, warn

COLUMNS = ("chain", "hop", "time", "first_frame", "from", "status", "kind", "to", "why", "cookies")


@click.command(help="Redirects of CAPTURE... as chains: from, to, status, why, cookies set.")
@inputs()
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
def redirects(captures: tuple[str, ...], format_: str, **options: Any) -> None:
    from dissect.cli.output import print_rows
    from dissect.redirects import redirects as rows

    run = session(captures, **options)
    found = list(rows(run))
    warn(run)
    print_rows(found, format_, COLUMNS)
