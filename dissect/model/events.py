"""Events: messages read as steps of a sign-in protocol, with their evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dissect.model.secrets import Fact
from dissect.model.wire import Endpoint

UNREACHABLE = "udp.unreachable"
"""The event of an ICMP error about a datagram, whatever protocol that was of."""


@dataclass(frozen=True, slots=True)
class Source:
    """The evidence of an event: capture file name, frames, stream; or a log and its line.

    `frame` numbers are None for a log entry; `line` is None for packets. `local`: its time is a
    device's local one, which nothing ties to UTC.
    """

    capture: str
    first_frame: int | None = None
    last_frame: int | None = None
    stream: int | None = None
    transport: str = "tcp"
    line: int | None = None
    encrypted: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A message read as a step of some sign-in protocol.

    `name` is dotted and listed in `signin.catalogue`; `sender` and `receiver` are addresses
    (in a log: the device's word for them). `host` is the server's name, `client` and
    `server` the ends of the connection (None in a log). `facts` are what the message says:
    strings, numbers, and `Secret`s that stay comparable. `after_ns` is that of the
    message's `Span`: events are put in order by `order`, not by `time_ns`.
    """

    name: str
    time_ns: int
    sender: str
    receiver: str
    host: str | None
    source: Source
    facts: Mapping[str, Fact] = field(default_factory=dict)
    client: Endpoint | None = None
    server: Endpoint | None = None
    after_ns: int = 0

    @property
    def order_ns(self) -> int:
        """The time, or that of what acknowledgments prove to have come before."""
        return max(self.time_ns, self.after_ns)

    @property
    def order(self) -> tuple[int, bool, str, int]:
        """Sorts events of all captures and logs."""
        source = self.source
        frame = source.first_frame or source.line or 0
        return self.order_ns, self.after_ns >= self.time_ns, source.capture, frame
