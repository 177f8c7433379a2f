"""`dissect http|sip|tls|dns|events`: one row a message, in words that scripts rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from dissect.cli.options import inputs, session, warn

FORMATS = click.Choice(["table", "json", "csv"])


def _command(name: str, help_: str, columns: Sequence[str], rows: str) -> click.Command:
    """A table command; `rows` names the function of `dissect.rows` that makes its rows."""

    @click.command(name, help=help_)
    @inputs()
    @click.option("--format", "format_", type=FORMATS, default="table", show_default=True)
    def command(captures: tuple[str, ...], format_: str, **options: Any) -> None:
        _print(rows, captures, format_, columns, options)

    return command


def _print(
    rows: str,
    captures: tuple[str, ...],
    format_: str,
    columns: Sequence[str],
    options: dict[str, Any],
) -> None:
    from dissect import rows as makers
    from dissect.cli.output import print_rows

    run = session(captures, **options)
    make: Callable[..., Iterator[dict[str, Any]]] = getattr(makers, rows)
    found = list(make(run))
    warn(run)
    print_rows(found, format_, columns)


http = _command(
    "http",
    "HTTP exchanges of CAPTURE..., requests paired with their responses.",
    (
        "time",
        "stream",
        "first_frame",
        "client",
        "method",
        "host",
        "path",
        "status",
        "response_type",
    ),
    "http",
)
sip = _command(
    "sip",
    "SIP messages of CAPTURE...",
    ("time", "stream", "first_frame", "client", "method", "status", "reason", "cseq", "auth"),
    "sip",
)
tls = _command(
    "tls",
    "TLS connections of CAPTURE..., and for each that stayed shut the reason.",
    (
        "stream",
        "first_frame",
        "client",
        "server_name",
        "version",
        "cipher_suite",
        "decrypted",
        "reason",
    ),
    "tls",
)
dns = _command(
    "dns",
    "DNS questions and answers of CAPTURE...",
    ("time", "stream", "first_frame", "client", "kind", "name", "type", "rcode", "answers"),
    "dns",
)


@click.command(help="Messages of CAPTURE... that are steps of sign-in protocols.")
@inputs(required=False)
@click.option("--format", "format_", type=FORMATS, default="table", show_default=True)
@click.option("--list", "list_", is_flag=True, help="Name every event that there can be.")
def events(captures: tuple[str, ...], format_: str, list_: bool, **options: Any) -> None:
    from dissect.cli.output import print_rows

    if list_:
        from dissect.signin.catalogue import EVENTS

        rows = [{"event": name, "meaning": text} for name, text in EVENTS.items()]
        print_rows(rows, format_, ("event", "meaning"))
        return
    if not captures:
        raise click.UsageError("Missing argument 'CAPTURE...'.")
    _print("events", captures, format_, EVENT_COLUMNS, options)


EVENT_COLUMNS = ("time", "first_frame", "event", "actor", "peer", "facts")
