"""Positions in DHCP, DNS, NTP, PROXY headers, EAP, LDAP, RADIUS, and in pcapng's own blocks."""

from __future__ import annotations

import struct
from collections.abc import Callable

Datagrams = list[tuple[int, int, bytes]]  # (port of the client, of the server, bytes)
Build = Callable[[str], Datagrams]


def dhcp(options: bytes, name: bytes = b"", file: bytes = b"", operation: int = 1) -> bytes:
    """RFC 2131 §2."""
    kind = 1 if operation == 1 else 5
    fixed = struct.pack("!4BIHH4s4s4s4s", operation, 1, 6, 0, 9, 0, 0, *[bytes(4)] * 4)
    fixed += (
        b"\2\0\0\0\0\1".ljust(16, b"\0") + name[:63].ljust(64, b"\0") + file[:127].ljust(128, b"\0")
    )
    return fixed + b"\x63\x82\x53\x63" + bytes((53, 1, kind)) + options + b"\xff"


def _option(code: int, value: bytes) -> bytes:
    """RFC 3396: what is longer than one option is several."""
    parts = [value[at : at + 250] for at in range(0, len(value), 250)]
    return b"".join(bytes((code, len(part))) + part for part in parts)


def _sub(code: int, value: bytes) -> bytes:
    return bytes((code, min(len(value), 250))) + value[:250]


def _offered(code: int, before: bytes = b"", url: str = "") -> Build:
    def build(text: str) -> Datagrams:
        value = before + (url.replace("{p}", text) if url else text).encode()
        return [(68, 67, dhcp(_option(code, value), operation=2))]

    return build


def _asked(code: int, before: bytes = b"") -> Build:
    return lambda t: [(68, 67, dhcp(_option(code, before + t.encode())))]


# Option 61 is an identifier of the client, 12 and 81 its name: shown names are public.
_STRINGS = (17, 18, 40, 43, 47, 60, 62, 64, 66, 67, 77, 86, 90, 94, 97, 98, 100, 101, 113, 114, 119, 120,
            124, 125, 128, 129, 130, 132, 135, 141, 144, 150, 156, 159, 160, 161, 175, 176, 186, 209, 210,
            217, 224, 232, 242, 252, 254)  # fmt: skip


def _dns(answers: list[tuple[int, bytes]], name: str = "h.test", kind: int = 16) -> bytes:
    labels = (
        b"".join(bytes((min(len(part), 63),)) + part.encode()[:63] for part in name.split("."))
        + b"\0"
    )
    head = struct.pack("!6H", 7, 0x8180 if answers else 0x0100, 1, len(answers), 0, 0)
    records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", k, 1, 60, len(d)) + d for k, d in answers)
    return head + labels + struct.pack("!HH", kind, 1) + records


def _txt(prefix: str) -> Build:
    def build(text: str) -> Datagrams:
        value = (prefix + text).encode()
        data = b"".join(
            bytes((len(value[i : i + 255]),)) + value[i : i + 255]
            for i in range(0, len(value), 255)
        )
        return [(40001, 53, _dns([])), (40001, 53, _dns([(16, data)]))]

    return build


def _record(kind: int, before: bytes = b"") -> Build:
    return lambda t: [(40002, 53, _dns([(kind, before + t.encode())], kind=kind))]


def _edns(text: str) -> Datagrams:
    """A cookie (RFC 7873) and an unknown option in the OPT record."""
    value = text.encode()
    option = (
        struct.pack("!HH", 10, len(value)) + value + struct.pack("!HH", 65001, len(value)) + value
    )
    head = struct.pack("!6H", 8, 0x0100, 1, 0, 0, 1) + b"\1h\4test\0\0\1\0\1"
    return [(40003, 53, head + b"\0" + struct.pack("!HHIH", 41, 4096, 0, len(option)) + option)]


def _ntp(text: str) -> Datagrams:
    """A key identifier with a digest (RFC 5905 §7.3), an extension field (RFC 7822)."""
    base = b"\x23\0\6\xec" + bytes(36) + b"\xe0\0\0\0\0\0\0\1"
    value = text.encode()
    padded = value + bytes(-len(value) % 4)
    extension = struct.pack("!HH", 0x104, 4 + len(padded)) + padded
    return [(123, 123, base + b"\0\0\0\1" + value[:20].ljust(20)), (124, 123, base + extension)]


