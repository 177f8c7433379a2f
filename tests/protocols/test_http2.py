"""HTTP/2 as an observer reads it; header blocks come from hpack's encoder and RFC 7541."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import HttpRequest, HttpResponse, SipMessage, StreamParser
from dissect.protocols.http.pseudo import UNKNOWN
from dissect.protocols.http2 import Http2Parser
from dissect.protocols.http2_frames import PREFACE, looks_like_frames
from dissect.protocols.http2_headers import HeaderBlocks
from dissect.protocols.sniff import opener
from dissect.protocols.tls.secret_store import SecretStore

from .drive import C, Found, Part, S, bare, drive, hole, kinds, layer, messages, same_however_cut

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIO = 0x1, 0x4, 0x8, 0x20
Fields = Sequence[tuple[str, str]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def setting(ident: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, ident.to_bytes(2, "big") + value.to_bytes(4, "big"))


def http2() -> Http2Parser:
    return Http2Parser(layer(encrypted=True, server_name="login.example"))


def requests(found: Found) -> list[HttpRequest]:
    return [item for item in found if isinstance(item, HttpRequest)]


def responses(found: Found) -> list[HttpResponse]:
    return [item for item in found if isinstance(item, HttpResponse)]


def statuses(found: Found) -> list[tuple[int | None, int, str]]:
    return [(item.h2_stream, item.status, item.body.text) for item in responses(found)]


GET: Fields = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "login.example"),
    (":path", "/common/oauth2?x=1"),
    ("user-agent", "test"),
    ("cookie", "a=1"),
]
POST: Fields = [(":method", "POST"), *GET[1:3], (":path", "/token"), ("content-type", "x/y")]
OK: Fields = [(":status", "200"), ("content-type", "application/json")]
START = PREFACE + frame(SETTINGS, 0, 0)
SERVER_START = frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0)


def test_interleaved_streams_with_bodies() -> None:
    """Trouble 50."""
    client, server = Encoder(), Encoder()
    parts: list[Part] = [
        (
            C,
            START
            + frame(HEADERS, END_HEADERS | END_STREAM, 1, client.encode(GET))
            + frame(HEADERS, END_HEADERS, 3, client.encode(POST))
            + frame(WINDOW, 0, 0, b"\0\0\xff\xff")
            + frame(DATA, 0, 3, b"grant_type=")
            + frame(PING, 0, 0, b"12345678")
            + frame(0x42, 0xFF, 9, b"an extension frame")
            + frame(DATA, END_STREAM, 3, b"device_code"),
        ),
        (
            S,
            SERVER_START
            + frame(HEADERS, END_HEADERS, 3, server.encode([(":status", "400"), *OK[1:]]))
            + frame(HEADERS, END_HEADERS, 1, server.encode(OK))
            + frame(DATA, 0, 1, b"one")
            + frame(DATA, END_STREAM, 3, b"pending")
            + frame(DATA, END_STREAM, 1, b""),
        ),
    ]
    found = same_however_cut(http2, parts)
    assert [
        (item.h2_stream, item.method, item.path, item.body.text) for item in requests(found)
    ] == [
        (1, "GET", "/common/oauth2", ""),
        (3, "POST", "/token", "grant_type=device_code"),
    ]
    assert statuses(found) == [(3, 400, "pending"), (1, 200, "one")]
    exchange = {item.h2_stream: item.exchange for item in requests(found)}
    assert [exchange[item.h2_stream] for item in responses(found)] == [exchange[3], exchange[1]]
    first = requests(found)[0]
    assert (first.host, first.scheme, first.version) == ("login.example", "https", "2")
    assert first.headers.get("user-agent") == "test"
    assert ":path" not in [name.decode() for name, _ in first.headers]
    assert kinds(found) == []


@pytest.mark.parametrize("pieces", [1, 5])
def test_body_in_one_and_in_several_data_frames(pieces: int) -> None:
    """Trouble 53: KimiNewt/pyshark#422: the same JSON however it is framed."""
    text = b'{"token_type":"Bearer"}'
    size = -(-len(text) // pieces)
    frames = [text[at : at + size] for at in range(0, len(text), size)]
    body = b"".join(
        frame(DATA, END_STREAM * (index == len(frames) - 1), 1, piece)
        for index, piece in enumerate(frames)
    )
    found = drive(
        http2(),
        [
            (C, START + frame(HEADERS, 5, 1, Encoder().encode(GET))),
            (S, SERVER_START + frame(HEADERS, END_HEADERS, 1, Encoder().encode(OK)) + body),
        ],
    )
    assert statuses(found) == [(1, 200, text.decode())]


def test_continuation_padding_priority_and_trailers() -> None:
    """Trouble 51."""
    block = Encoder().encode(GET)
    server = Encoder()
    prio = b"\0\0\0\0\x10"
    parts: list[Part] = [
        (
            C,
            START
            + frame(HEADERS, PADDED | PRIO | END_STREAM, 1, b"\x03" + prio + block[:4] + b"\0\0\0")
            + frame(CONTINUATION, 0, 1, block[4:9])
            + frame(CONTINUATION, END_HEADERS, 1, block[9:]),
        ),
        (
            S,
            SERVER_START
            + frame(HEADERS, END_HEADERS, 1, server.encode(OK))
            + frame(DATA, PADDED, 1, b"\xff" + b"body" + b"\0" * 255)
            + frame(DATA, PADDED, 1, b"\x00" + b"!")
            + frame(DATA, PADDED, 1, b"\x02\0\0")
            + frame(HEADERS, END_HEADERS | END_STREAM, 1, server.encode([("grpc-status", "0")])),
        ),
    ]
    found = same_however_cut(http2, parts)
    assert requests(found)[0].path == "/common/oauth2"
    (response,) = responses(found)
    assert (response.body.text, response.body.wire_size) == ("body!", 5)
    assert response.headers.get("grpc-status") == "0"
    assert kinds(found) == []


def test_head_frame_is_where_the_block_ends() -> None:
    block = Encoder().encode(POST)
    found = drive(
        http2(),
        [
            (C, START),
            (C, frame(HEADERS, 0, 1, block[:3])),
            (C, frame(CONTINUATION, END_HEADERS, 1, block[3:])),
            (C, frame(DATA, END_STREAM, 1, b"x")),
        ],
    )
    (request,) = requests(found)
    assert request.head_frame == 3
    assert (request.place.span.first_frame, request.place.span.last_frame) == (2, 4)


def test_two_table_size_updates_in_one_block() -> None:
    """Trouble 52: python-hyper/hpack#95, the bytes that failed once."""
    block = bytes.fromhex("3f613fe11f828784418a089d5c0b8170dc79a699")
    found = drive(http2(), [(C, START + frame(HEADERS, 5, 1, block))])
    (request,) = requests(found)
    assert (request.method, request.scheme, request.path) == ("GET", "https", "/")
    assert request.host == "127.0.0.1:8443"  # by the table of RFC 7541 appendix B


def test_rfc_7541_appendix_c() -> None:
    """C.4 (Huffman, requests) and C.6 (responses with eviction at table size 256)."""
    blocks = HeaderBlocks(complete=True)
    first, _ = blocks.decode(bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"))
    second, _ = blocks.decode(bytes.fromhex("828684be5886a8eb10649cbf"))
    assert first[3] == (b":authority", b"www.example.com")
    assert second[3:] == [(b":authority", b"www.example.com"), (b"cache-control", b"no-cache")]


def test_table_size_of_the_peers_settings() -> None:
    """The server allows 64 KB: an entry of over 4096 bytes stays in the client's table."""
    client = Encoder()
    big = [*GET, ("cookie", "c" * 5000)]
    client.header_table_size = 65536
    blocks = [client.encode(big), client.encode(big)]
    assert len(blocks[1]) < 100
    parts: list[Part] = [
        (S, setting(1, 65536)),
        (C, START + frame(HEADERS, 5, 1, blocks[0]) + frame(HEADERS, 5, 3, blocks[1])),
    ]
    found = drive(http2(), parts)
    assert [len(item.headers.get("cookie") or "") for item in requests(found)] == [3, 3]
    assert [len(list(item.headers.all("cookie"))[1]) for item in requests(found)] == [5000, 5000]
    assert kinds(found) == []


def test_push_and_its_response() -> None:
    server = Encoder()
    promise = (2).to_bytes(4, "big") + server.encode([*GET[:3], (":path", "/style.css")])
    found = same_however_cut(
        http2,
        [
            (C, START + frame(HEADERS, 5, 1, Encoder().encode(GET))),
            (
                S,
                SERVER_START
                + frame(PUSH, END_HEADERS, 1, promise)
                + frame(HEADERS, 5, 1, server.encode(OK))
                + frame(HEADERS, END_HEADERS, 2, server.encode(OK))
                + frame(DATA, END_STREAM, 2, b"css"),
            ),
        ],
    )
    pushed = next(item for item in requests(found) if item.pushed)
    assert (pushed.path, pushed.h2_stream, pushed.place.direction) == ("/style.css", 2, S)
    answer = next(item for item in responses(found) if item.h2_stream == 2)
    assert (answer.exchange, answer.body.text) == (pushed.exchange, "css")


def test_interim_response() -> None:
    server = Encoder()
    found = drive(
        http2(),
        [
            (C, START + frame(HEADERS, 5, 1, Encoder().encode(GET))),
            (S, SERVER_START + frame(HEADERS, 4, 1, server.encode([(":status", "103")]))),
            (S, frame(HEADERS, 5, 1, server.encode(OK))),
        ],
    )
    assert [(item.status, item.interim) for item in responses(found)] == [(103, True), (200, False)]


def test_reset_and_goaway_are_reported() -> None:
    found = drive(
        http2(),
        [
            (
                C,
                START
                + frame(HEADERS, END_HEADERS, 1, Encoder().encode(POST))
                + frame(DATA, 0, 1, b"ab"),
            ),
            (S, SERVER_START + frame(RST, 0, 1, (0xB).to_bytes(4, "big"))),
            (S, frame(GOAWAY, 0, 0, (0).to_bytes(4, "big") + (0xD).to_bytes(4, "big") + b"debug")),
        ],
    )
    (request,) = requests(found)
    assert request.body.text == "ab"
    assert "ENHANCE_YOUR_CALM" in (request.body.problem or "")
    assert kinds(found) == ["http2.reset", "http2.goaway"]
    assert "HTTP_1_1_REQUIRED" in repr(found[-1])


def test_unanswered_and_unfinished_at_the_end() -> None:
    found = drive(
        http2(),
        [
            (
                C,
                START + frame(HEADERS, 5, 1, Encoder().encode(GET)) + frame(HEADERS, 4, 3, b"\x82"),
            ),
            (
                S,
                SERVER_START
                + frame(HEADERS, 4, 1, Encoder().encode(OK))
                + frame(DATA, 0, 1, b"ha"),
            ),
        ],
    )
    assert [item.h2_stream for item in requests(found)] == [1, 3]
    (response,) = responses(found)
    assert (response.body.text, response.body.problem) == (
        "ha",
        "the stream's end was not captured",
    )


# ---------------------------------------------------------------- h2c


CONNECT: Fields = [(":method", "CONNECT"), (":authority", "login.example:443")]
INNER_GET = b"GET /inside HTTP/1.1\r\nHost: login.example\r\n\r\n"
INNER_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def tunnelled(client: bytes, server: bytes) -> list[Part]:
    """RFC 9113 §8.5: DATA of stream 1 is the tunnel, stream 3 goes on beside it."""
    up, down = Encoder(), Encoder()
    return [
        (C, START + frame(HEADERS, END_HEADERS, 1, up.encode(CONNECT))),
        (S, SERVER_START + frame(HEADERS, END_HEADERS, 1, down.encode([(":status", "200")]))),
        (C, frame(DATA, 0, 1, client[:9]) + frame(HEADERS, 5, 3, up.encode(GET))),
        (C, frame(DATA, PADDED | END_STREAM, 1, b"\x03" + client[9:] + bytes(3))),
        (S, frame(DATA, 0, 1, server[:4]) + frame(HEADERS, 5, 3, down.encode(OK))),
        (S, frame(DATA, END_STREAM, 1, server[4:])),
    ]


def through_a_proxy() -> StreamParser:
    opened = opener(SecretStore())
    return opened(layer(encrypted=True, alpn="h2", server_name="proxy.example", open_child=opened))


def test_connect_over_http2() -> None:
    found = same_however_cut(through_a_proxy, tunnelled(INNER_GET, INNER_OK))
    assert sorted((item.version, item.method) for item in requests(found)) == [
        ("1.1", "GET"),
        ("2", "CONNECT"),
        ("2", "GET"),
    ]
    inner = next(item for item in requests(found) if item.version == "1.1")
    assert (inner.via, inner.server_name) == ("192.0.2.80:3128", "login.example")
    answers = {item.exchange: item.body.text for item in responses(found)}
    assert answers[inner.exchange] == "ok"
    assert len(answers) == 3
    assert kinds(found) == []


def test_connect_refused_keeps_the_body() -> None:
    server = Encoder()
    refused = [(":status", "407"), ("proxy-authenticate", "Negotiate")]
    found = drive(
        http2(),
        [
            (C, START + frame(HEADERS, 5, 1, Encoder().encode(CONNECT))),
            (
                S,
                SERVER_START
                + frame(HEADERS, 4, 1, server.encode(refused))
                + frame(DATA, 1, 1, b"no"),
            ),
        ],
    )
    assert statuses(found) == [(1, 407, "no")]


def test_early_bytes_of_a_tunnel_and_its_reset() -> None:
    up = Encoder()
    parts: list[Part] = [
        (C, START + frame(HEADERS, 4, 1, up.encode(CONNECT)) + frame(DATA, 0, 1, INNER_GET)),
        (S, SERVER_START + frame(HEADERS, 4, 1, Encoder().encode([(":status", "200")]))),
        (S, frame(DATA, 0, 1, INNER_OK[:-1]) + frame(RST, 0, 1, b"\0\0\0\x08")),
    ]
    found = drive(through_a_proxy(), parts)
    assert [(item.version, item.method) for item in requests(found)] == [
        ("2", "CONNECT"),
        ("1.1", "GET"),
    ]
    assert [item.body.problem for item in responses(found)] == [None, "1 of 2 bytes are missing"]


def test_a_gap_in_a_tunnel_is_a_gap_inside() -> None:
    parts = tunnelled(INNER_GET, INNER_OK)
    parts[-1:] = [(S, frame(DATA, END_STREAM, 1, INNER_OK[4:])[:-2]), (S, 2)]
    found = drive(through_a_proxy(), parts)
    inner = [item for item in responses(found) if item.version == "1.1"]
    assert [item.body.problem for item in inner] == [
        "2 bytes were not captured, the text stops there"
    ]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_tunnels_raise_nothing(data: st.DataObject) -> None:
    parts = tunnelled(INNER_GET, INNER_OK)
    size = sum(len(part) for _, part in parts if isinstance(part, bytes))
    start, length = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, 40))
    if length:
        parts = hole(parts, start, length)
    index = data.draw(st.integers(0, len(parts) - 1))
    direction, content = parts[index]
    if isinstance(content, bytes):
        at = data.draw(st.integers(0, len(content) - 1))
        damaged = content[:at] + data.draw(st.binary(max_size=3)) + content[at + 1 :]
        parts[index] = (direction, damaged)
    drive(through_a_proxy(), parts)


