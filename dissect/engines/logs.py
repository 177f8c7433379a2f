"""What a log reader is, and the log files that it gets.

A log is one more capture: its frames are line numbers, its SIP messages and entries go
through the same rules as those of packets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dissect.errors import INTERNAL, PASSED, internal
from dissect.model import Anomaly, Message


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file of a log as text; `capture` is the index by which its messages name it."""

    capture: int
    name: str
    text: str = field(repr=False)


Read = Callable[[Sequence[LogFile], int], Iterable[Message | Anomaly]]


@dataclass(frozen=True, slots=True)
class LogReader:
    """A kind of log. `fits` says by its content whether a file is one. `read` takes the files
    of one log, the oldest first, and the year of its first entry if it does not tell it; the
    messages' times are the log's clock as it stands, taken as UTC where it names no zone.

    Messages are `SipMessage`s, or `PluginMessage`s with an event and its facts. A log in which
    the ends of a connection have ports is a server's: each connection is somebody else's.
    `expects` is what an error says that such a log looks like.
    """

    name: str
    fits: Callable[[str], bool]
    read: Read
    expects: str


def guarded(
    capture: int, line: int, make: Callable[[], Iterable[Message]]
) -> Iterator[Message | Anomaly]:
    """The messages of one entry of a log; a bug of ours costs this entry alone, and is reported."""
    try:
        yield from make()
    except PASSED:
        raise
    except Exception as error:
        yield Anomaly(INTERNAL, internal(error), capture, line)
