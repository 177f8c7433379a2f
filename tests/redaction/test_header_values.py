"""Header fields whose names are harmless: the words of the standards stay, others go.

Expectations from RFC 9110, 9111, 6265, 6266, 7239, 7838, and the makers' documents of their ids.
"""

from __future__ import annotations

import base64

import pytest

from dissect.model import UNKNOWN, Headers, Secret
from dissect.redaction.judge import Judge
from dissect.redaction.paths import MAX_PATHS, Paths
from dissect.redaction.policy import Policy

WORD = "Zandergruen"


def shown(name: str, value: str) -> str:
    return str(Policy().header(name, value))


STANDARD = [
    ("Vary", "Accept-Encoding, Origin, Cookie"), ("Vary", "*"), ("Trailer", "Server-Timing"),
    ("Access-Control-Allow-Headers", "authorization,x-requested-with,content-type"),
    ("Allow", "GET, HEAD, POST"), ("Connection", "Upgrade, HTTP2-Settings"),
    ("Cache-Control", "private, no-cache=\"Set-Cookie\", max-age=0, must-revalidate"),
    ("Pragma", "no-cache"), ("Expires", "-1"), ("Date", "Tue, 01 Dec 2026 04:00:00 GMT"),
    ("Content-Length", "123456"), ("Content-Range", "bytes 0-99/12345"), ("Age", "86400"),
    ("Content-Type", "text/html; charset=windows-1255"), ("Accept", "text/html, */*;q=0.1"),
    ("Accept-Language", "de-DE,de;q=0.9,*;q=0.1"), ("Alt-Svc", 'h3-29=":4433"; ma=86400'),
    ("Forwarded", 'for="[2001:db8::1]:4711";proto=https;by=192.0.2.1'),
    ("Via", "1.1 proxy-1.corp.example, 1.0 fred"), ("Host", "login.example:8443"),
    ("Server", "Microsoft-IIS/10.0"), ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
    ("User-Agent", "PolycomVVX-VVX_411-UA/5.8.0.12848"), ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Amz-Cf-Id", "A" * 27 + "9_-z" + "b" * 23 + "=="), ("CF-Ray", "8a1b2c3d4e5f6789-FRA"),
    ("X-Ms-Request-Id", "7f1c4e2a-0000-4000-8000-1234567890ab"), ("X-Request-Id", "C0DE:12F3:A1"),
    ("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("Access-Control-Allow-Origin", "*"), ("SOAPAction", '"http://h.example/trust/RST/Issue"'),
    ("Set-Cookie", "a=; Path=/adfs/ls; Domain=.h.example; Max-Age=-1; SameSite=None"),
    ("Content-Disposition", "attachment; filename=\"0004f2c05a17-user.cfg\""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), STANDARD)
def test_what_the_standards_have_stays(name: str, value: str) -> None:
    found = shown(name, value)
    assert found.replace("‹cookie›", "") == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Vary", "{}"), ("Vary", "Origin, {}"), ("Trailer", "{}"), ("Allow", "GET, {}"),
        ("Access-Control-Expose-Headers", "{}"), ("Access-Control-Allow-Methods", "{}"),
        ("Connection", "{}"), ("Cache-Control", "{}"), ("Cache-Control", "private={}"),
        ("Cache-Control", 'no-cache="Origin, {}"'), ("Cache-Control", "max-age={}"),
        ("Pragma", "{}"), ("Expires", "{}"), ("Date", "{}"), ("Age", "{}"), ("Content-Length", "{}"),
        ("Content-Type", "text/html; charset={}"), ("Content-Type", "multipart/form-data; boundary={}"),
        ("Content-Disposition", "{}"), ("Content-Disposition", 'attachment; filename="{}"'),
        ("Content-Disposition", "attachment; filename*=UTF-8''{}"), ("Accept", "{}"),
        ("Accept-Encoding", "gzip, {}"), ("Accept-Language", "{}"), ("Expect", "{}"), ("TE", "{}"),
        ("Prefer", "return={}"), ("Alt-Svc", "{}"), ("Sec-WebSocket-Extensions", "{}"),
        ("Server-Timing", "{}"), ("Sec-CH-UA", '"{}";v="1"'), ("Sec-CH-UA-Platform", '"{}"'),
        ("X-Frame-Options", "{}"), ("X-Cache", "{}"), ("Sec-Fetch-Site", "{}"), ("Upgrade", "{}"),
        ("X-Request-Id", "{}"), ("X-Amz-Cf-Id", "{}"), ("CF-Ray", "{}"), ("Trace-Id", "{}"),
        ("Request-Id", "hash {}"), ("Via", "{}"), ("Retry-After", "{}"), ("Priority", "{}"),
        ("Set-Cookie", "a=1; Path=/{}/b"), ("Set-Cookie", "a=1; Domain={}"),
        ("Set-Cookie", "a=1; Expires={}"), ("Set-Cookie", "a=1; SameSite={}"), ("Set-Cookie", "{}"),
    ],
)  # fmt: skip
def test_another_word_is_hidden(name: str, value: str) -> None:
    assert WORD not in shown(name, value.format(WORD))


