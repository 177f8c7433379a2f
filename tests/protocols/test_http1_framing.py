"""Start lines and the length of bodies of HTTP/1, by the rules of RFC 9112 one by one."""

from __future__ import annotations

import pytest

from dissect.protocols.http.messages import absolute_form, is_interim
from dissect.protocols.http.switch import upgrades
from dissect.protocols.http1_framing import (
    CHUNKED,
    NO_BODY,
    UNTIL_CLOSE,
    Framing,
    RequestLine,
    StatusLine,
    begins_message,
    chunk_size,
    codings,
    line_end,
    request_framing,
    response_framing,
    start_line,
)


def fields(**named: str) -> dict[bytes, list[bytes]]:
    return {name.replace("_", "-").encode(): [value.encode()] for name, value in named.items()}


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        (200, "GET", True),
        (200, "", True),
        (200, "HEAD", False),
        (404, "HEAD", False),
        (100, "GET", False),
        (101, "GET", False),
        (199, "GET", False),
        (203, "GET", True),
        (204, "GET", False),
        (205, "GET", True),
        (303, "GET", True),
        (304, "GET", False),
        (305, "GET", True),
        (200, "CONNECT", False),
        (299, "CONNECT", False),
        (300, "CONNECT", True),
        (407, "CONNECT", True),
    ],
)
def test_which_responses_have_a_body(status: int, method: str, body: bool) -> None:
    """RFC 9112 §6.3, rules 1 and 2: whatever the fields say."""
    length, chunks = fields(content_length="5"), fields(transfer_encoding="chunked")
    assert response_framing(status, method, length).framing == (Framing(5) if body else NO_BODY)
    assert response_framing(status, method, chunks).framing == (CHUNKED if body else NO_BODY)
    assert response_framing(status, method, {}).framing == (UNTIL_CLOSE if body else NO_BODY)


@pytest.mark.parametrize(
    ("named", "request_", "response", "problems"),
    [
        ({}, NO_BODY, UNTIL_CLOSE, 0),
        ({"content_length": "0"}, Framing(0), Framing(0), 0),
        ({"transfer_encoding": "chunked"}, CHUNKED, CHUNKED, 0),
        ({"transfer_encoding": "gzip, Chunked"}, CHUNKED, CHUNKED, 0),
        ({"transfer_encoding": "chunked", "content_length": "5"}, CHUNKED, CHUNKED, 1),
        # Rule 4: a response whose last coding is another ends with the connection.
        ({"transfer_encoding": "gzip"}, NO_BODY, UNTIL_CLOSE, (1, 0)),
        ({"transfer_encoding": "chunked, gzip"}, NO_BODY, UNTIL_CLOSE, (1, 0)),
    ],
)
def test_how_a_body_ends(
    named: dict[str, str], request_: Framing, response: Framing, problems: int | tuple[int, int]
) -> None:
    asked, answered = (
        request_framing(fields(**named)),
        response_framing(200, "GET", fields(**named)),
    )
    assert (asked.framing, answered.framing) == (request_, response)
    wanted = problems if isinstance(problems, tuple) else (problems, problems)
    assert (len(asked.problems), len(answered.problems)) == wanted


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"0", 0),
        (b"a\r", 10),
        (b"A", 10),
        (b"00ff\r", 255),
        (b" 1f \r", 31),
        (b"5;name=value\r", 5),
        (b"5 ; a\r", 5),
        (b"f" * 64, int("f" * 64, 16)),
        (b"f" * 65, None),
        (b"", None),
        (b"\r", None),
        (b"g", None),
        (b"-1", None),
        (b"0x5", None),
        (b"5 5", None),
    ],
)
def test_chunk_sizes(line: bytes, size: int | None) -> None:
    """RFC 9112 §7.1: hexadecimal digits, and extensions that are ignored."""
    assert chunk_size(line) == size


