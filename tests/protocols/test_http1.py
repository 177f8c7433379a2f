"""HTTP/1.x as an observer reads it; expectations from RFC 9110, RFC 9112 and RFC 7540 §3.2."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import HttpRequest, HttpResponse, StreamParser
from dissect.protocols.base import Layer
from dissect.protocols.http1 import Http1Parser

from .drive import (
    CONNECTION,
    C,
    Found,
    Part,
    S,
    drive,
    hole,
    kinds,
    layer,
    messages,
    same_however_cut,
)


def http1(**changes: object) -> Http1Parser:
    return Http1Parser(layer(**changes))


def requests(found: Found) -> list[HttpRequest]:
    return [item for item in found if isinstance(item, HttpRequest)]


def responses(found: Found) -> list[HttpResponse]:
    return [item for item in found if isinstance(item, HttpResponse)]


def pairs(found: Found) -> list[tuple[str | None, int]]:
    """(target, status) of each response, None without request."""
    by_exchange = {item.exchange: item.target.decode() for item in requests(found)}
    return [(by_exchange.get(item.exchange), item.status) for item in responses(found)]


GET = b"GET /a?x=1 HTTP/1.1\r\nHost: login.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def test_request_and_response() -> None:
    found = same_however_cut(http1, [(C, GET), (S, OK)])
    (request,), (response,) = requests(found), responses(found)
    assert (request.method, request.path, request.query) == ("GET", "/a", "x=1")
    assert (request.host, request.scheme, request.version) == ("login.example", "http", "1.1")
    assert (response.status, response.body.text, response.reason.decode()) == (200, "hello", "OK")
    assert request.exchange == response.exchange
    assert (request.place.direction, response.place.direction) == (C, S)


def test_frames_of_head_and_body() -> None:
    """Wireshark names a message by the frame of its last byte."""
    found = drive(
        http1(),
        [(C, GET[:9]), (C, GET[9:]), (S, OK[:-4]), (S, b"el"), (S, b"lo" + OK[:3]), (S, OK[3:])],
    )
    request = requests(found)[0]
    first, second = responses(found)
    assert (request.place.span.first_frame, request.place.span.last_frame) == (1, 2)
    assert request.head_frame == 2
    assert (first.place.span.first_frame, first.head_frame, first.place.span.last_frame) == (
        3,
        3,
        5,
    )
    assert (second.place.span.first_frame, second.place.span.last_frame) == (5, 6)


def test_pipelining_with_head_and_statuses_without_body() -> None:
    """Trouble 46: nodejs/http-parser#291: a HEAD's Content-Length is not followed by a body."""
    found = same_however_cut(
        http1,
        [
            (
                C,
                b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n"
                b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            ),
            (
                S,
                b"HTTP/1.1 200 OK\r\nContent-Length: 2927\r\n\r\n"
                b"HTTP/1.1 304 Not Modified\r\nContent-Length: 17\r\n\r\n"
                b"HTTP/1.1 204 No Content\r\n\r\n"
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend",
            ),
        ],
    )
    assert pairs(found) == [("/h", 200), ("/1", 304), ("/2", 204), ("/3", 200)]
    assert [item.body.text for item in responses(found)] == ["", "", "", "end"]
    assert kinds(found) == []


def test_interim_responses_keep_the_exchange() -> None:
    post = b"POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    found = same_however_cut(
        http1,
        [
            (C, post),
            (S, b"HTTP/1.1 100 Continue\r\n\r\n"),
            (C, b"body"),
            (
                S,
                b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            ),
        ],
    )
    assert pairs(found) == [("/p", 100), ("/p", 103), ("/p", 200)]
    assert [item.interim for item in responses(found)] == [True, True, False]
    assert requests(found)[0].body.text == "body"


