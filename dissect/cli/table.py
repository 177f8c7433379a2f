"""`dissect table`: any table by its name, those of protocols that plugins add among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dissect import tables
from dissect.cli.filters import filters
from dissect.cli.options import inputs
from dissect.cli.tables import COMMON, FORMATS, print_table

if TYPE_CHECKING:
    from dissect.pipeline import Session


@click.command()
@click.argument("name", metavar="TABLE")
@inputs()
@FORMATS
@filters("host", *COMMON)
def table(name: str, captures: tuple[str, ...], format_: str, **options: Any) -> None:
    """Messages of CAPTURE... as TABLE, that of a protocol which a plugin adds, or a shipped one."""

    def wanted(run: Session) -> tables.Table:
        from dissect.tables.plugin import table_of

        protocols = run.registry.protocols
        if name in protocols:
            return table_of(protocols[name])
        if name in tables.NAMES:
            return tables.table(name)
        known = ", ".join((*protocols, *tables.NAMES))
        raise click.UsageError(f"no table is called {name!r}; there are {known}")

    print_table(wanted, captures, format_, options)
