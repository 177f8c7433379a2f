"""DHCPv4 as far as phones are set up by it (RFC 2131, 2132, 3361, 3396, 5859).

Own parser: scapy's takes 200 ms to import and gives vendor options as bytes anyway.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from dissect.errors import ProtocolError
from dissect.model import Anomaly, DhcpMessage, Direction, Message, Opaque, Place, Span
from dissect.protocols.base import Layer
from dissect.protocols.dhcp_ranges import (
    BLANKS,
    COOKIE,
    FILE,
    FIXED,
    SERVER_NAME,
    Area,
    Value,
    is_text,
    options,
    ranges,
)
from dissect.protocols.domain_names import read_name
from dissect.protocols.outbox import Outbox

MAX_OPTIONS = 512  # options of one message that are read
_NONE = Value(b"", None)

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


def parse(data: bytes, place: Place, at: int = 0) -> DhcpMessage:
    """One datagram, from offset `at` on; ProtocolError when it is no DHCP."""
    if len(data) < FIXED + 4 or data[FIXED : FIXED + 4] != COOKIE or data[0] not in (1, 2):
        raise ProtocolError("dhcp.malformed", "a datagram that is no whole DHCP message")
    found, areas, texts = _options(data)
    options = {code: value.data for code, value in found.items()}
    kind = options.get(KIND, b"\0")
    number = kind[0] if kind else 0
    given = _address(data[16:20]) or _address(options.get(REQUESTED, b"")) or _address(data[12:16])
    statement = list(_provisioning(found))
    named = [found.get(code, _NONE).trimmed() for code in (HOST_NAME, VENDOR_CLASS)]
    values = [*(value for _, value, _ in statement), *named]
    where = ranges(data, place.direction, at, areas, texts, values)
    return DhcpMessage(
        place=replace(place, ranges=where),
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
        provisioning=tuple((place, Opaque(reported)) for place, _, reported in statement),
    )


def _options(data: bytes) -> tuple[dict[int, Value], list[Area], list[tuple[int, int]]]:
    """Options by code, repeats joined (RFC 3396), those in `file` and `sname` included; the
    areas they are in, and where else names are."""
    areas = [options(data, FIXED + len(COOKIE), len(data), MAX_OPTIONS)]
    found: dict[int, Value] = {}
    _join(data, areas[0], found)
    overload = found.get(OVERLOAD, _NONE).data[:1]
    texts: list[tuple[int, int]] = []
    for place, code, both in ((FILE, BOOT_FILE, b"\x01"), (SERVER_NAME, TFTP_NAME, b"\x02")):
        if overload in (both, b"\x03"):
            areas.append(options(data, *place, MAX_OPTIONS))
            _join(data, areas[-1], found)
            continue
        text = data[slice(*place)].split(b"\0", 1)[0]
        texts.append((place[0], place[0] + len(text)))
        if text:
            found.setdefault(code, Value(text, place[0]))
    return found, areas, texts


def _join(data: bytes, area: Area, found: dict[int, Value]) -> None:
    for code, start, stop in area.options:
        value = data[start:stop]
        known = found.get(code)
        found[code] = Value(known.data + value, None) if known else Value(value, start)


def _too_many(data: bytes) -> str | None:
    """What of a whole message is not read; None: nothing."""
    found, areas, _ = _options(data)
    if any(area.more for area in areas):
        return f"a DHCP message with more than {MAX_OPTIONS} options: the others are not read"
    servers = found.get(SIP_SERVERS, _NONE).data
    if len(_sip_servers(servers, MAX_SIP_SERVERS + 1)) > MAX_SIP_SERVERS:
        return f"more than {MAX_SIP_SERVERS} SIP servers in a DHCP option: the others are not read"
    return None


def _provisioning(options: dict[int, Value]) -> Iterator[tuple[str, Value, bytes]]:
    """Where the phone is sent to: strings, and option 43 whole or by its suboptions. What it is
    called, where it stands, what it says."""
    for code in PROVISIONING:
        value = options.get(code, _NONE).trimmed()
        if value.data:
            yield str(code), value, value.data
    servers = options.get(TFTP_ADDRESSES, _NONE)
    if is_text(servers.data):
        yield str(TFTP_ADDRESSES), servers.trimmed(), servers.trimmed().data
    else:
        for number, address in enumerate(_addresses(servers.data)):
            place = servers.part(4 * number, 4 * number + 4)
            yield str(TFTP_ADDRESSES), place, address.encode()
    vendor = options.get(VENDOR, _NONE)
    if not vendor.data:
        return
    inner = _suboptions(vendor)
    if inner is None:
        yield str(VENDOR), vendor.trimmed(), vendor.trimmed().data
        return
    for code, value in inner:
        yield f"{VENDOR}.{code}", value.trimmed(), value.trimmed().data


def _suboptions(whole: Value) -> list[tuple[int, Value]] | None:
    """Option 43 as code, length, value (RFC 2132 §8.4), as Lync Phone Edition reads it.

    None where it is something else: many servers put a bare URL there.
    """
    at, vendor = 0, whole.data
    found: list[tuple[int, Value]] = []
    while at < len(vendor) and vendor[at] not in (0, 255):
        if len(found) >= _VENDOR_SUBOPTIONS or at + 2 > len(vendor):
            return None
        stop = at + 2 + vendor[at + 1]
        if stop > len(vendor):
            return None
        found.append((vendor[at], whole.part(at + 2, stop)))
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


def _addresses(value: bytes) -> tuple[str, ...]:
    whole = len(value) - len(value) % 4
    return tuple(str(ipaddress.IPv4Address(value[at : at + 4])) for at in range(0, whole, 4))


def _address(value: bytes) -> str | None:
    return str(ipaddress.IPv4Address(value)) if len(value) == 4 and any(value) else None


def _text(value: bytes | None) -> str | None:
    if not value:
        return None
    text = value.strip(BLANKS).decode("utf-8", "replace")
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
            self._out.add(parse(data, self._layer.place(direction, span), span.offset))
            if sentence := _too_many(data):
                self._out.limit("limit.dhcp_options", sentence, span.last_frame)
        except ProtocolError as error:
            self._out.anomaly(error.kind, str(error), span.last_frame)
        return self._out.flush()

    def gap(self, direction: Direction, length: int, span: Span) -> list[Message | Anomaly]:
        return []

    def end(self, direction: Direction, span: Span) -> list[Message | Anomaly]:
        return []
