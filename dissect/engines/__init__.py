"""Ways from files to messages. Each engine gives the same `Reading`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dissect.engines.duplicates import Fingerprint, HeldMessages, Shared
from dissect.engines.traffic import Traffic
from dissect.model import (
    Anomaly,
    CaptureInfo,
    Message,
    Opaque,
)


@dataclass(frozen=True, slots=True)
class CaptureInput:
    """A capture to read: its name ("-": standard input), its key logs (and which of them were
    not named by the user but found), files of servers' RSA keys and passwords that may open
    them, and how many ns to add to its times."""

    name: str
    key_logs: tuple[str, ...] = ()
    found_key_logs: tuple[str, ...] = ()
    offset_ns: int = 0
    rsa_keys: tuple[str, ...] = ()
    rsa_passwords: tuple[Opaque, ...] = ()


@dataclass(slots=True)
class Reading:
    """What an engine made of the captures: messages in order, anomalies, and the files' facts.

    `warnings` are sentences for the user, such as key log lines that were no use. Where
    captures share connections `messages` tells each message once, `duplicates` holds the
    others and `shared` says which captures they are; `left_out` are the numbers under which
    these others were read. `traffic` has an entry a capture (none by tshark); `names` are host
    names by address that the files themselves give.
    """

    messages: list[Message] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    captures: list[CaptureInfo] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    names: Mapping[str, str] = field(default_factory=dict)
    traffic: list[Traffic] = field(default_factory=list)
    duplicates: list[Message] = field(default_factory=list)
    shared: list[Shared] = field(default_factory=list)
    left_out: Mapping[int, None] = field(default_factory=dict)


Take = Callable[[Message, int], Message | None]
"""Gets each message once, as it is read, with its number. What it returns, the message or what
of it is still wanted, is kept in the `Reading`."""


def whole(message: Message, serial: int) -> Message:
    """A `Take` that keeps everything."""
    return message


class Intake:
    """Where an engine hands its messages in, of `several` captures or of one."""

    def __init__(self, take: Take, several: bool) -> None:
        self._take = take
        self._held = HeldMessages() if several else None
        self._kept: list[tuple[int, Message]] = []
        self._count = 0

    def add(self, message: Message) -> None:
        """The next message."""
        serial = self._count
        self._count += 1
        if self._held is not None:
            self._held.add(message, serial)
        kept = self._take(message, serial)
        if kept is not None:
            self._kept.append((serial, kept))

    def finish(self, reading: Reading, known: Iterable[Fingerprint]) -> None:
        """All are in: `known` are the connections of several captures."""
        if self._held is not None:
            reading.left_out, reading.shared = self._held.left_out(known)
        gone = reading.left_out
        reading.messages = placed([item for serial, item in self._kept if serial not in gone])
        others = {serial: item for serial, item in self._kept if serial in gone}
        reading.duplicates = [others[serial] for serial in gone if serial in others]


def placed(messages: Sequence[Message]) -> list[Message]:
    """Messages on one time line: by time, then capture and frame.

    What acknowledgments prove to have come later stands later, also where the capture has
    swapped the frames; its own time stays as it is.
    """

    def order(message: Message) -> tuple[int, bool, int, int]:
        place = message.place
        span = place.span
        corrected = span.after_ns >= span.first_ns
        return max(span.first_ns, span.after_ns), corrected, place.connection.capture, span[0]

    return sorted(messages, key=order)
