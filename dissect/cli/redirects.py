"""`dissect redirects`: a sign-in followed from host to host, one row a hop."""

from __future__ import annotations

from typing import Any

import click

from dissect.cli.filters import chosen, fields, filters, take
from dissect.cli.keys import KEYS
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
@filters("host", "status", "stream", "time", "actor", "fields")
def redirects(captures: tuple[str, ...], format_: str, **options: Any) -> None:
    from dissect.cli.output import print_rows
    from dissect.redirects import redirects as rows
    from dissect.stages.keep import with_redirects

    wanted, chosen_by = options.pop("fields"), take(options)
    warnings: list[str] = []
    run = session(captures, keep=with_redirects, **options)
    found = list(chosen(rows(run, warnings), chosen_by, run))
    columns: tuple[str, ...] = COLUMNS
    if wanted is not None:
        found = fields(found, wanted, KEYS["redirects"])
        columns = tuple(name.strip() for name in wanted.split(",") if name.strip())
    warn(run, warnings)
    print_rows(found, format_, columns)