def test_sip_in_websocket_over_http2() -> None:
    """RFC 8441 §5.1's request, for the subprotocol of RFC 7118."""
    asked = [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
        (":path", "/chat"), (":authority", "server.example.com"),
        ("sec-websocket-protocol", "sip"), ("sec-websocket-version", "13"),
    ]  # fmt: skip
    agreed = [(":status", "200"), ("sec-websocket-protocol", "sip")]
    text = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: o\r\nCSeq: 9 OPTIONS\r\n\r\n"
    parts: list[Part] = [
        (C, START + frame(HEADERS, 4, 1, Encoder().encode(asked))),
        (S, SERVER_START + frame(HEADERS, 4, 1, Encoder().encode(agreed))),
        (S, frame(DATA, 0, 1, b"\x81" + bytes([len(text)]) + text)),
    ]
    found = same_however_cut(through_a_proxy, parts)
    sip = [item for item in messages(found) if isinstance(item, SipMessage)]
    assert [(item.method, item.transport) for item in sip] == [("OPTIONS", "ws")]
    (request,) = requests(found)
    assert (request.method, request.path) == ("CONNECT", "/chat")


def test_h2c_upgrade_answers_on_stream_1() -> None:
    """Trouble 47."""
    server = Encoder()
    settings_header = base64.urlsafe_b64encode(b"\0\3\0\0\0\x64").rstrip(b"=")
    upgrade = (
        b"GET /robots.txt HTTP/1.1\r\nHost: h.example\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: " + settings_header + b"\r\n\r\n"
    )
    switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    parts: list[Part] = [
        (C, upgrade),
        (S, switching + SERVER_START + frame(HEADERS, 5, 1, server.encode(OK))),
        (C, START + frame(HEADERS, 5, 3, Encoder().encode(GET))),
        (S, frame(HEADERS, 5, 3, server.encode([(":status", "404")]))),
    ]

    def make() -> StreamParser:
        return opener(SecretStore())(layer())

    found = same_however_cut(make, parts)
    assert [(item.version, item.method, item.path) for item in requests(found)] == [
        ("1.1", "GET", "/robots.txt"),
        ("2", "GET", "/common/oauth2"),
    ]
    assert [(item.version, item.status) for item in responses(found)] == [
        ("1.1", 101),
        ("2", 200),
        ("2", 404),
    ]
    first, second = requests(found)
    assert [item.exchange for item in responses(found)] == [
        first.exchange,
        first.exchange,
        second.exchange,
    ]


