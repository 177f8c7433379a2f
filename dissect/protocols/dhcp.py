"""DHCPv4 as far as phones are set up by it (RFC 2131, 2132, 3361, 3396, 5859).

Own parser: scapy's takes 200 ms to import and gives vendor options as bytes anyway.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dissect.errors import ProtocolError
from dissect.model import Anomaly, DhcpMessage, Direction, Message, Opaque, Place, Span
from dissect.protocols.base import Layer
from dissect.protocols.domain_names import read_name
from dissect.protocols.outbox import Outbox

COOKIE = b"\x63\x82\x53\x63"
MAX_OPTIONS = 512  # options of one message that are read
_FIXED = 236  # bytes before the cookie
_FILE, _SERVER_NAME = slice(108, 236), slice(44, 108)

KINDS = (
    "bootp", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform",
    "forcerenew", "leasequery", "leaseunassigned", "leaseunknown", "leaseactive",
)  # fmt: skip
NAME_SERVERS, HOST_NAME, TIME_SERVERS, VENDOR = 6, 12, 42, 43
REQUESTED, OVERLOAD, KIND, SERVER, ASKED, VENDOR_CLASS = 50, 52, 53, 54, 55, 60
TFTP_NAME, BOOT_FILE, SIP_SERVERS = 66, 67, 120
TFTP_ADDRESSES = 150  # RFC 5859, Cisco's before
# 160 is Polycom's, 156 and 159 other vendors'; all are strings with a URL or server names.
PROVISIONING = (TFTP_NAME, BOOT_FILE, 156, 159, 160, 161, 242)
_VENDOR_SUBOPTIONS = 64  # of more the option is shown as one
MAX_SIP_SERVERS = 16  # names in one option


def parse(data: bytes, place: Place) -> DhcpMessage:
    """One datagram; ProtocolError when it is no DHCP."""
    if len(data) < _FIXED + 4 or data[_FIXED : _FIXED + 4] != COOKIE or data[0] not in (1, 2):
        raise ProtocolError("dhcp.malformed", "a datagram that is no whole DHCP message")
    options = _options(data)
    kind = options.get(KIND, b"\0")
    number = kind[0] if kind else 0
    given = _address(data[16:20]) or _address(options.get(REQUESTED, b"")) or _address(data[12:16])
    return DhcpMessage(
        place=place,
        kind=KINDS[number] if number < len(KINDS) else f"type {number}",
        ident=int.from_bytes(data[4:8], "big"),
        hardware=data[28 : 28 + min(data[2], 16)].hex(":"),
        address=given,
        server=_address(options.get(SERVER, b"")),
        host_name=_text(options.get(HOST_NAME)),
        vendor_class=_text(options.get(VENDOR_CLASS)),
        asked=tuple(options.get(ASKED, b"")),
        name_servers=_addresses(options.get(NAME_SERVERS, b"")),
        time_servers=_addresses(options.get(TIME_SERVERS, b"")),
        sip_servers=_sip_servers(options.get(SIP_SERVERS, b"")),
        provisioning=tuple(_provisioning(options)),
    )


def _options(data: bytes) -> dict[int, bytes]:
    """Options by code, repeats joined (RFC 3396), those in `file` and `sname` included."""
    found: dict[int, bytes] = {}
    _read_options(data[_FIXED + 4 :], found)
    overload = found.get(OVERLOAD, b"\0")[:1]
    if overload in (b"\x01", b"\x03"):
        _read_options(data[_FILE], found)
    elif file := data[_FILE].split(b"\0", 1)[0]:
        found.setdefault(BOOT_FILE, file)
    if overload in (b"\x02", b"\x03"):
        _read_options(data[_SERVER_NAME], found)
    elif name := data[_SERVER_NAME].split(b"\0", 1)[0]:
        found.setdefault(TFTP_NAME, name)
    return found


def _read_options(area: bytes, found: dict[int, bytes]) -> None:
    for code, value in _fields(area, MAX_OPTIONS):
        found[code] = found.get(code, b"") + value


def _fields(area: bytes, limit: int) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option up to the end mark, a damaged one, or `limit`."""
    at = 0
    while at < len(area) and limit:
        code = area[at]
        if code == 255:
            return
        at += 1
        if code == 0:
            continue
        if at >= len(area) or at + 1 + area[at] > len(area):
            return
        yield code, area[at + 1 : at + 1 + area[at]]
        at += 1 + area[at]
        limit -= 1


