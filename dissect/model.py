"""The vocabulary of dissect: what the stages hand to each other.

Frames and streams are numbered as Wireshark numbers them; times are integer
nanoseconds since the epoch, UTC. Everything is frozen. Bytes of a capture that were not
yet examined for secrets are `Opaque`, known secrets are `Secret`: neither shows its
value in str(), repr(), format() or an exception, so no log or table can leak by accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

CLIENT_TO_SERVER = 0
SERVER_TO_CLIENT = 1
Direction = Literal[0, 1]


# ------------------------------------------------------------------ secrets


class Opaque(bytes):
    """Bytes from a capture that may hold secrets; every way of showing them is closed.

    Taking them apart (`.decode()`, slicing, `bytes(x)`) is the explicit act of a parser.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"‹{len(self)} bytes›"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


UNKNOWN = "value"  # the kind of a value that nobody knows to be harmless


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A password, token, cookie, code or key. Equal when kind and value are equal.

    `kind` is one of the words of `redaction.kinds.KINDS`, or `UNKNOWN` for what is hidden
    because nothing says that it is harmless; `value` is shown by `--reveal` only. The ordinal
    `‹kind #n›` is given by `redaction.book.SecretBook`. `wire` is the value as it was sent,
    where that is encoded, for texts that quote the whole (a URL).
    """

    kind: str
    value: str
    wire: str = field(default="", compare=False)

    def __repr__(self) -> str:
        if self.kind == UNKNOWN:
            size = len(self.value)
            return f"‹value, {size} character{'' if size == 1 else 's'}›"
        return f"‹{self.kind}›"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


@dataclass(frozen=True, slots=True)
class Text:
    """Text with secrets in it, such as a URL whose query holds a token."""

    parts: tuple[str | Secret, ...]

    def __str__(self) -> str:
        return "".join(str(part) for part in self.parts)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


Fact = str | int | bool | Secret | Text | tuple[str, ...]


NOTHING = Opaque()


# ------------------------------------------------------------------ where


class Span(NamedTuple):
    """The frames that carried some bytes, first and last, and their times (ns).

    `last_frame` is the frame in which the bytes became readable: the one that filled a
    hole before them, if there was one. Wireshark names reassembled data by that frame.
    `after_ns` is not 0 where acknowledgments prove that the bytes followed others that were
    captured later: the time of those. It puts things in order and is never shown. `cut`
    is set for a gap of bytes that were in the frame and that the capture left out (snaplen).
    `offset` is set where bytes are handed on: that of the first in its direction of the stream.
    Messages keep it as `Ranges`.
    """

    first_frame: int
    first_ns: int
    last_frame: int
    last_ns: int
    after_ns: int = 0
    cut: bool = False
    offset: int = 0

    def moved(self, offset: int) -> Span:
        """The same frames, for bytes at another offset."""
        return tuple.__new__(Span, (*self[:6], offset))

    def to(self, last: Span) -> Span:
        """From the start of this span to the end of `last`."""
        return Span(
            min(self.first_frame, last.first_frame),
            min(self.first_ns, last.first_ns),
            max(self.last_frame, last.last_frame),
            max(self.last_ns, last.last_ns),
            self.after_ns,
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address and a port; str() is `address:port`, IPv6 in brackets."""

    address: str
    port: int

    def __str__(self) -> str:
        if ":" in self.address:
            return f"[{self.address}]:{self.port}"
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection or a UDP pair of endpoints.

    `stream` is Wireshark's tcp.stream or udp.stream. `client` sent the SYN; where no SYN
    was captured it is the receiver of a SYN/ACK, else the side with the higher port.
    `capture` is the index of the capture file on the command line.
    """

    capture: int
    transport: Literal["tcp", "udp"]
    stream: int
    client: Endpoint
    server: Endpoint

    def sender(self, direction: Direction) -> Endpoint:
        return self.server if direction else self.client

    def receiver(self, direction: Direction) -> Endpoint:
        return self.client if direction else self.server


Range = tuple[Direction, int, int]
"""Bytes of a stream: direction, offset of the first, how many."""


class Ranges(NamedTuple):
    """Which bytes of a stream a message was read from, in the order of the stream.

    `stream` is () for what the transport carries, whose offsets count the bytes that a side
    sent; each TLS decrypted, and each tunnel through an HTTP/2 stream, adds a number to it.
    `whole` are all bytes of the message, those between that were lost included. The others are
    what its parser understood: `head` the start line and header fields, `body` the content as it
    was sent, without transfer coding, `understood` what only says how the message was sent and
    in which no secret can be. `target` is the value of the start line: target, URI or reason.
    `fields` has offset and length of the value of each header field (of other messages: of each
    value that the parser names), one after the other, in the direction of the message.

    Not `verbatim`: the message is not in these bytes as it reads, they are compressed or masked
    (HPACK, permessage-deflate); then only `whole` and maybe `body` are told.
    """

    whole: tuple[Range, ...]
    head: tuple[Range, ...] = ()
    target: Range | None = None
    fields: tuple[int, ...] = ()
    body: tuple[Range, ...] = ()
    understood: tuple[Range, ...] = ()
    verbatim: bool = True
    stream: tuple[int, ...] = ()

    def field(self, number: int) -> tuple[int, int]:
        """Offset and length of the value of a field, counted from 0. Raises IndexError."""
        return self.fields[2 * number], self.fields[2 * number + 1]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message was: connection, direction, frames, and whether TLS hid it. `ranges` are
    its bytes, None where they are not told (logs, tshark, rows that no bytes make)."""

    connection: Connection
    direction: Direction
    span: Span
    encrypted: bool = False
    ranges: Ranges | None = field(default=None, compare=False, repr=False)

    @property
    def sender(self) -> Endpoint:
        return self.connection.sender(self.direction)

    @property
    def receiver(self) -> Endpoint:
        return self.connection.receiver(self.direction)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something odd, as data: a stable kind, the frame, and one sentence without secrets."""

    kind: str
    sentence: str
    capture: int
    frame: int | None = None
    stream: int | None = None


# ------------------------------------------------------------------ messages


def wire_text(value: bytes) -> str:
    """Bytes of a header or target as text: UTF-8 where they are that, else ISO 8859-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


