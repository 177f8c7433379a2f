"""Rows to standard output: a table for people, JSON Lines and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from dissect.render.escape import json_text, visible

Row = Mapping[str, Any]


def print_rows(rows: Iterable[Row], format_: str, columns: Sequence[str]) -> None:
    """Print rows; `columns` are those of the table, the other formats give every key."""
    if format_ == "json":
        for row in rows:
            click.echo(json_text(json.dumps(row, ensure_ascii=False)))
    elif format_ == "csv":
        _csv(list(rows))
    else:
        _table(list(rows), columns)


def _csv(rows: list[Row]) -> None:
    if not rows:
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = list(rows[0])
    writer.writerow(names)
    for row in rows:
        writer.writerow([_csv_cell(row.get(name)) for name in names])
    click.echo(buffer.getvalue(), nl=False)


def _csv_cell(value: Any) -> str:
    text = visible(_plain(value))
    # A spreadsheet would run a captured "=cmd()" as a formula.
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items())
    return str(value)


def _table(rows: list[Row], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(_plain(row.get(name)))) for name in columns))
    # A pipe has no width: nothing is folded there, so that grep and cut see whole lines.
    terminal = Console(file=sys.stdout, highlight=False)
    if not sys.stdout.isatty():
        terminal = Console(file=sys.stdout, highlight=False, width=10_000)
    with terminal.capture() as captured:
        terminal.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