def _kiss(text: str) -> Datagrams:
    control = b"\x16\2\0\1" + bytes(6) + struct.pack("!H", len(text)) + text.encode()
    return [(125, 123, control)]


def _radius(text: str) -> Datagrams:
    value = text.encode()[:200]
    attributes = (
        b"\1\5bob"
        + bytes((2, 2 + len(value)))
        + value
        + bytes((26, 8 + len(value)))
        + b"\0\0\1\x37"
    )
    attributes += bytes((10, 2 + len(value))) + value + bytes((18, 2 + len(value))) + value
    return [
        (40004, 1812, b"\1\7" + struct.pack("!H", 20 + len(attributes)) + bytes(16) + attributes)
    ]


def _ber(tag: int, value: bytes) -> bytes:
    size = bytes((len(value),)) if len(value) < 128 else b"\x82" + len(value).to_bytes(2)
    return bytes((tag,)) + size + value


def ldap_bind(text: str) -> bytes:
    """A simple bind (RFC 4511 §4.2)."""
    bind = _ber(2, b"\3") + _ber(4, b"cn=bob") + _ber(0x80, text.encode())
    return _ber(0x30, _ber(2, b"\1") + _ber(0x60, bind))


def _stun(text: str) -> Datagrams:
    value = text.encode()
    data = value + bytes(-len(value) % 4)
    attribute = (
        struct.pack("!HH", 6, len(value)) + data + struct.pack("!HH", 0x8022, len(value)) + data
    )
    return [
        (
            40005,
            3478,
            b"\0\1"
            + struct.pack("!H", len(attribute))
            + b"\x21\x12\xa4\x42"
            + bytes(12)
            + attribute,
        )
    ]


def _unknown(text: str) -> Datagrams:
    return [
        (40006, 40007, b"\0\1" + text.encode()),
        (40006, 69, b"\0\1" + text.encode() + b"\0octet\0"),
    ]


PLACES: dict[str, Build] = {
    **{f"dhcp.offer.{code}": _offered(code) for code in _STRINGS},
    **{f"dhcp.request.{code}": _asked(code) for code in (43, 60, 61, 77, 82, 90, 124, 125, 224)},
    "dhcp.offer.43.1": lambda t: [(68, 67, dhcp(_option(43, _sub(1, b"https://h.example") + _sub(9, t.encode())), operation=2))],
    "dhcp.offer.43.text": _offered(43, url="user=bob;password={p}"),
    "dhcp.offer.43.url": _offered(43, url="https://bob:{p}@h.example/cfg"),
    "dhcp.offer.66.userinfo": _offered(66, url="ftp://bob:{p}@h.example/"),
    "dhcp.offer.66.query": _offered(66, url="https://h.example/a?zeta={p}"),
    "dhcp.offer.67.path": _offered(67, url="/cfg/{p}/a.cfg"),
    "dhcp.offer.160.path": _offered(160, url="https://h.example/{p}/a.cfg"),
    "dhcp.offer.125.enterprise": lambda t: [(68, 67, dhcp(_option(125, b"\0\0\1\x37" + _sub(min(len(t) + 2, 255), _sub(1, t.encode()))), operation=2))],
    "dhcp.request.125.sub": _asked(125, b"\0\0\1\x37\x10\1\x0e"), "dhcp.request.61.typed": _asked(61, b"\0"),
    "dhcp.sname": lambda t: [(68, 67, dhcp(b"", name=t.encode(), operation=2))],
    "dhcp.file": lambda t: [(68, 67, dhcp(b"", file=t.encode(), operation=2))],
    "dhcp.behind": lambda t: [(68, 67, dhcp(b"", operation=2) + t.encode())],
    "dns.txt.password": _txt("password="), "dns.txt.bare": _txt(""), "dns.txt.verification": _txt("google-site-verification="),
    "dns.txt.acme": _txt("v=zeta; k="), "dns.null": _record(10), "dns.unknown-type": _record(65280), "dns.cert": _record(37, b"\0\1\0\1\1"),
    "dns.edns": _edns, "dns.behind": lambda t: [(40008, 53, _dns([]) + t.encode())], "ntp.digest": _ntp, "ntp.control": _kiss,
    "radius.password": _radius, "stun.username": _stun, "udp.unknown": _unknown,
}  # fmt: skip
# A name that is looked up is what the user looks for: it is shown, however it looks.
PUBLIC: dict[str, str] = {
    "dns.query.label": "the name that is asked for is the answer to why a lookup failed"
}