MAX_NAMES = 1024
"""Names of header fields that are kept once for all messages: there are few, in many."""

_NAMES: dict[bytes, Opaque] = {}


def _named(name: bytes) -> Opaque:
    made = Opaque(name)
    if len(_NAMES) < MAX_NAMES and len(name) <= 40:
        _NAMES[bytes(name)] = made
    return made


class Headers(tuple[tuple[Opaque, Opaque], ...]):
    """Header fields in wire order, repeats kept; names as sent. Shows names only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"‹{len(self)} header fields›"

    __str__ = __repr__

    @classmethod
    def of(cls, pairs: Sequence[tuple[bytes, bytes]]) -> Headers:
        known = _NAMES.get
        return cls([(known(name) or _named(name), Opaque(value)) for name, value in pairs])

    def get(self, name: str) -> str | None:
        """The first value of `name` (any case) as `wire_text`, or None."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[str]:
        """Every value of `name` (any case) in wire order, as `wire_text`."""
        wanted = name.lower().encode("latin-1")
        for key, value in self:
            if key.lower() == wanted:
                yield wire_text(value)


@dataclass(frozen=True, slots=True)
class Body:
    """A message body after transfer and content decoding.

    `wire_size` counts body bytes before content decoding (chunk framing excluded).
    `problem` says in one sentence what is missing or could not be decoded, else None.
    """

    data: Opaque = NOTHING
    wire_size: int = 0
    problem: str | None = None

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


