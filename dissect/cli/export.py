"""`dissect export`: only the sign-in's packets, for the colleague with Wireshark."""

from __future__ import annotations

from typing import Any

import click

from dissect.cli.flow import NOTHING_FOUND
from dissect.cli.options import inputs, session, warn


@click.command()
@inputs()
@click.option("--phone-log", "phone_logs", multiple=True, metavar="FILE")
@click.option("--flow", "flows", multiple=True, metavar="NAME|FILE.toml")
@click.option("--role", "roles", multiple=True, metavar="IP=ACTOR", help="Who an address is.")
@click.option("-o", "output", required=True, metavar="OUT.pcapng", help="The file to write.")
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Put the keys of these sessions, and of no others, into the file.",
)
def export(captures: tuple[str, ...], output: str, with_secrets: bool, **options: Any) -> int:
    """Write the packets of the sign-in in CAPTURE... alone: whole streams, with comments.

    Payload stays as it was captured. What was sent without TLS can be read by everyone who
    has the file; what was encrypted only with --with-secrets, or by who has the keys.
    """
    from dissect.export.write import export as write

    run = session(captures, **options)
    charts = run.charts
    warn(run)
    if not charts:
        click.echo("dissect: no flow found: nothing to export", err=True)
        return NOTHING_FOUND
    done = write(run, output, with_secrets)
    frames = ", ".join(f"{count} frames of {name}" for name, count in done.frames.items())
    click.echo(f"wrote {output}: {frames}, {done.comments} comments", err=True)
    if with_secrets and done.keys:
        click.echo(
            f"dissect: --with-secrets: {output} holds the TLS keys of {done.keys} sessions: "
            "who has it can read their passwords, cookies and tokens (file mode 0600)",
            err=True,
        )
    elif with_secrets:
        click.echo("dissect: --with-secrets: no keys of these sessions are known", err=True)
    return 0
