"""Two engines over the same captures, message by message.

Messages are aligned by stream, frame and kind; the frame is that of the last byte, in
HTTP/2 that of the header block, as tshark names them. Then their fields are compared.

Tolerances, and nothing beyond them: blanks around a header's value; a TLS connection's
frames and the reason why it stayed undecrypted, which tshark does not tell; the text of a body's
problem, and a body that one side calls incomplete; the exchange numbers themselves (which
request belongs to which response is compared); the data of DNS records that tshark shows
in several fields of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dissect.engines import Reading
from dissect.engines.compared_fields import fields_of, same, shown
from dissect.model import (
    UNKNOWN_QUIC,
    DnsMessage,
    HttpRequest,
    HttpResponse,
    Message,
    SipMessage,
    TcpConnection,
    TlsConnection,
)

Engine = Literal["embedded", "tshark"]
Right = Literal["embedded", "tshark", "both", "neither"]
MatchKey = tuple[object, ...]
Pair = tuple[Message | None, Message | None]
# What each engine reads by itself. DHCP and NTP have one parser for both.
COMPARED = (HttpRequest, HttpResponse, SipMessage, DnsMessage, TlsConnection, TcpConnection)
ABSENT = "absent"  # the field of a difference that is a whole message


@dataclass(slots=True)
class Difference:
    """One field of one message in which the engines differ, or a message that one has not.

    `name` is that of the field, or ABSENT for a message, and the side without it shows "-".
    The values shown hold no secrets. `reason` is a code, None while nothing explains it.
    """

    capture: str
    protocol: str
    stream: int
    frame: int
    what: str
    name: str
    embedded: str
    tshark: str
    reason: str | None = None
    right: Right | None = None
    note: str = ""
    link: str = ""
    pair: Pair = field(default=(None, None), repr=False, compare=False)

    @property
    def ident(self) -> tuple[str, str, int, int, str, str]:
        """What a known difference names it by."""
        return self.capture, self.protocol, self.stream, self.frame, self.what, self.name


@dataclass(slots=True)
class Comparison:
    """All that two readings have in common, and where they differ."""

    agreed: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def join(self, other: Comparison) -> None:
        """Add what another comparison of the same captures found."""
        self.agreed.update(other.agreed)
        self.differences += other.differences

    @property
    def unexplained(self) -> list[Difference]:
        return [item for item in self.differences if item.reason is None]


def compare(embedded: Reading, tshark: Reading, names: Sequence[str]) -> Comparison:
    """Align and compare; `names` are the captures', by index. Explains nothing."""
    result = Comparison()
    pairs = list(_aligned(_packets(embedded), _packets(tshark)))
    exchanges = _Exchanges(pairs)
    for first, second in pairs:
        found = list(_differences(first, second, exchanges, names))
        message = first or second
        assert message is not None
        if not found:
            result.agreed[protocol_of(message)] += 1
        result.differences += found
    result.differences.sort(key=lambda item: (item.capture, item.frame, item.stream, item.what))
    return result


def _packets(reading: Reading) -> list[Message]:
    """The messages that both engines can give: tshark has no row for QUIC without a hello."""
    return [
        item
        for item in reading.messages
        if isinstance(item, COMPARED)
        and not (isinstance(item, TlsConnection) and item.quic == UNKNOWN_QUIC)
    ]


