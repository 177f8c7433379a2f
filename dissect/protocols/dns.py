"""DNS over UDP and TCP (RFC 1035; SRV RFC 2782, SVCB and HTTPS RFC 9460).

Own parser: the few record types whose data a sign-in's story needs fit in one screen,
importing dnslib costs 20 ms of a one-second budget, and it knows no HTTPS records.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import NamedTuple

from dissect.errors import ProtocolError
from dissect.model import Anomaly, Direction, DnsMessage, Message, Span
from dissect.protocols.base import Layer
from dissect.protocols.buffer import SpanBuffer
from dissect.protocols.dns_ranges import ranges
from dissect.protocols.domain_names import character, read_name
from dissect.protocols.outbox import Outbox

MAX_RECORDS = 256  # questions and answers of one message that are read

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")

TYPES = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    13: "HINFO",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    35: "NAPTR",
    39: "DNAME",
    41: "OPT",
    43: "DS",
    46: "RRSIG",
    47: "NSEC",
    48: "DNSKEY",
    52: "TLSA",
    64: "SVCB",
    65: "HTTPS",
    251: "IXFR",
    252: "AXFR",
    255: "ANY",
    257: "CAA",
}
RCODES = (
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
)
_SVCB_KEYS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint")


class Parsed(NamedTuple):
    """One message; `problem` says that the rest of it can't be read."""

    ident: int
    is_response: bool
    rcode: str
    questions: list[tuple[str, str]]
    answers: list[tuple[str, str, str]]
    problem: str | None


def parse_message(data: bytes) -> Parsed:
    """Read one message without a length prefix; ProtocolError when it is no DNS."""
    if len(data) < _HEADER.size:
        raise ProtocolError("dns.short", "a DNS message shorter than its header")
    ident, flags, asked, answered, _, _ = _HEADER.unpack_from(data)
    if flags >> 11 & 15 > 6 or asked > MAX_RECORDS:
        raise ProtocolError("dns.header", "no DNS header")
    code = flags & 15
    rcode = RCODES[code] if code < len(RCODES) else f"RCODE{code}"
    questions: list[tuple[str, str]] = []
    answers: list[tuple[str, str, str]] = []
    problem = None
    offset = _HEADER.size
    try:
        for _ in range(asked):
            name, offset = read_name(data, offset)
            kind, _class = struct.unpack_from("!HH", data, offset)
            offset += 4
            questions.append((name, type_name(kind)))
        for _ in range(min(answered, MAX_RECORDS)):
            name, offset = read_name(data, offset)
            kind, _class, _ttl, length = _RECORD.unpack_from(data, offset)
            offset += _RECORD.size
            if offset + length > len(data):
                raise ProtocolError("dns.short", "a record is longer than its message")
            answers.append((name, type_name(kind), _data(kind, data, offset, length)))
            offset += length
    except (struct.error, ProtocolError) as error:
        if not questions:
            raise ProtocolError("dns.malformed", "no question can be read") from error
        problem = "a DNS message breaks off or is damaged after what is shown"
    return Parsed(ident, bool(flags & 0x8000), rcode, questions, answers, problem)


def type_name(kind: int) -> str:
    return TYPES.get(kind) or f"TYPE{kind}"


def _data(kind: int, data: bytes, offset: int, length: int) -> str:
    """A record's data in words; of types without a reader only the size."""
    reader = _READERS.get(kind)
    if reader is None:
        return f"{length} bytes"
    return reader(data, offset, length)


def _address4(data: bytes, offset: int, length: int) -> str:
    if length != 4:
        raise ProtocolError("dns.record", "an A record without 4 bytes")
    return str(ipaddress.IPv4Address(data[offset : offset + 4]))


def _address6(data: bytes, offset: int, length: int) -> str:
    if length != 16:
        raise ProtocolError("dns.record", "an AAAA record without 16 bytes")
    return str(ipaddress.IPv6Address(data[offset : offset + 16]))


def _name(data: bytes, offset: int, length: int) -> str:
    return read_name(data, offset)[0]


def _mx(data: bytes, offset: int, length: int) -> str:
    (preference,) = struct.unpack_from("!H", data, offset)
    return f"{preference} {read_name(data, offset + 2)[0]}"


def _srv(data: bytes, offset: int, length: int) -> str:
    priority, weight, port = struct.unpack_from("!HHH", data, offset)
    return f"{priority} {weight} {port} {read_name(data, offset + 6)[0]}"