@pytest.mark.parametrize(
    "name", ["User-Agent", "X-Request-Id", "X-Azure-Ref", "Server", "X-Amz-Cf-Id"]
)
@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(b"password=" + WORD.encode()).decode(),
        base64.b64encode(WORD.encode("utf-16-le")).decode(),
        (b"password=" + WORD.encode()).hex(),
        "".join(f"%{byte:02x}" for byte in WORD.encode()),
        "".join(f"={byte:02X}" for byte in WORD.encode()),
        f'{{"password":"{WORD}"}}',
    ],
)  # fmt: skip
def test_nothing_encoded_is_a_name_or_an_id(name: str, value: str) -> None:
    assert value not in shown(name, value)


def test_the_path_of_a_cookie_is_that_of_a_request() -> None:
    judge = Judge()
    judge.paths.note("/zander/gruen/x")
    policy = Policy()
    policy.judge = judge
    for path in ("/zander", "/zander/", "/zander/gruen", "/zander/gruen/x"):
        assert str(policy.header("Set-Cookie", f"a=1; Path={path}")) == f"a=‹cookie›; Path={path}"
    found = str(policy.header("Set-Cookie", "a=1; Path=/zandergruen"))
    assert found == "a=‹cookie›; Path=/‹value, 11 characters›"


def test_paths_are_bounded() -> None:
    paths = Paths()
    for number in range(MAX_PATHS):
        paths.note(f"/aaaa{number}/bbbb{number}/c")
    assert paths.pieces("/aaaa1/bbbb1") == [("/aaaa1/bbbb1", True)]
    assert ("bbbb19999", False) in paths.pieces("/aaaa19999/bbbb19999")


@pytest.mark.parametrize(
    "path",
    ["/adfs/ls/", "/common/userrealm/vera@corp.example", "/Users('x')/a~b", "/{mac}.cfg", "/f%C3%BCr",
     "/Autodiscover/AutodiscoverService.svc/root", "/v2.0/7f1c4e2a-0000-4000-8000-1234567890ab/x"],
)  # fmt: skip
def test_words_of_a_path_stay(path: str) -> None:
    assert str(Policy().url(path)) == path


@pytest.mark.parametrize(
    "item",
    ["%7b%22a%22%3a1%7d", "%3Dzander%26", "%7Aander", "a%20b", "%3Cb%3Ezander", "%253D", "\\u007aander",
     "%26%23x7a%3B", "3D32353D37313D32353D3735", "7a616e646572677275656e"],
)  # fmt: skip
def test_what_is_encoded_is_no_word_of_a_path(item: str) -> None:
    assert str(Policy().url(f"/a/{item}/b")).startswith("/a/‹")


def test_a_password_with_a_slash_in_a_url() -> None:
    found = str(Policy().url("https://vera:za/nd/er@h.example/a"))
    assert found == "https://‹basic_credentials›@h.example/a"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("password=zander im see was wrong. Trace ID: 3f", "password=‹password› was wrong. Trace ID: 3f"),
        ("password=<a>zander</a> was wrong", "password=‹password›"),
        ('The body {"a": "zander"} is', "The body ‹value, 18 characters›"),
        ("Wrong: &#x7a;&#x61;&#x6e;der", "Wrong: ‹value, 21 characters›"),
        ("Wrong: \\u007a\\u0061\\u006e", "Wrong: ‹value, 18 characters›"),
        ("a < b and [Error] {0}", "a < b and [Error] {0}"),
    ],
)  # fmt: skip
def test_sentences(text: str, wanted: str) -> None:
    assert str(Policy().words(text)) == wanted


def test_what_stands_alone_in_a_query_may_be_a_value() -> None:
    items = list(Policy().items(f"wsdl&{WORD}&a=1&{WORD}=de"))
    assert [str(name) for name, _ in items] == ["wsdl", "‹value, 11 characters›", "a", WORD]
    parts = [part for name, value in items for part in (*name.parts, *value.parts)]
    assert [part.kind for part in parts if isinstance(part, Secret)] == [UNKNOWN]


def test_a_cookie_that_is_no_pair_is_all_value() -> None:
    headers = Headers.of([(b"Cookie", b'{"password": "emFuZGVy="}'), (b"Cookie", b"emFuZGVyZ3I=")])
    assert [str(value) for _, value in Policy().fields(headers)] == ["‹cookie›", "‹cookie›"]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"a/1 (password: {WORD} {WORD})", "a/1 (password: ‹password›)"),
        (f"a/1 (password: {WORD}.example.com; b)", "a/1 (password: ‹password›; b)"),
        ("a/1 (password: true)", "a/1 (password: true)"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"),
    ],
)
def test_a_password_in_a_comment_goes_on_to_its_end(value: str, wanted: str) -> None:
    """RFC 9110 §5.6.5 and §10.1.5; a password may have blanks, and the form of a host."""
    assert shown("User-Agent", value) == wanted
