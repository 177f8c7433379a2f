"""Choosing the parser: by ALPN, by first bytes of either side, on any port, late joins."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

import dissect.protocols.sniff
from dissect.errors import ProtocolError
from dissect.model import (
    Connection,
    DnsMessage,
    Endpoint,
    HttpRequest,
    HttpResponse,
    Message,
    SipMessage,
    Span,
    StreamParser,
)
from dissect.protocols.base import Layer
from dissect.protocols.recognise import MORE, NOTHING, recognise
from dissect.protocols.sniff import MAX_KEPT, MAX_SEARCH, Sniffer, opener
from dissect.protocols.sniff_udp import open_udp
from dissect.protocols.tls.secret_store import SecretStore

from .drive import (
    CONNECTION,
    UDP,
    C,
    Found,
    Part,
    S,
    bare,
    bytewise,
    drive,
    kinds,
    messages,
    splits,
)
from .test_dns import answer, query
from .test_http1 import GET, OK
from .test_http2 import START, frame
from .test_sip import OPTIONS, REGISTER

V1 = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12)
QUERY = query("lyncdiscover.contoso.com", 1)
REPLY = answer("lyncdiscover.contoso.com", 1, rcode=3)


def prefixed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


HELLO = bytes.fromhex("16030100300100002c0303") + bytes(40)
H2 = START + frame(1, 5, 1, Encoder().encode([(":method", "GET"), (":path", "/h2")]))


def at(port: int) -> Connection:
    return replace(CONNECTION, server=Endpoint("192.0.2.80", port))


def on(port: int, **changes: object) -> StreamParser:
    opened = opener(SecretStore())
    return opened(replace(Layer(at(port), opened), **changes))  # type: ignore[arg-type]


class _Tape:
    def __init__(self, log: list[object]) -> None:
        self.log = log

    def data(self, direction: int, view: bytes | memoryview, span: Span) -> Found:
        self.log.append((direction, bytes(view)))
        return []

    def gap(self, direction: int, length: int, span: Span) -> Found:
        self.log.append((direction, length))
        return []

    def end(self, direction: int, span: Span) -> Found:
        self.log.append((direction, "end"))
        return []


def chosen(parts: list[Part], port: int = 1234, **changes: object) -> list[object]:
    """The name of the parser that was opened, then what it was given."""
    log: list[object] = []

    def open_parser(name: str) -> StreamParser:
        log.append(name)
        return _Tape(log)

    made = replace(Layer(at(port), opener(SecretStore())), **changes)  # type: ignore[arg-type]
    drive(Sniffer(made, open_parser), parts)
    return log


FIRST = {
    "tls": [
        HELLO,
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10",
    ],
    "http2": [
        H2,
        START,
        frame(4, 0, 0),
        frame(4, 0, 0, b"\0\3\0\0\0\x64") + frame(8, 0, 0, b"1234"),
    ],
    "http1": [
        GET,
        OK,
        b"PROPFIND /x HTTP/1.1\r\n\r\n",
        b"CONNECT a.example:443 HTTP/1.0\r\n\r\n",
        b"BREW /pot HTTP/1.1\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
    ],
    "sip": [
        REGISTER,
        b"\r\n\r\n" + REGISTER,
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"BENOTIFY sip:a@b SIP/2.0\r\n\r\n",
        b"x-Own fax:123 SIP/2.0\r\n\r\n",
    ],
    "dns": [prefixed(QUERY), prefixed(REPLY), prefixed(query("login.windows.net", 65))],
    "proxy": [V1 + GET, V2 + HELLO],
}
CASES = [(name, data) for name, datas in FIRST.items() for data in datas]


@pytest.mark.parametrize("direction", [C, S])
@pytest.mark.parametrize(("name", "data"), CASES)
def test_first_bytes_on_any_port_from_either_side(name: str, data: bytes, direction: int) -> None:
    """Trouble 37."""
    side = S if direction else C
    whole: list[Part] = [(side, data)]
    for parts in (whole, bytewise(whole)):
        log = chosen(parts)
        assert log[0] == name
        given_bytes = b"".join(item[1] for item in log[1:] if isinstance(item[1], bytes))  # type: ignore[index]
        assert given_bytes == data


@pytest.mark.parametrize(("name", "data"), CASES)
def test_no_prefix_is_taken_for_something_else(name: str, data: bytes) -> None:
    made = Layer(at(1234), opener(SecretStore()))
    for size in range(len(data)):
        assert recognise(data[:size], made) in (MORE, name)
    assert recognise(data, made) == name


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example ESMTP\r\n",
        b"EHLO client.example\r\n",
        b"\x00\x00\x00\x2d\xfeSMB@\x00\x01\x00",
        b"\x17\x04\x03\x00\x10",
        b"\x03\x00\x00\x13\x0e\xe0",
        b"<stream:stream to='x'>",
        b"GETTING started with nothing\r\n",
    ],
)
def test_other_protocols_are_nothing(data: bytes) -> None:
    assert recognise(data, Layer(at(1234), opener(SecretStore()))) == NOTHING
    assert drive(on(1234), [(C, data), (S, data)]) == []


@pytest.mark.parametrize(
    ("alpn", "name"),
    [("h2", "http2"), ("http/1.1", "http1"), ("http/1.0", "http1"), ("sip/2", "sip")],
)
def test_alpn_decides_before_any_byte(alpn: str, name: str) -> None:
    assert chosen([], alpn=alpn)[0] == name


def test_unknown_alpn_is_left_to_the_bytes() -> None:
    assert chosen([(C, GET)], alpn="acme")[0] == "http1"


def test_both_directions_are_replayed_in_order() -> None:
    log = chosen([(C, b"\r\n"), (S, b"\r"), (C, b"\r\n"), (S, b"\n"), (C, REGISTER), (S, b"\r\n")])
    assert log[0] == "sip"
    assert log[1:] == [
        (C, b"\r\n"),
        (S, b"\r"),
        (C, b"\r\n"),
        (S, b"\n"),
        (C, REGISTER),
        (S, b"\r\n"),
        (C, "end"),
        (S, "end"),
    ]


def test_a_gap_before_the_decision_is_passed_on() -> None:
    log = chosen([(S, b"HT"), (S, 100), (C, GET)])
    assert log[:4] == ["http1", (S, b"HT"), (S, 100), (C, GET)]


def test_bytes_on_both_sides_of_a_gap_are_not_joined() -> None:
    assert chosen([(C, b"GE"), (C, 5), (C, b"T / HTTP/1.1\r\n\r\n")]) == []
    assert chosen([(C, b"GE"), (C, 5), (C, b"T / HTTP/1.1\r\n\r\n" + GET)])[0] == "http1"


# ---------------------------------------------------------------- joined late


def test_http_and_sip_joined_late() -> None:
    found = drive(on(1234), [(S, b"\x89PNG rest of a picture"), (C, GET), (S, b"more" + OK)])
    assert [type(item) for item in messages(found)] == [HttpRequest, HttpResponse]
    found = drive(on(1234), [(C, b"=sendrecv\r\na=rtpmap:0\r\n" + OPTIONS + REGISTER)])
    assert [item.method for item in messages(found) if isinstance(item, SipMessage)] == [
        "OPTIONS",
        "REGISTER",
    ]


def test_tls_joined_late_waits_for_the_start_of_a_record_on_each_side() -> None:
    record = b"\x17\x03\x03\x00\x05hello"
    log = chosen(
        [
            (S, b"\xb4 middle of a record"),
            (C, b"\xa7 too"),
            (C, record),
            (S, b"\xee more"),
            (S, record),
        ]
    )
    assert log[0] == "tls"
    assert [item for item in log[1:] if isinstance(item, tuple) and isinstance(item[1], bytes)] == [
        (C, record),
        (S, record),
    ]
    assert (S, 0) in log
    assert (C, 0) in log


def test_http2_joined_late() -> None:
    late = frame(1, 5, 31, Encoder().encode([(":method", "GET"), (":path", "/late")]))
    found = drive(on(443, encrypted=True), [(S, b"\xff\xfe\xfd"), (C, late)])
    (request,) = messages(found)
    assert isinstance(request, HttpRequest)
    assert (request.h2_stream, request.path) == (31, "/late")


def test_port_decides_last() -> None:
    parts: list[Part] = [(C, b"\xf1\xf2"), (S, b"\xf3")]
    assert chosen(parts, port=443)[0] == "tls"
    assert chosen(parts, port=443, encrypted=True) == []
    assert chosen(parts, port=1234) == []
    flood: list[Part] = [(C, b"\xf1" * 8000)] * (MAX_SEARCH // 8000 + 2)
    assert chosen(flood, port=8080)[0] == "http1"
    assert chosen(flood, port=5060)[0] == "sip"
    assert chosen(flood, port=5061, encrypted=True)[0] == "sip"


def test_search_and_memory_are_bounded() -> None:
    log: list[object] = []

    def open_parser(name: str) -> StreamParser:
        log.append(name)
        return _Tape(log)

    sniffer = Sniffer(Layer(at(1234), opener(SecretStore())), open_parser)
    chunk = b"\xf1" * 8000
    for _ in range(MAX_SEARCH // len(chunk) + 2):
        drive(sniffer, [(C, chunk)], end=False)
        assert sum(len(item.chunk or b"") for item in sniffer._kept) <= MAX_KEPT + len(chunk)
        assert len(sniffer._windows[0]) <= MAX_KEPT + len(chunk)
    assert log[0] == "ignored"


# ---------------------------------------------------------------- layers


def test_importing_the_sniffer_loads_no_parser() -> None:
    code = (
        "import sys, dissect.protocols.sniff\n"
        "heavy = {'hpack', 'brotli', 'zstandard', 'cryptography', 'scapy'}\n"
        "parsers = {f'dissect.protocols.{n}' for n in ('http1', 'http2', 'sip', 'dns')}\n"
        "print(sorted((heavy | parsers) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment()
    )
    assert done.stdout.strip() == "[]"


def _environment() -> dict[str, str]:
    root = Path(dissect.protocols.sniff.__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root)}


def test_depth_is_bounded() -> None:
    """CONNECT in CONNECT in CONNECT …: ends quietly."""
    connect = b"CONNECT a.example:443 HTTP/1.1\r\n\r\n"
    ok = b"HTTP/1.1 200 OK\r\n\r\n"
    found = drive(on(8080), [(C, connect), (S, ok)] * 12)
    assert 4 <= len(messages(found)) // 2 <= 8


def test_an_error_in_a_parser_ends_that_parser_only() -> None:
    class Bad:
        def data(self, direction: int, view: bytes | memoryview, span: Span) -> Found:
            raise ProtocolError("x.bad", "bad")

        gap = end = data

    sniffer = Sniffer(Layer(at(1), opener(SecretStore())), lambda _: Bad())  # type: ignore[arg-type,return-value]
    assert kinds(drive(sniffer, [(C, GET), (C, GET)])) == ["x.bad"]


def test_a_generating_parser_runs_during_the_call() -> None:
    class Lazy:
        def data(self, direction: int, view: bytes | memoryview, span: Span) -> object:
            yield bytes(view)

        def gap(self, *_: object) -> object:
            yield "gap"

        def end(self, *_: object) -> object:
            yield "end"

    sniffer = Sniffer(Layer(at(1), opener(SecretStore())), lambda _: Lazy())  # type: ignore[arg-type,return-value]
    assert drive(sniffer, [(C, GET), (C, b"x")]) == [GET, b"x", "end", "end"]  # type: ignore[comparison-overlap]


# ---------------------------------------------------------------- UDP


def test_udp() -> None:
    opened = opener(SecretStore())
    sip = open_udp(Layer(UDP, opened))
    found = drive(sip, [(C, b"\0\0"), (C, REGISTER), (S, OPTIONS), (C, b"\x80rtp")])
    assert [item.method for item in messages(found) if isinstance(item, SipMessage)] == [
        "REGISTER",
        "OPTIONS",
    ]
    dns = open_udp(Layer(replace(UDP, server=Endpoint("10.0.0.53", 53)), opened))
    assert kinds(drive(dns, [(C, b"x")])) == ["dns.short"]
    noise = open_udp(Layer(UDP, opened))
    assert drive(noise, [(C, b"\x80" * 100)] * 100 + [(C, REGISTER)]) == []


def test_dns_on_other_udp_ports_but_not_its_lookalikes() -> None:
    """A forwarder on a port of its own; mDNS, LLMNR and NetBIOS names are left alone."""
    for port, seen in ((5300, 2), (40053, 2), (5353, 0), (5355, 0), (137, 0)):
        parser = open_udp(Layer(replace(UDP, server=Endpoint("10.0.0.53", port)), lambda _: on(1)))
        found = messages(drive(parser, [(C, b"\x80" * 40), (C, QUERY), (S, REPLY)]))
        assert len([item for item in found if isinstance(item, DnsMessage)]) == seen, port


@pytest.mark.parametrize(
    "data",
    [
        QUERY[:-1],  # the question is cut
        QUERY + b"\0",  # more than the header counts
        b"\0\0\x09" + QUERY[3:],  # flags of no query
        QUERY[:4] + b"\0\2" + QUERY[6:],  # two questions
        QUERY.replace(b"lync", b"\0\1\2\3"),  # a name that no host has
        QUERY[:-3] + b"\x63\0\1",  # no such type
        b"\x80\x00" + bytes(30),  # RTP
        b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12),  # STUN (RFC 8489 §5)
    ],
)
def test_datagrams_that_are_no_dns(data: bytes) -> None:
    parser = open_udp(Layer(replace(UDP, server=Endpoint("10.0.0.53", 5300)), lambda _: on(1)))
    assert drive(parser, [(C, data)]) == []


def test_dns_over_tcp_in_two_segments() -> None:
    """Some resolvers write the length alone."""
    parts: list[Part] = [(C, prefixed(QUERY)[:2]), (C, QUERY), (S, prefixed(REPLY))]
    found = [item for item in messages(drive(on(8053), parts)) if isinstance(item, DnsMessage)]
    assert [(item.is_response, item.rcode) for item in found] == [
        (False, "NOERROR"),
        (True, "NXDOMAIN"),
    ]


# ---------------------------------------------------------------- any cutting


def test_any_cut_gives_the_same_messages() -> None:
    parts: list[Part] = [(C, GET), (S, OK), (C, GET), (S, OK)]
    expected = bare(drive(on(80), parts))
    assert len(expected) == 4
    for variant in [bytewise(parts), *splits(parts)]:
        assert bare(drive(on(80), variant)) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([C, S]),
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from([GET, OK, REGISTER, H2, HELLO, START]),
                st.integers(0, 50),
            ),
        ),
        max_size=8,
    ),
    st.sampled_from([53, 80, 443, 5060, 5061, 1234]),
)
def test_any_mixture_raises_nothing(parts: list[Part], port: int) -> None:
    found: list[Message] = messages(drive(on(port), parts))
    assert all(item.place.connection.stream == 7 for item in found)
