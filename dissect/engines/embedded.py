"""The default engine: our own reader, reassembly, decryption and parsers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dissect.capture import CaptureFile, Packet, link_name, open_capture
from dissect.capture.spool import Spool
from dissect.engines import CaptureInput, Intake, Reading, Take, whole
from dissect.engines.duplicates import Fingerprint, fingerprints
from dissect.engines.key_material import secret_store
from dissect.engines.traffic import traffic
from dissect.model import (
    Anomaly,
    CaptureInfo,
    Connection,
    Message,
    StreamParser,
    TlsConnection,
    TlsReason,
)
from dissect.protocols.base import Layer, StreamReader
from dissect.protocols.content import Allowance
from dissect.protocols.sniff import opener
from dissect.protocols.sniff_udp import open_udp
from dissect.protocols.tls.secret_store import SecretStore
from dissect.transport import Assembler


def read(
    inputs: Sequence[CaptureInput],
    reader: str = "walk",
    plugins: Sequence[StreamReader] = (),
    take: Take = whole,
    spool: Spool | None = None,
) -> Reading:
    """The messages of all captures on one time line, each reported once; `plugins` are parsers
    that plugins add. `take` gets each message as it is complete, those of one capture after
    those of the one before. With a `spool` standard input can be read again.

    Raises CaptureError for a file that is no capture, UsageError for a missing one.
    """
    reading = Reading()
    names: dict[str, str] = {}
    known: list[Fingerprint] = []
    intake = Intake(take, len(inputs) > 1)
    for index, item in enumerate(inputs):
        with _opened(item, index, spool) as capture:
            info, assembler = _read_one(capture, item, reading, plugins, intake)
            reading.captures.append(info)
            reading.traffic.append(traffic(assembler))
            if len(inputs) > 1:
                known += fingerprints(assembler)
            names.update(capture.names)
    reading.names = names
    intake.finish(reading, known)
    return reading


def _opened(item: CaptureInput, index: int, spool: Spool | None) -> CaptureFile:
    if item.name == "-" and spool is not None:
        return spool.first(index)
    return open_capture(sys.stdin.buffer if item.name == "-" else item.name, index)


def _read_one(
    capture: CaptureFile,
    item: CaptureInput,
    reading: Reading,
    plugins: Sequence[StreamReader],
    intake: Intake,
) -> tuple[CaptureInfo, Assembler]:
    store, origins, warnings = secret_store(capture, item)
    reading.warnings += warnings
    known = len(capture.secrets)
    piped = item.name == "-"  # elsewhere all secrets are known before the first packet
    waiting: list[TlsConnection] = []  # their secrets may still come

    def emit(output: Message | Anomaly) -> None:
        if isinstance(output, Anomaly):
            reading.anomalies.append(output)
        elif piped and isinstance(output, TlsConnection) and output.reason == _WITHOUT_KEY:
            waiting.append(output)
        else:
            intake.add(output)

    open_child = opener(store, plugins)

    allowance = Allowance()

    def open_tcp(connection: Connection) -> StreamParser:
        return open_child(Layer(connection, open_child, allowance=allowance))

    def open_datagrams(connection: Connection) -> StreamParser:
        return open_udp(Layer(connection, open_child, allowance=allowance), plugins)

    assembler = Assembler(capture.index, open_tcp, open_datagrams, emit)
    packets = capture.packets()
    if piped:
        packets = _learning(packets, capture, store, reading)
    assembler.feed(_shifted(packets, item.offset_ns) if item.offset_ns else packets)
    assembler.finish()
    for row in _reported_late(waiting, store.too_late):
        intake.add(row)
    if len(capture.secrets) > known:
        reading.warnings.append(
            f"{capture.name}: the TLS secrets stand after the packets and came too late"
        )
    reading.anomalies += capture.anomalies
    info = capture.info()
    skipped = {_named(reason): count for reason, count in assembler.skipped.items()}
    info = replace(
        info,
        frames_skipped={**info.frames_skipped, **skipped},
        key_logs=(*origins, *(secrets.origin for secrets in capture.secrets)),
    )
    return info, assembler


def _learning(
    packets: Iterator[Packet], capture: CaptureFile, store: SecretStore, reading: Reading
) -> Iterator[Packet]:
    """The packets; secrets that come between them serve the connections that follow."""
    known = len(capture.secrets)
    for packet in packets:
        if len(capture.secrets) > known:
            known = _learn(known, capture, store, reading)
        yield packet
    _learn(known, capture, store, reading)


def _learn(known: int, capture: CaptureFile, store: SecretStore, reading: Reading) -> int:
    for secrets in capture.secrets[known:]:
        problems = store.add_key_log(secrets.text, secrets.origin)
        reading.warnings += [f"{secrets.origin}: {problem}" for problem in problems]
    return len(capture.secrets)


_WITHOUT_KEY: TlsReason = "no_secret_for_random"


def _reported_late(
    rows: Sequence[TlsConnection], streams: frozenset[int]
) -> Iterator[TlsConnection]:
    from dissect.protocols.tls.connection_row import came_late

    for row in rows:
        yield came_late(row) if row.place.connection.stream in streams else row


def _named(reason: str) -> str:
    """Why a frame was skipped, a link type with its name."""
    number = reason.removeprefix("link type ")
    return f"{reason} ({link_name(int(number))})" if number.isdigit() else reason


def _shifted(packets: Iterator[Packet], offset_ns: int) -> Iterator[Packet]:
    for frame, time_ns, link, buffer, start, caplen, length in packets:
        yield frame, time_ns + offset_ns, link, buffer, start, caplen, length
