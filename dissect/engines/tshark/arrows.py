"""Events from frames of any protocol: what flow definitions ask tshark for with `match`.

One run of tshark a flow and capture: its display filter is all of the flow's together, and
which of them a frame fits is recognised by a colouring rule for each, in the file's order, since
tshark has no other way to try several filters in one run. A filter that a file of colouring
rules can't hold gets a run of its own. Filters and fields are arguments of a process or lines
of that file; no shell ever sees them.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from dissect.capture import open_capture, read_key_log
from dissect.engines import CaptureInput, Reading
from dissect.engines.hints import Hints
from dissect.engines.tshark import check_selectors
from dissect.engines.tshark.field_facts import MAX_VALUES, fact
from dissect.engines.tshark.frame_ends import FIELDS, PAYLOAD, client_first, ends, identity
from dissect.engines.tshark.frames import nanoseconds
from dissect.engines.tshark.private import PrivateFolder
from dissect.engines.tshark.process import TsharkRun, fields_command, preferences, rows
from dissect.engines.tshark.program import locate
from dissect.errors import CaptureError, DefinitionError, UsageError
from dissect.flow.failures import Failure
from dissect.flow.schema import ArrowDef, Definition, LocatedMatch
from dissect.flow.texts import fill
from dissect.model import Event, Fact, Source
from dissect.signin import error_catalogue

MAX_FRAMES = 100_000  # of one flow in one capture
COPY_NS = 50_000_000  # the same frame again within this time was captured twice
OWN = "dissect "  # how the names of our colouring rules begin
_RULE = "frame.coloring_rule.name"
_FIELDS = (*FIELDS, _RULE)
_EMPTY = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)  # a pcap without packets
FieldRow = list[list[str]]


class TsharkArrows:
    """The frames that some flows want of some captures.

    `warnings` tells, a line each, which flow was not looked for and why. `name_of` gives
    the host name of an address, where one is known. `decode_as` are the user's selectors;
    what dissect has recognised on unusual port (`hints`, by capture) tshark is reported, too.
    """

    def __init__(
        self,
        inputs: Sequence[CaptureInput],
        name_of: Callable[[str], str | None],
        decode_as: Sequence[str] = (),
        hints: Mapping[int, Hints] | None = None,
    ) -> None:
        check_selectors(decode_as)
        self._decode_as = tuple(decode_as)
        self._hints = hints or {}
        self._inputs = inputs
        self._name_of = name_of
        self._seen: dict[tuple[object, ...], list[int]] = {}
        self.warnings: list[str] = []

    def read(self, definitions: Iterable[Definition], reading: Reading, asked: bool) -> list[Event]:
        """Their events. A flow that was not `asked` for by name is looked for in captures
        with traffic on its ports only, and its absence is a warning.

        Raises UsageError if a flow was asked for and tshark is absent, too old or has to read
        standard input; DefinitionError, with file and line, for a filter or field that tshark
        does not know.
        """
        events: list[Event] = []
        for definition in definitions:
            wanted = [
                index
                for index in range(len(self._inputs))
                if asked or _on(definition, reading, index)
            ]
            if not wanted:
                continue
            try:
                program = locate(self._inputs)
                for index in wanted:
                    known = self._hints.get(index, Hints())
                    ports = [*self._decode_as, *known.decode_as()[0]]
                    events += self._read_one(program, definition, index, ports)
            except (UsageError, CaptureError, DefinitionError) as error:
                if asked and isinstance(error, UsageError):
                    raise UsageError(f"flow {definition.name}: {error}") from None
                if asked:
                    raise
                self.warnings.append(f"flow {definition.name} was not looked for: {error}")
        return events

    def _read_one(
        self, program: str, definition: Definition, index: int, ports: Sequence[str]
    ) -> list[Event]:
        item = self._inputs[index]
        if item.name == "-":
            raise UsageError("tshark can't read standard input again; give the capture as a file")
        with PrivateFolder() as folder:
            run = _Run(program, folder, item, index, definition, ports)
            found = run.read()
            if run.problem is not None:
                self.warnings.append(f"{item.name}: {run.problem}")
        events = [self._event(definition, arrow, row, item) for arrow, row in found]
        return [event for event in events if event is not None]

    def _copied(self, frame: tuple[object, ...], time_ns: int) -> bool:
        """Whether such a frame was there within `COPY_NS`; else it is remembered."""
        times = self._seen.setdefault(frame, [])
        place = bisect_left(times, time_ns - COPY_NS)
        if place < len(times) and times[place] <= time_ns + COPY_NS:
            return True
        times.insert(bisect_left(times, time_ns), time_ns)
        return False

    def _event(
        self, definition: Definition, arrow: ArrowDef, row: dict[str, list[str]], item: CaptureInput
    ) -> Event | None:
        protocols = tuple(":".join(row["frame.protocols"]).split(":"))
        number = int(row["frame.number"][0])
        time_ns = nanoseconds(row["frame.time_epoch"][0]) if row["frame.time_epoch"] else 0
        sender, receiver, transport, stream = ends(protocols, row)
        facts: dict[str, Fact] = {}
        for name, text in arrow.facts.items():
            words = definition.values.get(name, {})
            value = fact(text, name, row, words, name in arrow.secrets)
            if value is not None:
                facts[name] = value
        frame = (arrow.event, sender, receiver, *identity(row, transport))
        if self._copied(frame, time_ns + item.offset_ns):
            return None
        long = next((f for f in arrow.wireshark_fields if len(set(row[f])) > MAX_VALUES), None)
        if long is not None:
            wording = f"has more than {MAX_VALUES} values of {long}; the rest is left out"
            self.warnings.append(f"{item.name}: frame {number} {wording}")
        first = min([number, *(int(frame) for frame in row["tcp.segment"])])
        client, server = client_first(definition, arrow, sender, receiver)
        event = Event(
            name=arrow.event,
            time_ns=time_ns + item.offset_ns,
            sender=sender.address,
            receiver=receiver.address,
            host=self._name_of(server.address),
            source=Source(
                capture=item.name,
                first_frame=first,
                last_frame=number,
                stream=stream,
                transport=transport,
                encrypted="tls" in protocols or "dtls" in protocols,
            ),
            facts=facts,
            client=client,
            server=server,
        )
        if arrow.fails is None:
            return event
        return replace(event, facts={**error_catalogue.of_code(_code(arrow.fails, event)), **facts})


def _on(definition: Definition, reading: Reading, index: int) -> bool:
    """Whether a capture has traffic on a port that the flow names."""
    if not reading.traffic:  # tshark is the engine: it is there, and counts no ports
        return bool(definition.ports)
    return any(item.capture == index and item.ports & definition.ports for item in reading.traffic)


def _code(failure: Failure, event: Event) -> str:
    """A failure's code, secrets masked."""
    return fill(failure.code, event, lambda value: "" if value is None else str(value))


