"""Parsers of streams and of datagrams, with whatever opens inside them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from dissect.errors import ProtocolError
from dissect.model import Anomaly, Direction, Endpoint, Message, StreamParser, TlsConnection
from dissect.protocols.base import Layer
from dissect.protocols.sniff import opener
from dissect.protocols.sniff_udp import open_udp
from dissect.protocols.tls.secret_store import SecretStore
from tests.fuzz import dialogue, mutate
from tests.fuzz.material import Material
from tests.fuzz.target import Broken, Target
from tests.protocols.drive import CONNECTION, UDP, bare, span

SMALL = 1500  # bytes of a conversation that is also fed byte by byte
WITH_KEY = 20  # connections that are tried with the servers' keys
MAX_REPORTED = 4  # messages and anomalies that a byte may make, and as many more for each part

Make = Callable[[Layer], StreamParser]


def fed(parser: StreamParser, parts: Iterable[dialogue.Part]) -> tuple[list[object], bool]:
    """What a parser tells, and whether it ended itself. Views die after the call.

    (Written apart from `drive.drive`, which gives nothing of a parser that ends itself.)
    """
    found: list[object] = []
    frame = 0
    try:
        for frame, (direction, content) in enumerate(parts, 1):
            side: Direction = 1 if direction else 0
            if isinstance(content, int):
                found += parser.gap(side, content, span(frame))
                continue
            if not content:
                continue  # the transport delivers no empty pieces
            backing = bytearray(content)
            view = memoryview(backing)
            found += list(parser.data(side, view, span(frame)))
            view.release()
            backing[:] = b"\xee" * len(backing)
        for side in (0, 1):
            found += parser.end(side, span(frame + 1))
    except ProtocolError:
        return found, True
    return found, False


def judge(found: list[object], size: int, parts: int) -> None:
    """Whatever is reported must be printable, in bounds, and a message or an anomaly."""
    if len(found) > MAX_REPORTED * (size + parts) + 64:
        raise Broken("more is told than the bytes can hold")
    for item in found:
        if isinstance(item, Anomaly):
            if not item.kind or "\n" in item.sentence:
                raise Broken(f"an anomaly without kind, or of two lines: {item.kind}")
        elif not hasattr(item, "place"):
            raise Broken(f"neither message nor anomaly: {type(item).__name__}")
        repr(item)


def bytewise(parts: Iterable[dialogue.Part]) -> Iterator[dialogue.Part]:
    for direction, content in parts:
        if isinstance(content, int):
            yield direction, content
        else:
            yield from ((direction, bytes((byte,))) for byte in content)


def same_in_pieces(
    make: Callable[[], StreamParser], parts: list[dialogue.Part], whole: list[object]
) -> None:
    """Where nothing is lost and nothing odd was found: behind a loss or damage a parser looks for
    a start where a piece begins."""
    if any(isinstance(item, Anomaly) for item in whole) or any(
        isinstance(c, int) for _, c in parts
    ):
        return
    pieces, broken = fed(make(), bytewise(parts))
    if not broken and _messages(whole) != _messages(pieces):
        raise Broken("byte by byte it reads differently")


def _messages(found: list[object]) -> list[Message]:
    return bare([item for item in found if not isinstance(item, Anomaly)])  # type: ignore[misc]


def _layer(store: SecretStore, transport: str = "tcp", port: int = 3128) -> Layer:
    connection = CONNECTION if transport == "tcp" else UDP
    connection = replace(connection, server=Endpoint("192.0.2.80", port))
    return Layer(connection, opener(store))


def stream(open_parser: Make, port: int = 3128, pieces: bool = True) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        parts = dialogue.parts(data)
        found, broken = fed(open_parser(_layer(SecretStore(), port=port)), parts)
        judge(found, len(data), len(parts))
        if pieces and not broken and len(data) <= SMALL and zlib.crc32(data) % 4 == 0:
            same_in_pieces(lambda: open_parser(_layer(SecretStore(), port=port)), parts, found)

    return run


def datagrams(port: int) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        parts = [part for part in dialogue.parts(data) if isinstance(part[1], bytes)]
        found, _ = fed(open_udp(_layer(SecretStore(), "udp", port)), parts)
        judge(found, len(data), len(parts))

    return run


def _http1(layer: Layer) -> StreamParser:
    from dissect.protocols.http1 import Http1Parser
    from dissect.protocols.sniff import _UPGRADES

    return Http1Parser(layer, _UPGRADES)


def _http2(layer: Layer) -> StreamParser:
    from dissect.protocols.http2 import Http2Parser
    from dissect.protocols.sniff import _UPGRADES

    return Http2Parser(layer, upgrades=_UPGRADES)


def _sip(layer: Layer) -> StreamParser:
    from dissect.protocols.sip import SipParser

    return SipParser(layer, SecretStore())


def _dns(layer: Layer) -> StreamParser:
    from dissect.protocols.dns import DnsParser

    return DnsParser(layer)


def _proxy(layer: Layer) -> StreamParser:
    from dissect.protocols.haproxy import ProxyParser

    return ProxyParser(layer)


def _websocket(layer: Layer) -> StreamParser:
    from dissect.protocols.sip import SipDatagrams
    from dissect.protocols.websocket import WebSocketParser

    return WebSocketParser(layer, SipDatagrams(layer, "ws"))


def _sniffed(layer: Layer) -> StreamParser:
    return layer.open_child(layer)


def _tls_of(data: bytes) -> tuple[SecretStore, list[dialogue.Part]]:
    from dissect.errors import UsageError

    store = SecretStore()
    parts: list[dialogue.Part] = []
    for kind, body in dialogue.items(data):
        if kind == dialogue.KEY_LOG:
            store.add_key_log(body, "fuzz.keys")
        elif kind == dialogue.RSA_KEY:
            try:
                store.add_rsa_key(body, "fuzz.key")
            except UsageError:
                continue
        else:
            parts += dialogue.parts(body)
    return store, parts


def tls(data: bytes) -> None:
    """A bundle of a key log, an RSA key and a conversation; what is inside TLS is read on."""
    store, parts = _tls_of(data)
    found, _ = fed(opener(store)(_layer(store, port=443)), parts)
    judge(found, len(data), len(parts))
    gaps = any(isinstance(content, int) for _, content in parts)
    if gaps or not _begins(parts) or len(data) > 4 * SMALL or zlib.crc32(data) % 4:
        return
    if not any(isinstance(item, Anomaly) for item in found):
        store, _ = _tls_of(data)
        pieces, _ = fed(opener(store)(_layer(store, port=443)), bytewise(parts))
        if _reported(found) != _reported(pieces):
            raise Broken("byte by byte TLS reads differently")


def _begins(parts: list[dialogue.Part]) -> bool:
    """Whether both sides begin with a record: else the start of one is looked for, first of all
    where a piece begins."""
    sides: list[bytes] = [b"", b""]
    for direction, content in parts:
        if isinstance(content, bytes):
            sides[direction] += content[:3]
    return all(side[:2] == b"\x16\x03" for side in sides)


def _reported(found: list[object]) -> list[object]:
    """Messages without frames; of a row of TLS, which has them in many places, what is agreed."""
    rows = [item for item in found if isinstance(item, TlsConnection)]
    others = [item for item in found if not isinstance(item, TlsConnection)]
    agreed = [
        (row.version, row.cipher_suite, row.decrypted, row.reason, row.server_name, len(row.alerts))
        for row in rows
    ]
    return [*agreed, *_messages(others)]


def _tls_mutation(kind: int) -> Callable[..., bytes]:
    return mutate.plain if kind in (dialogue.KEY_LOG, dialogue.RSA_KEY) else dialogue.mutated


def _recorded(*names: str) -> Callable[[Material], Iterator[bytes]]:
    def seeds(material: Material) -> Iterator[bytes]:
        for name in names:
            for talk in material.conversation(name):
                if talk:
                    yield dialogue.joined(talk)

    return seeds


def tls_seeds(material: Material) -> Iterator[bytes]:
    """The recorded connections, each with the lines of the key logs that are its own, and some
    of those that have none with a server's key."""
    lines = material.key_log_lines
    keys = [(dialogue.RSA_KEY, path.read_bytes()) for path in material.files(".key", ".pem")]
    undecrypted = 0
    for talk in material.conversation("tls"):
        log = b""
        for _, content in talk[:8]:
            if isinstance(content, bytes) and len(content) > 43 and content[5:6] == b"\1":
                log = b"\n".join(lines.get(content[11:43].hex().encode(), []))
        items = [(dialogue.CAPTURE, dialogue.joined(talk))]
        if not log and undecrypted < WITH_KEY:
            undecrypted += 1
            yield dialogue.bundle([*keys, *items])
        yield dialogue.bundle([(dialogue.KEY_LOG, log), *items] if log else items)


