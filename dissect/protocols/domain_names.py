"""Domain names on the wire (RFC 1035 §4.1.4), which DNS and DHCP (RFC 3397) write alike."""

from __future__ import annotations

from dissect.errors import ProtocolError

MAX_POINTERS = 64  # compression pointers followed in one name
MAX_NAME = 255


def read_name(data: bytes, offset: int) -> tuple[str, int]:
    """A name and the offset after it (RFC 1035 §4.1.4); ProtocolError on loops and cuts.

    Bytes other than letters, digits and the usual punctuation appear as \\DDD.
    """
    labels: list[str] = []
    after: int | None = None
    size = pointers = 0
    while True:
        if offset >= len(data):
            raise ProtocolError("dns.name", "a name breaks off")
        length = data[offset]
        if length >= 0xC0:
            if offset + 1 >= len(data) or pointers >= MAX_POINTERS:
                raise ProtocolError("dns.name", "a name's compression does not end")
            after = offset + 2 if after is None else after
            offset = (length & 0x3F) << 8 | data[offset + 1]
            pointers += 1
            continue
        if length > 63:
            raise ProtocolError("dns.name", "a label of an unknown kind")
        offset += 1
        if not length:
            return ".".join(labels) or ".", offset if after is None else after
        label = data[offset : offset + length]
        size += length + 1
        if len(label) < length or size > MAX_NAME:
            raise ProtocolError("dns.name", "a name breaks off or is too long")
        labels.append("".join(map(character, label)))
        offset += length


def character(byte: int) -> str:
    """A byte of a label or text, escaped as in master files where it must be (RFC 1035 §5.1)."""
    plain = 0x21 <= byte <= 0x7E and byte not in b'.\\"'
    return chr(byte) if plain else f"\\{byte:03d}"
