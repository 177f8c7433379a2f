"""Charts into files and on standard output: what `flow` and `report` share."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissect.errors import UsageError

if TYPE_CHECKING:
    from dissect.model import SequenceChart
    from dissect.pipeline import Session
    from dissect.render.details import Details
    from dissect.report.anonymous import Anonymous


ANONYMIZE = click.option(
    "--anonymize",
    is_flag=True,
    help="Made-up user names, domains, IP and MAC addresses; bodies of messages left out.",
)

THEME = click.option(
    "--theme",
    type=click.Choice(["light", "dark"]),
    default="light",
    help="Colours of PNG, SVG and PDF; a page takes those of its reader's system.",
)


class Drawing:
    """The charts of a session, ready to be drawn in any format."""

    def __init__(self, run: Session, anonymize: bool = False, theme: str = "light") -> None:
        self.run = run
        self.theme = theme
        self.charts: Sequence[SequenceChart] = run.charts
        lines = (*run.reading.warnings, *run.diagnostics)
        self.lines = tuple(run.policy.scrub(line) for line in lines)
        self.anonymous: Anonymous | None = None
        if anonymize:
            from dissect.report.anonymous import Anonymous

            if run.options.reveal:
                raise UsageError("--anonymize and --reveal exclude each other")
            self.anonymous = Anonymous(self.charts, self._details, self.lines)
            self.charts, self.lines = self.anonymous.charts, self.anonymous.lines

    @cached_property
    def _details(self) -> Details:
        from dissect.report.build import build

        return build(self.run)

    def text(self, name: str) -> str | bytes:
        """The charts in a format of `dissect.render`."""
        from dissect.render import render

        return render(self.charts, name, **self._options(name))

    def _options(self, name: str) -> dict[str, Any]:
        terminal = sys.stdout.isatty() and name == "text"
        encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
        width = 100
        if terminal:
            width = max(60, os.get_terminal_size().columns)
        options: dict[str, Any] = {
            "width": width,
            "color": terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb",
            "ascii": name == "text" and not encoding.startswith("utf"),
            "theme": self.theme,
            "captures": tuple(self.run.reading.captures),
            "diagnostics": self.lines,
        }
        if name == "html":
            options["details"] = self.anonymous.details if self.anonymous else self._details
            options["anonymous"] = self.anonymous is not None
        return options

    def write(self, path: str) -> None:
        """Write the charts to `path`, and beside it what the format's limits left out."""
        from dissect.render import Options, format_of

        if path.lower().endswith(".har"):
            from dissect.report.har import document

            save(path, document(self.run, self.anonymous))
            click.echo(f"wrote {path}", err=True)
            return
        renderer = format_of(path)
        options = Options(**self._options(renderer.name))
        save(path, renderer.load()(self.charts, options))
        click.echo(f"wrote {path}", err=True)
        parts = renderer.load_parts()
        further = parts(self.charts, options) if parts else []
        if not further:
            return
        target = Path(path)
        names = [f"{target.stem}.{suffix}{target.suffix}" for suffix, _ in further]
        for name, (_, content) in zip(names, further, strict=True):
            save(str(target.with_name(name)), content)
        click.echo(
            f"dissect: {path} is shortened, {renderer.name} holds no more; the whole is in "
            f"{names[0]} and {len(names) - 1} more files",
            err=True,
        )


def check_name(path: str) -> None:
    """Raises UsageError for a file name whose extension is no format's, before any work."""
    from dissect.render import format_of

    if not path.lower().endswith(".har"):
        format_of(path)


def save(path: str, content: str | bytes) -> None:
    """Write a file; line ends are LF. Raises UsageError in one line."""
    try:
        if isinstance(content, bytes):
            Path(path).write_bytes(content)
        else:
            Path(path).write_text(content, "utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
