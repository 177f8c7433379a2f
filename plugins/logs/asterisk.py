"""An example to copy: a reader for one more kind of log, the SIP messages in Asterisk's.

    dissect flow --plugin plugins/logs/asterisk.py --phone-log /var/log/asterisk/full

Asterisk writes them after "pjsip set logger on": a line with the time and the other end, then
the message as it was on the wire. Its own address it does not write.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from dissect.engines.logs import LogFile, LogReader
from dissect.engines.sip_text import MESSAGE_LIMIT, Growing, Transport, message
from dissect.model import Connection, Direction, Endpoint, Message, Place, Span
from dissect.plugins import Registry

HEAD = re.compile(
    r"\[(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?\].{0,120}?<--- "
    r"(Received|Transmitting) SIP (request|response) \(\d+ bytes\) (?:from|to) "
    r"(UDP|TCP|TLS|WS|WSS):\[?([^\s\]]+?)\]?:(\d{1,5}) --->"
)
ENTRY = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
SERVER = Endpoint("asterisk", 5060)
TRANSPORTS: dict[str, Transport] = {
    "UDP": "udp", "TCP": "tcp", "TLS": "tls", "WS": "ws", "WSS": "ws",
}  # fmt: skip


def fits(text: str) -> bool:
    """Whether a message's first line is in it."""
    return HEAD.search(text) is not None


def read(files: Sequence[LogFile], year: int) -> Iterable[Message]:
    """The SIP messages, in the files' order. The times are local; dissect aligns them."""
    connections: dict[tuple[str, Endpoint], Connection] = {}
    for file in files:
        for number, head, text in _traces(file.text.splitlines()):
            sent, peer = (
                head.group(8) == "Transmitting",
                Endpoint(head.group(11), int(head.group(12))),
            )
            over = TRANSPORTS[head.group(10)]
            # Who asks first on a connection is its client.
            known = connections.get((over, peer))
            if known is None:
                asks = sent == (head.group(9) == "request")
                ends = (SERVER, peer) if asks else (peer, SERVER)
                below: Literal["udp", "tcp"] = "udp" if over == "udp" else "tcp"
                known = Connection(file.capture, below, len(connections), *ends)
                connections[over, peer] = known
            sender = SERVER if sent else peer
            direction: Direction = 0 if sender == known.client else 1
            time_ns = _time(head)
            place = Place(known, direction, Span(number, time_ns, number, time_ns))
            found = message(text, place, over)
            if found is not None:
                yield found


def _time(head: re.Match[str]) -> int:
    clock = [int(head.group(index)) for index in range(1, 7)]
    return timegm((*clock, 0, 0, 0)) * 1_000_000_000 + int((head.group(7) or "0").ljust(9, "0"))


def _traces(lines: Sequence[str]) -> Iterator[tuple[int, re.Match[str], str]]:
    """Number and match of each trace's first line, and the message below it."""
    at = 0
    while at < len(lines):
        head = HEAD.search(lines[at])
        at += 1
        if head is None:
            continue
        start, text = at, Growing()
        while at < len(lines) and not ENTRY.match(lines[at]) and not text.complete:
            if text.size < MESSAGE_LIMIT:
                text.add(lines[at] + "\r\n")
            at += 1
        yield start, head, text.text


def register(registry: Registry) -> None:
    """Called by dissect with its registry."""
    registry.add_log_reader(LogReader("Asterisk", fits, read, "Asterisk's: pjsip set logger on"))
