"""Joins the stages: files → messages → events → charts.

`Session` is the public way in for programs: give it file names, ask it for messages,
events or charts. It prints nothing and never exits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from dissect.capture.spool import Spool
from dissect.engines import CaptureInput, Reading
from dissect.errors import INTERNAL, UsageError
from dissect.flow.definition import Definition, load
from dissect.flow.doubts import doubts
from dissect.flow.match import match
from dissect.model import Anomaly, Event, Message, Opaque, SequenceChart, TlsConnection
from dissect.plugins import Registry, registry
from dissect.redaction.policy import Policy
from dissect.signin import skew
from dissect.signin.catalogue import EVENTS
from dissect.signin.offsets import Offset, estimate
from dissect.signin.recognise import BUILT_IN, Recogniser

KEY_LOG_SUFFIXES = (".keys", ".keylog")
COMPRESSED = (".gz", ".zst", ".lz4")


@dataclass(frozen=True, slots=True)
class Options:
    """What a user asked for; every field as `docs/cli.md` and `--help` describe it.

    `key_logs` may bind a log to a capture (`phone.pcapng:phone.keys`). `clocks` are ns to
    add to a capture's times, by its name as given. `roles` are actor by address.
    `rsa_keys` are files of servers' private keys, `rsa_passwords` may open them.
    `decode_as` are Wireshark's selectors (`tcp.port==5070,sip`), for the engine tshark.
    `opened` are names whose values are shown, unless they are of a known kind of secret.
    `again` says that captures will be read again, so that standard input has to be kept.
    """

    captures: tuple[str, ...]
    key_logs: tuple[str, ...] = ()
    phone_logs: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    rsa_keys: tuple[str, ...] = ()
    rsa_passwords: tuple[Opaque, ...] = ()
    engine: Literal["embedded", "tshark"] = "embedded"
    decode_as: tuple[str, ...] = ()
    auto_keys: bool = True
    reveal: bool = False
    opened: tuple[str, ...] = ()
    again: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    clocks: Mapping[str, int] = field(default_factory=dict)


class Session:
    """One run over some captures. Each stage is computed once, when first asked for.

    Raises UsageError, CaptureError or DefinitionError as the stage's own docs say.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.policy = Policy(options.reveal, options.opened)
        self.book = self.policy.book
        self.spool = Spool() if options.again and "-" in options.captures else None
        self.diagnostics: list[str] = []
        self.faults: list[str] = []  # bugs of ours that the run went on from
        self._clocks: list[Offset] = []
        self._recognised: tuple[Recogniser, list[Event]] | None = None

    @property
    def names(self) -> list[str]:
        """Captures, then phone logs: the index of a message's capture counts in here."""
        return [*self.options.captures, *self.options.phone_logs]

    @cached_property
    def reading(self) -> Reading:
        """Messages of all captures on one time line, with each file's facts. Captures whose
        clocks differ are put on one clock: `clocks` says by what."""
        reading = self._read()
        self._lost_to(reading.anomalies)
        if len(self.options.captures) > 1:
            self._align(reading)
        else:
            self._clocks = [Offset(0, None, set_ns=ns) for ns in self.options.clocks.values()]
            self.diagnostics += [item.sentence(self.names) for item in self._clocks]
        return reading

    def _align(self, reading: Reading) -> None:
        from dissect.engines import placed
        from dissect.engines.clocks import moved

        held = [*reading.messages, *reading.duplicates]
        if not held:
            return
        recogniser, events = self._recognise(reading)
        names = self.options.captures
        clocks = self.options.clocks
        pinned = {index: clocks[name] for index, name in enumerate(names) if name in clocks}
        self._clocks = estimate(len(names), held, events, recogniser.exchanges, names, pinned)
        self.diagnostics += [
            item.sentence(names)
            for item in self._clocks
            if item.move_ns or item.set_ns is not None or _apart(item, held)
        ]
        moves = {item.capture: item.move_ns for item in self._clocks if item.move_ns}
        if not moves:
            self._recognised = recogniser, events
            return
        reading.messages = placed(moved(reading.messages, moves))
        reading.duplicates = moved(reading.duplicates, moves)

    def _recognise(self, reading: Reading) -> tuple[Recogniser, list[Event]]:
        recogniser = Recogniser(self.names, self.policy, self.registry.rules, names=reading.names)
        for message in reading.messages:
            recogniser.add(message)
        events = recogniser.finish()
        reading.anomalies += self._lost_to(recogniser.failures)
        return recogniser, events

    def _lost_to(self, anomalies: Sequence[Anomaly]) -> list[Anomaly]:
        """Those of `anomalies` that are bugs of ours and not noted yet; now they are."""
        found = []
        known = set(self.faults)
        for item in anomalies:
            unit = "frame" if item.capture < len(self.options.captures) else "line"
            said = f"{self.names[item.capture]} {unit} {item.frame}: {item.sentence}"
            if item.kind == INTERNAL and said not in known:
                known.add(said)
                found.append(item)
                self.faults.append(said)
        return found

    def _read(self) -> Reading:
        options = self.options
        for path in options.phone_logs:
            if not Path(path).exists():
                raise UsageError(f"{path}: no such file")
        inputs = bind_key_logs(options)
        if not inputs:
            return Reading()
        if options.engine == "tshark":
            from dissect.engines import tshark

            if self.registry.readers:
                names = ", ".join(reader.name for reader in self.registry.readers)
                self.diagnostics.append(f"parsers of plugins don't run with tshark: {names}")
            return tshark.read(inputs, options.decode_as)
        if options.decode_as and not any(
            item.matched for item in self.definitions if options.flows
        ):
            raise UsageError("--decode-as is for --engine tshark; the embedded engine looks inside")
        from dissect.engines import embedded

        return embedded.read(inputs, plugins=self.registry.readers, spool=self.spool)

    @property
    def clocks(self) -> list[Offset]:
        """How the clocks of several captures stand to each other, and how that was found."""
        _ = self.reading
        return self._clocks

    @cached_property
    def messages(self) -> list[Message]:
        return self.reading.messages

    @cached_property
    def log_handshakes(self) -> list[TlsConnection]:
        """The TLS-DSK handshakes that phone logs hold; times are as the phone wrote them."""
        if not self.options.phone_logs:
            return []
        from dissect.engines import handshakes, phone_log

        found: list[TlsConnection] = []
        for index, path in enumerate(self.options.phone_logs, len(self.options.captures)):
            first = self.messages[0].place.span.first_ns if self.messages else _modified_ns(path)
            year = time.gmtime(first // 1_000_000_000).tm_year
            found += handshakes.rows(phone_log.read(path, index, year, self.registry.log_readers))
        # A log's clock of whole seconds measures no round trip.
        return [replace(row, round_trips_ns=()) for row in found]

    @cached_property
    def events(self) -> list[Event]:
        """The events of captures and phone logs, on the captures' clock."""
        reading = self.reading
        self.diagnostics += self._doubts()
        recogniser, packets = self._recognised or self._recognise(reading)
        from_logs = self._log_events(packets)
        merged = [*packets, *self._frame_events(recogniser.name_of), *from_logs]
        merged.sort(key=lambda event: event.order)
        self.diagnostics += skew.warnings(merged)
        return skew.blamed(merged)

    def _doubts(self) -> list[str]:
        """What in the flows can't be meant. A plugin's rules may give events of any name."""
        known = None if len(self.registry.rules) > len(BUILT_IN) else EVENTS
        if known is None or not self.options.flows:
            return [said for item in self.definitions for said in doubts(item, known)]
        from dissect.signin.facts import flow_facts  # 5 ms: for flows that somebody names

        facts = flow_facts()
        return [said for item in self.definitions for said in doubts(item, known, facts)]

    def _frame_events(self, name_of: Callable[[str], str | None]) -> list[Event]:
        """What the wanted flows ask of tshark: frames of any protocol."""
        wanted = [definition for definition in self.definitions if definition.matched]
        if not self.options.flows and self.reading.traffic:
            # Nobody asked: only for what speaks on their ports, and else at no cost.
            seen = frozenset[int]().union(*(item.ports for item in self.reading.traffic))
            wanted = [definition for definition in wanted if definition.ports & seen]
        if not wanted or not self.options.captures:
            return []
        from dissect.engines.tshark.arrows import TsharkArrows

        arrows = TsharkArrows(bind_key_logs(self.options), name_of, self.options.decode_as)
        events = arrows.read(wanted, self.reading, asked=bool(self.options.flows))
        self.diagnostics += arrows.warnings
        index = {name: number for number, name in enumerate(self.options.captures)}
        moves = {item.capture: item.move_ns for item in self.clocks if item.move_ns}
        events = [
            replace(event, time_ns=event.time_ns + moves.get(index[event.source.capture], 0))
            for event in events
        ]
        for event in events:
            for fact in event.facts.values():
                frame = event.source.first_frame or 0
                self.book.learn_fact(fact, index[event.source.capture], frame)
        return events

    @cached_property
    def charts(self) -> list[SequenceChart]:
        """The flows found, the most specific first."""
        return match(
            self.definitions,
            self.events,
            self.book.show,
            self.options.roles,
            self.spans,
            named=bool(self.options.flows),
        )

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """When each capture begins and ends (ns), on the clock of the events."""
        moves = {item.capture: item.move_ns for item in self.clocks}
        found = {}
        for info in self.reading.captures:
            if info.start_ns is not None and info.end_ns is not None:
                shift = moves.get(info.index, 0) + self.options.clocks.get(info.name, 0)
                found[info.name] = info.start_ns + shift, info.end_ns + shift
        return found

    @property
    def definitions(self) -> list[Definition]:
        known = self.registry.definitions
        chosen = [known.get(name) or load(name) for name in self.options.flows]
        return chosen or list(known.values())

    @cached_property
    def registry(self) -> Registry:
        """Rules, flows and formats: built in, installed, and from `--plugin` files."""
        return registry(self.options.plugins)

    def _log_events(self, packets: Sequence[Event]) -> list[Event]:
        """The events of all logs, their clocks set by the captures' where something ties them."""
        if not self.options.phone_logs:
            return []
        from dissect.engines import phone_log

        paths, first = self.options.phone_logs, len(self.options.captures)
        return [
            event
            for group in phone_log.sets(paths)
            for event in self._one_log([(paths[i], first + i) for i in group], packets)
        ]

    def _one_log(self, files: Sequence[tuple[str, int]], packets: Sequence[Event]) -> list[Event]:
        from dissect.engines import phone_log
        from dissect.signin import vvx_log

        name = ", ".join(path for path, _ in files)
        start = packets[0].time_ns if packets else _modified_ns(files[0][0])
        year = time.gmtime(start // 1_000_000_000).tm_year
        readers = self.registry.log_readers
        lost: list[Anomaly] = []
        messages = phone_log.read_set(files, year, readers, self.diagnostics, lost)
        self._lost_to(lost)
        logs = len(self.options.phone_logs)
        recogniser = Recogniser(self.names, self.policy, self.registry.rules, logs)
        for message in messages:
            recogniser.add(message)
        events = recogniser.finish()
        self._lost_to(recogniser.failures)
        found = vvx_log.clock_offset(events, packets, messages)
        if found is None:
            if packets:
                said = "nothing ties the log's clock to the captures'; its times are as written"
                self.diagnostics.append(f"{name}: {said}")
            return vvx_log.without_twins(events, ())
        against = "against the captures" if packets else f"against {found.how}"
        told = f" (told by {found.how})" if packets else ""
        words = vvx_log.clock_words(found.ns, found.uncertainty_ns)
        if abs(found.ns) >= vvx_log.SECOND // 2:  # else it is right, and nobody has to know
            # Times of a phone's log have no year; what no time zone explains may be more.
            years = "; years, which it may not name, are not counted" if " day" in words else ""
            self.diagnostics.append(f"{name}: {against} the log's clock is {words}{told}{years}")
        moved = [replace(event, time_ns=event.time_ns + found.ns) for event in events]
        stamps = skew.by_log(packets, moved, found.ns)
        return [*vvx_log.without_twins(moved, packets), *stamps]


def _apart(offset: Offset, messages: Sequence[Message]) -> bool:
    """Whether nothing ties a capture's clock to the others, and it shows another time."""
    if offset.other is not None:
        return False
    own = [m.place.span for m in messages if m.place.connection.capture == offset.capture]
    rest = [m.place.span for m in messages if m.place.connection.capture != offset.capture]
    if not own or not rest:
        return False
    return min(span.first_ns for span in own) > max(span.last_ns for span in rest) or max(
        span.last_ns for span in own
    ) < min(span.first_ns for span in rest)


def _modified_ns(path: str) -> int:
    """A log without capture: its file's time is the best guess at its year."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def bind_key_logs(options: Options) -> list[CaptureInput]:
    """Which key logs belong to which capture.

    Raises UsageError for a named key log or RSA key that does not exist.
    """
    common: list[str] = []
    bound: dict[str, list[str]] = {}
    for item in options.key_logs:
        capture, path = split_binding(item, options.captures)
        if not Path(path).exists():
            raise UsageError(f"{path}: no such key log")
        (common if capture is None else bound.setdefault(capture, [])).append(path)
    for path in options.rsa_keys:
        if not Path(path).exists():
            raise UsageError(f"{path}: no such RSA key")
    unknown = set(options.clocks) - set(options.captures)
    if unknown:
        raise UsageError(f"--clock: {sorted(unknown)[0]} is none of the captures given")
    return [
        CaptureInput(
            name=name,
            key_logs=(*common, *bound.get(name, ())),
            found_key_logs=tuple(found_beside(name)) if options.auto_keys else (),
            offset_ns=options.clocks.get(name, 0),
            rsa_keys=options.rsa_keys,
            rsa_passwords=options.rsa_passwords,
        )
        for name in options.captures
    ]


def split_binding(item: str, captures: Sequence[str]) -> tuple[str | None, str]:
    """`phone.pcapng:phone.keys`, if its first part is a capture given (a drive letter is not)."""
    for name in captures:
        if item.startswith(name + ":") or item.startswith(Path(name).name + ":"):
            prefix = name if item.startswith(name + ":") else Path(name).name
            return name, item[len(prefix) + 1 :]
    return None, item


def found_beside(capture: str) -> list[str]:
    """The key logs that lie beside a capture, and the one that SSLKEYLOGFILE names."""
    found = []
    path = Path(capture)
    if capture != "-" and path.name:  # "." and "/" have none
        if path.suffix.lower() in COMPRESSED:
            path = path.with_suffix("")
        found = [
            str(path.with_suffix(suffix))
            for suffix in KEY_LOG_SUFFIXES
            if os.path.isfile(path.with_suffix(suffix))  # a name that grows too long is none
        ]
    environment = os.environ.get("SSLKEYLOGFILE")
    if environment and Path(environment).is_file():
        found.append(environment)
    return found
