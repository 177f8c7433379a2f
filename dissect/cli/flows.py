"""`dissect flows`: which flow definitions are installed."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--format", "format_", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option("--schema", is_flag=True, help="Print the JSON schema of a definition instead.")
def flows(format_: str, schema: bool) -> None:
    """List the flow definitions that are installed."""
    from dissect.cli.output import print_rows
    from dissect.flow.definition import built_in, json_schema

    if schema:
        click.echo(json.dumps(json_schema(), indent=2))
        return
    rows = [
        {
            "name": item.name,
            "title": item.title,
            "steps": len(item.step),
            "actors": [actor.id for actor in item.actor],
            "about": " ".join(item.about.split()),
        }
        for item in built_in().values()
    ]
    print_rows(rows, format_, ("name", "title", "steps"))
