"""Every parser of `dissect.protocols` keeps the same promises.

| parser | carried by | whole, byte by byte, every split | gaps | cut short, damaged |
|---|---|---|---|---|
| Http1Parser, Http2Parser, SipParser, WebSocketParser, DnsParser, ProxyParser, Sniffer | a stream | here and in its own file | here and in its own file | here and in its own file |
| TlsParser | a stream | here; with keys in tls/test_parser.py | here; tls/test_damage.py | here; tls/test_parser.py |
| SipDatagrams, DnsParser, DhcpParser, NtpParser, QuicParser | datagrams | a datagram is whole or not | - | here and in its own file |

What is read out of messages is fuzzed where it lives: SDP, ms-diagnostics, Content-Encoding in
this folder; SAML, WS-Federation, WS-Trust, OAuth, JWT and the fields of authentication in
tests/signin (test_robust.py, test_jwt.py, test_authentication.py).
"""  # noqa: E501

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

import dissect.protocols
from dissect.errors import ProtocolError
from dissect.model import StreamParser, TlsConnection
from dissect.protocols.dhcp import DhcpParser
from dissect.protocols.dns import DnsParser
from dissect.protocols.haproxy import ProxyParser
from dissect.protocols.ntp import NtpParser
from dissect.protocols.quic import QuicParser
from dissect.protocols.sip import SipDatagrams
from dissect.protocols.sniff import Ignore, opener
from dissect.protocols.tls.inside import Inside
from dissect.protocols.tls.secret_store import SecretStore

from . import (
    test_dhcp,
    test_dns,
    test_haproxy,
    test_http1,
    test_http2,
    test_ntp,
    test_sip,
    test_sniff,
    test_websocket,
)
from .drive import (
    UDP,
    C,
    Found,
    Part,
    S,
    bare,
    bytewise,
    drive,
    hole,
    layer,
    messages,
    same_however_cut,
    splits,
)  # fmt: skip

Make = Callable[[], StreamParser]


def _sniffed() -> StreamParser:
    return opener(SecretStore())(layer())


def _http2() -> list[Part]:
    asked, answered = Encoder(), Encoder()
    get = [(":method", "GET"), (":path", "/a"), (":scheme", "https"), (":authority", "h")]
    frame = test_http2.frame
    return [
        (C, test_http2.START + frame(1, 5, 1, asked.encode(get))),
        (S, test_http2.SERVER_START + frame(1, 4, 1, answered.encode([(":status", "200")]))),
        (S, frame(0, 1, 1, b"body")),
    ]


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


OFFER = (
    b"\2\1\6\0" + b"\xde\xad\xbe\xef" + bytes(8) + b"\xc0\0\2\x4d" + bytes(8)
    + b"\0\4\xf2\xaa\xbb\xcc" + bytes(202)
    + b"\x63\x82\x53\x63" + b"\x35\1\2" + b"\x0c\5phone" + b"\x42\4boot" + b"\xff"
)  # fmt: skip
# Class → how to make it, and a conversation.
STREAMS: dict[str, tuple[Make, list[Part]]] = {
    "Http1Parser": (test_http1.http1, test_http1.DIALOGUE),
    "Http2Parser": (test_http2.http2, _http2()),
    "SipParser": (test_sip.sip, [(C, test_sip.REGISTER), (S, test_sip.UNAUTHORIZED)]),
    "WebSocketParser": (test_websocket.sniffed, test_websocket.DIALOGUE),
    "DnsParser": (
        lambda: DnsParser(layer()),
        [
            (C, _framed(test_dns.query("a.example", 1))),
            (S, _framed(test_dns.answer("a.example", 1, (1, b"\1\2\3\4")))),
        ],
    ),
    "ProxyParser": (
        lambda: ProxyParser(layer(open_child=opener(SecretStore()))),
        [(C, test_haproxy.V2_TLV + test_http1.GET), (S, test_http1.OK)],
    ),
    "TlsParser": (
        lambda: test_sniff.on(443),
        [(C, test_sniff.HELLO), (S, b"\x15\x03\x03\x00\x02\x02\x28")],
    ),
    "Sniffer": (_sniffed, [(C, test_http1.GET), (S, test_http1.OK)]),
}
DATAGRAMS: dict[str, tuple[Make, list[Part]]] = {
    "SipDatagrams": (
        lambda: SipDatagrams(layer(connection=UDP)),
        [(C, test_sip.REGISTER), (S, test_sip.UNAUTHORIZED)],
    ),
    "DnsParser": (
        lambda: DnsParser(layer(connection=UDP)),
        [
            (C, test_dns.query("a.example", 1)),
            (S, test_dns.answer("a.example", 33, (33, b"\0\1\0\2\3\4\1b\0"))),
        ],
    ),
    "DhcpParser": (
        lambda: DhcpParser(layer(connection=test_dhcp.DHCP)),
        [(S, OFFER)],
    ),
    "NtpParser": (
        lambda: NtpParser(layer(connection=test_ntp.NTP)),
        [(C, test_ntp.asked(1.0)), (S, test_ntp.answered(test_ntp.asked(1.0), 2.0, 2.1))],
    ),
    "QuicParser": (
        lambda: QuicParser(layer(connection=UDP)),
        [(C, b"\xc0\x00\x00\x00\x01\x08abcdefgh\x00\x00\x40\x20" + bytes(40))],
    ),
}
# No parsers of bytes from outside: a sink, and what TLS keeps for its child.
HELPERS = {Ignore.__name__, Inside.__name__}