EMPTY_BODY = Body()


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request (RFC 9110). `exchange` pairs it with its response on the connection.

    `target` is the request target as sent (path and query in HTTP/2). `host` is the
    :authority or Host, else the host of an absolute-form target, else None. `via` is
    `address:port` of the proxy where the request came through a CONNECT tunnel.
    `head_frame` is the frame in which the header fields became complete (in HTTP/2 the
    last frame of the header block), the body's frames not counted.
    """

    place: Place
    exchange: int
    version: Literal["1.0", "1.1", "2"]
    method: str
    target: Opaque
    scheme: str
    host: str | None
    headers: Headers
    body: Body = EMPTY_BODY
    server_name: str | None = None
    via: str | None = None
    pushed: bool = False
    h2_stream: int | None = None
    head_frame: int = 0

    @property
    def path(self) -> str:
        """The target without its query, for recognisers. May hold secrets: never print it."""
        return wire_text(self.target).split("?", 1)[0]

    @property
    def query(self) -> str:
        """The query of the target, undecoded. May hold secrets: never print it."""
        return wire_text(self.target).partition("?")[2]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response. `interim` marks 1xx; `exchange` is that of its request, or a fresh
    one if the request was not captured. `head_frame` as in `HttpRequest`. A `status` of 0
    is one that the capture does not tell (HTTP/2 joined late, the field was compressed)."""

    place: Place
    exchange: int
    version: Literal["1.0", "1.1", "2"]
    status: int
    reason: Opaque
    headers: Headers
    body: Body = EMPTY_BODY
    interim: bool = False
    server_name: str | None = None
    h2_stream: int | None = None
    head_frame: int = 0


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A SIP request or response (RFC 3261). `method` is the CSeq's in a response.

    Header names are as sent; `header()` knows the compact forms. `retransmission` is set
    when the same message (Via branch, CSeq, status) was seen before on the stream.
    `tls_dsk` names the TLS messages inside a `gssapi-data` of the TLS-DSK scheme.
    """

    place: Place
    kind: Literal["request", "response"]
    method: str
    uri: Opaque
    status: int | None
    reason: str
    headers: Headers
    body: Body = EMPTY_BODY
    transport: Literal["udp", "tcp", "tls", "ws"] = "tcp"
    retransmission: bool = False
    tls_dsk: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        return next(self.header_all(name), None)

    def header_all(self, name: str) -> Iterator[str]:
        yield from self.headers.all(name)
        compact = SIP_COMPACT.get(name.lower())
        if compact:
            yield from self.headers.all(compact)


SIP_COMPACT: Mapping[str, str] = {
    "call-id": "i",
    "contact": "m",
    "content-encoding": "e",
    "content-length": "l",
    "content-type": "c",
    "from": "f",
    "subject": "s",
    "supported": "k",
    "to": "t",
    "via": "v",
    "event": "o",
    "allow-events": "u",
    "refer-to": "r",
}


@dataclass(frozen=True, slots=True)
class DnsMessage:
    """A DNS query or response (RFC 1035). `answers` are (name, type, data) in words."""

    place: Place
    ident: int
    is_response: bool
    rcode: str
    questions: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DhcpMessage:
    """A DHCPv4 message (RFC 2131), with what tells a phone where its servers are (RFC 2132).

    `kind` is the message type in lower case ("discover", "offer", "ack" …). `address` is the
    one given or asked for, `server` the DHCP server's. `asked` are the option codes that the
    client wants. `provisioning` pairs a place ("66", "160", "43", "43.3") with its value,
    which may be a URL with a password in it. Name, time and SIP servers are addresses or names.
    """

    place: Place
    kind: str
    ident: int
    hardware: str
    address: str | None = None
    server: str | None = None
    host_name: str | None = None
    vendor_class: str | None = None
    asked: tuple[int, ...] = ()
    name_servers: tuple[str, ...] = ()
    time_servers: tuple[str, ...] = ()
    sip_servers: tuple[str, ...] = ()
    provisioning: tuple[tuple[str, Opaque], ...] = ()


@dataclass(frozen=True, slots=True)
class NtpMessage:
    """An NTP or SNTP message (RFC 5905, RFC 4330); times in ns UTC, None where zero was sent.

    `client_ahead_ns` is set in an answer whose request was captured, if that told the
    client's time: how far the client's clock is ahead of the server's (negative: behind).
    `delay_ns` is the round trip without the server's part. `kiss` is the code of a
    kiss-o'-death, such as RATE.
    """

    place: Place
    mode: str
    version: int
    stratum: int
    unsynchronized: bool = False
    origin_ns: int | None = None
    receive_ns: int | None = None
    transmit_ns: int | None = None
    kiss: str | None = None
    client_ahead_ns: int | None = None
    delay_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """A TLS alert (RFC 8446 §6): who sent it, in which frame."""

    direction: Direction
    level: str
    description: str
    frame: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says about itself; nothing of it is verified. Times in ns UTC."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before_ns: int
    not_after_ns: int
    key: str


UNKNOWN_QUIC = "unknown"  # the version of QUIC whose beginning was not captured

TlsReason = Literal[
    "no_client_hello",
    "no_server_hello",
    "no_secret_for_random",
    "secret_incomplete",
    "resumed_without_secret",
    "lost_segment",
    "cut_by_snaplen",
    "cipher_unsupported",
    "wrong_secret",
    "damaged_record",
    "rsa_key_wrong",
    "handshake_failed",
    "one_direction_only",
    "secrets_after_packets",
    "quic_not_decrypted",
]


@dataclass(frozen=True, slots=True)
class RecordShape:
    """One application data record of a connection that stayed shut: when, which way, size."""

    time_ns: int
    direction: Direction
    length: int
    frame: int


@dataclass(frozen=True, slots=True)
class TlsConnection:
    """What is known of a TLS connection when it ends or the capture does.

    `place.span` runs from the first to the last frame with TLS data. `sentence` explains
    `reason` and what to do about it. `shapes` (bounded) is kept only where `decrypted`
    is not "full". `transport` parsers inside (TLS-DSK) set `inside` to "sip".
    `group` is that of the key exchange, `groups` and `alpn_offered` are what the client
    offered. `ech` tells that the client hello is the outer one of Encrypted Client Hello, or
    pretends to be: the true server name may be another. `quic` is the version of QUIC ("1",
    "2", or "unknown" where its beginning was not captured), None over TCP. `round_trips_ns`
    are the times from a flight of the client's handshake to the server's answer. `ja3` and
    `ja4` fingerprint the client hello, `ja3s` the server's.
    `early_data` is what became of 0-RTT data.
    """

    place: Place
    server_name: str | None = None
    alpn: str | None = None
    version: str | None = None
    cipher_suite: str | None = None
    resumed: bool = False
    decrypted: Literal["full", "partial", "none"] = "none"
    reason: TlsReason | None = None
    sentence: str | None = None
    secret_source: str | None = None
    certificates: tuple[Certificate, ...] = ()
    client_certificates: tuple[Certificate, ...] = ()
    alerts: tuple[Alert, ...] = ()
    shapes: tuple[RecordShape, ...] = ()
    bytes_decrypted: int = 0
    inside: str | None = None
    group: str | None = None
    groups: tuple[str, ...] = ()
    alpn_offered: tuple[str, ...] = ()
    retried: bool = False
    early_data: Literal["accepted", "rejected"] | None = None
    ech: bool = False
    quic: str | None = None
    round_trips_ns: tuple[int, ...] = ()
    ja3: str | None = None
    ja3s: str | None = None
    ja4: str | None = None


@dataclass(frozen=True, slots=True)
class TcpConnection:
    """How a TCP connection began and ended.

    `outcome`: "open" (neither FIN nor RST seen), "closed" (FIN), "refused" (RST answers
    the SYN), "reset" (RST later), "timeout" (SYN repeated, no answer). `payload` counts
    bytes a direction after reassembly; `lost` bytes that no segment brought.
    """

    place: Place
    outcome: Literal["open", "closed", "refused", "reset", "timeout"]
    frames: int = 0
    payload: tuple[int, int] = (0, 0)
    lost: tuple[int, int] = (0, 0)
    syn_count: int = 0
    handshake_seen: bool = False
    reset_by: Direction | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a phone's own log; its frames are line numbers of the file.

    `component` and `level` are the log's; `text` may hold secrets, so it is `Opaque`.
    """

    place: Place
    component: str
    level: str
    text: Opaque


