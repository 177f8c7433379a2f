"""Charts into files and on standard output: what `flow` and `report` share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissect.errors import UsageError
from dissect.render.escape import visible
from dissect.saving import save, save_all

if TYPE_CHECKING:
    from dissect.model import SequenceChart
    from dissect.pipeline import Session
    from dissect.render.details import Details
    from dissect.report.anonymous import Anonymous
    from dissect.report.relative import Relative


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

DETAIL = click.option(
    "--detail",
    type=click.Choice(["overview", "steps", "full"]),
    default="full",
    help="How much is drawn: a few numbered arrows, the steps with what decided them, or all.",
)


OWN = ("text", "json", "csv")  # formats for one's own terminal and programs: paths as given


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        click.echo(f"dissect: warning: {visible(warning)}", err=True)


class ChartDrawing:
    """The charts of a session, ready to be drawn in any format."""

    def __init__(
        self, run: Session, anonymize: bool = False, theme: str = "light", detail: str = "full"
    ) -> None:
        self.run = run
        self.theme, self.detail = theme, detail
        self.charts: Sequence[SequenceChart] = self._advised(run)
        lines = (*run.reading.warnings, *run.diagnostics)
        self.lines = tuple(run.policy.scrub(line) for line in lines)
        self.anonymous: Anonymous | None = None
        if anonymize:
            from dissect.report.anonymous import Anonymous

            if run.options.reveal:
                raise UsageError("--anonymize and --reveal exclude each other")
            self.anonymous = Anonymous(self.charts, self._details, self.lines)
            self.charts, self.lines = self.anonymous.charts, self.anonymous.lines

    @staticmethod
    def _advised(run: Session) -> Sequence[SequenceChart]:
        """The charts; where one is incomplete, with the logs that were not given."""
        if run.options.phone_logs or all(c.status != "incomplete" for c in run.charts):
            return run.charts
        from dissect.report.beside import logs_beside, with_logs

        warnings: list[str] = []
        logs = logs_beside(run.options.captures, (), warnings)
        _warn(warnings)
        return with_logs(run.charts, logs)

    @cached_property
    def _details(self) -> Details:
        from dissect.report.build import build

        return build(self.run)

    @cached_property
    def _relative(self) -> Relative:
        from dissect.report.relative import Relative

        options, captures = self.run.options, self.run.reading.captures
        logs = (name for capture in captures for name in capture.key_logs)
        return Relative((*options.captures, *options.phone_logs, *logs))

    def _shown(self, name: str) -> Sequence[SequenceChart]:
        """The charts as a format shows them: what people hand on names no folders."""
        return self.charts if name in OWN else self._relative.of(tuple(self.charts))

    def text(self, name: str) -> str | bytes:
        """The charts in a format of `dissect.render`."""
        from dissect.render import render

        return render(self._shown(name), name, **self._options(name))

    def _options(self, name: str) -> dict[str, Any]:
        terminal = sys.stdout.isatty() and name == "text"
        encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
        width = 80  # a pipe has no width: what mails and tickets show
        if terminal:
            width = max(60, os.get_terminal_size().columns)
        options: dict[str, Any] = {
            "width": width,
            "color": terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb",
            "ascii": name == "text" and not encoding.startswith("utf"),
            "theme": self.theme,
            "captures": tuple(self.run.reading.captures),
            "diagnostics": self.lines,
            "detail": self.detail,
        }
        if name == "html":
            options["details"] = self.anonymous.details if self.anonymous else self._details
            options["details"] = self._relative.of(options["details"])
            options["anonymous"] = self.anonymous is not None
        if name not in OWN:
            options["diagnostics"] = self._relative.of(self.lines)
        return options

    def write(self, path: str) -> None:
        """Write the charts to `path`, and beside it what the format's limits left out."""
        from dissect import output_conflicts
        from dissect.render import Options, format_of

        # Secrets, once revealed, are for the user's eyes alone.
        private = self.run.options.reveal
        if path.lower().endswith(".har"):
            from dissect.report.har import document

            warnings: list[str] = []
            save(path, document(self.run, self.anonymous, warnings), private)
            _warn(warnings)
            click.echo(f"wrote {visible(path)}", err=True)
            return
        renderer = format_of(path)
        options = Options(**self._options(renderer.name))
        shown = self._shown(renderer.name)
        content = renderer.load()(shown, options)
        parts = renderer.load_parts()
        further = parts(shown, options) if parts else []
        target = Path(path)
        names = [f"{target.stem}.{suffix}{target.suffix}" for suffix, _ in further]
        whole = [
            (str(target.with_name(name)), text)
            for name, (_, text) in zip(names, further, strict=True)
        ]
        if whole:
            output_conflicts.check_chosen(name for name, _ in whole)
            output_conflicts.check(self.run.options, (name for name, _ in whole))
        save_all([(path, content), *whole], private)
        click.echo(f"wrote {visible(path)}", err=True)
        if whole:
            click.echo(
                f"dissect: {visible(path)} is shortened, {renderer.name} holds no more; the whole "
                f"is in {visible(names[0])} and {len(names) - 1} more files",
                err=True,
            )


def check_name(path: str) -> None:
    """Raises UsageError for a file name whose extension is no format's, before any work."""
    from dissect.render import format_of

    if not path.lower().endswith(".har"):
        format_of(path)
