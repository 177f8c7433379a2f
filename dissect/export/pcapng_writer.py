"""Writing a pcapng file (draft-ietf-opsawg-pcapng): one section, times in ns, little endian."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from dissect.capture import blocks

_COMMENT, _END = 1, 0
_USER_APPLICATION = 4
MAX_TEXT = 4000  # bytes of one comment; Wireshark shows the first lines anyway


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _text(value: str) -> bytes:
    return value.encode("utf-8", "replace")[:MAX_TEXT].decode("utf-8", "ignore").encode()


def _options(pairs: Iterable[tuple[int, bytes]]) -> bytes:
    found = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in pairs)
    return found + struct.pack("<HH", _END, 0) if found else b""


class Writer:
    """Writes blocks as they come. Order: section, names, secrets, then packets."""

    def __init__(self, file: BinaryIO, application: str, comment: str) -> None:
        self._file = file
        self._interfaces: dict[tuple[str, int], int] = {}
        options = _options(
            [(_COMMENT, _text(comment))] * bool(comment) + [(_USER_APPLICATION, _text(application))]
        )
        self._block(blocks.SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)

    def _block(self, kind: int, body: bytes) -> None:
        body = _padded(body)
        size = len(body) + 12
        self._file.write(struct.pack("<II", kind, size) + body + struct.pack("<I", size))

    def names(self, names: Mapping[str, str]) -> None:
        """A name resolution block: address → name."""
        records = []
        for address, name in names.items():
            try:
                packed = ipaddress.ip_address(address).packed
            except ValueError:
                continue  # the word of a log for a device, no address
            kind = blocks.IPV4_NAME if len(packed) == 4 else blocks.IPV6_NAME
            value = packed + _text(name).replace(b"\0", b"") + b"\0"
            records.append(struct.pack("<HH", kind, len(value)) + _padded(value))
        if records:
            self._block(blocks.NAMES, b"".join(records) + struct.pack("<HH", 0, 0))

    def secrets(self, key_log: bytes) -> None:
        """A decryption secrets block with a TLS key log."""
        head = struct.pack("<II", blocks.TLS_KEY_LOG, len(key_log))
        self._block(blocks.SECRETS, head + key_log)

    def packet(
        self,
        source: str,
        link: int,
        time_ns: int,
        data: bytes,
        length: int,
        comments: Iterable[str],
    ) -> None:
        """An enhanced packet; `source` names the capture it comes from: its interface."""
        number = self._interfaces.get((source, link))
        if number is None:
            number = self._interfaces[source, link] = len(self._interfaces)
            options = _options([(blocks.IF_NAME, _text(source)), (blocks.IF_TSRESOL, b"\x09")])
            self._block(blocks.INTERFACE, struct.pack("<HHI", link, 0, 0) + options)
        time_ns = max(0, min(time_ns, (1 << 64) - 1))
        head = struct.pack(
            "<IIIII", number, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), max(length, len(data))
        )
        options = _options((_COMMENT, _text(comment)) for comment in comments)
        self._block(blocks.ENHANCED_PACKET, head + _padded(data) + options)
