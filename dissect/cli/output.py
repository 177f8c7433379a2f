"""Rows to standard output: a table for people, JSON Lines and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import click

from dissect.render.escape import cell, json_text, visible
from dissect.render.text_wrapping import cell_width

Row = Mapping[str, Any]

MAX_FOLDED = 500  # rows of a table that is fitted into a terminal; longer ones are plain
MAX_PADDED = 200  # cells that a column is padded to; one long value must not widen all rows
BLOCK = 500  # lines written at once


def print_rows(rows: Iterable[Row], format_: str, columns: Sequence[str]) -> None:
    """Print rows; `columns` are those of the table, the other formats give every key."""
    if format_ == "json":
        _echo(json_text(json.dumps(row, ensure_ascii=False)) for row in rows)
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
        writer.writerow([cell(_plain(row.get(name))) for name in names])
    click.echo(buffer.getvalue(), nl=False)


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
    if sys.stdout.isatty() and len(rows) <= MAX_FOLDED:
        _folded(rows, columns)
    else:
        _echo(_lines(rows, columns))


def _lines(rows: list[Row], columns: Sequence[str]) -> Iterator[str]:
    """A table as plain lines, one a row, however long: grep and cut see them whole."""
    titles = [name.replace("_", " ") for name in columns]
    cells = [[visible(_plain(row.get(name))) for name in columns] for row in rows]
    widths = [
        min(MAX_PADDED, max(map(cell_width, column))) for column in zip(titles, *cells, strict=True)
    ]
    for line in (titles, *cells):
        padded = (
            cell + " " * (wide - cell_width(cell)) for cell, wide in zip(line, widths, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _folded(rows: list[Row], columns: Sequence[str]) -> None:
    """A table whose columns are as narrow as the terminal asks for, long cells folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(_plain(row.get(name)))) for name in columns))
    terminal = Console(file=sys.stdout, highlight=False)
    with terminal.capture() as captured:
        terminal.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _echo(lines: Iterable[str]) -> None:
    """Many lines at a time: to write each by itself takes longer than to make it."""
    waiting = iter(lines)
    while block := list(islice(waiting, BLOCK)):
        click.echo("\n".join(block))