def test_final_answer_instead_of_100_and_no_body() -> None:
    """RFC 9110 §10.1.1: after a final status the client need not send the body."""
    post = b"POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n"
    found = same_however_cut(
        http1,
        [
            (C, post),
            (S, b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
            (C, GET),
            (S, OK),
        ],
    )
    assert pairs(found) == [("/p", 401), ("/a?x=1", 200)]
    assert "not sent" in (requests(found)[0].body.problem or "")


def test_early_response_while_the_request_is_half_sent() -> None:
    """Trouble 46."""
    found = same_however_cut(
        http1,
        [
            (C, b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"),
            (S, b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\ntoo slow"),
        ],
    )
    assert pairs(found) == [("/slow", 408)]
    assert requests(found)[0].body.problem == "7 of 10 bytes are missing"
    assert responses(found)[0].body.text == "too slow"
    assert responses(found)[0].body.problem is None


def test_chunked_with_extensions_trailers_and_gzip_split_in_its_header() -> None:
    """Trouble 48."""
    packed = gzip.compress(b'{"access":"granted"}', mtime=0)
    body = b""
    for piece in (packed[:3], packed[3:12], packed[12:]):
        body += b'%x;ext="a"\r\n%s\r\n' % (len(piece), piece)
    found = same_however_cut(
        http1,
        [
            (C, GET),
            (
                S,
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
                + body
                + b"0\r\nX-Trailer: t\r\n\r\n"
                + OK,
            ),
        ],
    )
    first, second = responses(found)
    assert first.body.text == '{"access":"granted"}'
    assert first.body.wire_size == len(packed)
    assert first.headers.get("x-trailer") == "t"
    assert second.body.text == "hello"


def test_body_until_close_is_whole_at_the_end() -> None:
    found = same_however_cut(http1, [(C, GET), (S, b"HTTP/1.0 200 OK\r\n\r\n<html>")])
    (response,) = responses(found)
    assert (response.version, response.body.text, response.body.problem) == ("1.0", "<html>", None)


def test_requests_without_answer_and_answers_without_request() -> None:
    found = drive(http1(), [(S, OK), (S, OK), (C, GET), (C, GET)])
    assert pairs(found) == [(None, 200), (None, 200)]
    assert len(requests(found)) == 2
    exchanges = [item.exchange for item in requests(found)]
    exchanges += [item.exchange for item in responses(found)]
    assert len(set(exchanges)) == 4


def test_response_to_an_uncaptured_head() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    found = same_however_cut(http1, [(S, head + OK)])
    assert [item.body.text for item in responses(found)] == ["", "hello"]


def test_roles_are_recognised_by_content_not_by_direction() -> None:
    found = drive(http1(), [(S, GET), (C, OK)])
    assert requests(found)[0].place.direction == S
    assert pairs(found) == [("/a?x=1", 200)]


@pytest.mark.parametrize(
    ("head", "host", "scheme"),
    [
        (b"GET HTTP://u:p@bro.example/x HTTP/1.0\r\n\r\n", "bro.example", "http"),
        (b"GET https://[2001:db8::1]:444/ HTTP/1.1\r\n\r\n", "[2001:db8::1]:444", "https"),
        (b"GET http://x.example/ HTTP/1.1\r\nHost: y.example\r\n\r\n", "y.example", "http"),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", None, "http"),
    ],
)
def test_absolute_form(head: bytes, host: str | None, scheme: str) -> None:
    (request,) = requests(drive(http1(), [(C, head)]))
    assert (request.host, request.scheme) == (host, scheme)


def test_lf_only_folded_and_oddly_spaced_headers() -> None:
    found = same_however_cut(
        http1,
        [
            (
                C,
                b"\r\n\nGET  /lf   HTTP/1.1\nHost : a.example\nX-Fold: one\n two\n\tthree\n"
                b"Cookie: a=1\nCookie: b=2\nno field\n\n",
            )
        ],
    )
    (request,) = requests(found)
    assert request.target == b"/lf"
    assert request.host == "a.example"
    assert request.headers.get("x-fold") == "one two three"
    assert list(request.headers.all("cookie")) == ["a=1", "b=2"]
    assert kinds(found) == ["http.bad_header"]


def test_both_framings_and_two_lengths_are_reported() -> None:
    smuggle = (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nabcde\r\n0\r\n\r\n"
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nhi"
    )
    found = same_however_cut(http1, [(C, smuggle)])
    assert [item.body.text for item in requests(found)] == ["abcde", "abc", "hi"]
    assert kinds(found) == ["http.framing", "http.framing"]


def test_transfer_coding_that_is_not_chunked_last() -> None:
    """RFC 9112 §6.3: the response ends with the connection, the request has no valid end."""
    found = drive(
        http1(),
        [
            (C, b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + gzip.compress(b"all")),
        ],
    )
    assert pairs(found) == [("/t", 200)]
    assert responses(found)[0].body.text == "all"
    assert kinds(found) == ["http.framing"]


def test_chunk_size_beyond_64_bits_does_not_wrap() -> None:
    """As Wireshark and any server without overflow: what follows is body, not a request."""
    found = drive(
        http1(),
        [
            (
                C,
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"10000000000000000\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
            )
        ],
    )
    assert [item.target.decode() for item in requests(found)] == ["/"]
    assert requests(found)[0].body.problem


def test_cut_head_is_given_as_far_as_it_is_known() -> None:
    found = drive(http1(), [(C, GET), (S, b"HTTP/1.1 302 Found\r\nServer: x\r\nLocat")])
    assert pairs(found) == [("/a?x=1", 302)]
    (response,) = responses(found)
    assert list(response.headers) == [(b"Server", b"x")]
    assert response.body.problem == "the header section breaks off after 36 bytes"
    assert kinds(found) == ["http.incomplete"]


# ---------------------------------------------------------------- gaps


def test_gap_inside_a_known_length_skips_it() -> None:
    found = drive(http1(), [(C, GET), (S, OK[:-5] + b"h"), (S, 2), (S, b"lo" + OK), (C, GET)])
    first, second = responses(found)
    assert first.body.data == b"h"
    assert "2 bytes were not captured" in (first.body.problem or "")
    assert second.body.text == "hello"


def test_gap_between_messages_finds_the_next_start() -> None:
    found = drive(http1(), [(C, GET), (S, 400), (S, b"rest of a body" + OK)])
    assert pairs(found) == [("/a?x=1", 200)]


def test_lost_responses_do_not_shift_the_pairing() -> None:
    one, two, three = (b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in (1, 2, 3))
    found = drive(http1(), [(C, one), (C, two), (S, 900), (S, OK), (C, three), (S, OK)])
    assert pairs(found) == [("/2", 200), ("/3", 200)]


def test_lost_responses_of_a_pipelining_client_keep_the_order() -> None:
    one, two, three = (b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in (1, 2, 3))
    found = drive(http1(), [(C, one + two), (S, OK), (C, three), (S, 1), (S, OK)])
    assert pairs(found) == [("/1", 200), ("/2", 200)]


def test_a_response_captured_before_its_request_shifts_no_later_pair() -> None:
    """Trouble 34: Two capture queues: the first answer overtakes its request."""
    asked = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(5)]
    swapped: list[Part] = [(C, asked[0]), (S, OK), (S, OK), (C, asked[1]), (C, asked[2]), (S, OK)]
    found = drive(http1(), [*swapped, (C, asked[3]), (S, OK)])
    assert pairs(found) == [("/0", 200), (None, 200), ("/2", 200), ("/3", 200)]


def test_a_tunnel_inside_the_proxys_own_tls_forgets_its_alpn() -> None:
    """A proxy over HTTPS agrees on http/1.1; inside its tunnel is TLS, not HTTP."""
    opened: list[Layer] = []

    def open_child(inner: Layer) -> StreamParser:
        opened.append(inner)
        return Http1Parser(inner)

    parser = Http1Parser(layer(encrypted=True, alpn="http/1.1", open_child=open_child))
    connect = b"CONNECT login.example:443 HTTP/1.1\r\nHost: login.example:443\r\n\r\n"
    drive(parser, [(C, connect), (S, b"HTTP/1.1 200 Connection established\r\n\r\n")])
    assert [(item.alpn, item.server_name) for item in opened] == [(None, "login.example")]


def test_every_hole_leaves_the_other_messages_alone() -> None:
    """A hole spoils at most the message it is in and the one it touches."""
    parts: list[Part] = [(C, GET), (S, OK), (C, GET * 2), (S, OK * 2)]
    size = sum(len(part) for _, part in parts if isinstance(part, bytes))
    for start in range(0, size, 3):
        for length in (1, 7, 40):
            found = drive(http1(), hole(parts, start, length))
            whole = [item for item in messages(found) if not item.body.problem]  # type: ignore[union-attr]
            assert len(whole) >= 4, (start, length)


def test_capture_begins_inside_a_message() -> None:
    found = drive(
        http1(), [(S, b"lf of a body\x00\xff"), (S, OK), (C, b"x: y\r\n\r\n" + GET), (S, OK)]
    )
    assert [item.status for item in responses(found)] == [200, 200]
    assert len(requests(found)) == 1
    assert set(kinds(found)) == {"http.began_inside"}


# ---------------------------------------------------------------- CONNECT and Upgrade


class _Tape:
    """A child parser that records what it is given."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.calls: list[tuple[str, int, bytes | int, int]] = []

    def open(self, opened: Layer) -> StreamParser:
        self.layers.append(opened)
        return self

    def data(self, direction: int, view: bytes | memoryview, where: object) -> Found:
        self.calls.append(("data", direction, bytes(view), where.last_frame))  # type: ignore[attr-defined]
        return []

    def gap(self, direction: int, length: int, where: object) -> Found:
        self.calls.append(("gap", direction, length, where.last_frame))  # type: ignore[attr-defined]
        return []

    def end(self, direction: int, where: object) -> Found:
        self.calls.append(("end", direction, b"", where.last_frame))  # type: ignore[attr-defined]
        return []

    def bytes(self, direction: int) -> bytes:
        return b"".join(c for n, d, c, _ in self.calls if n == "data" and d == direction)  # type: ignore[misc]


CONNECT = b"CONNECT login.example:443 HTTP/1.1\r\nHost: proxy\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n"


def test_connect_hands_over_after_a_407() -> None:
    """Trouble 38."""
    tape = _Tape()
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"
    parts: list[Part] = [
        (C, CONNECT),
        (S, refused),
        (C, CONNECT),
        (S, ESTABLISHED),
        (C, b"\x16\x03\x01hello"),
        (S, b"world"),
        (S, 5),
    ]
    found = drive(http1(open_child=tape.open), parts)
    assert [item.status for item in responses(found)] == [407, 200]
    assert (tape.layers[0].via, tape.layers[0].server_name) == ("192.0.2.80:3128", "login.example")
    assert tape.calls == [
        ("data", C, b"\x16\x03\x01hello", 5),
        ("data", S, b"world", 6),
        ("gap", S, 5, 7),
        ("end", C, b"", 8),
        ("end", S, b"", 8),
    ]


def test_connect_with_both_sides_glued_and_early_client_bytes() -> None:
    """The client's first bytes come before the answer, the server's with it."""
    parts: list[Part] = [(C, CONNECT + b"EHLO"), (S, ESTABLISHED + b"220 hi")]

    def make() -> Http1Parser:
        return http1(open_child=_Tape().open)

    same_however_cut(make, parts)
    tape = _Tape()
    drive(http1(open_child=tape.open), parts)
    assert (tape.bytes(C), tape.bytes(S)) == (b"EHLO", b"220 hi")


def test_connect_of_a_one_sided_capture_is_recognised_by_the_tls_hello() -> None:
    tape = _Tape()
    drive(http1(open_child=tape.open), [(C, CONNECT), (C, b"\x16\x03\x01\x02\x00")])
    assert tape.bytes(C) == b"\x16\x03\x01\x02\x00"


def test_connect_refused_and_plain_http_follows() -> None:
    found = same_however_cut(
        http1,
        [(C, CONNECT), (S, b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), (C, GET), (S, OK)],
    )
    assert [item.status for item in responses(found)] == [403, 200]
    assert [item.method for item in requests(found)] == ["CONNECT", "GET"]


def test_websocket_is_left_alone() -> None:
    """Trouble 47."""
    found = drive(
        http1(),
        [
            (
                C,
                b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            ),
            (
                S,
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                b"Upgrade: websocket\r\n\r\n\x81\x05hello",
            ),
            (C, b"\x81\x85GET / HTTP/1.1\r\n\r\n"),
        ],
    )
    assert pairs(found) == [("/ws", 101)]
    assert kinds(found) == []


def test_ignored_upgrade_goes_on_with_http() -> None:
    upgrade = (
        b"GET /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    )
    found = same_however_cut(http1, [(C, upgrade + GET), (S, OK + OK)])
    assert pairs(found) == [("/u", 200), ("/a?x=1", 200)]


def test_exchanges_are_unique_over_the_layers_of_a_connection() -> None:
    from dissect.protocols.sniff import opener
    from dissect.protocols.tls.secret_store import SecretStore

    opened = opener(SecretStore())
    found = drive(
        opened(Layer(CONNECTION, opened)), [(C, CONNECT), (S, ESTABLISHED), (C, GET), (S, OK)]
    )
    assert pairs(found) == [("login.example:443", 200), ("/a?x=1", 200)]
    inner = requests(found)[1]
    assert (inner.via, inner.host) == ("192.0.2.80:3128", "login.example")


# ---------------------------------------------------------------- hostile bytes

DIALOGUE: list[Part] = [
    (C, GET + CONNECT),
    (S, OK + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_dialogues_raise_nothing(data: st.DataObject) -> None:
    parts: list[Part] = []
    for direction, content in DIALOGUE * 2:
        assert isinstance(content, bytes)
        damaged = bytearray(content)
        for _ in range(data.draw(st.integers(0, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(damaged)))
        parts += [(direction, bytes(damaged[:cut])), (direction, data.draw(st.integers(0, 50)))]
        parts += [(direction, bytes(damaged[cut:]))]
    drive(http1(), parts)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([C, S]), st.binary(max_size=60)), max_size=8))
def test_random_bytes_raise_nothing(parts: list[Part]) -> None:
    drive(http1(), parts)


def test_nothing_grows_without_bound() -> None:
    parser = http1()
    for _ in range(300):
        drive(parser, [(C, b"A" * 4096)], end=False)
        drive(parser, [(S, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 4096)], end=False)
    held = sum(len(side.buffer) for side in parser._sides)
    assert held < 700_000


def test_secrets_are_not_in_anomalies() -> None:
    found = drive(
        http1(),
        [(C, b"POST /?code=geheim HTTP/1.1\r\nCookie: geheim\r\nContent-Length: x\r\ngeheim")],
    )
    assert "geheim" not in repr(found)
    assert replace(requests(found)[0]).headers.get("cookie") == "geheim"
