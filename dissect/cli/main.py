"""The `dissect` command: loads a subcommand's module only when it is called."""

from __future__ import annotations

import gc
import importlib
import os
import sys

import click

from dissect import __version__
from dissect.cli.surroundings import own_surroundings
from dissect.errors import DissectError

# name → (module, attribute, one line for --help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "flow": ("dissect.cli.flow", "flow", "The sign-in as a sequence chart, and where it stopped."),
    "http": ("dissect.cli.tables", "http", "HTTP exchanges, decrypted where keys allow."),
    "sip": ("dissect.cli.tables", "sip", "SIP messages."),
    "tls": ("dissect.cli.tables", "tls", "TLS connections, and why one stayed shut."),
    "dns": ("dissect.cli.tables", "dns", "DNS questions and answers."),
    "dhcp": ("dissect.cli.tables", "dhcp", "DHCP messages: addresses, servers, provisioning."),
    "ntp": ("dissect.cli.tables", "ntp", "NTP messages, and whose clock is wrong."),
    "events": ("dissect.cli.tables", "events", "Messages as steps of sign-in protocols."),
    "redirects": ("dissect.cli.redirects", "redirects", "A sign-in from host to host."),
    "info": ("dissect.cli.info", "info", "What is in the captures, and what could be decrypted."),
    "check": ("dissect.cli.check", "check", "Regression test: the flows against a golden file."),
    "crosscheck": (
        "dissect.cli.crosscheck",
        "crosscheck",
        "dissect against tshark, message by message.",
    ),
    "diff": ("dissect.cli.check", "diff", "Two sign-ins step by step: where they parted."),
    "report": ("dissect.cli.report", "report", "One self-contained page for the ticket."),
    "export": ("dissect.cli.export", "export", "Only the sign-in's packets, as a pcapng."),
    "flows": ("dissect.cli.flows", "flows", "The flow definitions that are installed."),
    "plugins": ("dissect.cli.flows", "plugins", "The plugins that are installed."),
}


class LazyGroup(click.Group):
    """A group whose `--help` imports no subcommand, so that start-up stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 sign-in complete, or table printed; 1 a sign-in failed or is "
    "incomplete; 2 usage or unreadable input; 3 no flow found.",
)
@click.version_option(__version__, prog_name="dissect")
def cli() -> None:
    """From a packet capture to the answer in the ticket."""


def run() -> None:
    """Entry point: exit codes and one-line errors as docs/cli.md lists them."""
    # A run builds what it keeps, and next to no cycles: to look for them often, or once more at
    # the exit, takes a tenth of the time and frees nothing.
    gc.set_threshold(10_000)
    code = main(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A console of another code page must not turn a chart into an error.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with own_surroundings():
            result = cli.main(arguments, prog_name="dissect", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        _say(error)
        return 2
    except DissectError as error:
        click.echo(f"dissect: {_one_line(str(error))}", err=True)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python must not complain at exit, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _say(error: click.ClickException) -> None:
    """A wrong use on one line, with where to read more; `dissect` alone shows its help."""
    context = getattr(error, "ctx", None)
    if context is not None and isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    where = context.command_path if context is not None else "dissect"
    text = _one_line(error.format_message()).rstrip(".")
    click.echo(f"dissect: {text} (see {where} --help)", err=True)


def _one_line(text: str) -> str:
    """An error on one line, without control characters that a file name may hold."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
