"""Of datagrams in binary protocols: which bytes are those that were read.

What stands behind a message, and values that nobody here understands, do not stay.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from dissect.errors import ProtocolError
from dissect.export.headers import Span
from dissect.protocols.dhcp import OVERLOAD, PROVISIONING, SIP_SERVERS, TFTP_ADDRESSES
from dissect.protocols.dhcp_ranges import COOKIE
from dissect.protocols.dns import read_name
from dissect.protocols.quic_packets import RETRY, SMALLEST_SHORT, packets
from dissect.redaction.judge import Judge
from dissect.redaction.options import answer

_DNS_HEADER = 12
# Records (RFC 1035, 2782, 9460) that begin with so many bytes and then have so many names.
_NAMED = {2: (0, 1), 5: (0, 1), 6: (0, 2), 12: (0, 1), 15: (2, 1), 33: (6, 1), 39: (0, 1)}
_ADDRESSES = {1: 4, 28: 16}
_SOA, _TXT, _OPT, _SERVICES = 6, 16, 41, (64, 65)
_SOA_NUMBERS = 20
_SVCB_KEYS = 7  # the keys from mandatory to ipv6hint

_NTP = 48

_DHCP_FIXED, _HARDWARE = 236, 28
_SNAME, _FILE = (44, 108), (108, 236)
# Addresses, times, names and numbers (RFC 2132, 3361, 3397, 3442), and what phones are told.
_DHCP_KNOWN = frozenset(
    {1, 3, 4, 6, 12, 15, 28, 42, 43, 50, 51, OVERLOAD, 53, 54, 55, 57, 58, 59, 60, 61, 66, 67,
     116, 119, 120, 121, 150, *PROVISIONING}
)  # fmt: skip


_CLIENT, _SEARCH = 61, 119
_TLS_TYPES = range(20, 25)
_TLS_RECORD = (1 << 14) + 2048  # the longest of any version (RFC 5246 §6.2.3)

_READABLE = re.compile(rb"[\x20-\x7e]{12}")  # once in 200 encrypted packets of full size


def dns(data: bytes) -> list[Span]:
    """The parts of a DNS message that are understood: header, names, addresses, services."""
    found: list[Span] = [(0, _DNS_HEADER)]
    try:
        asked, *counts = struct.unpack_from("!4H", data, 4)
        at = _DNS_HEADER
        for _ in range(asked):
            end = read_name(data, at)[1] + 4
            _inside(data, at, end)
            found.append((at, end))
            at = end
        for _ in range(sum(counts)):
            end = read_name(data, at)[1]
            kind, _, _, length = struct.unpack_from("!HHIH", data, end)
            start, stop = end + 10, end + 10 + length
            _inside(data, at, stop)
            found += [(at, start), *_rdata(kind, data, start, stop)]
            at = stop
    except (struct.error, ProtocolError):
        return found  # nothing behind it was read
    return found


def _inside(data: bytes, start: int, end: int) -> None:
    if not start <= end <= len(data):
        raise ProtocolError("dns.short", "a record is longer than its message")


def _rdata(kind: int, data: bytes, start: int, stop: int) -> Iterator[Span]:
    if _ADDRESSES.get(kind) == stop - start:
        yield start, stop
    elif kind in _NAMED:
        lead, names = _NAMED[kind]
        end = start + lead
        for _ in range(names):
            end = read_name(data, end)[1]
        end += _SOA_NUMBERS if kind == _SOA else 0
        yield start, min(end, stop)
    elif kind == _TXT:
        if _published(data[start:stop]):
            yield start, stop
    elif kind == _OPT:
        yield from _pairs(data, start, stop, 0)
    elif kind in _SERVICES:
        end = read_name(data, start + 2)[1]
        yield start, min(end, stop)
        yield from _pairs(data, end, stop, _SVCB_KEYS)


def _published(texts: bytes) -> bool:
    """Whether all strings of a TXT record (RFC 1035 §3.3.14) may be shown."""
    at = 0
    while at < len(texts):
        text = texts[at + 1 : at + 1 + texts[at]].decode("latin-1")
        if not isinstance(answer(Judge(), "TXT", f'"{text}"'), str):
            return False
        at += 1 + texts[at]
    return True


def _pairs(data: bytes, at: int, stop: int, known: int) -> Iterator[Span]:
    """Key and length of each parameter (RFC 6891 §6.1.2, RFC 9460 §2.2), and the value of
    those below `known`."""
    while at + 4 <= stop:
        key, size = struct.unpack_from("!HH", data, at)
        if at + 4 + size > stop:
            return
        yield at, at + 4 + (size if key < known else 0)
        at += 4 + size


def ntp(data: bytes) -> list[Span]:
    """The header (RFC 5905 §7.3); extension fields and check values are not read."""
    return [(0, min(_NTP, len(data)))]


def dhcp(data: bytes) -> list[Span]:
    """Header and options of a DHCP message (RFC 2131 §2), without values of unknown options
    and without what was left behind the names in its fixed fields."""
    found: list[Span] = [(0, _HARDWARE + min(data[2], _SNAME[0] - _HARDWARE))]
    options, overload = _options(data, _DHCP_FIXED + len(COOKIE), len(data))
    for (start, stop), bit in ((_FILE, 1), (_SNAME, 2)):
        if overload & bit:
            found += _options(data, start, stop)[0]
        else:
            end = data.find(b"\0", start, stop)
            found.append((start, stop if end < 0 else end))
    return [*found, (_DHCP_FIXED, _DHCP_FIXED + len(COOKIE)), *options]


def _options(data: bytes, at: int, stop: int) -> tuple[list[Span], int]:
    """What stays of the options, and the value of option 52."""
    found: list[Span] = []
    overload = 0
    while at < stop and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        if at + 2 > stop or at + 2 + data[at + 1] > stop:
            return found, overload
        end = at + 2 + data[at + 1]
        known = data[at] in _DHCP_KNOWN and _is_of_its_kind(data[at], data[at + 2 : end])
        found.append((at, end if known else at + 2))
        if data[at] == OVERLOAD and end > at + 2:
            overload = data[at + 2]
        at = end
    return [*found, (at, min(at + 1, stop))], overload


def _is_of_its_kind(code: int, value: bytes) -> bool:
    """Whether an option holds what its number says: a hardware address, addresses, names."""
    if code == _CLIENT:
        return len(value) == 7 and value[0] == 1
    if code == TFTP_ADDRESSES:
        return len(value) % 4 == 0
    if code == SIP_SERVERS and value[:1] == b"\x01":
        return len(value) % 4 == 1
    if code in (SIP_SERVERS, _SEARCH):
        try:
            at = 1 if code == SIP_SERVERS else 0
            while at < len(value):
                at = read_name(value, at)[1]
        except ProtocolError:
            return False
    return True


def tls(data: bytes | bytearray, at: int, starts: Sequence[int]) -> list[Span]:
    """The TLS records (RFC 8446 §5.1) from `at` on. Behind bytes that are none the next one is
    looked for where a segment begins: `starts`, in order."""
    found: list[Span] = []
    while at < len(data):
        end = _record(data, at)
        if end is not None:
            found.append((at, min(end, len(data))))
            at = end
            continue
        number = bisect_right(starts, at)
        while number < len(starts) and not _two_records(data, starts[number]):
            number += 1
        at = starts[number] if number < len(starts) else len(data)
    return found


def _record(data: bytes | bytearray, at: int) -> int | None:
    """Where the record at `at` ends; None if there is none."""
    head = data[at : at + 5]
    if head[0] not in _TLS_TYPES or head[1:2] not in (b"", b"\x03") or head[2:3] > b"\x04":
        return None
    if len(head) < 5:
        return at + 5
    size = int.from_bytes(head[3:])
    return at + 5 + size if size <= _TLS_RECORD else None


def _two_records(data: bytes | bytearray, at: int) -> bool:
    end = _record(data, at)
    return end is not None and (end >= len(data) or _record(data, end) is not None)


def quic(datagram: bytes) -> list[Span]:
    """The packets (RFC 9000 §17) in a datagram. Where a header tells nothing that could be
    checked, what reads as text is none."""
    at = 0
    try:
        for packet in packets(datagram):
            sure = packet.version is not None and packet.kind != RETRY
            if not sure and (len(packet.raw) < SMALLEST_SHORT or _READABLE.search(packet.raw)):
                break
            at += len(packet.raw)
    except ProtocolError:
        pass  # the packets before it were whole
    return [(0, at)] if at else []