# ---------------------------------------------------------------- joined late, lossy


def _late_dialogue() -> tuple[list[bytes], list[bytes]]:
    client, server = Encoder(), Encoder()
    asked = [
        frame(HEADERS, 5, n, client.encode([*GET, ("x-number", str(n))])) for n in (1, 3, 5, 7)
    ]
    answered = [
        frame(HEADERS, 4, n, server.encode([(":status", "302"), ("location", f"https://b/{n}")]))
        + frame(DATA, END_STREAM, n, b"moved")
        for n in (1, 3, 5, 7)
    ]
    return asked, answered


def test_capture_that_begins_late_never_guesses() -> None:
    asked, answered = _late_dialogue()
    parts: list[Part] = []
    for request, response in zip(asked[1:], answered[1:], strict=True):
        parts += [(C, request), (S, response)]
    found = drive(http2(), parts)
    assert len(requests(found)) == len(responses(found)) == 3
    for item, number in zip(requests(found), (3, 5, 7), strict=True):
        # :method and :scheme are static; :authority and :path were added before.
        assert (item.method, item.scheme, item.host) == ("GET", "https", None)
        assert item.target.decode() == UNKNOWN
        assert item.headers.get("x-number") in (str(number), None)
        assert UNKNOWN.encode() in [name for name, _ in item.headers]
    for answer, number in zip(responses(found), (3, 5, 7), strict=True):
        assert answer.status == 0
        assert answer.headers.get("location") == f"https://b/{number}"
        assert answer.body.text == "moved"
    assert "http2.began_inside" in kinds(found)


