"""NTP and SNTP (RFC 5905, RFC 4330): is the client's clock right?

A phone with a wrong clock fails certificates and tokens. Its request tells its time, the
answer the server's; the capture's clock only measures the time between the two.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from dissect.errors import ProtocolError
from dissect.model import Anomaly, Direction, Message, NtpMessage, Place, Ranges, Span
from dissect.protocols.base import Layer
from dissect.protocols.outbox import Outbox

MODES = (
    "reserved", "symmetric active", "symmetric passive", "client", "server", "broadcast",
    "control", "private",
)  # fmt: skip
MAX_ASKED = 64  # requests of one pair of endpoints that wait for an answer
_SIZE = 48
_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_ERA = 1 << 32
_CLIENT, _SERVER, _CONTROL = 3, 4, 6
# What clients send that hide their time (draft-ietf-ntp-data-minimization §3): all zero but
# the mode, the precision and a random transmit timestamp.
_MINIMISED = b"\0\0\x20" + bytes(36)


class _Asked(NamedTuple):
    """A request: when it was captured, and the client's time if it told that."""

    captured_ns: int
    client_ns: int | None


def parse(data: bytes, place: Place) -> NtpMessage | None:
    """One datagram; None for the control modes, ProtocolError when it is no NTP."""
    mode, version = (data[0] & 7, data[0] >> 3 & 7) if data else (0, 0)
    if mode >= _CONTROL and 1 <= version <= 4:
        return None
    if len(data) < _SIZE or not 1 <= version <= 4 or mode == 0:
        raise ProtocolError("ntp.malformed", "no NTP message")
    stratum = data[1]
    reference = data[12:16]
    died = mode == _SERVER and stratum == 0 and reference.isalpha()
    return NtpMessage(
        place=place,
        mode=MODES[mode],
        version=version,
        stratum=stratum,
        unsynchronized=data[0] >> 6 == 3,
        origin_ns=timestamp_ns(data[24:32]),
        receive_ns=timestamp_ns(data[32:40]),
        transmit_ns=timestamp_ns(data[40:48]),
        kiss=reference.decode("ascii") if died else None,
    )


def timestamp_ns(raw: bytes) -> int | None:
    """An NTP timestamp in ns since 1970; None for zero, which means "not known".

    The first bit tells the era: set is 1968 to 2036, clear 2036 to 2104 (RFC 4330 §3).
    """
    seconds, fraction = int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:8], "big")
    if not seconds and not fraction:
        return None
    if not seconds & 0x8000_0000:
        seconds += _ERA
    return (seconds - _EPOCH) * 1_000_000_000 + (fraction * 1_000_000_000 >> 32)


class NtpParser:
    """A `StreamParser` for NTP: each datagram is a message, answers tied to their request."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._out = Outbox(layer)
        # By the transmit timestamp, which the answer brings back as its origin.
        self._asked: OrderedDict[bytes, _Asked] = OrderedDict()

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        data = bytes(view)
        try:
            at = direction, span.offset
            ranges = Ranges(((*at, len(data)),), understood=((*at, min(_SIZE, len(data))),))
            message = parse(data, self._layer.place(direction, span, ranges))
        except ProtocolError as error:
            self._out.anomaly(error.kind, str(error), span.last_frame)
            return self._out.flush()
        if message is None:
            return []
        if message.mode == MODES[_CLIENT]:
            hidden = data[1:40] == _MINIMISED
            self._asked[data[40:48]] = _Asked(
                span.first_ns, None if hidden else message.transmit_ns
            )
            if hidden:
                message = replace(message, transmit_ns=None)  # random: it tells no time
            if len(self._asked) > MAX_ASKED:
                self._asked.popitem(last=False)
                self._out.limit(
                    "limit.ntp_asked",
                    f"more than {MAX_ASKED} NTP requests wait for an answer: how far the clock is "
                    "off is not known of the oldest",
                    span.last_frame,
                )
        elif message.mode == MODES[_SERVER]:
            message = self._answered(message, self._asked.pop(data[24:32], None))
        self._out.add(message)
        return self._out.flush()

    def _answered(self, message: NtpMessage, asked: _Asked | None) -> NtpMessage:
        """The answer with the client's offset (RFC 5905 §8), the sign turned around.

        When the client had the answer (T4) is its own time of asking plus what the capture
        measured in between.
        """
        sent, received = message.transmit_ns, message.receive_ns
        if asked is None or sent is None or received is None or message.kiss:
            return message
        between = message.place.span.last_ns - asked.captured_ns
        delay = between - (sent - received)
        ahead = None
        if asked.client_ns is not None and not message.unsynchronized:
            came = asked.client_ns + between
            ahead = ((asked.client_ns - received) + (came - sent)) // 2
        return replace(message, client_ahead_ns=ahead, delay_ns=delay)

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        return []

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        return []
