"""`dissect http|sip|tls|dns|dhcp|ntp|events`: one row a message, in words that scripts rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from dissect.cli.body import option as body_option
from dissect.cli.body import print_body
from dissect.cli.filters import chosen, fields, filters, take
from dissect.cli.keys import KEYS
from dissect.cli.options import inputs, session, warn

FORMATS = click.Choice(["table", "json", "csv"])
_COMMON = ("stream", "time", "actor", "fields")


def _command(
    name: str, help_: str, columns: Sequence[str], *offered: str, body: bool = False
) -> Callable[..., None]:
    """A table command; `name` is also that of the function (of `dissect.rows` or
    `dissect.device_rows`) that makes its rows, `offered` are its filters before those that
    every table has."""

    @inputs()
    @click.option("--format", "format_", type=FORMATS, default="table", show_default=True)
    @filters(*offered, *_COMMON)
    def command(captures: tuple[str, ...], format_: str, **options: Any) -> None:
        asked = options.pop("body", None)
        if asked is not None:
            _print_body(name, captures, format_, asked, options)
        elif options.pop("dialogs", False):
            _print("sip_dialogs", captures, format_, DIALOG_COLUMNS, options)
        else:
            _print(name, captures, format_, columns, options)

    command.__doc__ = help_
    return body_option(command) if body else command


def _print(
    rows: str,
    captures: tuple[str, ...],
    format_: str,
    columns: Sequence[str],
    options: dict[str, Any],
) -> None:
    from dissect import device_rows
    from dissect import rows as makers
    from dissect.cli.output import print_rows
    from dissect.stages.keep import only

    wanted, chosen_by = options.pop("fields", None), take(options)
    rules = rows not in WITHOUT_RULES or bool(chosen_by.get("actors"))
    run = session(captures, keep=only(*_kinds(rows)), rules=rules, **options)
    maker = device_rows if rows in ("dhcp", "ntp") else makers
    make: Callable[..., Iterator[dict[str, Any]]] = getattr(maker, rows)
    found = list(chosen(make(run), chosen_by, run, words=rows == "dns"))
    if wanted is not None:
        found = fields(found, wanted, KEYS[rows])
        columns = [name.strip() for name in wanted.split(",") if name.strip()]
    warn(run)
    print_rows(found, format_, columns)


WITHOUT_RULES = ("tls", "dns", "ntp")  # tables that hold no texts of messages


def _kinds(rows: str) -> Sequence[type]:
    """The messages that a table's rows are made of; those of `events` need none."""
    from dissect import model

    return {
        "http": (model.HttpRequest, model.HttpResponse),
        "sip": (model.SipMessage,),
        "sip_dialogs": (model.SipMessage,),
        "tls": (model.TlsConnection,),
        "dns": (model.DnsMessage,),
        "dhcp": (model.DhcpMessage,),
        "ntp": (model.NtpMessage,),
    }.get(rows, ())


def _print_body(
    kind: str, captures: tuple[str, ...], format_: str, asked: str, options: dict[str, Any]
) -> None:
    if options.pop("fields", None) or any(take(options).values()) or options.pop("dialogs", None):
        raise click.UsageError("--body shows one message: no filters, no --fields, no --dialogs")
    run = session(captures, **options)
    warn(run)
    print_body(run, kind, asked, format_)


DIALOG_COLUMNS = (
    "time",
    "stream",
    "first_frame",
    "method",
    "from",
    "to",
    "state",
    "status",
    "media",
)

http = click.command("http")(
    _command(
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
        "host",
        "method",
        "status",
        body=True,
    )
)
sip = click.command("sip")(
    click.option("--dialogs", is_flag=True, help="One row a dialog (a call, a subscription).")(
        _command(
            "sip",
            "SIP messages of CAPTURE...",
            (
                "time",
                "stream",
                "first_frame",
                "client",
                "method",
                "status",
                "reason",
                "cseq",
                "auth",
            ),
            "host",
            "method",
            "status",
            body=True,
        )
    )
)
tls = click.command("tls")(
    click.option(
        "--phone-log",
        "phone_logs",
        multiple=True,
        metavar="FILE",
        help="A phone's log: its TLS-DSK handshakes are listed too.",
    )(
        _command(
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
                "sentence",
            ),
            "host",
        )
    )
)
dns = click.command("dns")(
    _command(
        "dns",
        "DNS questions and answers of CAPTURE...",
        ("time", "stream", "first_frame", "client", "kind", "name", "type", "rcode", "answers"),
        "host",
        "status",
    )
)

dhcp = click.command("dhcp")(
    _command(
        "dhcp",
        "DHCP messages of CAPTURE..., and where they send a phone for its configuration.",
        (
            "time",
            "first_frame",
            "kind",
            "hardware",
            "address",
            "dhcp_server",
            "vendor_class",
            "name_servers",
            "time_servers",
            "options",
        ),
        "host",
    )
)
ntp = click.command("ntp")(
    _command(
        "ntp",
        "NTP messages of CAPTURE..., and how far a client's clock is ahead.",
        (
            "time",
            "first_frame",
            "client",
            "server",
            "mode",
            "stratum",
            "transmit",
            "client_ahead_ns",
            "delay_ns",
        ),
        "host",
    )
)


@click.command(help="Messages of CAPTURE... that are steps of sign-in protocols.")
@inputs(required=False)
@click.option("--format", "format_", type=FORMATS, default="table", show_default=True)
@click.option(
    "--list", "list_", is_flag=True, help="Name every event that there can be, and its facts."
)
@click.option(
    "--flow",
    "flows",
    multiple=True,
    metavar="NAME|FILE.toml",
    help="Also what this flow's filters (`match`) find, with their facts.",
)
@filters("host", *_COMMON)
def events(captures: tuple[str, ...], format_: str, list_: bool, **options: Any) -> None:
    from dissect.cli.output import print_rows

    if list_:
        from dissect.cli.catalogue import listed, page

        if format_ == "table":
            click.echo(page())
        else:
            print_rows(listed(), format_, ())
        return
    if not captures:
        raise click.UsageError("Missing argument 'CAPTURE...'.")
    _print("events", captures, format_, EVENT_COLUMNS, options)


EVENT_COLUMNS = ("time", "first_frame", "event", "actor", "peer", "facts")
