"""Captures → messages, by the engine that was asked for; each is handed on as it is complete."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dissect.capture.spool import Spool
from dissect.engines import CaptureInput, Reading, Take
from dissect.errors import UsageError
from dissect.flow.definition import Definition
from dissect.plugins import Registry
from dissect.stages.notes import Notes, faults
from dissect.stages.run_options import RunOptions, bind_key_logs


def read(
    options: RunOptions,
    registry: Registry,
    definitions: Sequence[Definition],
    take: Take,
    spool: Spool | None = None,
) -> tuple[Reading, Notes]:
    """What `take` keeps of the messages, and each file's facts. `definitions` are the flows that
    the user named. With a `spool` standard input can be read again.

    Raises UsageError for a file or an option that can't be used, CaptureError for a file that is
    no capture, or that tshark does not read whole.
    """
    for path in options.phone_logs:
        if not Path(path).exists():
            raise UsageError(f"{path}: no such file")
    inputs = bind_key_logs(options)
    if not inputs:
        return Reading(), Notes()
    if options.engine == "tshark":
        reading = _by_tshark(inputs, options.decode_as, take)
        reported: tuple[str, ...] = ()
        if registry.readers:
            names = ", ".join(reader.name for reader in registry.readers)
            reported = (f"parsers of plugins don't run with tshark: {names}",)
        return reading, Notes(reported, faults(reading.anomalies, options))
    if options.decode_as and not any(item.matched for item in definitions):
        raise UsageError("--decode-as is for --engine tshark; the embedded engine looks inside")
    from dissect.engines import embedded

    reading = embedded.read(inputs, plugins=registry.readers, take=take, spool=spool)
    return reading, Notes((), faults(reading.anomalies, options))


def _by_tshark(inputs: list[CaptureInput], decode_as: Sequence[str], take: Take) -> Reading:
    """tshark gives its messages when it has ended."""
    from dissect.engines import tshark

    reading = tshark.read(inputs, decode_as)
    reported, others = reading.messages, reading.duplicates
    first = len(reported)
    reading.left_out = dict.fromkeys(range(first, first + len(others)))
    reported_kept = [take(message, serial) for serial, message in enumerate(reported)]
    others_kept = [take(message, serial) for serial, message in enumerate(others, first)]
    reading.messages = [message for message in reported_kept if message is not None]
    reading.duplicates = [message for message in others_kept if message is not None]
    return reading
