"""The HTTP/2 frame format (RFC 9113 §4, §6), without header compression.

Apart from the rest so that telling HTTP/2 from other protocols imports nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEADER = 9

DEFAULT_FRAME_SIZE = 16384
# Frames other than DATA are held whole; no peer sends larger ones in practice.
MAX_FRAME = 1 << 20


class FrameType(IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


END_STREAM = 0x01
ACK = 0x01
END_HEADERS = 0x04
PADDED = 0x08
PRIORITY_FLAG = 0x20

SETTINGS_HEADER_TABLE_SIZE = 1
SETTINGS_MAX_FRAME_SIZE = 5

ERROR_NAMES = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)

_FIXED_SIZES = {
    FrameType.PRIORITY: 5,
    FrameType.RST_STREAM: 4,
    FrameType.PING: 8,
    FrameType.WINDOW_UPDATE: 4,
}
_OF_CONNECTION = (FrameType.SETTINGS, FrameType.PING, FrameType.GOAWAY)
_OF_STREAM = (
    FrameType.DATA,
    FrameType.HEADERS,
    FrameType.PRIORITY,
    FrameType.RST_STREAM,
    FrameType.PUSH_PROMISE,
    FrameType.CONTINUATION,
)


def error_name(code: int) -> str:
    """RFC 9113 §7."""
    return ERROR_NAMES[code] if code < len(ERROR_NAMES) else f"error {code}"


@dataclass(frozen=True, slots=True)
class FrameHead:
    """RFC 9113 §4.1; `kind` is a plain number because unknown types are legal."""

    length: int
    kind: int
    flags: int
    stream: int

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> FrameHead:
        return cls(
            int.from_bytes(data[0:3], "big"),
            data[3],
            data[4],
            int.from_bytes(data[5:9], "big") & 0x7FFFFFFF,
        )

    def plausible(self, limit: int = DEFAULT_FRAME_SIZE) -> bool:
        """Whether a sender could have meant this: used to tell HTTP/2 from other bytes."""
        if self.length > limit:
            return False
        if self.kind in _OF_CONNECTION and self.stream:
            return False
        if self.kind in _OF_STREAM and not self.stream:
            return False
        if self.kind in _FIXED_SIZES:
            return self.length == _FIXED_SIZES[FrameType(self.kind)]
        if self.kind == FrameType.SETTINGS:
            return self.length % 6 == 0 and not (self.flags & ACK and self.length)
        return self.kind != FrameType.GOAWAY or self.length >= 8


def looks_like_frames(data: bytes | bytearray | memoryview) -> bool:
    """Whether `data` begins with a chain of known HTTP/2 frames; one at least is whole."""
    position = whole = 0
    while position + FRAME_HEADER <= len(data):
        head = FrameHead.parse(data[position : position + FRAME_HEADER])
        if head.kind > FrameType.CONTINUATION or not head.plausible():
            return False
        # Two reserved bits and the undefined flags are zero in every known sender.
        if data[position + 5] & 0x80 or head.flags & ~0x2D:
            return False
        position += FRAME_HEADER + head.length
        whole += position <= len(data)
    return whole > 0


def unpadded(head: FrameHead, payload: bytes) -> bytes | None:
    """The payload without padding and priority, None if their lengths contradict."""
    start, stop = 0, len(payload)
    if head.flags & PADDED:
        if not payload:
            return None
        start, stop = 1, stop - payload[0]
    if head.kind == FrameType.HEADERS and head.flags & PRIORITY_FLAG:
        start += 5
    return payload[start:stop] if start <= stop else None


def settings(payload: bytes) -> dict[int, int]:
    """SETTINGS entries (RFC 9113 §6.5.1); of a repeated one the last counts."""
    return {
        int.from_bytes(payload[at : at + 2], "big"): int.from_bytes(payload[at + 2 : at + 6], "big")
        for at in range(0, len(payload) - 5, 6)
    }
