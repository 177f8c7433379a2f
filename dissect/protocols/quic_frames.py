"""The frames of Initial packets, and the handshake bytes that they carry (RFC 9000 §19)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dissect.errors import ProtocolError
from dissect.model import Span
from dissect.reassembly import Ordered

MAX_HANDSHAKE = 1 << 16  # bytes of handshake kept of one side
MAX_PIECES = 256  # pieces that wait for what comes before them

_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO, _CLOSE, _CLOSE_APP = 0, 1, 2, 3, 6, 0x1C, 0x1D


class Crypto(NamedTuple):
    """A piece of the handshake."""

    offset: int
    data: bytes


class Close(NamedTuple):
    """The end of a connection; `code` 0x0100 and above are TLS alerts (RFC 9001 §4.8)."""

    code: int


def frames(payload: bytes) -> Iterator[Crypto | Close]:
    """The frames that say something; acknowledgments and padding don't.

    Raises ProtocolError for a frame that is cut, or of a kind that Initials can't hold.
    """
    at = 0
    while at < len(payload):
        kind = payload[at]
        at += 1
        if kind in (_PADDING, _PING):
            continue
        if kind in (_ACK, _ACK_ECN):
            at = _acknowledgment(payload, at, kind == _ACK_ECN)
        elif kind == _CRYPTO:
            offset, at = _number(payload, at)
            size, at = _number(payload, at)
            if at + size > len(payload):
                raise _cut()
            yield Crypto(offset, payload[at : at + size])
            at += size
        elif kind in (_CLOSE, _CLOSE_APP):
            yield Close(_number(payload, at)[0])
            return
        else:
            raise ProtocolError("quic.frame", f"an Initial packet with a frame of type {kind}")


def _acknowledgment(payload: bytes, at: int, ecn: bool) -> int:
    _, at = _number(payload, at)  # the largest
    _, at = _number(payload, at)  # the delay
    ranges, at = _number(payload, at)
    for _ in range(min(1 + 2 * ranges + 3 * ecn, len(payload))):
        _, at = _number(payload, at)
    return at


def _number(payload: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and where it ends (RFC 9000 §16)."""
    if at >= len(payload):
        raise _cut()
    size = 1 << (payload[at] >> 6)
    end = at + size
    if end > len(payload):
        raise _cut()
    return int.from_bytes(payload[at:end]) & (1 << 8 * size - 2) - 1, end


def _cut() -> ProtocolError:
    return ProtocolError("quic.frame", "a QUIC frame is cut short")


class CryptoStream:
    """Puts the pieces of one side's handshake in order; they come in any, and repeated."""

    def __init__(self) -> None:
        self._ordered = Ordered(MAX_HANDSHAKE, MAX_PIECES)

    def add(self, piece: Crypto, span: Span) -> bytes:
        """The bytes that are in order now and were not before. Raises ProtocolError for more than
        a handshake has."""
        if piece.offset + len(piece.data) > MAX_HANDSHAKE:
            raise ProtocolError("quic.crypto", "a QUIC handshake is larger than any real one")
        found = self._ordered.add(piece.offset, piece.data, span)
        if self._ordered.full:
            raise ProtocolError("quic.crypto", "a QUIC handshake comes in too many pieces")
        return b"".join(data for data, _ in found)