class _Run:
    """One flow's arrows in one capture."""

    def __init__(
        self,
        program: str,
        folder: PrivateFolder,
        item: CaptureInput,
        index: int,
        definition: Definition,
        ports: Sequence[str],
    ) -> None:
        self._program = program
        self._folder = folder
        self._path = os.path.abspath(item.name)
        self._arrows = definition.matched
        self._filters = [arrow.match.tshark for arrow in self._arrows if arrow.match]
        self.problem: str | None = None
        fields = [field for arrow in self._arrows for field in arrow.wireshark_fields]
        self._wanted = frozenset(fields)
        self._fields = (*_FIELDS, *dict.fromkeys(field for field in fields if field not in _FIELDS))
        logs = [read_key_log(path) for path in (*item.key_logs, *item.found_key_logs)]
        with open_capture(self._path, index) as capture:
            logs += capture.secrets
        self._preferences = preferences(folder, item, logs, ports)

    def read(self) -> list[tuple[ArrowDef, dict[str, list[str]]]]:
        """The frames, each with the first arrow that it fits, in the capture's order."""
        wanted = " || ".join(f"({text})" for text in self._filters)
        by_rule = not any("@" in text for text in self._filters)
        if by_rule:
            rules = (f"@{OWN}{n}@{text}@[0,0,0][0,0,0]" for n, text in enumerate(self._filters))
            path = Path(self._folder.config()) / "colorfilters"
            path.write_text("\n".join(rules) + "\n", "utf-8")
        found = self._rows(wanted)
        # Rules of another name are Wireshark's own: it could not read ours.
        reported = (row[_RULE][0] if row[_RULE] else "" for row in found)
        indexes = [rule.removeprefix(OWN) if rule.startswith(OWN) else "" for rule in reported]
        if not by_rule or not all(indexes):
            self._check()
            first = self._one_by_one()
            indexes = [str(first.get(row["frame.number"][0], "")) for row in found]
        return [
            (self._arrows[int(index)], row)
            for index, row in zip(indexes, found, strict=True)
            if index
        ]

    def _one_by_one(self) -> dict[str, int]:
        """Frame → the first filter that it fits, by a run for each."""
        first: dict[str, int] = {}
        for index, text in enumerate(self._filters):
            for row in self._rows(text):
                first.setdefault(row["frame.number"][0], index)
        return first

    def _rows(self, wanted: str) -> list[dict[str, list[str]]]:
        options = [*self._preferences, "-o", "frame.generate_md5_hash:TRUE"]
        options += ["--color", "-Y", wanted]
        command = fields_command(self._program, self._path, options, self._fields)
        with TsharkRun(command, self._folder.config()) as run:
            found = [
                self._brief(dict(zip(self._fields, row, strict=True)))
                for row in islice(rows(run, len(self._fields)), MAX_FRAMES + 1)
            ]
        if len(found) > MAX_FRAMES:
            self.problem = f"more than {MAX_FRAMES} frames fit the flow; the rest is left out"
            return found[:MAX_FRAMES]
        if "colorfilters" in run.stderr:  # valid together, but not each alone
            self._check()
        if run.problem is not None:
            self._check()
            self.problem = run.problem.replace(self._path, "the capture")
        return found

    def _brief(self, row: dict[str, list[str]]) -> dict[str, list[str]]:
        """With payloads in short, unless the definition wants them: they are only compared."""
        given = row["udp.payload"]
        row[PAYLOAD] = [blake2b(item.encode(), digest_size=16).hexdigest() for item in given]
        if "udp.payload" not in self._wanted:
            row["udp.payload"] = []
        return row

    def _check(self) -> None:
        """Which filter or field tshark does not take, told with its place."""
        empty = self._folder.path / "empty"
        empty.write_bytes(_EMPTY)
        reported = self._says(str(empty), [], self._fields) or ""
        for arrow in self._arrows:
            assert isinstance(arrow.match, LocatedMatch)
            for field in arrow.wireshark_fields:
                if field in reported.split():
                    place = arrow.match.place
                    raise DefinitionError(f'{place}: fields: tshark knows no field "{field}"')
        for arrow in self._arrows:
            assert isinstance(arrow.match, LocatedMatch)
            text, place = arrow.match.tshark, arrow.match.place
            problem = self._says(str(empty), ["-Y", text], ["frame.number"])
            if problem is not None:
                problem = problem.partition(" ;")[0]
                raise DefinitionError(f'{place}: match: tshark does not take "{text}": {problem}')

    def _says(self, path: str, options: Sequence[str], fields: Sequence[str]) -> str | None:
        """Why tshark does not start so; None if it does."""
        command = fields_command(self._program, path, options, fields)
        with TsharkRun(command, self._folder.config()) as run:
            list(run.output())
        return run.stderr.replace(";", " ;") if run.code else None