class _Exchanges:
    """Which messages each engine puts into one exchange, by number of their pair."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._members: tuple[dict[MatchKey, list[int]], dict[MatchKey, list[int]]] = ({}, {})
        self._frames: list[int] = []
        self._whole: list[bool] = []
        for number, pair in enumerate(pairs):
            message = pair[0] or pair[1]
            assert message is not None
            self._frames.append(frame_of(message))
            self._whole.append(None not in pair)
            for side, item in zip(self._members, pair, strict=True):
                if isinstance(item, HttpRequest | HttpResponse):
                    side.setdefault(_exchange(item), []).append(number)

    def frames(self, pair: Pair) -> tuple[list[int], list[int]]:
        """The frames of the messages that are in an exchange with a pair, for each engine.

        Messages that only one engine has are left out: they are differences of their own.
        """
        found: list[list[int]] = []
        for side, item in zip(self._members, pair, strict=True):
            assert isinstance(item, HttpRequest | HttpResponse)
            same = side[_exchange(item)]
            found.append(sorted(self._frames[number] for number in same if self._whole[number]))
        return found[0], found[1]


def _exchange(message: HttpRequest | HttpResponse) -> MatchKey:
    return message.place.connection, message.exchange


def protocol_of(message: Message) -> str:
    if isinstance(message, HttpRequest | HttpResponse):
        return "http2" if message.version == "2" else "http"
    if isinstance(message, SipMessage):
        return "sip"
    if isinstance(message, DnsMessage):
        return "dns"
    return "tls" if isinstance(message, TlsConnection) else "tcp"


def frame_of(message: Message) -> int:
    """The frame by which both engines name a message."""
    if isinstance(message, HttpRequest | HttpResponse) and message.version == "2":
        return message.head_frame
    if isinstance(message, TlsConnection | TcpConnection):
        return message.place.span.first_frame
    return message.place.span.last_frame


def what_of(message: Message) -> str:
    """The kind of a message in a word or two: `GET`, `response 200`, `connection`."""
    if isinstance(message, HttpRequest):
        return message.method
    if isinstance(message, HttpResponse):
        return f"response {message.status}"
    if isinstance(message, SipMessage):
        return message.method if message.status is None else f"response {message.status}"
    if isinstance(message, DnsMessage):
        return "response" if message.is_response else "query"
    return "connection"


# ------------------------------------------------------------------ alignment


def _stream(message: Message) -> MatchKey:
    connection = message.place.connection
    return connection.capture, connection.transport, connection.stream, protocol_of(message)


def _exact(message: Message) -> MatchKey:
    if isinstance(message, TlsConnection) and (message.inside or message.quic):
        return *_stream(message), message.inside, message.quic is not None, frame_of(message)
    if isinstance(message, TlsConnection | TcpConnection):
        return _stream(message)
    answers = isinstance(message, HttpResponse)
    if isinstance(message, SipMessage):
        answers = message.kind == "response"
    elif isinstance(message, DnsMessage):
        answers = message.is_response
    number = getattr(message, "h2_stream", None)
    return *_stream(message), frame_of(message), answers, number


def _loose(message: Message) -> MatchKey:
    """What a message is known by when the engines name different frames."""
    number = getattr(message, "h2_stream", None)
    if number is not None:
        return *_stream(message), number, what_of(message)
    return *_stream(message), message.place.span.first_frame, what_of(message)


def _aligned(ours: Sequence[Message], theirs: Sequence[Message]) -> Iterator[Pair]:
    """Pairs by `_exact`, of the rest pairs by `_loose`, then what one side has alone."""
    for key in (_exact, _loose):
        pairs, ours, theirs = _matched(ours, theirs, key)
        yield from pairs
    yield from ((item, None) for item in ours)
    yield from ((None, item) for item in theirs)


def _matched(
    ours: Sequence[Message], theirs: Sequence[Message], key: Callable[[Message], MatchKey]
) -> tuple[list[tuple[Message, Message]], list[Message], list[Message]]:
    waiting: dict[MatchKey, list[Message]] = defaultdict(list)
    for item in theirs:
        waiting[key(item)].append(item)
    pairs, alone = [], []
    for item in ours:
        candidates = waiting.get(key(item))
        if candidates:
            pairs.append((item, candidates.pop(0)))
        else:
            alone.append(item)
    left = {id(item) for items in waiting.values() for item in items}
    return pairs, alone, [item for item in theirs if id(item) in left]


# ------------------------------------------------------------------ differences


def _differences(
    first: Message | None,
    second: Message | None,
    exchanges: _Exchanges,
    names: Sequence[str],
) -> Iterator[Difference]:
    message = first or second
    assert message is not None
    connection = message.place.connection

    def difference(name: str, one: str, other: str) -> Difference:
        return Difference(
            names[connection.capture],
            protocol_of(message),
            connection.stream,
            frame_of(message),
            what_of(message),
            name,
            one,
            other,
            pair=(first, second),
        )

    if first is None or second is None:
        yield difference(
            ABSENT, what_of(first) if first else "-", what_of(second) if second else "-"
        )
        return
    values, others = fields_of(first), fields_of(second)
    if isinstance(first, HttpRequest | HttpResponse):
        values["exchange"], others["exchange"] = exchanges.frames((first, second))
    for name, value in values.items():
        if not same(name, value, others[name], first, second):
            yield difference(name, *shown(name, value, others[name]))
