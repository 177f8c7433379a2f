"""Options that commands share, and from them a `pipeline.Session`."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

if TYPE_CHECKING:
    from dissect.model import Anomaly
    from dissect.pipeline import Session

F = TypeVar("F", bound=Callable[..., Any])

_CLOCK = re.compile(r"([+-]?)(?:(\d+):(\d{1,2}):)?(\d+(?:\.\d{1,9})?)(ns|us|ms|s|)")
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "": 1_000_000_000}


_SECRETS = (
    click.option(
        "-k",
        "--keylog",
        "key_logs",
        multiple=True,
        metavar="[CAPTURE:]FILE",
        help="TLS key log (SSLKEYLOGFILE format), for all captures or one.",
    ),
    click.option(
        "--no-auto-keys",
        is_flag=True,
        help="Use no key log that lies beside a capture or that SSLKEYLOGFILE names.",
    ),
    click.option(
        "--rsa-key",
        "rsa_keys",
        multiple=True,
        metavar="PEM",
        help="A server's RSA private key (PEM, DER, PKCS#12), for TLS with RSA key exchange.",
    ),
    click.option(
        "--rsa-password",
        "rsa_password",
        metavar="FILE",
        help="Passwords of --rsa-key files, one a line; else a terminal is asked.",
    ),
)
_DECODE_AS = click.option(
    "--decode-as",
    "decode_as",
    multiple=True,
    metavar="SELECTOR",
    help="For tshark: what a port carries, such as tcp.port==5070,sip.",
)
_ENGINE = click.option(
    "--engine",
    type=click.Choice(["embedded", "tshark"]),
    default="embedded",
    show_default=True,
    help="Who reads the packets: dissect itself, or an installed tshark.",
)
_CLOCKS = click.option(
    "--clock",
    "clocks",
    multiple=True,
    metavar="CAPTURE=OFFSET",
    help="Add to a capture's times: seconds (-1.5), or h:mm:ss.",
)
PLUGINS = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE.py",
    help="A plugin: what it adds joins what is built in.",
)
PHONE_LOG = click.option(
    "--phone-log",
    "phone_logs",
    multiple=True,
    metavar="FILE",
    help="A log of a phone (VVX) or a SIP server; its clock is aligned with the captures'.",
)
FLOW = click.option(
    "--flow",
    "flows",
    multiple=True,
    metavar="NAME|FILE.toml",
    help="Look for this flow only. `dissect flows` lists the names.",
)
_REVEAL = click.option(
    "--reveal", is_flag=True, help="Show secrets. Never paste that into a ticket."
)


_SHOW_VALUE = click.option(
    "--show-value",
    "shown_names",
    multiple=True,
    metavar="NAME",
    help="Show the values of this parameter, field or key, unless they are of a known kind of "
    "secret.",
)


def inputs(required: bool = True) -> Callable[[F], F]:
    """CAPTURE..., key logs and keys, engine, --clock, --plugin, --reveal, --show-value."""
    captures = click.argument("captures", nargs=-1, required=required, metavar="CAPTURE...")
    return _all(captures, *_SECRETS, _ENGINE, _DECODE_AS, _CLOCKS, PLUGINS, _REVEAL, _SHOW_VALUE)


def sources(function: F) -> F:
    """CAPTURE..., key logs and keys, --decode-as: what both engines read."""
    captures = click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
    return _all(captures, *_SECRETS, _DECODE_AS)(function)


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def session(
    captures: Sequence[str],
    key_logs: Sequence[str] = (),
    no_auto_keys: bool = False,
    clocks: Sequence[str] = (),
    reveal: bool = False,
    phone_logs: Sequence[str] = (),
    flows: Sequence[str] = (),
    roles: Sequence[str] = (),
    plugins: Sequence[str] = (),
    rsa_keys: Sequence[str] = (),
    rsa_password: str | None = None,
    engine: Literal["embedded", "tshark"] = "embedded",
    decode_as: Sequence[str] = (),
    shown_names: Sequence[str] = (),
    outputs: Sequence[str] = (),
    also: Sequence[str] = (),
    again: bool = False,
) -> Session:
    """A session for these options, which will write to `outputs` and reads `also` besides;
    `again`: it may have to read the captures again.

    Raises UsageError for options that can't be read, and where an output is an input.
    """
    from dissect import output_conflicts
    from dissect.cli.passwords import passwords
    from dissect.pipeline import RunOptions, Session

    check_standard_input(captures)
    for item in key_logs:
        _check_binding(item, captures)
    if reveal:
        click.echo("dissect: --reveal: secrets are shown in what follows", err=True)
    _report_shown_names(shown_names)
    asked = RunOptions(
        captures=tuple(captures),
        key_logs=tuple(key_logs),
        phone_logs=tuple(phone_logs),
        flows=tuple(flows),
        plugins=tuple(plugins),
        rsa_keys=tuple(rsa_keys),
        engine=engine,
        decode_as=tuple(decode_as),
        auto_keys=not no_auto_keys,
        reveal=reveal,
        shown_names=tuple(shown_names),
        again=again,
        roles=dict(_role(item) for item in roles),
        clocks=dict(_clock(item, captures) for item in clocks),
    )
    output_conflicts.check(asked, outputs, [*also, *([rsa_password] if rsa_password else [])])
    asked = replace(asked, rsa_passwords=passwords(rsa_keys, rsa_password))
    run = Session(asked)
    _check_actors(run)
    return run


def _report_shown_names(shown_names: Sequence[str]) -> None:
    """What --show-value opens, and what it can't, on standard error."""
    if not shown_names:
        return
    from dissect.redaction.fields import known_kind
    from dissect.render.escape import visible

    for name in dict.fromkeys(shown_names):
        kind = known_kind(name)
        if kind is None:
            text = "its values are shown in what follows, unless they are of a known kind of secret"
        else:
            text = f"stays hidden: it names a secret ({kind}); only --reveal shows those"
        click.echo(f"dissect: --show-value {visible(name)}: {text}", err=True)


