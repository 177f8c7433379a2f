"""What tshark reads of a protocol that a plugin declares: the fields that its columns name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from dissect.capture import open_capture, read_key_log
from dissect.engines import CaptureInput
from dissect.engines.tshark import check_selectors
from dissect.engines.tshark.private import PrivateFolder
from dissect.engines.tshark.process import TsharkRun, fields_command, preferences, rows
from dissect.engines.tshark.program import locate
from dissect.errors import CaptureError
from dissect.protocols.record import Protocol

MAX_FRAMES = 100_000  # of one protocol in a capture that are compared


class ReportedMessage(NamedTuple):
    """A frame as tshark tells it: its stream, and by column the values in it."""

    stream: int
    values: dict[str, list[str]]


def read(
    item: CaptureInput, protocol: Protocol, decode_as: Sequence[str] = ()
) -> dict[int, ReportedMessage]:
    """By frame: what tshark reads in those that the protocol's filter selects.

    Raises UsageError without tshark, CaptureError where it takes the filter, a field or the
    capture not, or where more than MAX_FRAMES frames fit."""
    check_selectors(decode_as)
    program = locate([item])
    columns = [column for column in protocol.columns if column.wireshark]
    stream = f"{protocol.reader.transport}.stream"
    fields = ["frame.number", stream, *(column.wireshark for column in columns)]
    logs = [read_key_log(path) for path in (*item.key_logs, *item.found_key_logs)]
    with open_capture(item.name, 0) as capture:
        logs += capture.secrets
    with PrivateFolder() as folder:
        options = [*preferences(folder, item, logs, decode_as), "-Y", protocol.wireshark]
        command = fields_command(program, item.name, options, fields)
        with TsharkRun(command, folder.config()) as run:
            found = list(islice(rows(run, len(fields)), MAX_FRAMES + 1))
    if run.problem is not None:
        raise CaptureError(f"{item.name}: protocol {protocol.name}: {run.problem}")
    if len(found) > MAX_FRAMES:
        raise CaptureError(
            f"{item.name}: more than {MAX_FRAMES} frames of {protocol.name}: compare a part"
        )
    return {
        int(number[0]): ReportedMessage(
            int(of_stream[0]) if of_stream else -1,
            {column.name: reported for column, reported in zip(columns, values, strict=True)},
        )
        for number, of_stream, *values in found
    }
