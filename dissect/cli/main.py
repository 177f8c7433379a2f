"""The `dissect` command: loads a subcommand's module only when it is called."""

from __future__ import annotations

import gc
import importlib
import os
import sys

import click

from dissect import __version__
from dissect.cli import interrupt, streams
from dissect.cli.surroundings import own_surroundings
from dissect.errors import DissectError

FAULT = 2  # usage, a file that can't be read or written, an error of ours
COMPLETE = "_DISSECT_COMPLETE"  # the shell asks for completions

# name → (module, attribute, one line for --help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "flow": ("dissect.cli.flow", "flow", "The sign-in as a sequence chart, and where it stopped."),
    "http": ("dissect.cli.tables", "http", "HTTP exchanges, decrypted where keys allow."),
    "sip": ("dissect.cli.tables", "sip", "SIP messages."),
    "tls": ("dissect.cli.tables", "tls", "TLS connections, and why one stayed shut."),
    "dns": ("dissect.cli.tables", "dns", "DNS questions and answers."),
    "dhcp": ("dissect.cli.tables", "dhcp", "DHCP messages: addresses, servers, provisioning."),
    "ntp": ("dissect.cli.tables", "ntp", "NTP messages, and whose clock is wrong."),
    "events": ("dissect.cli.events", "events", "Messages as steps of sign-in protocols."),
    "table": ("dissect.cli.table", "table", "Messages of a protocol that a plugin adds."),
    "redirects": ("dissect.cli.tables", "redirects", "A sign-in from host to host."),
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
    "incomplete; 2 usage, unreadable input or unwritable output; 3 no flow found; 130 interrupted.",
)
@click.version_option(__version__, prog_name="dissect")
def cli() -> None:
    """From a packet capture to the answer in the ticket."""


@cli.result_callback()
@click.pass_context
def _settled(context: click.Context, result: object) -> object:
    from dissect.cli.faults import settled

    return settled(context, result)


def run() -> None:
    """Entry point: exit codes and one-line errors as docs/cli.md lists them."""
    # A run builds what it keeps, and next to no cycles: to look for them often, or once more at
    # the exit, takes a tenth of the time and frees nothing.
    gc.set_threshold(10_000)
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:
        code = interrupt.end()
    interrupt.over()
    if interrupt.seen() and code != interrupt.CODE:
        code = interrupt.end()  # it struck after the last command, or was swallowed
    gc.freeze()
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    output = streams.guard()
    code = main(arguments)
    sys.stdout.flush()
    if output.problem is not None and code != interrupt.CODE:
        _error(output.problem)
        return FAULT
    return code


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code. Whatever is raised inside ends in here."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with own_surroundings():
            code = _command(arguments)
    except click.exceptions.Exit as exit_:  # --help, --version
        code = FAULT if exit_.exit_code else 0
    except (KeyboardInterrupt, click.Abort):
        return interrupt.end()
    except BaseException as error:
        # One that a signal caused on its way through a library, too.
        if interrupt.seen():
            return interrupt.end()
        _tell(error)
        return FAULT
    return interrupt.end() if interrupt.seen() else code


def _command(arguments: list[str]) -> int:
    """What click's own `main` does, but for what it prints and exits with on the way."""
    if COMPLETE in os.environ:
        from click.shell_completion import shell_complete

        failed = shell_complete(cli, {}, "dissect", COMPLETE, os.environ[COMPLETE])
        return FAULT if failed else 0
    _check_spelling(arguments)
    with cli.make_context("dissect", list(arguments)) as context:
        result = cli.invoke(context)
    return _verdict(result)


def _check_spelling(arguments: list[str]) -> None:
    """Raises UsageError for an option that is a file's name, too. In a stranger's folder `*` gives
    all names to the command, and one of them may be `--reveal` or `--plugin=x.py`."""
    for word in arguments:
        if word == "--":
            return
        if word.startswith("-") and word != "-" and os.path.lexists(word):
            raise click.UsageError(
                f"{word} is an option and the name of a file here: write ./{word} if you mean "
                "the file, else rename it or start dissect in another folder"
            )


def _verdict(result: object) -> int:
    """The exit code of a command that came to its end: a verdict. Here is the place to ask
    whether the run itself was at fault, which no verdict stands against."""
    return result if isinstance(result, int) else 0


def _tell(error: BaseException) -> None:
    if isinstance(error, click.ClickException):
        _report(error)
    elif isinstance(error, DissectError):
        _error(str(error))
    else:
        from dissect.cli import unforeseen

        _error(unforeseen.sentence(error))
        for line in unforeseen.trace(error):
            click.echo(line, err=True)


def _error(text: str) -> None:
    click.echo(f"dissect: {_one_line(text)}", err=True)


def _report(error: click.ClickException) -> None:
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
