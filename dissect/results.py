"""What `dissect.open` gives to a program: charts, events and tables of some captures.

A capture is read when something of it is first asked for. Everything that is text here is
redacted as the commands' output is; only `reveal` shows secrets.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from dissect.errors import UsageError
from dissect.model import CaptureInfo, Cause, Event, Fact, SequenceChart
from dissect.pipeline import RunOptions, Session
from dissect.render import Renderer, format_of, render
from dissect.stages.keep import nothing

Name = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Chart:
    """A sign-in, or another flow, that was found: the verdict, and how to draw it.

    `data` has all of it (`dissect.model.SequenceChart`).
    """

    data: SequenceChart

    @property
    def flow(self) -> str:
        """The name of its definition, as `dissect flows` lists it."""
        return self.data.flow

    @property
    def title(self) -> str:
        """What kind of sign-in it is, in words."""
        return self.data.title

    @property
    def status(self) -> Literal["complete", "failed", "incomplete"]:
        return self.data.status

    @property
    def stopped_at(self) -> int | None:
        """The number of the step at which it stopped, None if it is complete."""
        return self.data.stopped_at

    @property
    def cause(self) -> Cause | None:
        """Why it failed: code, sentence, remedy, and the frames that prove it."""
        return self.data.cause

    def draw(self, format: str = "text", **options: Any) -> str | bytes:
        """This chart in a format (`text`, `json`, `svg`, `png`, `pdf`, `mermaid`, `plantuml`,
        `markdown`, `csv`); `options` are those of `dissect.render.Options`.

        Raises UsageError for a format that there is not.
        """
        return render(self.data, format, **options)

    def __str__(self) -> str:
        return _text(self.draw())

    def _repr_svg_(self) -> str:
        return _text(self.draw("svg"))

    def _repr_html_(self) -> str:
        return _figure(self)


class Results:
    """What some captures hold. Made by `dissect.open`, whose options are described there.

    Each property reads the captures if that was not done. What it raises: UsageError for an
    option or log that can't be used, CaptureError for a file that is missing or no capture,
    DefinitionError for a flow, PluginError for a plugin; all are `dissect.errors.DissectError`.
    """

    def __init__(self, options: RunOptions) -> None:
        if "-" in options.captures:
            raise UsageError("standard input can't be read twice: give the capture as a file")
        self._options = options
        self._session = Session(options, nothing)

    @cached_property
    def charts(self) -> Sequence[Chart]:
        """The sign-ins found, the most specific first."""
        return tuple(map(Chart, self._session.charts))

    @property
    def events(self) -> Sequence[Event]:
        """Messages as steps of sign-in protocols, in order of time. What is secret in `facts` is
        a `Secret`, which shows no value; `show` gives a fact as text."""
        return tuple(self._session.events)

    @property
    def captures(self) -> Sequence[CaptureInfo]:
        """What is known of each file: frames, times (ns, UTC), drops, key logs."""
        return tuple(self._session.reading.captures)

    @property
    def warnings(self) -> Sequence[str]:
        """What the commands say on standard error: useless key log lines, clocks that were moved,
        limits that were reached."""
        run = self._session
        limits = [
            f"{run.names[item.capture]}: {item.sentence}"
            for item in run.reading.anomalies
            if item.kind.startswith(("limit.", "capture."))
        ]
        lines = (*run.reading.warnings, *run.diagnostics, *limits, *run.faults)
        return tuple(map(run.policy.scrub, lines))

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table as docs/tables.md describes them: `http`, `sip`, `sip_dialogs`,
        `tls`, `dns`, `dhcp`, `ntp`, `events`, `redirects`. All but `events` read the captures
        once more, for what the charts don't need of them.

        Raises UsageError for a table that there is not.
        """
        from dissect import tables

        if name not in tables.NAMES:
            raise UsageError(f"no table {name!r}: there are {', '.join(tables.NAMES)}")
        table = tables.table(name)
        session = self._session
        if name != "events":
            session = Session(self._options, table.keep, table.rules)
        return list(table.rows(session))

    def show(self, fact: Fact | None) -> str:
        """A fact of an event as text: secrets as `‹kind #n›`, and masked in all else."""
        return self._session.policy.show(fact)

    def draw(self, format: str = "text", **options: Any) -> str | bytes:
        """All charts in a format, as `Chart.draw`; a page (`html`) has no messages here: `dissect
        report` makes one that has."""
        return render(self._session.charts, format, **self._common, **options)

    def save(self, path: Name, **options: Any) -> None:
        """Write the charts to a file, in the format that its extension asks for; private (mode
        0600) if secrets are revealed.

        Raises UsageError for an extension that is no format's, and where the file can't be
        written or is one of those read.
        """
        from dissect import output_conflicts
        from dissect.saving import save

        target = os.fspath(path)
        renderer: Renderer = format_of(target)
        output_conflicts.check(self._options, [target])
        save(target, self.draw(renderer.name, **options), self._options.reveal)

    @property
    def _common(self) -> Mapping[str, Any]:
        return {"captures": tuple(self.captures), "diagnostics": tuple(self.warnings)}

    def __iter__(self) -> Iterator[Chart]:
        return iter(self.charts)

    def __len__(self) -> int:
        return len(self.charts)

    def __str__(self) -> str:
        return _text(self.draw()) if self.charts else "no flow found"

    def _repr_html_(self) -> str:
        if not self.charts:
            return "<p>no flow found</p>"
        return "\n".join(map(_figure, self.charts))


def results(
    captures: Sequence[Name],
    key_logs: Sequence[Name] = (),
    phone_logs: Sequence[Name] = (),
    flows: Sequence[Name] = (),
    plugins: Sequence[Name] = (),
    roles: Mapping[str, str] | None = None,
    clocks: Mapping[str, int] | None = None,
    engine: Literal["embedded", "tshark"] = "embedded",
    auto_keys: bool = True,
    reveal: bool = False,
    show_values: Sequence[str] = (),
) -> Results:
    """`dissect.open`, which describes the options."""
    if not captures and not phone_logs:
        raise UsageError("give a capture, or a phone log")
    return Results(
        RunOptions(
            captures=_names(captures),
            key_logs=_names(key_logs),
            phone_logs=_names(phone_logs),
            flows=_names(flows),
            plugins=_names(plugins),
            roles=roles or {},
            clocks=clocks or {},
            engine=engine,
            auto_keys=auto_keys,
            reveal=reveal,
            shown_names=tuple(show_values),
        )
    )


def _names(given: Sequence[Name]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise UsageError(f"give a list of names, not {given!r}")
    return tuple(os.fspath(name) for name in given)


def _text(drawn: str | bytes) -> str:
    return drawn if isinstance(drawn, str) else drawn.decode("utf-8")


def _figure(chart: Chart) -> str:
    """The chart as an image: nothing of a capture can become markup, run or load anything."""
    drawn = chart.draw("svg")
    data = base64.b64encode(drawn if isinstance(drawn, bytes) else drawn.encode()).decode()
    words = html.escape(f"{chart.title}: {chart.status}")
    return f'<img alt="{words}" src="data:image/svg+xml;base64,{data}" style="max-width: 100%">'
