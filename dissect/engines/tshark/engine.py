"""One capture on its way through tshark: two runs, and what they say put together."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dissect.capture import SecretsText, open_capture, read_key_log
from dissect.engines import CaptureInput, Reading, handshakes, hints
from dissect.engines.duplicates import Fingerprint
from dissect.engines.tshark import dns, process, runner, sip
from dissect.engines.tshark.datagrams import PARSERS, Datagrams
from dissect.engines.tshark.frames import FrameTable, StreamKey
from dissect.engines.tshark.http1 import MAX_WAITING, Http1
from dissect.engines.tshark.http2 import Http2
from dissect.engines.tshark.names import FRAME_FIELDS, TLS_FIELDS
from dissect.engines.tshark.pdml import PdmlUnit, Records, units
from dissect.engines.tshark.private import PrivateFolder
from dissect.engines.tshark.process import preferences
from dissect.engines.tshark.program import Program
from dissect.engines.tshark.tls import TlsTable
from dissect.errors import CaptureError, UsageError
from dissect.model import Anomaly, CaptureInfo, Endpoint, Message

_RANDOM = re.compile(rb"[A-Z][A-Z0-9_]{1,47} ([0-9A-Fa-f]{64}) [0-9A-Fa-f]++")
# Equal datagrams so close to each other were sent once and captured twice (a mirror port):
# the shortest timers that send again are longer (RFC 3261 §17.1.1.1). tshark shows both.
COPY_NS = 50_000_000
_BAD_FIELDS = "Some fields aren't valid"


class TsharkReading:
    """One capture on its way through tshark."""

    def __init__(
        self,
        program: Program,
        folder: PrivateFolder,
        item: CaptureInput,
        index: int,
        path: str,
        reading: Reading,
    ) -> None:
        self._program = program
        self._folder = folder
        self._item = item
        self._index = index
        self._path = os.path.abspath(path)
        self._reading = reading
        self.fingerprints: list[Fingerprint] = []
        self.names: dict[str, str] = {}

    def read(self, known: Iterable[Message], decode_as: Sequence[str]) -> CaptureInfo:
        info, inside, damaged = self._container()
        logs = [read_key_log(p) for p in (*self._item.key_logs, *self._item.found_key_logs)]
        for log in (*logs, *inside):
            if log.problem:
                self._warn(f"{log.origin}: {log.problem}")
        unusual_ports, warnings = hints.decode_as(known)
        for text in warnings:
            self._warn(text)
        parameters = preferences(
            self._folder, self._item, [*logs, *inside], [*decode_as, *unusual_ports]
        )
        table, problem = self._run(parameters, _randoms([*logs, *inside]), damaged)
        if table.count != info.frames:
            raise CaptureError(
                f"{self._item.name}: tshark gave {table.count} of the {info.frames} frames"
                + (f"; {problem}" if problem else "")
            )
        return replace(
            info,
            frames_skipped={**info.frames_skipped, **table.skipped},
            key_logs=tuple(secrets.origin for secrets in (*logs, *inside)),
            reader=f"{self._program} ({info.reader})",
        )

    def _container(self) -> tuple[CaptureInfo, list[SecretsText], bool]:
        """The container's own count and key logs; whether it says that it is damaged."""
        with open_capture(self._path, self._index) as capture:
            for _ in capture.packets():
                pass
            anomalies = list(capture.anomalies)
            self._reading.anomalies += anomalies
            self.names = capture.names
            info = replace(capture.info(), name=self._item.name)
            return info, list(capture.secrets), bool(anomalies)

    def _run(
        self, parameters: list[str], randoms: dict[str, str], damaged: bool
    ) -> tuple[FrameTable, str | None]:
        """Both runs of tshark: the frames that it has read, and what went wrong with it."""
        fields = FRAME_FIELDS + TLS_FIELDS
        table = FrameTable(self._index, self._item.offset_ns)
        keys = process.rsa_keys(self._item)
        tls, records = TlsTable(table, randoms, keys), Records()
        config = self._folder.config()
        command = process.fields_command(self._program.path, self._path, parameters, fields)
        capture = runner.MessageCapture(self._program, self._path, config, parameters)
        with process.TsharkRun(command, config) as first, capture.start() as second:
            for frame, row in table.read(process.rows(first, len(fields))):
                records.add(frame.number, tls.add(frame, row))
            self._judge(first, damaged)
            maker = _Maker(table, tls)
            begin = len(self._reading.messages)
            for packet in runner.packets(second):
                for unit in units(packet, table, records):
                    self._reading.messages += maker.take(unit)
                    self._malformed(unit)
            self._judge(second, damaged)
        if maker.full:
            self._warn(
                f"on {maker.full} connections more than {MAX_WAITING:,} requests wait for an "
                "answer: which answer is for which is not certain there"
            )
        self._reading.messages += [*maker.finish(), *tls.rows(), *table.rows()]
        self._reading.messages += handshakes.rows(self._reading.messages[begin:])
        self.fingerprints = table.fingerprints()
        return table, first.problem

    def _judge(self, run: process.TsharkRun, damaged: bool) -> None:
        """Exit code and stderr of a run that has ended: an error, or a warning."""
        problem = run.problem
        if problem is None:
            if run.stderr:
                self._warn(f"tshark says: {run.stderr}")
            return
        if _BAD_FIELDS in run.stderr:
            raise UsageError(
                f"tshark {self._program.release} lacks a field that is needed, install another "
                f"version ({run.stderr})"
            )
        if not damaged:
            raise CaptureError(f"{self._item.name}: {problem}")
        # The container's own reader has found the damage too; the counts are compared yet.
        self._warn(problem)

    def _warn(self, text: str) -> None:
        text = f"{self._item.name}: {text.replace(self._path, self._item.name)}"
        if text not in self._reading.warnings:
            self._reading.warnings.append(text)

    def _malformed(self, unit: PdmlUnit) -> None:
        if "_ws.malformed" in unit.layer:
            self._reading.anomalies.append(
                Anomaly(
                    "tshark.malformed",
                    f"tshark calls the {unit.name} of this frame malformed",
                    self._index,
                    unit.frame.number,
                    unit.frame.key[1],
                )
            )


