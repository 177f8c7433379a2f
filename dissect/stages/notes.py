"""What a stage has to say besides its result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dissect.errors import INTERNAL
from dissect.model import Anomaly
from dissect.stages.run_options import RunOptions


@dataclass(frozen=True, slots=True)
class Notes:
    """Sentences for the user (not yet masked), and bugs of ours that the run went on from."""

    diagnostics: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def __add__(self, other: Notes) -> Notes:
        faults = dict.fromkeys((*self.faults, *other.faults))
        return Notes((*self.diagnostics, *other.diagnostics), tuple(faults))


def faults(anomalies: Iterable[Anomaly], options: RunOptions) -> tuple[str, ...]:
    """Those of some anomalies that are bugs of ours, as sentences, each once."""
    names, captures = options.names, len(options.captures)
    reported = (
        f"{names[item.capture]} {'frame' if item.capture < captures else 'line'} {item.frame}: "
        f"{item.sentence}"
        for item in anomalies
        if item.kind == INTERNAL
    )
    return tuple(dict.fromkeys(reported))