def test_later_table_entries_are_right_again() -> None:
    client = Encoder()
    client.encode(GET)
    late = [*POST, ("x-late", "value")]
    blocks = [client.encode(late), client.encode(late)]
    found = drive(
        http2(), [(C, frame(HEADERS, 5, n, block)) for n, block in zip((3, 5), blocks, strict=True)]
    )
    for item in requests(found):
        assert (item.method, item.headers.get("x-late")) == ("POST", "value")
        assert item.target.decode() == "/token"
        assert item.host is None


def test_lost_header_block_spoils_no_later_literal() -> None:
    client = Encoder()
    first, second = client.encode(GET), client.encode([*POST, ("x-new", "n")])
    whole = frame(HEADERS, 5, 1, first)
    found = drive(
        http2(),
        [(C, START), (C, whole[:12]), (C, len(whole) - 12), (C, frame(HEADERS, 5, 3, second))],
    )
    (request,) = requests(found)
    assert (request.h2_stream, request.method, request.headers.get("x-new")) == (3, "POST", "n")
    assert request.host is None
    assert "http2.header_block" in kinds(found)


def test_a_missed_block_makes_older_entries_unknown() -> None:
    """After the loss, index 62 is an entry of the lost block: an older one would be wrong."""
    client = Encoder()
    blocks = [
        client.encode([*GET[:3], (":path", f"/{number}"), ("x-number", number)])
        for number in ("one", "two", "two")
    ]
    lost = frame(HEADERS, 5, 3, blocks[1])
    found = drive(
        http2(),
        [
            (C, START + frame(HEADERS, 5, 1, blocks[0])),
            (C, len(lost)),
            (C, frame(HEADERS, 5, 5, blocks[2])),
        ],
    )
    first, third = requests(found)
    assert (first.path, first.headers.get("x-number")) == ("/one", "one")
    assert (third.method, third.target.decode(), third.host) == ("GET", UNKNOWN, None)
    assert third.headers.get("x-number") is None