class _Maker:
    """Units to messages, whatever their protocol."""

    def __init__(self, table: FrameTable, tls: TlsTable) -> None:
        self._table = table
        self._http1 = Http1(table, tls.names())
        self._http2 = Http2(table, self._http1)
        self._datagrams = Datagrams(table)
        self._latest: dict[tuple[StreamKey, Endpoint], tuple[bytes, int, int]] = {}

    @property
    def full(self) -> int:
        """As `Http1.full`."""
        return self._http1.full

    def take(self, unit: PdmlUnit) -> list[Message]:
        """The messages that a unit completes; none for a datagram captured twice."""
        if unit.payload and self._is_copy(unit):
            return []
        return self._made(unit)

    def _is_copy(self, unit: PdmlUnit) -> bool:
        key, time_ns = (unit.frame.key, unit.frame.source), unit.frame.time_ns
        payload, before_ns, frame = self._latest.get(key, (b"", 0, 0))
        self._latest[key] = (unit.payload, time_ns, unit.frame.number)
        again = payload == unit.payload and frame != unit.frame.number
        return again and abs(time_ns - before_ns) <= COPY_NS

    def _made(self, unit: PdmlUnit) -> list[Message]:
        found: Message | None
        if unit.name == "http2":
            return list(self._http2.take(unit))
        if unit.name in PARSERS:
            return self._datagrams.take(unit)
        if unit.name == "http":
            found = self._http1.message(unit)
        elif unit.name == "sip":
            found = sip.message(unit, self._table)
        else:
            found = dns.message(unit, self._table)
        return [] if found is None else [found]

    def finish(self) -> list[Message]:
        return list(self._http2.finish())


def _randoms(logs: Iterable[SecretsText]) -> dict[str, str]:
    """Client randoms (lower case hex) that the key logs have a secret for → their log."""
    found: dict[str, str] = {}
    for log in logs:
        for match in _RANDOM.finditer(bytes(log.text)):
            found.setdefault(match[1].decode().lower(), log.origin)
    return found