def _soa(data: bytes, offset: int, length: int) -> str:
    server, offset = read_name(data, offset)
    return f"{server} {read_name(data, offset)[0]}"


def _txt(data: bytes, offset: int, length: int) -> str:
    parts, stop = [], offset + length
    while offset < stop:
        size = min(data[offset], stop - offset - 1)
        text = data[offset + 1 : offset + 1 + size]
        parts.append('"' + "".join(character(b) if b != 32 else " " for b in text) + '"')
        offset += 1 + size
    return " ".join(parts)


def _svcb(data: bytes, offset: int, length: int) -> str:
    stop = offset + length
    (priority,) = struct.unpack_from("!H", data, offset)
    target, offset = read_name(data, offset + 2)
    words = [str(priority), target]
    while offset + 4 <= stop:
        key, size = struct.unpack_from("!HH", data, offset)
        value = data[offset + 4 : min(offset + 4 + size, stop)]
        words.append(_svcb_parameter(key, value))
        offset += 4 + size
    return " ".join(words)


def _svcb_parameter(key: int, value: bytes) -> str:
    name = _SVCB_KEYS[key] if key < len(_SVCB_KEYS) else f"key{key}"
    if name == "alpn":
        members, at = [], 0
        while at < len(value):
            members.append("".join(map(character, value[at + 1 : at + 1 + value[at]])))
            at += 1 + value[at]
        return f"alpn={','.join(members)}"
    if name == "port" and len(value) == 2:
        return f"port={int.from_bytes(value, 'big')}"
    if name in ("ipv4hint", "ipv6hint"):
        step = 4 if name == "ipv4hint" else 16
        whole = [value[at : at + step] for at in range(0, len(value) - step + 1, step)]
        return f"{name}={','.join(str(ipaddress.ip_address(item)) for item in whole)}"
    return name


_READERS: dict[int, Callable[[bytes, int, int], str]] = {
    1: _address4,
    2: _name,
    5: _name,
    6: _soa,
    12: _name,
    15: _mx,
    16: _txt,
    28: _address6,
    33: _srv,
    39: _name,
    64: _svcb,
    65: _svcb,
}


class DnsParser:
    """A `StreamParser` for DNS: datagrams over UDP, length-prefixed messages over TCP.

    Raises nothing: a datagram that is no DNS is an `Anomaly`; over TCP the direction is
    then ignored, since its framing can't be trusted.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._out = Outbox(layer)
        datagrams = layer.connection.transport == "udp"
        self._buffers = None if datagrams else (SpanBuffer(), SpanBuffer())
        self._ignored = [False, False]

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        if self._buffers is None:
            self._message(direction, bytes(view), span)
            return self._out.flush()
        buffer = self._buffers[direction]
        if not self._ignored[direction]:
            buffer.append(view, span)
        while len(buffer) >= 2:
            size = 2 + int.from_bytes(buffer.data[:2], "big")
            if len(buffer) < size:
                break
            where = buffer.span(size)
            where = where.moved(buffer.at)
            if not self._message(direction, buffer.take(size)[2:], where, 2):
                self._ignored[direction] = True
                buffer.clear()
        return self._out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        if self._buffers is not None:
            self._ignored[direction] = True
            self._buffers[direction].clear()
        return []

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        return []

    def _message(self, direction: Direction, data: bytes, span: Span, lead: int = 0) -> bool:
        """Give one message, behind `lead` bytes of its length; False if it is none."""
        try:
            parsed = parse_message(data)
        except ProtocolError as error:
            self._out.anomaly(error.kind, str(error), span.last_frame)
            return False
        if parsed.problem is not None:
            self._out.anomaly("dns.incomplete", parsed.problem, span.last_frame)
        if len(parsed.answers) == MAX_RECORDS < int.from_bytes(data[6:8]):
            sentence = f"a DNS message with more than {MAX_RECORDS} answers: the rest is left out"
            self._out.limit("limit.dns_answers", sentence, span.last_frame)
        self._out.add(
            DnsMessage(
                self._layer.place(direction, span, ranges(data, direction, span.offset, lead)),
                parsed.ident,
                parsed.is_response,
                parsed.rcode,
                tuple(parsed.questions),
                tuple(parsed.answers),
            )
        )
        return True
