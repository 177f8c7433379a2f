"""Frames without TCP and UDP: what of them may leave (802.1X, ARP, LLDP, ICMP and others).

Who a frame is from and to, what kind it is, and what it says by codes and lengths stay.
Identities, challenges, responses, keys and everything that has no reader here do not.
"""

from __future__ import annotations

import struct

from dissect.export.packet_headers import Heads
from dissect.transport.link_headers import FRAMES, ISL, TAGS, VLAN_TAGS

_ARP, _EAPOL, _LLDP, _PREAUTHENTICATION = 0x0806, 0x888E, 0x88CC, 0x88C7
_ETHERNET, _COOKED, _WLAN, _RADIOTAP, _COOKED2 = 1, 113, 105, 127, 276
_SNAP = b"\xaa\xaa\x03"

# EAPOL (IEEE 802.1X-2020 §11): a packet with EAP, start, logoff, a key, an alert, an MKPDU.
_EAP, _START, _LOGOFF, _KEY = 0, 1, 2, 3
_KEY_HEAD = 1 + 2 + 2 + 8  # of a key frame (IEEE 802.11-2020 §12.7.2), up to the counter
# EAP (RFC 3748 §5): methods that carry TLS records, and a Nak, whose data are types.
_REQUEST, _RESPONSE = 1, 2
_NAK = 3
_TLS_METHODS = frozenset({13, 21, 25, 43, 55})  # TLS, TTLS, PEAP, FAST, TEAP
_FLAG_LENGTH, _FLAG_MORE = 0x80, 0x40
_RECORD_TYPES = range(20, 25)
# LLDP (IEEE 802.1AB-2016 §8): everything that it defines itself; of organizations 802.1, 802.3
# and the telephony association's are readable, but for the places where people are.
_LLDP_ORGANIZATION = 127
_LLDP_READ = (b"\x00\x80\xc2", b"\x00\x12\x0f", b"\x00\x12\xbb")
_LLDP_LOCATION = (b"\x00\x12\xbb", 3)


def account(heads: Heads, data: bytes) -> None:
    """Note in `heads` what of a frame without an IP packet has to go."""
    kind, at = _inside(heads.link, data)
    if kind in (_EAPOL, _PREAUTHENTICATION):
        _eapol(heads, data, at)
    elif kind == _ARP:
        _arp(heads, data, at)
    elif kind == _LLDP:
        _lldp(heads, data, at)
    else:
        heads.cut = min(at, len(data))
        heads.reason = "frames of a protocol that is not known, behind their headers"


def _inside(link: int, data: bytes) -> tuple[int, int]:
    """The ethertype and where what it names begins; 0 if there is none."""
    try:
        if link == _ETHERNET:
            return _ethernet(data, 0)
        if link == _COOKED:
            return _typed(data, 14)
        if link == _COOKED2:
            return struct.unpack_from("!H", data, 0)[0], 20
        if link == _RADIOTAP:
            return _wlan(data, int.from_bytes(data[2:4], "little"))
        if link == _WLAN:
            return _wlan(data, 0)
    except (struct.error, IndexError):
        return 0, 0  # cut within its headers
    return 0, 0


def _ethernet(data: bytes, at: int) -> tuple[int, int]:
    return _typed(data, at + 12 + (26 if data[at : at + 5] in ISL else 0))


def _typed(data: bytes, at: int) -> tuple[int, int]:
    """The ethertype at `at`, behind tags."""
    (kind,) = struct.unpack_from("!H", data, at)
    at += 2
    while kind in TAGS:
        at += 2 if kind in VLAN_TAGS else 4
        (kind,) = struct.unpack_from("!H", data, at)
        at += 2
    if kind in FRAMES:
        return 0, at
    return (kind, at) if kind >= 0x600 else _snap(data, at)


def _snap(data: bytes, at: int) -> tuple[int, int]:
    if data[at : at + 3] != _SNAP:
        return 0, at
    return struct.unpack_from("!H", data, at + 6)[0], at + 8


def _wlan(data: bytes, at: int) -> tuple[int, int]:
    """A data frame of IEEE 802.11 (§9.3.2) that is not protected."""
    control, flags = data[at], data[at + 1]
    size = 24 + (6 if flags & 3 == 3 else 0)
    if control & 0x8C == 0x88:  # with QoS, and maybe HT control
        size += 2 + (4 if flags & 0x80 else 0)
    if control & 0x0C != 0x08 or flags & 0x40:
        return 0, at + size
    return _snap(data, at + size)


def _arp(heads: Heads, data: bytes, at: int) -> None:
    heads.cut, heads.end = None, min(len(data), at + 8)
    if len(data) >= at + 8:
        heads.end = min(len(data), at + 8 + 2 * (data[at + 4] + data[at + 5]))


def _lldp(heads: Heads, data: bytes, at: int) -> None:
    heads.cut = None
    while at + 2 <= len(data):
        (head,) = struct.unpack_from("!H", data, at)
        kind, end = head >> 9, min(len(data), at + 2 + (head & 0x1FF))
        at += 2
        if kind == _LLDP_ORGANIZATION:
            who = data[at : at + 3]
            if who not in _LLDP_READ or (who, *data[at + 3 : at + 4]) == _LLDP_LOCATION:
                heads.zeros.append((min(at + 4, end), end))
        elif kind > 8:
            heads.zeros.append((at, end))
        at = end
        if not kind:
            break
    heads.end = min(at, len(data))


def _eapol(heads: Heads, data: bytes, at: int) -> None:
    heads.cut = None
    if at + 4 > len(data):
        heads.end = at
        return
    kind, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
    start, end = at + 4, min(len(data), at + 4 + size)
    heads.end = end
    if kind == _EAP:
        _eap(heads, data, start, end)
        return
    if kind not in (_START, _LOGOFF, _KEY):
        heads.reason = "what EAPOL frames of another kind say"
    elif kind == _KEY:
        heads.reason = "keys, nonces and check values of EAPOL"
        start = min(end, start + _KEY_HEAD)
    heads.zeros.append((start, end))


def _eap(heads: Heads, data: bytes, start: int, end: int) -> None:
    """Code, identifier, length and method stay; of its data TLS records whose start is here."""
    if start + 5 > end or data[start] not in (_REQUEST, _RESPONSE):
        heads.zeros.append((min(start + 4, end), end))
        return
    stop = min(end, start + max(5, int.from_bytes(data[start + 2 : start + 4])))
    heads.zeros.append((stop, end))
    method, at = data[start + 4], start + 5
    if (method == _NAK and data[start] == _RESPONSE) or at == stop:
        return
    if method in _TLS_METHODS:
        flags = data[at]
        at += 5 if flags & _FLAG_LENGTH else 1
        if at >= stop:
            return
        if _records(data, at, stop, bool(flags & _FLAG_MORE)):
            return
    heads.filled.append((min(at, stop), stop))
    heads.reason = "identities and credentials of EAP"


def _records(data: bytes, at: int, stop: int, more: bool) -> bool:
    """Whether these are TLS records, the last of which may go on in the next fragment."""
    while at < stop:
        head = data[at : min(at + 5, stop)]
        if len(head) < 5 or head[0] not in _RECORD_TYPES or head[1] != 3 or head[2] > 4:
            return False
        at += 5 + int.from_bytes(head[3:])
    return at == stop or more