@pytest.mark.parametrize(
    "between", [frame(HEADERS, 5, 3, b"\x82\x87\x84"), frame(DATA, 1, 3, b"x")]
)
def test_a_block_that_is_not_continued_is_lost_alone(between: bytes) -> None:
    """RFC 9113 §6.10: only CONTINUATION may follow."""
    whole = frame(HEADERS, 5, 5, b"\x83\x87\x84")
    found = drive(http2(), [(C, START + frame(HEADERS, 0, 1, b"\x82\x87") + between + whole)])
    assert kinds(found) == ["http2.header_block"]
    assert 1 not in [item.h2_stream for item in requests(found)]
    assert requests(found)[-1].method == "POST"
    stray = drive(http2(), [(C, START + frame(CONTINUATION, 4, 1, b"\x82") + whole)])
    assert kinds(stray) == ["http2.header_block"]
    assert [item.h2_stream for item in requests(stray)] == [5]


def test_gap_inside_data_is_a_hole_in_one_body() -> None:
    parts: list[Part] = [
        (C, START + frame(HEADERS, 5, 1, Encoder().encode(GET))),
        (S, SERVER_START + frame(HEADERS, 4, 1, Encoder().encode(OK))),
        (S, frame(DATA, 0, 1, b"0123456789")[:12]),
        (S, 4),
        (S, b"789" + frame(DATA, END_STREAM, 1, b"end")),
    ]
    (response,) = responses(drive(http2(), parts))
    assert response.body.data == b"012"
    assert response.body.wire_size == 9
    assert "4 bytes were not captured" in (response.body.problem or "")


