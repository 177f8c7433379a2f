"""Joins the stages: files → messages → events → charts.

`Session` is one run over some captures, for commands; programs have `dissect.open`. It prints
nothing and never exits.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from dissect.capture.spool import Spool
from dissect.engines import Reading
from dissect.flow.definition import Definition
from dissect.model import Event, Message, SequenceChart, TlsConnection
from dissect.plugins import Registry, registry
from dissect.redaction.policy import Policy
from dissect.signin.offsets import Offset
from dissect.stages.keep import Keep, everything
from dissect.stages.logs import Log
from dissect.stages.notes import Notes
from dissect.stages.packets import Packets
from dissect.stages.run_options import RunOptions, bind_key_logs, found_beside, split_binding

if TYPE_CHECKING:
    from dissect.signin.redirect_chain import Redirect

__all__ = ["RunOptions", "Session", "bind_key_logs", "found_beside", "split_binding"]


class _StageResults(NamedTuple):
    packets: Packets
    logs: list[Log]
    events: list[Event]
    notes: Notes


class Session:
    """One run over some captures, which are read once, when something is first asked for.

    `keep` says what stays of each message once the rules have seen it, `rules` whether they run.
    Raises UsageError, CaptureError or DefinitionError as the stage's own docs say.
    """

    def __init__(self, options: RunOptions, keep: Keep = everything, rules: bool = True) -> None:
        self.options = options
        self.policy = Policy(options.reveal, options.shown_names)
        self.book = self.policy.book
        self.spool = Spool() if options.again and "-" in options.captures else None
        self._keep, self._rules, self._sip_events = keep, rules, True
        self.noted: list[str] = []  # bounds that tables reach while their rows are made

    def keeping(self, keep: Keep, rules: bool = True, sip_events: bool = True) -> Session:
        """This session, told before it reads what is wanted of messages. Of rules, those of SIP
        can be left out alone: `sip_events`."""
        self._keep, self._rules, self._sip_events = keep, rules, sip_events
        return self

    @property
    def names(self) -> list[str]:
        """Captures, then phone logs: the index of a message's capture counts in here."""
        return self.options.names

    @cached_property
    def registry(self) -> Registry:
        """Rules, flows and formats: built in, installed, and from `--plugin` files."""
        return registry(self.options.plugins)

    @cached_property
    def definitions(self) -> list[Definition]:
        """The flows that are looked for."""
        from dissect.stages.charts import definitions

        return definitions(self.options, self.registry)

    @cached_property
    def _found(self) -> _StageResults:
        """All stages that meet secrets, so that whoever shows something knows them all."""
        from dissect.stages.events import events
        from dissect.stages.logs import logs
        from dissect.stages.packets import LookedFor, packets

        options, policy, known = self.options, self.policy, self.registry
        wanted = self.definitions if self._rules or options.decode_as else []
        looked_for = LookedFor(wanted, self._rules, self._sip_events)
        read, notes = packets(options, policy, known, looked_for, self._keep, self.spool)
        starts = [info.start_ns for info in read.reading.captures if info.start_ns is not None]
        logged = logs(options, known, min(starts, default=None))
        found: list[Event] = []
        if self._rules:
            found, reported = events(options, policy, known, wanted, read, logged)
            notes += reported
        return _StageResults(read, logged, found, notes)

    @cached_property
    def charts(self) -> list[SequenceChart]:
        """The flows found, the most specific first."""
        from dissect.stages.charts import charts

        return charts(self.options, self.policy, self.definitions, self._found.packets, self.events)

    # ------------------------------------------------------------------ results

    @property
    def reading(self) -> Reading:
        """Each file's facts, and what is kept of the messages of all captures, on one time line.
        Captures whose clocks differ are put on one clock: `clocks` says by what."""
        return self._found.packets.reading

    @property
    def messages(self) -> list[Message]:
        """What is kept of the messages."""
        return self.reading.messages

    @property
    def log_messages(self) -> list[Message]:
        """The messages of phone logs, on the logs' own clocks."""
        return [message for log in self._found.logs for message in log.messages]

    @property
    def log_handshakes(self) -> list[TlsConnection]:
        """The TLS-DSK handshakes that phone logs hold; times are as the phone wrote them."""
        from dissect.stages.logs import handshakes

        return handshakes(self._found.logs)

    @cached_property
    def redirects(self) -> list[Redirect]:
        """Redirects from host to host, by time."""
        from dissect.signin.exchange import pair
        from dissect.signin.redirect_chain import follow_redirects

        return follow_redirects(pair(self.messages), self.noted)

    @property
    def clocks(self) -> list[Offset]:
        """How the clocks of several captures stand to each other, and how that was found."""
        return self._found.packets.clocks

    @property
    def tls_counts(self) -> tuple[int, int]:
        """TLS connections, and those of them that stayed undecrypted."""
        return self._found.packets.tls

    @property
    def events(self) -> list[Event]:
        """The events of captures and phone logs, on the captures' clock."""
        return self._found.events

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """When each capture begins and ends (ns), on the clock of the events."""
        from dissect.stages.charts import spans

        return spans(self.options, self._found.packets)

    @property
    def notes(self) -> Notes:
        """What all stages said."""
        return self._found.notes

    @property
    def diagnostics(self) -> list[str]:
        """Sentences for the user; whoever shows them masks them first (`policy.scrub`)."""
        return list(self.notes.diagnostics)

    @property
    def faults(self) -> list[str]:
        """Bugs of ours that the run went on from."""
        return list(self.notes.faults)
