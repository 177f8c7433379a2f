"""Serial lines: Cisco's HDLC and frame relay."""

from __future__ import annotations

import struct

from dissect.transport.link_headers import CUT, IPV4, IPV6, PayloadStart, typed

_U16 = struct.Struct(">H").unpack_from

_UI = 0x03
_NLPIDS = {0xCC: IPV4, 0x8E: IPV6}
_SNAP = 0x80


def cisco_hdlc(buf: bytes, off: int, end: int) -> PayloadStart:
    """Address, control, ethertype (RFC 1547 §4.3.1 describes it)."""
    if off + 4 > end:
        return CUT
    if buf[off] not in (0x0F, 0x8F):
        return "not Cisco HDLC"
    return typed(_U16(buf, off + 2)[0], buf, off + 4, end)


def frame_relay(buf: bytes, off: int, end: int) -> PayloadStart:
    """RFC 2427 after an address of 2 to 4 bytes, or Cisco's own form with an ethertype."""
    for _ in range(4):
        if off >= end:
            return CUT
        off += 1
        if buf[off - 1] & 1:
            break
    else:
        return "not frame relay"
    if off + 2 > end:
        return CUT
    if buf[off] != _UI:
        return typed(_U16(buf, off)[0], buf, off + 2, end)
    return nlpid(buf, off + 1, end)


def nlpid(buf: bytes, off: int, end: int) -> PayloadStart:
    """A network layer protocol identifier, which may be padded before (RFC 2427 §4.1)."""
    if off < end and not buf[off]:
        off += 1
    if off >= end:
        return CUT
    kind = buf[off]
    if kind in _NLPIDS:
        return _NLPIDS[kind], off + 1
    if kind == _SNAP:
        return typed(_U16(buf, off + 4)[0], buf, off + 6, end) if off + 6 <= end else CUT
    return f"network layer protocol {kind:#04x}"
