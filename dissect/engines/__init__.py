"""Ways from files to messages. Each engine gives the same `Reading`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dissect.model import Anomaly, CaptureInfo, Message


@dataclass(frozen=True, slots=True)
class CaptureInput:
    """A capture to read: its name ("-": standard input), its key logs (and which of them were
    not named by the user but found), and how many ns to add to its times."""

    name: str
    key_logs: tuple[str, ...] = ()
    found_key_logs: tuple[str, ...] = ()
    offset_ns: int = 0


@dataclass(slots=True)
class Reading:
    """What an engine made of the captures: messages in order, oddities, and the files' facts.

    `warnings` are sentences for the user, such as key log lines that were no use.
    """

    messages: list[Message] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    captures: list[CaptureInfo] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    names: Mapping[str, str] = field(default_factory=dict)


def placed(messages: Sequence[Message]) -> list[Message]:
    """Messages on one time line: by time, then capture and frame."""
    return sorted(
        messages,
        key=lambda m: (m.place.span.first_ns, m.place.connection.capture, m.place.span.first_frame),
    )
