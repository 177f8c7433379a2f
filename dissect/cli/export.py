"""`dissect export`: only the sign-in's packets, for the colleague with Wireshark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from dissect.cli.flow import NOTHING_FOUND
from dissect.cli.options import FLOW, PHONE_LOG, inputs, session, warn
from dissect.render.escape import visible

MAX_REPORTED = 20  # streams and parts of which payload was left out that are named


@click.command()
@inputs()
@PHONE_LOG
@FLOW
@click.option("--role", "roles", multiple=True, metavar="IP=ACTOR", help="Who an address is.")
@click.option("-o", "output", required=True, metavar="OUT.pcapng", help="The file to write.")
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Put the keys of these sessions, and of no others, into the file.",
)
@click.option(
    "--scrub",
    is_flag=True,
    help="Add the decrypted messages with every secret replaced; the keys stay out.",
)
def export(
    captures: tuple[str, ...], output: str, with_secrets: bool, scrub: bool, **options: Any
) -> int:
    """Write the packets of the sign-in in CAPTURE... alone: whole streams, with comments.

    Passwords, tokens and cookies that were sent without TLS are overwritten, and so is what
    could not be read; where that can't be done the payload is left out. With --with-secrets all
    stays as it was captured, and what was encrypted opens.
    """
    from dissect.export.write import export as write

    run = session(captures, outputs=(output,), again=True, **options)
    charts = run.charts
    warn(run)
    if not charts:
        click.echo("dissect: no flow found: nothing to export", err=True)
        return NOTHING_FOUND
    done = write(run, output, with_secrets, scrub)
    frames = ", ".join(f"{count} frames of {name}" for name, count in done.frames.items())
    click.echo(visible(f"wrote {output}: {frames}, {done.comments} comments"), err=True)
    if done.in_logs:
        click.echo(
            f"dissect: {done.in_logs} arrows were seen in a phone log only: no packets of them",
            err=True,
        )
    if scrub:
        click.echo(f"dissect: --scrub: {done.scrubbed} decrypted messages, no secrets", err=True)
    if done.masked:
        click.echo(f"dissect: overwrote {done.masked} secrets sent without TLS", err=True)
    _tell("payload left out", done.left_out)
    _tell("overwritten or cut", done.partly)
    if with_secrets:
        click.echo("dissect: --with-secrets: what was sent without TLS is as captured", err=True)
    if with_secrets and done.keys:
        click.echo(
            f"dissect: --with-secrets: {visible(output)} holds the TLS keys of {done.keys} "
            "sessions: who has it can read their passwords, cookies and tokens (file mode 0600)",
            err=True,
        )
    elif with_secrets:
        click.echo("dissect: --with-secrets: no keys of these sessions are known", err=True)
    return 0


def _tell(what: str, sentences: Sequence[str]) -> None:
    """Some of the sentences, and how many there are more."""
    for sentence in sentences[:MAX_REPORTED]:
        click.echo(f"dissect: {what}: {visible(sentence)}", err=True)
    if len(sentences) > MAX_REPORTED:
        click.echo(f"dissect: {what}: {len(sentences) - MAX_REPORTED} more", err=True)
