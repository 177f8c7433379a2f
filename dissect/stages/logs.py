"""Logs of phones and SIP servers → their messages, read once; and their events, on the clock
of the captures where something ties them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dissect.errors import UsageError
from dissect.model import Anomaly, Event, Message, TlsConnection
from dissect.plugins import Registry
from dissect.redaction.policy import Policy
from dissect.signin import skew, vvx_log
from dissect.signin.recogniser import Recogniser
from dissect.stages.notes import Notes, faults
from dissect.stages.run_options import RunOptions


@dataclass(frozen=True, slots=True)
class Log:
    """A log: its files (one, or those that it was rotated into), and its messages on its own
    clock. `problems` say what its files lack."""

    name: str
    messages: Sequence[Message]
    problems: tuple[str, ...] = ()
    lost: tuple[Anomaly, ...] = ()


def logs(options: RunOptions, registry: Registry, start_ns: int | None) -> list[Log]:
    """The logs. `start_ns` is when the captures begin: a log names no year, and without captures
    its file's time is the best guess.

    Raises UsageError for a file that can't be read or that no reader knows.
    """
    paths, first = options.phone_logs, len(options.captures)
    if not paths:
        return []
    from dissect.engines import phone_log

    found = []
    for group in phone_log.sets(paths):
        files = [(paths[index], first + index) for index in group]
        begin = start_ns if start_ns is not None else _modified_ns(files[0][0])
        year = time.gmtime(begin // 1_000_000_000).tm_year
        problems: list[str] = []
        lost: list[Anomaly] = []
        messages = phone_log.read_set(files, year, registry.log_readers, problems, lost)
        name = ", ".join(path for path, _ in files)
        found.append(Log(name, messages, tuple(problems), tuple(lost)))
    return found


def handshakes(found: Sequence[Log]) -> list[TlsConnection]:
    """The TLS-DSK handshakes that logs hold; times are as the phone wrote them."""
    if not found:
        return []
    from dissect.engines import handshakes as dsk

    # A log's clock of whole seconds measures no round trip.
    return [replace(row, round_trips_ns=()) for log in found for row in dsk.rows(log.messages)]


def log_events(
    log: Log, options: RunOptions, policy: Policy, registry: Registry, packets: Sequence[Event]
) -> tuple[list[Event], Notes]:
    """The events of a log that no packet shows, its clock set by that of the `packets`."""
    recogniser = Recogniser(options.names, policy, registry.rules, len(options.phone_logs))
    for number, message in enumerate(log.messages):
        recogniser.add(message, number)
    events = recogniser.finish()
    notes = Notes(log.problems, faults((*log.lost, *recogniser.failures), options))
    found = vvx_log.clock_offset(events, packets, log.messages)
    if found is None:
        if packets:
            text = "nothing ties the log's clock to the captures'; its times are as written"
            notes += Notes((f"{log.name}: {text}",))
        local = [_local(event) if event.source.stream is None else event for event in events]
        return vvx_log.without_duplicate_entries(local, ()), notes
    against = "against the captures" if packets else f"against {found.how}"
    reported = f" (told by {found.how})" if packets else ""
    words = vvx_log.clock_words(found.ns, found.uncertainty_ns)
    if abs(found.ns) >= vvx_log.SECOND // 2:  # else it is right, and nobody has to know
        # Times of a phone's log have no year; what no time zone explains may be more.
        years = "; years, which it may not name, are not counted" if " day" in words else ""
        notes += Notes((f"{log.name}: {against} the log's clock is {words}{reported}{years}",))
    moved = [replace(event, time_ns=event.time_ns + found.ns) for event in events]
    stamps = skew.by_log(packets, moved, found.ns)
    return [*vvx_log.without_duplicate_entries(moved, packets), *stamps], notes


def _local(event: Event) -> Event:
    """An event of a phone's log, which names no time zone."""
    return replace(event, source=replace(event.source, local=True))


def _modified_ns(path: str) -> int:
    """A log without capture: its file's time is the best guess at its year."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