@dataclass(frozen=True, slots=True)
class PluginMessage:
    """A message of a protocol that only a plugin knows. It becomes the event `event`, a dotted
    name that begins with `protocol` ("mqtt.connect.sent"), with these facts; what is secret in
    them is a `Secret`."""

    place: Place
    protocol: str
    event: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """The PROXY protocol's header: whose connection a load balancer passes on.

    `client` and `server` are the ends of that connection, as the header says.
    """

    place: Place
    client: Endpoint
    server: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """An ICMP error about a datagram (RFC 792, RFC 4443): it goes to who sent that.

    `what` is the code in words ("port unreachable"), `by` the address that says so: that of the
    host itself, or of a router on the way.
    """

    place: Place
    what: str
    by: str


# What parsers return. Rows of TLS and TCP connections come when the connection ends.
Message = (
    HttpRequest
    | HttpResponse
    | SipMessage
    | DnsMessage
    | DhcpMessage
    | NtpMessage
    | TlsConnection
    | TcpConnection
    | LogEntry
    | PluginMessage
    | ProxyHeader
    | Unreachable
)


Output = Iterable[Message | Anomaly]


class StreamParser(Protocol):
    """Bytes of one connection in, messages out; no I/O, no clock, only `ProtocolError`.

    Both directions come in order of capture. `data` brings the next bytes of a direction, from
    `span.offset` on; the view is only valid during the call. `gap` says that `length` bytes will
    never come (0: unknown). `end` closes a direction; after both the parser has given all it knows.
    """

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output: ...

    def gap(self, direction: Direction, length: int, span: Span) -> Output: ...

    def end(self, direction: Direction, span: Span) -> Output: ...


