"""Compression of records up to TLS 1.2 (RFC 3749): DEFLATE, one stream for each direction."""

from __future__ import annotations

import zlib

MAX_CONTENT = 1 << 14  # bytes of a record's content (RFC 3749 §2)

NULL, DEFLATE = 0, 1
_NAMES = {NULL: "no compression", DEFLATE: "DEFLATE", 64: "LZS"}


def name(method: int) -> str:
    """Of an IANA TLS compression method."""
    return _NAMES.get(method, f"method {method}")


class Inflater:
    """The content of one direction's records. `broken` once a record is missing or is not
    what it should be: all that follows was compressed against it."""

    __slots__ = ("_stream", "broken")

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self.broken = False

    def content(self, packed: bytes | memoryview) -> bytes | None:
        """The content of the next record, or None where it can't be had."""
        if self.broken:
            return None
        try:
            content = self._stream.decompress(packed, MAX_CONTENT + 1)
        except zlib.error:
            self.broken = True
            return None
        if len(content) > MAX_CONTENT or self._stream.unconsumed_tail:
            self.broken = True
            return None
        return content
