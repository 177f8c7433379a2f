"""Telling protocols apart by their bytes; imports no parser, so that asking costs nothing."""

from __future__ import annotations

from dissect.protocols import dns_shape, haproxy, http1_framing, sip_lines
from dissect.protocols.base import Layer
from dissect.protocols.http2_frames import FRAME_HEADER, PREFACE, FrameHead, looks_like_frames

MORE = "more"  # the bytes so far fit several protocols
NOTHING = "nothing"  # they are the start of none

MAX_START_LINE = 4 * 1024  # of a start line whose method is not known
MAX_RECORD = (1 << 14) + 2048  # TLS 1.2 ciphertext (RFC 5246 §6.2.3)

_PORTS = {
    53: "dns",
    80: "http1",
    443: "tls",
    3128: "http1",
    5060: "sip",
    5061: "tls",
    8080: "http1",
    8443: "tls",
    49443: "tls",
}
_PORTS_INSIDE_TLS = {443: "http1", 5061: "sip", 8443: "http1", 49443: "http1"}
_HTTP_METHODS = frozenset(http1_framing.METHODS.split(b"|"))
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~" + bytes(range(0x30, 0x3A)) + bytes(range(0x41, 0x5B)))
_SIP_SCHEMES = (b"sip:", b"sips:", b"tel:", b"im:", b"pres:", b"urn:")
_CONTROLS = frozenset(range(0x20)) - {9} | {0x7F}
_TLS_CONTENT = range(20, 25)


def by_port(layer: Layer) -> str | None:
    """What a port alone suggests: the last resort."""
    ports = _PORTS_INSIDE_TLS if layer.encrypted else _PORTS
    connection = layer.connection
    return ports.get(connection.server.port) or ports.get(connection.client.port)


def recognise(head: bytes, layer: Layer) -> str:
    """The protocol whose stream can begin with `head`: a parser's name, MORE or NOTHING."""
    if not head:
        return MORE
    if by_port(layer) == "dns":
        return _dns(head)
    if (proxied := _proxy_header(head, layer)) is not NOTHING:
        return proxied
    first = head[0]
    if (dns := dns_shape.prefixed(head)) is True:
        return "dns"
    if first in _TLS_CONTENT:
        return _tls_record(head)
    if first & 0x80:
        return _ssl2_hello(head)
    if PREFACE.startswith(head[: len(PREFACE)]):
        return MORE if len(head) < len(PREFACE) else "http2"
    if first == 0 and (verdict := _frames(head)) is not NOTHING:
        return verdict
    verdict = _text(head)
    return MORE if verdict is NOTHING and dns is None else verdict


def is_record_start(view: bytes | memoryview) -> bool:
    """Whether a TLS record (RFC 8446 §5.1) can begin here."""
    return (
        len(view) >= 5
        and view[0] in _TLS_CONTENT
        and view[1] == 3
        and view[2] <= 4
        and 0 < int.from_bytes(view[3:5], "big") <= MAX_RECORD
    )


def find_start(window: bytes, chunk: bytes) -> str | None:
    """A protocol whose message starts at `chunk`, or anywhere in the text of `window`."""
    if is_record_start(chunk):
        return "tls"
    if looks_like_frames(chunk):
        return "http2"
    if http1_framing.find_start(window):
        return "http1"
    if sip_lines.find_start(window):
        return "sip"
    return None


def is_sip_datagram(view: bytes | memoryview) -> bool:
    """Whether a datagram holds a SIP message, perhaps after a few bytes of junk."""
    head = bytes(view[:MAX_START_LINE])
    line = head.lstrip(b"\r\n\0").partition(b"\n")[0].removesuffix(b"\r")
    return sip_lines.start_line(line) is not None or bool(sip_lines.find_start(head))


def is_dns_datagram(view: bytes | memoryview) -> bool:
    """Whether a datagram on a port of its own is a DNS message beyond doubt."""
    return dns_shape.is_message(bytes(view[:MAX_START_LINE]))


def _proxy_header(head: bytes, layer: Layer) -> str:
    """A load balancer's header: outermost, and before everything else."""
    if layer.depth or head[0] not in b"\rP":
        return NOTHING
    size = haproxy.header_size(head)
    if size is None:
        return MORE
    return "proxy" if size else NOTHING


def _dns(head: bytes) -> str:
    if len(head) < 14:
        return MORE
    size, flags = int.from_bytes(head[:2], "big"), int.from_bytes(head[4:6], "big")
    return "dns" if size >= 12 and flags >> 11 & 15 <= 6 else NOTHING


def _tls_record(head: bytes) -> str:
    if len(head) < 5:
        return MORE if head[1:2] in (b"", b"\x03") else NOTHING
    return "tls" if is_record_start(head) else NOTHING


def _ssl2_hello(head: bytes) -> str:
    """An SSL 2 compatible client hello (RFC 5246 §E.2)."""
    if len(head) < 5:
        return MORE
    return "tls" if head[2] == 1 and (head[3] == 3 or head[3:5] == b"\0\2") else NOTHING


def _frames(head: bytes) -> str:
    if len(head) < FRAME_HEADER:
        return MORE if head.strip(b"\r\n\0") or len(head) < 4 else NOTHING
    if looks_like_frames(head):
        return "http2"
    frame = FrameHead.parse(head[:FRAME_HEADER])
    whole = len(head) >= FRAME_HEADER + frame.length
    return MORE if frame.kind <= 9 and frame.plausible() and not whole else NOTHING


def _text(head: bytes) -> str:
    text = head.lstrip(b"\r\n\0")
    for prefix, name in ((b"HTTP/1.", "http1"), (b"SIP/2.0 ", "sip")):
        if text.startswith(prefix):
            return name
        if prefix.startswith(text):
            return MORE
    method, space, rest = text[:MAX_START_LINE].partition(b" ")
    if len(method) > 40 or not _TOKEN.issuperset(method.upper()):
        return NOTHING
    if not space:
        return MORE
    if rest.lower().startswith(_SIP_SCHEMES):
        return "sip"
    if method in _HTTP_METHODS and _http_target(method, rest):
        return "http1"
    line, newline, _ = rest.partition(b"\n")
    if newline:
        if line.rstrip(b"\r ").endswith(b"SIP/2.0"):
            return "sip"
        return "http1" if line.rstrip(b"\r ").endswith((b"HTTP/1.1", b"HTTP/1.0")) else NOTHING
    return (
        MORE if len(text) < MAX_START_LINE and _CONTROLS.isdisjoint(line.rstrip(b"\r")) else NOTHING
    )


def _http_target(method: bytes, rest: bytes) -> bool:
    return rest[:1] in (b"/", b"*") or rest[:4].lower() == b"http" or method == b"CONNECT"
