"""One capture through both engines, compared and explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dissect.engines import CaptureInput, embedded, plugin_comparison, tshark
from dissect.engines.baseline import Baseline
from dissect.engines.crosscheck import Comparison, Difference, compare
from dissect.engines.reasons import explain
from dissect.engines.tshark.plugin_fields import read as read_declared
from dissect.errors import INTERNAL, CaptureError
from dissect.protocols.record import Protocol


@dataclass(frozen=True, slots=True)
class Checked:
    """A capture's name, what the comparison found, the engines and their warnings."""

    capture: str
    comparison: Comparison
    engine: str
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()  # bugs of ours that cost a stream


def check(
    item: CaptureInput,
    decode_as: Sequence[str] = (),
    known: Baseline | None = None,
    protocols: Sequence[Protocol] = (),
) -> Checked:
    """Compare the engines on one capture; with `known` only its entries explain. `protocols` are
    those of plugins, which the embedded engine reads and tshark by their filters.

    Raises CaptureError if the embedded engine can't read the capture, UsageError without
    tshark. A capture that tshark can't read is a difference.
    """
    ours = embedded.read([item], plugins=[protocol.reader for protocol in protocols])
    faults = tuple(
        f"{item.name} frame {anomaly.frame}: {anomaly.sentence}"
        for anomaly in ours.anomalies
        if anomaly.kind == INTERNAL
    )
    try:
        theirs = tshark.read([item], decode_as, detected=ours)
    except CaptureError as error:
        frames = ours.captures[0].frames
        refused = Difference(
            item.name, "capture", 0, 0, "file", "frames", str(frames), "refused", note=str(error)
        )
        result = Comparison(differences=[refused])
        if known is not None:
            known.explain(result.differences)
        return Checked(item.name, result, "tshark", (str(error),), faults)
    result = compare(ours, theirs, [item.name])
    for protocol in protocols:
        if protocol.wireshark:
            reported = read_declared(item, protocol, decode_as)
            result.join(plugin_comparison.compare(ours, protocol, reported, item.name))
    if known is None:
        explain(result, ours, theirs)
    else:
        known.explain(result.differences)
    reader, warnings = theirs.captures[0].reader, tuple(theirs.warnings)
    return Checked(item.name, result, reader, warnings, faults)
