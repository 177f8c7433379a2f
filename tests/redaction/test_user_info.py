"""`user:password@host` (RFC 3986 §3.2.1) and named secrets where no grammar has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dissect.cli.main import main
from dissect.model import Secret
from dissect.redaction.judge import Judge, Part, as_sent
from dissect.redaction.policy import Policy
from tests.canary import wire

WORD = "quvzojjexwyk"
URLS = (
    "//bob:{}@h.example/a", "http:\\\\bob:{}@h.example/a", "https:\\bob:{}@h.example/a", "bob:{}@h.example:443",
    "https://bob%3A{}%40h.example/a", "/a/bob:{}@h.example", "/a/sip:bob:{}@h.example/b", "/password:{}/b",
    "/a/my-token:{}", "bob%3A{}%40h.example/", "///bob:{}@h.example",
)  # fmt: skip
OTHER_URLS = (
    "/userrealm/bob@a.example", "/ucwa/sip:bob@a.example/photo", "/a:b/c", "https://h.example:8443/a", "/@me",
    "/a/12:30", "h.example:443", "[2001:db8::1]:443", "//h.example/a",
)  # fmt: skip
FIELDS = {
    "user-agent": "phone/1.0 (password={})", "server": "x token:{}", "from": "bob:{}@a.example", "host": "bob:{}@h.example",
    "x-forwarded-host": "h.example, bob:{}@i.example", "x-powered-by": "x; secret = {}", "via": "1.1 bob:{}@h.example",
    "upgrade": 'a session="{}"', "x-real-ip": "https://bob:{}@h.example/",
}  # fmt: skip
OTHER_FIELDS = {
    "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/115.0", "host": "h.example:80",
    "server": "bot (+https://h.example/@me)", "from": "mailto:bob@a.example", "date": "Wed, 01 Dec 2026 04:00:00 GMT",
    "x-forwarded-for": "2001:db8::1, 192.0.2.1:80", "vary": "Cookie, Authorization", "upgrade": "websocket", "x-real-ip": "::1",
    "retry-after": "120", "range": "bytes=0-1023",
}  # fmt: skip
SENTENCES = (
    "no access for bob:{}@h.example", "see sip:bob:{}@h.example", 'reason="password={}"', "x=pin:{}", "a=b=password={}",
)  # fmt: skip
OTHER_SENTENCES = (
    "error for sip:bob@a.example", "user:bob@a.example is unknown", "at 12:30, from bob@a.example", "Error: bob@a.example not found",
    "see https://h.example:8443/a", "reason=expired",
)  # fmt: skip


def sent(parts: tuple[Part, ...]) -> str:
    return "".join(as_sent(part) for part in parts)


def shown(parts: tuple[Part, ...]) -> str:
    return "".join("‹›" if isinstance(part, Secret) else part for part in parts)


@pytest.mark.parametrize("template", URLS)
def test_in_addresses(template: str) -> None:
    url = template.format(WORD)
    parts = Judge().url(url).parts
    assert WORD not in shown(parts)
    assert sent(parts) == url


@pytest.mark.parametrize("url", OTHER_URLS)
def test_other_addresses_stay(url: str) -> None:
    assert shown(Judge().url(url).parts) == url


@pytest.mark.parametrize("name", FIELDS)
def test_in_fields_that_are_shown(name: str) -> None:
    value = FIELDS[name].format(WORD)
    parts = Policy().header(name, value).parts
    assert WORD not in shown(parts)
    assert sent(parts) == value


@pytest.mark.parametrize("name", OTHER_FIELDS)
def test_other_values_of_fields_stay(name: str) -> None:
    assert shown(Policy().header(name, OTHER_FIELDS[name]).parts) == OTHER_FIELDS[name]


@pytest.mark.parametrize("template", SENTENCES)
def test_in_sentences(template: str) -> None:
    parts = tuple(Judge().words(template.format(WORD)))
    assert WORD not in shown(parts)
    assert sent(parts) == template.format(WORD)


@pytest.mark.parametrize("text", OTHER_SENTENCES)
def test_other_sentences_stay(text: str) -> None:
    assert shown(tuple(Judge().words(text))) == text


@pytest.mark.parametrize("value", [WORD, f"{WORD}; Path=/; HttpOnly", f" {WORD} ;Secure"])
def test_a_cookie_without_a_name_is_a_value(value: str) -> None:
    parts = Policy().header("set-cookie", value).parts
    assert WORD not in shown(parts)
    assert sent(parts) == value
    assert WORD in {part.value for part in parts if isinstance(part, Secret)}


@pytest.mark.parametrize("body", [WORD, f"username=bob&{WORD}", f"{WORD}&a=1", f"a=1&{WORD}&b"])
def test_a_part_of_a_form_without_a_sign_is_a_value(body: str) -> None:
    for name, as_shown, value in Policy().form(body):
        assert WORD not in name
        assert WORD not in shown((as_shown, *value))


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REQUESTS = {
    "host": f"GET /a HTTP/1.1\r\nHost: bob:{WORD}@h.example\r\n\r\n",
    "target": f"GET //bob:{WORD}@h.example/a HTTP/1.1\r\nHost: h.example\r\n\r\n",
    "connect": f"CONNECT bob:{WORD}@h.example:443 HTTP/1.1\r\n\r\n",
    "connect with host": f"CONNECT bob:{WORD}@h.example:443 HTTP/1.1\r\nHost: bob:{WORD}@h.example:443\r\n\r\n",
    "absolute": f"GET http://bob:{WORD}@h.example/a HTTP/1.1\r\n\r\n",
    "agent": f"GET /a HTTP/1.1\r\nHost: h.example\r\nUser-Agent: x (password={WORD})\r\n\r\n",
}


def http2() -> list[tuple[bool, bytes]]:
    ends = wire.Http2()
    reported = ends.opened()
    block = b"\x82\x86\x84" + b"\x01" + bytes((len(f"bob:{WORD}@h.example"),))
    block += f"bob:{WORD}@h.example".encode()  # RFC 7541 §6.2.2: :authority
    reported.append((True, len(block).to_bytes(3) + b"\1\5\0\0\0\1" + block))
    return [*reported, (False, b"\0\0\1\1\5\0\0\0\1\x88")]


@pytest.mark.parametrize("name", [*REQUESTS, "http2"])
def test_in_no_output(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reported = [(True, REQUESTS[name].encode()), (False, ANSWER)] if name in REQUESTS else http2()
    capture = tmp_path / "a.pcap"
    capture.write_bytes(wire.pcap(list(wire.tcp(40000, 8080, reported))))
    for command in ("http", "events", "redirects", "tls"):
        for form in ("table", "json", "csv"):
            assert main([command, str(capture), "--format", form]) == 0
    assert main(["info", str(capture)]) == 0
    statement = capsys.readouterr()
    outputs = [tmp_path / f"out.{ending}" for ending in ("html", "har", "txt")]
    main(["report", str(capture), *(word for path in outputs for word in ("-o", str(path)))])
    texts = [statement.out, statement.err, *(path.read_text("utf-8") for path in outputs)]
    assert "h.example" in statement.out
    for text in texts:
        assert WORD not in text
    entry = json.loads(outputs[1].read_text("utf-8"))["log"]["entries"][0]
    assert "h.example" in entry["request"]["url"]