# ------------------------------------------------------------------ captures


@dataclass(frozen=True, slots=True)
class CaptureInfo:
    """What `dissect info` says of one file. Times in ns UTC, sizes in bytes."""

    index: int
    name: str
    frames: int = 0
    frames_skipped: Mapping[str, int] = field(default_factory=dict)
    link_types: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    start_ns: int | None = None
    end_ns: int | None = None
    snaplen: int | None = None
    drops: int | None = None
    key_logs: tuple[str, ...] = ()
    reader: str = ""


# ------------------------------------------------------------------ events and chart


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


StepStatus = Literal["done", "failed", "inferred", "hidden", "missing"]
ArrowStatus = Literal["ok", "failed", "pending", "inferred", "hidden"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A lane of the chart. `addresses` are those seen for it, `host` its best name, `names` the
    name by which each address was asked, "" where that is not known."""

    ident: str
    title: str
    host: str | None = None
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def addresses_of(self, name: str | None) -> list[str]:
        """The addresses that were asked by a name, or, without names, all."""
        named = zip(self.addresses, self.names, strict=False)
        own = [address for address, its in named if its == (name or "")]
        return own or list(self.addresses if not any(self.names) else ())

    @property
    def where(self) -> str:
        """Names, each with its addresses."""
        names = dict.fromkeys([*([self.host] if self.host else []), *self.names]) or {"": None}
        each = (f"{name} {', '.join(self.addresses_of(name))}".strip() for name in names)
        return ", ".join(filter(None, each))


@dataclass(frozen=True, slots=True)
class Arrow:
    """One arrow of the chart, or several folded into one (`count` > 1).

    `label` and `note` hold no secret values. `end_ns` is the time of the last folded one.
    """

    time_ns: int
    sender: str
    receiver: str
    label: str
    status: ArrowStatus
    source: Source
    note: str | None = None
    count: int = 1
    end_ns: int | None = None
    event: str = ""
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyArrow:
    """What stands for a step, or half of it, in the overview: from whom to whom, and in about
    five words what. `arrow` is what was seen of it, None where nothing was."""

    sender: str
    receiver: str
    label: str
    arrow: Arrow | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A numbered step, its status and, for anything but done, why in one sentence.

    `summary` are the few arrows that stand for it in the overview."""

    number: int
    title: str
    status: StepStatus
    arrows: tuple[Arrow, ...] = ()
    explanation: str | None = None
    summary: tuple[KeyArrow, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a flow stopped: stable code, plain sentence, remedy, and the frames that prove it.

    `headline` says what failed, without how that is known; "" where the text is all there is.
    `identifiers` are of the failing message, or of that in `identified_by`, the last before it
    that has any."""

    code: str
    text: str
    remedy: str
    evidence: tuple[Source, ...] = ()
    identifiers: Mapping[str, str] = field(default_factory=dict)
    identified_by: Source | None = None
    headline: str = ""


@dataclass(frozen=True, slots=True)
class SequenceChart:
    """All that a renderer needs; it decides coordinates and colours and nothing else.

    `headline` says what became of the sign-in, without its status and step ("" where a renderer
    may say it by the cause), `advice` what the next capture needs where this one shows too little.
    `device` is how the client calls itself, `kind` what such a flow is called ("call")."""

    flow: str
    title: str
    status: Literal["complete", "failed", "incomplete"]
    stopped_at: int | None
    cause: Cause | None
    actors: tuple[Actor, ...]
    steps: tuple[Step, ...]
    diagnostics: tuple[str, ...] = ()
    captures: tuple[str, ...] = ()
    subject: str | None = None
    headline: str = ""
    advice: str = ""
    device: str | None = None
    kind: str = "sign-in"
