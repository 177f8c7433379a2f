"""What a walk over a container notes beside the packets: for `dissect info` and warnings."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from dissect.capture.linktypes import link_name
from dissect.errors import UsageError
from dissect.model import Anomaly, Opaque

Packet = tuple[int, int, int, bytes, int, int, int]
"""(frame number from 1, time in ns, link type, buffer, start, captured length, length)

Frames are numbered as Wireshark does. The packet is `buffer[start:start + captured]`;
`buffer` is immutable and shared by many packets. Time is since the epoch, UTC.
"""

MAX_PACKET = 262144
"""No link type that carries IP has larger packets; a longer one means a damaged file."""

MAX_ODDITIES = 1000
"""Anomalies kept per capture; a file of nothing but oddities must not fill the memory."""


@dataclass(frozen=True, slots=True)
class SecretsText:
    """A key log and where it came from: a file's name, or `phone.pcapng DSB 1`."""

    text: Opaque
    origin: str


@dataclass(slots=True)
class Tally:
    """Filled by the walk; complete when the walk has ended."""

    index: int = 0
    frames: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    links: dict[int, None] = field(default_factory=dict)
    interfaces: list[str] = field(default_factory=list)
    snaplen: int | None = None
    drops: dict[tuple[int, int], int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    anomalies: list[Anomaly] = field(default_factory=list)

    def odd(self, kind: str, sentence: str, frame: int | None = None) -> None:
        """Note an oddity of the container."""
        if len(self.anomalies) < MAX_ODDITIES:
            self.anomalies.append(Anomaly(kind, sentence, self.index, frame))

    def limit(self, snaplen: int) -> None:
        """Note an interface's snaplen; 0 and `MAX_PACKET` and more mean unlimited."""
        if 0 < snaplen < MAX_PACKET:
            self.snaplen = min(snaplen, self.snaplen or snaplen)

    def count(self, frames: int, first_ns: int, last_ns: int) -> None:
        """Where the walk stands; the two times are the earliest and the latest so far."""
        self.frames = frames
        if last_ns >= first_ns:
            self.first_ns, self.last_ns = first_ns, last_ns

    @property
    def link_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(link_name(link) for link in self.links))


def read_key_log(path: str | os.PathLike[str]) -> SecretsText:
    """The key log file `path`. UsageError: absent, a directory, not readable."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            return SecretsText(Opaque(file.read()), name)
    except FileNotFoundError:
        raise UsageError(f"{name}: no such key log") from None
    except IsADirectoryError:
        raise UsageError(f"{name}: a directory, not a key log") from None
    except OSError as error:
        raise UsageError(f"{name}: can't be read ({error.strerror})") from None
