"""`dissect flows` and `dissect plugins`: what is installed."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--format", "format_", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option("--schema", is_flag=True, help="Print the JSON schema of a definition instead.")
@click.option("--plugin", "plugins_", multiple=True, metavar="FILE.py")
def flows(format_: str, schema: bool, plugins_: tuple[str, ...]) -> None:
    """List the flow definitions that are installed."""
    from dissect.cli.output import print_rows
    from dissect.flow.definition import json_schema
    from dissect.plugins import registry

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
        for item in registry(plugins_).definitions.values()
    ]
    print_rows(rows, format_, ("name", "title", "steps"))


@click.command()
@click.option("--format", "format_", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option("--plugin", "files", multiple=True, metavar="FILE.py", help="Look at this file, too.")
def plugins(format_: str, files: tuple[str, ...]) -> None:
    """List the plugins that are installed, and what each adds."""
    from dissect.cli.output import print_rows
    from dissect.plugins import registry

    rows = [{"plugin": name, "adds": adds} for name, adds in registry(files).plugins]
    print_rows(rows, format_, ("plugin", "adds"))