def test_gap_over_frames_resumes_where_frames_begin() -> None:
    client = Encoder()
    blocks = [client.encode(GET), client.encode([*POST, ("x-new", "n")])]
    found = drive(
        http2(),
        [
            (C, START + frame(HEADERS, 5, 1, blocks[0])),
            (C, 5000),
            (C, b"the rest of something"),
            (C, frame(HEADERS, 5, 7, blocks[1])),
        ],
    )
    assert [(item.h2_stream, item.method) for item in requests(found)] == [(1, "GET"), (7, "POST")]


def test_every_hole_raises_nothing_and_keeps_the_first_request() -> None:
    asked, answered = _late_dialogue()
    parts: list[Part] = [(C, START), (S, SERVER_START)]
    for request, response in zip(asked, answered, strict=True):
        parts += [(C, request), (S, response)]
    size = sum(len(content) for _, content in parts if isinstance(content, bytes))
    first = bare(drive(http2(), parts))[0]
    for start in range(0, size, 2):
        for length in (1, 9, 60):
            found = drive(http2(), hole(parts, start, length))
            if start > len(START + SERVER_START + asked[0] + answered[0]):
                assert bare(found)[0] == first
            for item in messages(found):
                assert isinstance(item, HttpRequest | HttpResponse)
                if isinstance(item, HttpRequest):
                    # Right or unknown, never wrong.
                    assert item.target.decode() in ("/common/oauth2?x=1", UNKNOWN)
                    assert item.headers.get("x-number") in (str(item.h2_stream), None)
                elif (location := item.headers.get("location")) is not None:
                    assert location == f"https://b/{item.h2_stream}"


