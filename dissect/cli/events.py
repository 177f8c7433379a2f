"""`dissect events`: messages as steps of sign-in protocols, and which events there can be."""

from __future__ import annotations

from typing import Any

import click

from dissect import tables
from dissect.cli.filters import filters
from dissect.cli.options import inputs
from dissect.cli.tables import COMMON, FORMATS, print_table

_TABLE = tables.table("events")


@click.command(help=_TABLE.about)
@inputs(required=False)
@FORMATS
@click.option(
    "--list", "list_", is_flag=True, help="Name every event that there can be, and its facts."
)
@click.option(
    "--flow",
    "flows",
    multiple=True,
    metavar="NAME|FILE.toml",
    help="Also what this flow's filters (`match`) find, with their facts.",
)
@filters(*_TABLE.filters, *COMMON)
def events(captures: tuple[str, ...], format_: str, list_: bool, **options: Any) -> None:
    if list_:
        from dissect.cli.catalogue import listed, page
        from dissect.cli.output import print_rows

        if format_ == "table":
            click.echo(page())
        else:
            print_rows(listed(), format_, ())
        return
    if not captures:
        raise click.UsageError("Missing argument 'CAPTURE...'.")
    print_table(_TABLE, captures, format_, options)