def test_no_parser_is_left_out() -> None:
    found = set()
    for module in pkgutil.walk_packages(dissect.protocols.__path__, "dissect.protocols."):
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if kind.__module__ != module.name or name.startswith("_"):
                continue
            verbs = [getattr(kind, verb, None) for verb in ("data", "gap", "end")]
            if all(map(callable, verbs)) and "view" in inspect.signature(kind.data).parameters:
                found.add(name)
    assert found - HELPERS == set(STREAMS) | set(DATAGRAMS)


def _driven(make: Make, parts: list[Part]) -> Found:
    """What comes of the parts; a parser may end itself with a ProtocolError, by nothing else."""
    try:
        return drive(make(), parts)
    except ProtocolError:
        return []


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "TlsParser"])
def test_any_cut_gives_the_same(name: str) -> None:
    assert messages(same_however_cut(*STREAMS[name]))


def test_any_cut_of_tls_gives_the_same() -> None:
    """A row of TLS names frames in more places than `bare` knows of."""
    make, parts = STREAMS["TlsParser"]

    def told(variant: list[Part]) -> list[object]:
        (row,) = messages(drive(make(), variant))
        assert isinstance(row, TlsConnection)
        alerts = [(alert.direction, alert.description) for alert in row.alerts]
        return [row.version, row.reason, row.cipher_suite, alerts]

    expected = told(parts)
    assert expected[-1] == [(S, "handshake_failure")]
    for variant in (bytewise(parts), *splits(parts)):
        assert told(variant) == expected


@pytest.mark.parametrize("name", STREAMS)
def test_a_hole_raises_nothing_and_spoils_nothing_before_it(name: str) -> None:
    make, parts = STREAMS[name]
    size = sum(len(content) for _, content in parts if isinstance(content, bytes))
    first = len(parts[0][1]) if isinstance(parts[0][1], bytes) else 0
    whole = bare(drive(make(), parts))
    for length in (1, 9, 70):
        for start in range(0, size, 7):
            found = _driven(make, hole(parts, start, length))
            if start >= first and name not in ("TlsParser", "WebSocketParser"):
                # The first part is whole: so is the first message that it holds.
                assert bare(found)[:1] == whole[:1], (start, length)


@pytest.mark.parametrize(
    ("make", "parts"), [*STREAMS.values(), *DATAGRAMS.values()], ids=[*STREAMS, *DATAGRAMS]
)
def test_cut_short_anywhere(make: Make, parts: list[Part]) -> None:
    """Its truncated siblings: each part is cut at each of its bytes, what follows is lost."""
    for index, (direction, content) in enumerate(parts):
        assert isinstance(content, bytes)
        for cut in range(0, len(content), 1 + len(content) // 120):
            _driven(make, [*parts[:index], (direction, content[:cut])])


@pytest.mark.parametrize(
    ("make", "parts"), [*STREAMS.values(), *DATAGRAMS.values()], ids=[*STREAMS, *DATAGRAMS]
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_raises_only_protocol_errors(
    make: Make, parts: list[Part], data: st.DataObject
) -> None:
    wire = [(direction, bytearray(content)) for direction, content in parts]  # type: ignore[arg-type]
    for _ in range(data.draw(st.integers(1, 4))):
        _, content = data.draw(st.sampled_from(wire))
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["set", "insert", "delete"]))
        if kind == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=6))
        elif len(content) > 1:
            del content[at]
    _driven(make, [(direction, bytes(content)) for direction, content in wire])