def proxy_header(text: str) -> bytes:
    """PROXY protocol version 2 with TLVs: authority, unique id, TLS common name, a custom one."""
    value = text.encode()[:500]
    tlvs = b"".join(bytes((kind,)) + len(value).to_bytes(2) + value for kind in (5, 0xE0, 0x22, 4))
    body = bytes((192, 0, 2, 9, 192, 0, 2, 2)) + struct.pack("!HH", 999, 80) + tlvs
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(body)) + body


def ethernet(kind: int, data: bytes) -> bytes:
    return b"\2\0\0\0\0\2\2\0\0\0\0\1" + kind.to_bytes(2) + data


def eap(method: int, data: bytes, code: int = 2) -> bytes:
    """EAP over LAN (IEEE 802.1X, RFC 3748)."""
    packet = bytes((code, 7)) + (5 + len(data)).to_bytes(2) + bytes((method,)) + data
    return ethernet(0x888E, b"\2\0" + len(packet).to_bytes(2) + packet)


FRAMES: dict[str, Callable[[str], bytes]] = {
    "eap.md5": lambda t: eap(4, bytes((min(len(t), 255),)) + t.encode()), "eap.gtc": lambda t: eap(6, t.encode()),
    "eap.ttls": lambda t: eap(21, b"\0" + t.encode()), "eap.notification": lambda t: eap(2, t.encode(), 1),
    "eap.mschapv2": lambda t: eap(26, b"\2\1\0\x40\x31" + t.encode()), "lldp.custom": lambda t: ethernet(
        0x88CC, b"\2\3\7ab\4\2\7c\6\2\0\x78\xfe" + bytes((min(len(t), 250) + 4,)) + b"\1\2\3\0" + t.encode()[:250] + b"\0\0"),
    "ethernet.unknown": lambda t: ethernet(0x88B5, t.encode()),
}  # fmt: skip


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _text(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


BLOCK_PLACES = ("section.comment", "section.hardware", "section.application", "interface.comment",
                "interface.filter", "packet.comment", "packet.hash", "names.comment",
                "secrets.comment", "secrets.line", "secrets.unknown-kind", "statistics.comment", "block.custom", "block.unknown")  # fmt: skip


def pcapng(frames: list[bytes], own: dict[str, str]) -> bytes:
    """A pcapng of `frames` with the canaries of `BLOCK_PLACES` in its own blocks."""
    value = {name: own.get(name, "").encode() for name in BLOCK_PLACES}

    def options(**codes: int) -> bytes:
        return b"".join(
            _text(code, value[name.replace("__", ".").replace("_", "-")])
            for name, code in codes.items()
        )

    content = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
                     + options(section__comment=1, section__hardware=2, section__application=4))  # fmt: skip
    content += _block(1, struct.pack("<HHI", 1, 0, 0) + options(interface__comment=1)
                      + _text(11, b"\0" + value["interface.filter"]))  # fmt: skip
    content += _block(4, struct.pack("<HH", 0, 0) + options(names__comment=1))
    keys = b"# " + value["secrets.comment"] + b"\nCLIENT_RANDOM " + value["secrets.line"] + b" 00\n"
    content += _block(10, struct.pack("<II", 0x544C534B, len(keys)) + keys)
    unknown = value["secrets.unknown-kind"]
    content += _block(10, struct.pack("<II", 0x57474B4C, len(unknown)) + unknown)
    for number, frame in enumerate(frames):
        ticks = 1_700_000_000_000_000 + number * 10_000
        head = struct.pack("<5I", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        extra = options(packet__comment=1, packet__hash=3) if number == 0 else b""
        content += _block(6, head + frame + bytes(-len(frame) % 4) + extra)
    content += _block(5, bytes(12) + options(statistics__comment=1))
    content += _block(0xBAD, struct.pack("<I", 7) + value["block.custom"])
    return content + _block(0x7777, value["block.unknown"])