_WHERE = ("dissect.protocols",)
TARGETS = (
    Target("http1", stream(_http1), _recorded("http1"), _WHERE, "http", dialogue.mutated),
    Target("http2", stream(_http2), _recorded("http2"), _WHERE, "http2", dialogue.mutated),
    Target("sip", stream(_sip, 5061), _recorded("sip"), _WHERE, "sip", dialogue.mutated),
    Target(
        "websocket", stream(_websocket, 80), _recorded("websocket"), _WHERE, "sip",
        dialogue.mutated,
    ),
    Target("dns-tcp", stream(_dns, 53), _recorded("dns"), _WHERE, None, dialogue.mutated),
    Target("proxy", stream(_proxy, 80), _recorded("proxy"), _WHERE, "proxy", dialogue.mutated),
    Target(
        "sniffer", stream(_sniffed, 8443, pieces=False),
        _recorded("http1", "http2", "sip", "proxy", "dns"), _WHERE, "http", dialogue.mutated,
    ),
    Target(
        "tls", tls, tls_seeds, _WHERE, "tls", dialogue.of_items(_tls_mutation), 24 * 1024,
        per_byte_us=300,
    ),
    Target("dns-udp", datagrams(53), _recorded("dns-udp"), _WHERE, None, dialogue.mutated, 4096),
    Target("dhcp", datagrams(67), _recorded("dhcp"), _WHERE, "dhcp", dialogue.mutated, 4096),
    Target("ntp", datagrams(123), _recorded("ntp"), _WHERE, None, dialogue.mutated, 2048),
    Target("quic", datagrams(443), _recorded("quic"), _WHERE, None, dialogue.mutated),
    Target("sip-udp", datagrams(5060), _recorded("sip-udp"), _WHERE, "sip", dialogue.mutated),
)  # fmt: skip