def _too_many(data: bytes) -> str | None:
    """What of a whole message is not read; None: nothing."""
    areas = data[_FIXED + 4 :], data[_FILE], data[_SERVER_NAME]
    if any(sum(1 for _ in _fields(area, MAX_OPTIONS + 1)) > MAX_OPTIONS for area in areas):
        return f"a DHCP message with more than {MAX_OPTIONS} options: the others are not read"
    if len(_sip_servers(_options(data).get(SIP_SERVERS, b""), MAX_SIP_SERVERS + 1)) > (
        MAX_SIP_SERVERS
    ):
        return f"more than {MAX_SIP_SERVERS} SIP servers in a DHCP option: the others are not read"
    return None


def _provisioning(options: dict[int, bytes]) -> Iterator[tuple[str, Opaque]]:
    """Where the phone is sent to: strings, and option 43 whole or by its suboptions."""
    for code in PROVISIONING:
        if value := _trimmed(options.get(code, b"")):
            yield str(code), Opaque(value)
    servers = options.get(TFTP_ADDRESSES, b"")
    if is_text(servers):
        yield str(TFTP_ADDRESSES), Opaque(_trimmed(servers))
    else:
        for address in _addresses(servers):
            yield str(TFTP_ADDRESSES), Opaque(address.encode())
    vendor = options.get(VENDOR, b"")
    if not vendor:
        return
    inner = _suboptions(vendor)
    if inner is None:
        yield str(VENDOR), Opaque(_trimmed(vendor))
        return
    for code, value in inner:
        yield f"{VENDOR}.{code}", Opaque(_trimmed(value))


def _suboptions(vendor: bytes) -> list[tuple[int, bytes]] | None:
    """Option 43 as code, length, value (RFC 2132 §8.4), as Lync Phone Edition reads it.

    None where it is something else: many servers put a bare URL there.
    """
    at = 0
    found: list[tuple[int, bytes]] = []
    while at < len(vendor) and vendor[at] not in (0, 255):
        if len(found) >= _VENDOR_SUBOPTIONS or at + 2 > len(vendor):
            return None
        stop = at + 2 + vendor[at + 1]
        if stop > len(vendor):
            return None
        found.append((vendor[at], vendor[at + 2 : stop]))
        at = stop
    return None if vendor[at:].strip(b"\0\xff") else found


def _sip_servers(value: bytes, most: int = MAX_SIP_SERVERS) -> tuple[str, ...]:
    """Option 120 (RFC 3361): encoding 0 is names, 1 is addresses."""
    if value[:1] == b"\x01":
        return _addresses(value[1:])
    if value[:1] != b"\0":
        return ()
    at = 1
    names: list[str] = []
    while at < len(value) and len(names) < most:
        try:
            name, at = read_name(value, at)
        except ProtocolError:
            # Some servers send the name as text; a damaged list ends here.
            text = _text(value[1:]) if not names else None
            return (*names, text) if text else tuple(names)
        names.append(name)
    return tuple(names)


def is_text(value: bytes) -> bool:
    """Whether what should be addresses is text, as some servers send it: one address may by
    chance be of printable bytes, but not of digits alone, and several may not."""
    printable = all(0x20 <= byte < 0x7F for byte in value)
    return printable and (len(value) > 4 or value.isdigit())


def _addresses(value: bytes) -> tuple[str, ...]:
    whole = len(value) - len(value) % 4
    return tuple(str(ipaddress.IPv4Address(value[at : at + 4])) for at in range(0, whole, 4))


def _address(value: bytes) -> str | None:
    return str(ipaddress.IPv4Address(value)) if len(value) == 4 and any(value) else None


def _trimmed(value: bytes) -> bytes:
    return value.strip(b"\0 \t\r\n")


def _text(value: bytes | None) -> str | None:
    if not value:
        return None
    text = _trimmed(value).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text) or None


class DhcpParser:
    """A `StreamParser` for DHCP: each datagram is a message; others become an `Anomaly`."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._out = Outbox(layer)

    def data(
        self, direction: Direction, view: bytes | memoryview, span: Span
    ) -> list[Message | Anomaly]:
        data = bytes(view)
        try:
            self._out.add(parse(data, self._layer.place(direction, span)))
            if sentence := _too_many(data):
                self._out.limit("limit.dhcp_options", sentence, span.last_frame)
        except ProtocolError as error:
            self._out.odd(error.kind, str(error), span.last_frame)
        return self._out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        return []

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        return []