@pytest.mark.parametrize(
    ("status", "interim"),
    [(99, False), (100, True), (101, False), (102, True), (199, True), (200, False)],
)
def test_interim_responses(status: int, interim: bool) -> None:
    """RFC 9110 §15.2; behind a 101 another protocol is spoken (§15.2.2)."""
    assert is_interim(status) == interim


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"\n", 1),
        (b"\nx", 1),
        (b"\r\n", 2),
        (b"\r\nx", 2),
        (b"", None),
        (b"\r", None),
        (b"x", 0),
        (b"\rx", 0),
    ],
)
def test_line_ends(data: bytes, length: int | None) -> None:
    """RFC 9112 §2.2: a lone LF may be taken for one; a CR may be the half of one."""
    assert line_end(data) == length
    assert line_end(bytearray(data)) == length


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"GET / HTTP/1.1", RequestLine("GET", b"/", "1.1")),
        (b"GET /a b HTTP/1.0 ", RequestLine("GET", b"/a b", "1.0")),
        (b"GET\t/\tHTTP/1.1", RequestLine("GET", b"/", "1.1")),
        (b"get / HTTP/1.2", RequestLine("get", b"/", "1.1")),
        (b"GET / HTTP/0.9", RequestLine("GET", b"/", "1.0")),
        (b"GET / HTTP/2.0", RequestLine("GET", b"/", "1.1")),
        (b"GET  HTTP/1.1", RequestLine("GET", b"", "1.1")),
        (b"X" * 40 + b" / HTTP/1.1", RequestLine("X" * 40, b"/", "1.1")),
        (b"X" * 41 + b" / HTTP/1.1", None),
        (b"GET /", None),
        (b"GET / HTTP/1", None),
        (b"GET / HTTP/1.1x", None),
        (b"G(T / HTTP/1.1", None),
        (b"HTTP/1.1 200 OK", StatusLine(200, b"OK", "1.1")),
        (b"HTTP/1.0 404 Not Found", StatusLine(404, b"Not Found", "1.0")),
        (b"HTTP/1.1 999", StatusLine(999, b"", "1.1")),
        (b"HTTP/1.1 100 ", StatusLine(100, b"", "1.1")),
        (b"HTTP/1.1 099 x", None),
        (b"HTTP/1.1 20 x", None),
        (b"HTTP/1.1 2000 x", None),
        (b"HTTP/1.1  200 x", StatusLine(200, b"x", "1.1")),
        (b"", None),
    ],
)
def test_start_lines(line: bytes, found: RequestLine | StatusLine | None) -> None:
    """RFC 9112 §3, §4, with the blanks that §3 says servers may take."""
    assert start_line(line) == found


@pytest.mark.parametrize(
    ("data", "response", "verdict"),
    [
        (b"", True, None),
        (b"HTTP/", True, None),
        (b"HTTP/1.1 200", True, None),
        (b"HTTP/1.1 200 ", True, True),
        (b"HTTP/1.1 200\r", True, True),
        (b"HTTP/1.1 600 ", True, False),
        (b"HTTP/2.0 200 ", True, False),
        (b"HTTX", True, False),
        (b"GET / HTTP/1.1\r\n", True, False),
        (b"GET / HTTP/1.1\r\n", False, True),
        (b"GET / HTTP/1.1\n", False, True),
        (b"GET / HTT", False, None),
        (b"GE", False, None),
        (b"", False, None),
        (b"XX", False, False),
        (b"HTTP/", False, False),
        (b"HTTP/1.1 200 OK\r\n", False, False),
        (b"GET / FTP/1.1\r\n", False, False),
        (b"GET " + b"x" * 16380, False, None),
        (b"GET " + b"x" * 16381, False, False),
    ],
)
def test_what_begins_a_message(data: bytes, response: bool, verdict: bool | None) -> None:
    assert begins_message(data, response) is verdict


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"http://a.test/x", ("http", "a.test")),
        (b"HTTPS://u:p@a.test:8443?x", ("https", "a.test:8443")),
        (b"http://a@b@c.test#f", ("http", "c.test")),
        (b"http://", ("http", "")),
        (b"/x?u=http://a.test", None),
        (b"a.test:443", None),
        (b"*", None),
    ],
)
def test_absolute_form(target: bytes, found: tuple[str, str] | None) -> None:
    """RFC 9112 §3.2.2, RFC 3986 §3.2: without user information, which is a secret."""
    assert absolute_form(target) == found


def test_codings_and_upgrades() -> None:
    """RFC 9110 §8.4, RFC 9112 §6.1: as applied; §7.8: Upgrade counts if Connection names it."""
    both = fields(content_encoding="br", transfer_encoding="gzip, chunked")
    assert codings(both) == ["br", "gzip"]
    assert codings(fields(transfer_encoding="chunked")) == []
    named = fields(connection="keep-alive, Upgrade", upgrade="h2c, WebSocket")
    assert upgrades(named) == ["h2c", "websocket"]
    assert upgrades(fields(connection="close", upgrade="h2c")) == []
    assert upgrades(fields(upgrade="h2c")) == []
    assert upgrades(fields(connection="upgrade")) == []
