"""The headers of an exported frame: what of them stays, and checksums made right.

What belongs to no header and to no payload (padding, trailers, options that carry data)
becomes zero: old memory has been seen there, and a check sequence tells of what it is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from dissect.transport.ip import TCP, UDP
from dissect.transport.link_headers import IPV4

Span = tuple[int, int]

FILLER = b"x"  # in place of secrets

# Options whose values say how packets go, and nothing else. TCP (RFC 9293, 7323, 2018): MSS,
# window scale, SACK, timestamps; not signatures (19, 29), keys of MPTCP (30), cookies (34).
_TCP_OPTIONS = frozenset({2, 3, 4, 5, 8})
# IPv4: record route, timestamp, source routes, router alert (RFC 791, RFC 2113).
_IP_OPTIONS = frozenset({7, 68, 131, 137, 148})
# IPv6: router alert, jumbo payload (RFC 2711, RFC 2675). Padding (1) may hold anything.
_IPV6_OPTIONS = frozenset({5, 0xC2})
_V4, _V6 = 4, 41  # IP's protocol numbers of itself
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60


@dataclass(slots=True)
class Heads:
    """What was walked of a frame; offsets count from its first byte.

    `end` is where its payload ends (None: none was found), `cut` where the frame has to end
    because nothing is known of what follows. `zeros` are the bytes that become zero, `filled`
    those that become `FILLER`, for `reason` where that is to be reported. `header` is that of the
    transport; `whole` says that its checksum can be calculated: neither cut nor
    a fragment. `outer` are the headers of UDP datagrams that the frame tunnels this one in.
    """

    link: int
    end: int | None = None
    cut: int | None = 0
    reason: str = ""
    zeros: list[Span] = field(default_factory=list)
    filled: list[Span] = field(default_factory=list)
    ipv4: list[Span] = field(default_factory=list)
    protocol: int = 0
    addresses: bytes = b""
    header: int = 0
    whole: bool = False
    outer: list[int] = field(default_factory=list)

    def network(self, ethertype: int, buf: bytes, off: int, start: int, first: int) -> None:
        """An IP header from `off` to `start`; the frame begins at `first`."""
        if ethertype == IPV4:
            size = off + (buf[off] & 15) * 4
            self.ipv4.append((off - first, size - first))
            self.zeros += options(buf, off + 20, size, first, _V4)
            self.zeros += _extensions(buf, buf[off + 9], size, start, first)
        else:
            self.zeros += _extensions(buf, buf[off + 6], off + 40, start, first)


def options(buf: bytes, at: int, end: int, first: int, kind: int) -> list[Span]:
    """The values of options, of `kind` TCP, IPv4 or IPv6, that don't stay as they are."""
    known = {TCP: _TCP_OPTIONS, _V4: _IP_OPTIONS}.get(kind, _IPV6_OPTIONS)
    single, last = (0, None) if kind == _V6 else (1, 0)
    found: list[Span] = []
    end = min(end, len(buf))
    while at < end:
        code = buf[at]
        if code == single:
            at += 1
            continue
        size = (buf[at + 1] + (2 if kind == _V6 else 0)) if at + 1 < end else 0
        if code == last or size < 2 or at + size > end:  # only padding follows, or damage
            return [*found, (at - first, end - first)]
        if code not in known:
            found.append((at + 2 - first, at + size - first))
        at += size
    return found


def _extensions(buf: bytes, kind: int, at: int, end: int, first: int) -> list[Span]:
    """The same in the extension headers of IPv6, and the value of an authentication header."""
    found: list[Span] = []
    while at + 8 <= end:
        size = (buf[at + 1] + 1) * 8
        if kind in (_HOP_BY_HOP, _DESTINATION):
            found += options(buf, at + 2, at + size, first, _V6)
        elif kind == _AUTHENTICATION:
            size = (buf[at + 1] + 2) * 4
            found.append((at + 12 - first, at + size - first))
        elif kind == _FRAGMENT:
            size = 8
        elif kind != _ROUTING:
            found.append((at + 2 - first, at + size - first))
        kind, at = buf[at], at + size
    return found


def rewritten(
    data: bytes, heads: Heads, changes: Iterable[tuple[int, bytes]], cut: int | None, whole: bool
) -> bytes:
    """A frame with other payload at some offsets, ended at `cut`, its checksums made right.

    Where a checksum can't be calculated (`whole` says whether the frame was captured to its
    end) it becomes 0: the old one would tell of the bytes that were there.
    """
    frame = bytearray(data)
    for spans, value in ((heads.zeros, b"\0"), (heads.filled, FILLER)):
        for start, end in spans:
            frame[start:end] = value * len(frame[start:end])
    if heads.end is not None:
        frame[heads.end :] = bytes(max(0, len(frame) - heads.end))
    for offset, value in changes:
        frame[offset : offset + len(value)] = value
    for start, end in heads.ipv4:
        if frame[start:end] != data[start:end]:
            frame[start + 10 : start + 12] = b"\0\0"
            frame[start + 10 : start + 12] = checksum(bytes(frame[start:end])).to_bytes(2)
    end = len(frame) if heads.end is None else heads.end
    if heads.header and (cut is not None or frame[heads.header : end] != data[heads.header : end]):
        _transport(frame, heads, cut is None and whole)
    return bytes(frame if cut is None else frame[:cut])


def _transport(frame: bytearray, heads: Heads, whole: bool) -> None:
    """A new checksum; 0 where it can't be calculated."""
    place = heads.header + (16 if heads.protocol == TCP else 6)
    had_none = heads.protocol == UDP and not any(frame[place : place + 2])
    frame[place : place + 2] = bytes(len(frame[place : place + 2]))
    if heads.whole and whole and not had_none:
        body = bytes(frame[heads.header : heads.end])
        total = checksum(
            heads.addresses + heads.protocol.to_bytes(2) + len(body).to_bytes(4) + body
        )
        if heads.protocol == UDP and not total:
            total = 0xFFFF  # 0 means that there is none (RFC 768)
        frame[place : place + 2] = total.to_bytes(2)
    for outer in heads.outer:
        frame[outer + 6 : outer + 8] = b"\0\0"  # allowed in tunnels (RFC 768, RFC 6935)


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    if len(data) & 1:
        data += b"\0"
    total = sum(memoryview(data).cast("H")) if data else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    # The sum is the same in either byte order but for the order of its own bytes.
    return int.from_bytes((~total & 0xFFFF).to_bytes(2, _NATIVE))


_NATIVE: Literal["little", "big"] = "little" if memoryview(b"\1\0").cast("H")[0] == 1 else "big"
