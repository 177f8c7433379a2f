"""What a walk over a container notes beside the packets: for `dissect info` and warnings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

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

MAX_ANOMALIES = 1000
"""Anomalies kept per capture; a file of nothing but anomalies must not fill the memory."""


MAX_KEY_LOG = 128 << 20
"""Bytes read of a key log, and kept of all those in one pcapng: some 700,000 lines."""


@dataclass(frozen=True, slots=True)
class SecretsText:
    """A key log and where it came from: a file's name, or `phone.pcapng DSB 1`; and in a
    sentence why it is not whole."""

    text: Opaque
    origin: str
    problem: str = ""


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

    def anomaly(self, kind: str, sentence: str, frame: int | None = None) -> None:
        """Note an anomaly of the container."""
        if len(self.anomalies) < MAX_ANOMALIES:
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
    """The key log file `path`, its first MAX_KEY_LOG bytes. UsageError: absent, a directory,
    not readable."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            text = Opaque(b"".join(_pieces(file)))
            return SecretsText(text, name, _TOO_LONG if file.read(1) else "")
    except FileNotFoundError:
        raise UsageError(f"{name}: no such key log") from None
    except IsADirectoryError:
        raise UsageError(f"{name}: a directory, not a key log") from None
    except OSError as error:
        raise UsageError(f"{name}: can't be read ({error.strerror})") from None


_PIECE = 1 << 20
_TOO_LONG = f"only its first {MAX_KEY_LOG >> 20} MB are read"


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """What there is within the bound; zeros alone, which a sparse file is full of, are not kept."""
    left = MAX_KEY_LOG
    while left > 0 and (piece := file.read(min(_PIECE, left))):
        left -= len(piece)
        yield piece if piece.count(0) < len(piece) else b"\0"
