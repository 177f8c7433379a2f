"""The tables' commands: one row a message, in words that scripts rely on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dissect import tables
from dissect.cli.body import option as body_option
from dissect.cli.body import print_body, selector
from dissect.cli.filters import chosen, fields, filters, take
from dissect.cli.options import inputs, session, warn
from dissect.tables import Table

if TYPE_CHECKING:
    from dissect.pipeline import Session

FORMATS = click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
COMMON = ("stream", "time", "actor", "fields")
_Option = Callable[[click.Command], click.Command]
_MORE: dict[str, tuple[_Option, ...]] = {  # options that one table alone has
    "sip": (
        click.option("--dialogs", is_flag=True, help="One row a dialog (a call, a subscription)."),
    ),
    "tls": (
        click.option(
            "--phone-log",
            "phone_logs",
            multiple=True,
            metavar="FILE",
            help="A phone's log: its TLS-DSK handshakes are listed too.",
        ),
    ),
}


def _command(table: Table) -> click.Command:
    """The command that prints a table, with the filters that it has."""

    @inputs()
    @FORMATS
    @filters(*table.filters, *COMMON)
    def command(captures: tuple[str, ...], format_: str, **options: Any) -> None:
        asked = options.pop("body", None)
        if asked is not None:
            _print_body(table.name, captures, format_, asked, options)
        elif options.pop("dialogs", False):
            print_table(tables.table("sip_dialogs"), captures, format_, options)
        else:
            print_table(table, captures, format_, options)

    command.__doc__ = table.about
    return click.command(table.name)(body_option(command) if table.body else command)


def print_table(
    wanted: Table | Callable[[Session], Table],
    captures: tuple[str, ...],
    format_: str,
    options: dict[str, Any],
) -> None:
    """Print a table of `captures`; `options` are those of the command line."""
    from dissect.cli.output import print_rows

    only, chosen_by = options.pop("fields", None), take(options)
    run = session(captures, **options)
    table = wanted if isinstance(wanted, Table) else wanted(run)
    actors = bool(chosen_by.get("actors"))
    run.keeping(table.keep, table.rules or actors, sip_events=table.sip_events or actors)
    found = list(chosen(table.rows(run), chosen_by, run, words=table.words))
    columns = table.shows
    if only is not None:
        found = fields(found, only, table.keys)
        columns = tuple(name.strip() for name in only.split(",") if name.strip())
    warn(run)
    print_rows(found, format_, columns)


def _print_body(
    kind: str, captures: tuple[str, ...], format_: str, asked: str, options: dict[str, Any]
) -> None:
    if options.pop("fields", None) or any(take(options).values()) or options.pop("dialogs", None):
        raise click.UsageError("--body shows one message: no filters, no --fields, no --dialogs")
    from dissect.stages.keep import in_frame

    wanted = selector(asked)
    run = session(captures, again=True, **options).keeping(in_frame(wanted.frame))
    warn(run)
    print_body(run, kind, wanted, format_)


def __getattr__(name: str) -> click.Command:
    """The command of a shipped table: made when it is called, so that no other table is loaded."""
    if name not in tables.NAMES:
        raise AttributeError(name)
    made = _command(tables.table(name))
    for option in _MORE.get(name, ()):
        made = option(made)
    return made