def check_standard_input(captures: Sequence[str]) -> None:
    """Raises UsageError where `-` is given twice, or nothing can come from there."""
    if "-" not in captures:
        return
    if list(captures).count("-") > 1:
        raise click.UsageError("standard input can be read only once")
    if sys.stdin is None or sys.stdin.closed:
        raise click.UsageError("standard input is closed")
    if sys.stdin.isatty():
        raise click.UsageError("standard input is a terminal: pipe a capture into it")


def _check_binding(item: str, captures: Sequence[str]) -> None:
    """Raises UsageError where `-k CAPTURE:FILE` names a file that exists, but no capture given."""
    name, colon, path = item.rpartition(":")
    if colon and not os.path.exists(item) and os.path.exists(path):
        _capture(name, captures, "-k")


def _role(item: str) -> tuple[str, str]:
    address, actor = _split(item, "--role", "IP=ACTOR")
    try:
        return str(ipaddress.ip_address(address)), actor
    except ValueError:
        raise click.UsageError(f"--role takes IP=ACTOR; {address!r} is no IP address") from None


def _check_actors(run: Session) -> None:
    """Raises UsageError for a --role with an actor that no flow looked for has."""
    if not run.options.roles:
        return
    known = {actor.id for definition in run.definitions for actor in definition.actor}
    for actor in run.options.roles.values():
        if actor not in known:
            listed = ", ".join(sorted(known))
            raise click.UsageError(f"--role: no flow has an actor {actor!r}; there are {listed}")


def _clock(item: str, captures: Sequence[str]) -> tuple[str, int]:
    name, value = _split(item, "--clock", "CAPTURE=OFFSET")
    return _capture(name, captures, "--clock"), offset(value)


def _capture(name: str, captures: Sequence[str], option: str) -> str:
    """A capture given, by its path or, if only one has it, by the name of its file."""
    found = [path for path in captures if path == name] or [
        path for path in captures if re.split(r"[/\\]", path)[-1] == name
    ]
    if len(found) != 1:
        why = "the name of several captures" if found else "none of the captures given"
        raise click.UsageError(f"{option}: {name} is {why}")
    return found[0]


def _split(item: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = item.rpartition("=")
    if not equals or not name or not value:
        raise click.UsageError(f"{option} takes {form}, not {item!r}")
    return name, value


def offset(text: str) -> int:
    """Nanoseconds of "1.5", "-300ms" or "-0:01:50"; exact, without floats."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise click.UsageError(f"--clock takes seconds or h:mm:ss, not {text!r}")
    sign, hours, minutes, number, unit = match.groups()
    whole, _, fraction = number.partition(".")
    total = int(whole) * _UNITS[unit]
    if fraction:
        total += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
    if hours is not None:
        total += (int(hours) * 3600 + int(minutes) * 60) * 1_000_000_000
    return -total if sign == "-" else total


def warn(run: Session) -> None:
    """Bounds that were reached, warnings and anomalies of the container on standard
    error, one line each, bounded. Bugs of ours are noted for the end of the command."""
    from dissect.cli.faults import note
    from dissect.redaction.fields import known_kind
    from dissect.render.escape import visible

    note(run.faults)
    reading = run.reading

    def anomalies(kind: str) -> list[str]:
        return [
            f"{run.names[anomaly.capture]}: {_where(anomaly)}{anomaly.sentence}"
            for anomaly in (*reading.anomalies, *run.policy.bounds.reached)
            if anomaly.kind.startswith(kind)
        ]

    reported = (*reading.warnings, *run.diagnostics, *run.noted)
    lines = [*anomalies("limit."), *reported, *anomalies("capture.")]
    for name in run.policy.kept:
        if known_kind(name) is None:
            typed = f"--show-value {name}: a person typed a secret there, which stays hidden"
            click.echo(f"dissect: {visible(typed)}", err=True)
    for line in lines[:20]:
        click.echo(f"dissect: warning: {visible(run.policy.scrub(line))}", err=True)
    if len(lines) > 20:
        click.echo(f"dissect: warning: and {len(lines) - 20} more like these", err=True)


def _where(anomaly: Anomaly) -> str:
    """The stream and frame of a limit that was reached; a capture's own are in its sentence."""
    if not anomaly.kind.startswith("limit."):
        return ""
    stream = "" if anomaly.stream is None else f"stream {anomaly.stream}, "
    return f"{stream}frame {anomaly.frame}: " if anomaly.frame else ""