# ---------------------------------------------------------------- hostile bytes


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_frames_raise_nothing(data: st.DataObject) -> None:
    asked, answered = _late_dialogue()
    parts: list[Part] = [(C, START)]
    for request, response in zip(asked, answered, strict=True):
        for direction, content in ((C, request), (S, response)):
            damaged = bytearray(content)
            for _ in range(data.draw(st.integers(0, 3))):
                damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(
                    st.integers(0, 255)
                )
            parts.append((direction, bytes(damaged)))
    drive(http2(), parts)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([C, S]), st.binary(max_size=60)), max_size=8))
def test_random_bytes_raise_nothing(parts: list[Part]) -> None:
    drive(http2(), parts)


def test_endless_header_blocks_and_streams_are_bounded() -> None:
    parser = http2()
    drive(parser, [(C, START + frame(HEADERS, 0, 1, b"\x82"))], end=False)
    found: Found = []
    for _ in range(20):
        found += drive(parser, [(C, frame(CONTINUATION, 0, 1, b"\0" * 16000))], end=False)
    assert "http2.header_block" in kinds(found)
    joining = parser._sides[0].joining
    assert joining is None or len(joining.block) <= 200_000
    parser = http2()
    drive(parser, [(C, START)], end=False)
    for number in range(1, 6001, 2):
        drive(parser, [(C, frame(HEADERS, 4, number, b"\x82\x87\x84"))], end=False)
    assert len(parser._exchanges) <= 1024


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (SERVER_START, True),
        (frame(HEADERS, 5, 1, b"\x82"), True),
        (frame(HEADERS, 5, 0, b"\x82"), False),
        (frame(PING, 0, 0, b"1234"), False),
        (b"\x00\x00\x00\x00\x00", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
    ],
)
def test_frames_are_distinguished_from_other_bytes(data: bytes, verdict: bool) -> None:
    assert looks_like_frames(data) is verdict


def test_header_values_do_not_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        drive(
            http2(),
            [(C, START + frame(HEADERS, 5, 1, Encoder().encode([*GET, ("cookie", "geheim")])))],
        )
    decoder = [record for record in caplog.records if record.name.startswith("hpack")]
    assert "geheim" not in "".join(r.getMessage() for r in decoder if "ecod" in r.getMessage())
