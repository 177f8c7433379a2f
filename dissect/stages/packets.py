"""Captures → what is left of them: events, secrets, each file's facts, and what is to be shown.

Rules, the search for secrets and the comparison of clocks see each message once, as it is
complete; then it is let go, but for what `keep` keeps of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dissect.capture.spool import Spool
from dissect.engines import Reading
from dissect.flow.definition import Definition
from dissect.model import Anomaly, Event, Message, TlsConnection
from dissect.plugins import Registry
from dissect.redaction.policy import Policy
from dissect.signin.offsets import Offset
from dissect.signin.recogniser import Recogniser
from dissect.signin.timing_constraints import VALUES_KEPT, Observations
from dissect.stages import align
from dissect.stages.keep import Keep
from dissect.stages.notes import Notes, faults
from dissect.stages.read import read
from dissect.stages.run_options import RunOptions

TOO_MANY_VALUES = (
    f"more than {VALUES_KEPT:,} messages or values are in several captures: the clocks are "
    "compared by the first ones"
)

if TYPE_CHECKING:
    from dissect.engines.hints import Hints


@dataclass(frozen=True, slots=True)
class Packets:
    """What the packets came to. `events` are in order, on the clocks as moved; `name_of` gives
    the host name of an address. `tls` counts TLS connections, all and those that stayed
    undecrypted. `hints` tell tshark, by capture, what was recognised on unusual port."""

    reading: Reading
    clocks: list[Offset]
    events: list[Event]
    name_of: Callable[[str], str | None]
    tls: tuple[int, int] = (0, 0)
    hints: Mapping[int, Hints] = field(default_factory=dict)

    @property
    def moves(self) -> dict[int, int]:
        """ns that were added to the times of captures, by index."""
        return align.moves(self.clocks)


class LookedFor(NamedTuple):
    """What a run looks for: flows by their definitions, events by rules, and among these those of
    SIP. Rules are left out where nobody asks for events or secrets."""

    definitions: Sequence[Definition]
    rules: bool = True
    sip_events: bool = True


def packets(
    options: RunOptions,
    policy: Policy,
    registry: Registry,
    looked_for: LookedFor,
    keep: Keep,
    spool: Spool | None = None,
) -> tuple[Packets, Notes]:
    """Reads the captures. With a `spool` standard input can be read again.

    Raises as `stages.read.read`, and PluginError for what a plugin's rule raises.
    """
    several = len(options.captures) > 1
    taker = _Taker(options, policy, registry, looked_for, keep)
    named = looked_for.definitions if options.flows else ()
    reading, notes = read(options, registry, named, taker.take, spool)
    without = reading.left_out
    if several:
        before = taker.recogniser.so_far(without)
        clocks, reported = align.align(options, taker.seen, before, without)
    else:
        clocks, reported = align.as_set(options)
    moves = align.moves(clocks)
    ends = {
        info.name: info.end_ns + moves.get(info.index, 0)
        for info in reading.captures
        if info.end_ns is not None
    }
    events = taker.recogniser.finish(moves, without, reading.names, ends)
    lost = [item for item in taker.recogniser.failures if item not in reading.anomalies]
    reading.anomalies += [*lost, *taker.recogniser.limits]
    if taker.seen.full:
        reading.anomalies.append(Anomaly("limit.compared", TOO_MANY_VALUES, 0))
    if moves:
        _move(reading, moves)
    found = Packets(
        reading, clocks, events, taker.recogniser.name_of, taker.tls(without), taker.hints
    )
    return found, notes + reported + Notes((), faults(lost, options))


class _Taker:
    """Hands each message to all who look at it."""

    def __init__(
        self,
        options: RunOptions,
        policy: Policy,
        registry: Registry,
        looked_for: LookedFor,
        keep: Keep,
    ) -> None:
        several = len(options.captures) > 1
        rules = looked_for.rules or several
        self.seen = Observations()
        self.hints: dict[int, Hints] = {}
        self.recogniser = Recogniser(
            options.names,
            policy,
            registry.rules,
            len(options.phone_logs),
            several,
            self.seen.exchange if several else None,
            looked_for.sip_events or several,
        )
        self._several, self._keep, self._rules = several, keep, rules
        self._hinted = rules and any(item.matched for item in looked_for.definitions)
        self._tls, self._undecrypted = 0, 0
        self._rows: dict[int, bool] = {}  # of several captures: number of a row, if it is shut

    def take(self, message: Message, serial: int) -> Message | None:
        if self._rules:
            self.recogniser.add(message, serial)
        if self._several:
            self.seen.add(message)
        if self._hinted:
            self._hint(message)
        if isinstance(message, TlsConnection) and message.inside is None:
            undecrypted = message.decrypted == "none"
            self._tls += 1
            self._undecrypted += undecrypted
            if self._several:
                self._rows[serial] = undecrypted
        return self._keep(message)

    def _hint(self, message: Message) -> None:
        from dissect.engines.hints import Hints

        capture = message.place.connection.capture
        hints = self.hints.get(capture)
        if hints is None:
            hints = self.hints[capture] = Hints()
        hints.add(message)

    def tls(self, without: Mapping[int, None]) -> tuple[int, int]:
        """TLS connections, and those that stayed undecrypted, without those reported by another
        capture."""
        gone = [self._rows[serial] for serial in without if serial in self._rows]
        return self._tls - len(gone), self._undecrypted - sum(gone)


def _move(reading: Reading, moves: Mapping[int, int]) -> None:
    """Set the times of what is kept."""
    from dissect.engines import placed
    from dissect.engines.clocks import moved

    reading.messages = placed(moved(reading.messages, moves))
    reading.duplicates = moved(reading.duplicates, moves)
