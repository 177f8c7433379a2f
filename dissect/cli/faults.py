"""Bugs of ours that cost a part of a run, or all of it: said in a line, and exit code 2."""

from __future__ import annotations

from collections.abc import Sequence

import click

MAX_REPORTED = 20  # lines about them
EXIT_CODE = 2
_NOTED = "dissect.faults"


def note(reported: Sequence[str]) -> None:
    """Have what is in `reported` said at the end of the command."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(_NOTED, []).append(reported)


def settled(context: click.Context, result: object) -> object:
    """What the command returns: its own result, or 2 after a bug that cost a part of it."""
    from dissect.render.escape import visible

    lines = list(
        dict.fromkeys(line for reported in context.meta.get(_NOTED, ()) for line in reported)
    )
    for line in lines[:MAX_REPORTED]:
        click.echo(f"dissect: {visible(line)}", err=True)
    if len(lines) > MAX_REPORTED:
        click.echo(f"dissect: and {len(lines) - MAX_REPORTED} more errors like these", err=True)
    return EXIT_CODE if lines else result
