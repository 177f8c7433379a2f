"""Without secrets: what was sent in the clear. The witnesses are tshark and the bytes."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissect.capture import Packet, open_capture
from dissect.export.masked import Masked, masked
from dissect.model import Secret
from dissect.redaction.masking import Masks
from dissect.redaction.policy import Policy
from tests.export.planted import tcp, written
from tests.lab import need_tshark, scenario
from tests.steps import LINEAR, growth
from tests.test_secrets import run, spellings

scapy: Any = pytest.importorskip("scapy.all")

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
PASSWORD, COOKIE, TOKEN = "p@ss wörd/1", "7", "AXkAq3yT8wZ1mVb5Kd0sLf7uNcR9hPgJxEo2iWnMtQ"
BASIC = base64.b64encode(b"bob:hunter2-and-more").decode()
FORM = "username=bob&Password=p%40ss+w%C3%B6rd%2F1&x=1"
LOGIN = (
    f"POST /login?code={TOKEN}&lang=en HTTP/1.1\r\nHost: h.test\r\n"
    f"Authorization: Basic {BASIC}\r\nCookie: sid={COOKIE}; lang=en\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
    f"Content-Length: {len(FORM)}\r\n\r\n{FORM}"
)


def answer(body: bytes, kind: str, *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


TOKENS = json.dumps({"access_token": TOKEN + "/x", "expires_in": 3599}).encode()


def conversation(
    path: Path, request: bytes, response: bytes, cuts: Iterable[int] = (), repeat: bool = False
) -> Path:
    """A TCP connection; the request is cut at `cuts` into segments, maybe each sent twice."""
    ether, ip, tcp, raw = scapy.Ether, scapy.IP, scapy.TCP, scapy.Raw
    ends = {"sport": 40000, "dport": 80}, {"sport": 80, "dport": 40000}
    there, back = ip(src=CLIENT, dst=SERVER), ip(src=SERVER, dst=CLIENT)
    frames = [
        there / tcp(**ends[0], flags="S", seq=(1 << 32) - 20),
        back / tcp(**ends[1], flags="SA", seq=900, ack=(1 << 32) - 19),
    ]
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(request)}), len(request)]
    for start, end in pairwise(places):
        seq = ((1 << 32) - 19 + start) % (1 << 32)
        segment = tcp(**ends[0], flags="PA", seq=seq, ack=901) / raw(request[start:end])
        frames += [there / segment] * (2 if repeat else 1)
    ack = ((1 << 32) - 19 + len(request)) % (1 << 32)
    frames.append(back / tcp(**ends[1], flags="PA", seq=901, ack=ack) / raw(response))
    times = [ether() / frame for frame in frames]
    for number, frame in enumerate(times):
        frame.time = 1.7e9 + number / 10
    scapy.wrpcap(str(path), times)
    return path


def changed(path: Path, policy: Policy | None = None) -> tuple[Masked, Path]:
    """The file without secrets, as pcap."""

    def packets() -> Iterable[Packet]:
        with open_capture(str(path)) as capture:
            for frame, ns, link, buf, start, caplen, length in capture.packets():
                yield frame, ns, link, bytes(buf[start : start + caplen]), 0, caplen, length

    result = masked(0, packets, policy or Policy())
    target = path.with_suffix(".out.pcap")
    content = struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    for _, ns, _, buf, _, caplen, length in result.packets(packets()):
        content += struct.pack("<IIII", *divmod(ns, 10**9), caplen, length) + buf[:caplen]
    target.write_bytes(content)
    return result, target


def tshark(path: Path, *names: str) -> list[str]:
    command = [need_tshark(), "-n", "-r", str(path), "-T", "fields"]
    for preference in ("tcp.check_checksum", "udp.check_checksum"):
        command += ["-o", f"{preference}:TRUE"]
    command += ["-o", "tcp.reassemble_out_of_order:TRUE"]
    command += [word for name in names for word in ("-e", name)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_values_are_overwritten_and_all_else_stays(tmp_path: Path) -> None:
    request = LOGIN.encode()
    cuts = (request.find(TOKEN.encode()) + 5, request.find(b"sid=") + 4, request.find(b"p%40") + 3)
    path = conversation(tmp_path / "login.pcap", request, answer(TOKENS, "application/json"), cuts)
    result, out = changed(path)
    assert result.left_out == {}
    content = out.read_bytes()
    for value in (BASIC, TOKEN, TOKEN[:12], "p%40ss", "rd%2F1", "hunter2"):
        assert value.encode() not in content, value
    assert out.stat().st_size == path.stat().st_size
    kept = ("frame.len", "tcp.seq_raw", "tcp.ack_raw", "http.request.method", "http.response.code",
            "http.content_length", "http.host")  # fmt: skip
    assert tshark(out, *kept) == tshark(path, *kept)
    assert set(tshark(out, "tcp.checksum.status")) == {"1"}
    (line,) = filter(None, tshark(out, "http.cookie"))
    assert line == "sid=x; lang=xx"
    (uri,) = filter(None, tshark(out, "http.request.uri"))
    assert uri == f"/login?code={'x' * len(TOKEN)}&lang=en"
    assert content.endswith(b'{"access_token": "' + b"x" * (len(TOKEN) + 2) + TOKENS[-22:])
    stream = b"".join(bytes(p[scapy.TCP].payload) for p in scapy.rdpcap(str(out))[2:-1])
    assert b"\r\n\r\nusername=bob&Password=" + b"x" * 20 + b"&x=1" in stream


@given(st.lists(st.integers(1, 400), max_size=8), st.booleans())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_however_it_is_cut(tmp_path: Path, cuts: list[int], repeat: bool) -> None:
    path = conversation(
        tmp_path / "cut.pcap", LOGIN.encode(), answer(TOKENS, "application/json"), cuts, repeat
    )
    result, out = changed(path)
    assert result.left_out == {}
    stream = b"".join(bytes(p[scapy.TCP].payload) for p in scapy.rdpcap(str(out))) or b""
    for value in (BASIC, TOKEN, "p%40ss+w%C3%B6rd"):
        assert value.encode() not in stream


@pytest.mark.parametrize(
    ("response", "why", "kept"),
    [
        (
            answer(gzip.compress(TOKENS), "application/json", "Content-Encoding: gzip"),
            "compressed",
            b"Content-Encoding: gzip",
        ),
        (
            answer(TOKENS, "application/json") + b"\0\1 hunter3hunter3\r\n\r\n",
            "could not be read",
            b'", "expires_in": 3599}',
        ),
    ],
)
def test_only_what_has_no_place_is_overwritten(
    tmp_path: Path, response: bytes, why: str, kept: bytes
) -> None:
    path = conversation(tmp_path / "packed.pcap", LOGIN.encode(), response)
    result, out = changed(path)
    assert result.left_out == {}
    (part,) = result.parts()
    assert why in part.reason
    assert part.frame == 4
    content = out.read_bytes()
    assert kept in content
    assert response[-20:-4] not in content
    assert b"hunter3" not in content
    assert tshark(out, "http.request.method", "http.response.code") == tshark(
        path, "http.request.method", "http.response.code"
    )


def test_chunks_and_bodies_of_no_known_kind(tmp_path: Path) -> None:
    body = b"10\r\n" + b"secret plain tex" + b"\r\n0\r\n\r\n"
    chunked = answer(b"", "text/plain", "Transfer-Encoding: chunked")
    chunked = chunked.replace(b"Content-Length: 0\r\n", b"") + body
    result, out = changed(conversation(tmp_path / "chunk.pcap", LOGIN.encode(), chunked))
    assert result.left_out == {}
    assert b"secret plain" not in out.read_bytes()
    assert b"10\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n" in out.read_bytes()


DIGEST = (
    b"REGISTER sip:h.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:bob@h.test>;tag=1\r\nTo: <sip:bob@h.test>\r\n"
    b"Call-ID: 1@10.0.0.1\r\nCSeq: 1 REGISTER\r\n"
    b'Authorization: Digest username="bob", realm="h.test", nonce="5a1f4c", uri="sip:h.test", '
    b'response="0123456789abcdef0123456789abcdef"\r\nContent-Length: 0\r\n\r\n'
)
HIDDEN = "hunter2secretpw"


def posted(kind: str, body: str, more: int = 0) -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: h.test\r\nContent-Type: {kind}\r\nContent-Length: "
    return f"{head}{len(body) + more}\r\n\r\n{body}".encode()


def part(name: str, content: str, kind: str = "") -> str:
    return f'--AA\r\nContent-Disposition: form-data; name="{name}"\r\n{kind}\r\n{content}\r\n'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", f'{{"password":"{HIDDEN}","password":"x1y2z3w4q5"}}'),
        ("application/json", '{"a":' * 70 + f'{{"password":"{HIDDEN}"}}' + "}" * 70),
        ("text/xml", f"<a><!-- password={HIDDEN} --><b>x</b></a>"),
        ("text/xml", f"<a><?x password={HIDDEN} ?><b>x</b></a>"),
        ("text/xml", f"<a><b>x</b>password={HIDDEN}</a>"),
        ("text/xml", f'<!DOCTYPE a [<!ENTITY e "{HIDDEN}">]><a><password>&e;</password></a>'),
        ("text/html", f"<html><script>var password='{HIDDEN}'</script><p>hi</p></html>"),
        ("text/html", f'<html><p data-password="{HIDDEN}">hi</p></html>'),
        ("multipart/form-data; boundary=AA", part("password", HIDDEN) + "--AA--\r\n"),
        (
            "multipart/form-data; boundary=AA",
            part("x", "{}", "Content-Type: application/json\r\n") + part("password", HIDDEN)
            + "--AA--\r\n",
        ),
        ("application/x-www-form-urlencoded", "a=b&" * 5000 + f"my_passphrase={HIDDEN}"),
    ],
)  # fmt: skip
def test_what_reports_would_not_show_of_a_body(kind: str, body: str, tmp_path: Path) -> None:
    """Duplicate names, comments, scripts, parts of no type, what is beyond a bound."""
    path = conversation(tmp_path / "body.pcap", posted(kind, body), answer(b"", "text/plain"))
    _, out = changed(path)
    assert HIDDEN.encode() in path.read_bytes()
    assert HIDDEN.encode() not in out.read_bytes()
    assert b"h.test" in out.read_bytes()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", '{"status": [1, {"message": "some words"}]}'),
        ("text/xml", '<?xml version="1.0"?><a><faultstring>some words</faultstring></a>'),
        ("application/x-www-form-urlencoded", "error_description=some words&b=1"),
    ],
)
def test_a_body_that_is_understood_stays(kind: str, body: str, tmp_path: Path) -> None:
    path = conversation(tmp_path / "body.pcap", posted(kind, body), answer(b"", "text/plain"))
    result, out = changed(path)
    assert result.values == 0
    assert body.encode() in out.read_bytes()


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        ("GET / HTTP/1.1\r\nUpgrade: foo\r\nConnection: Upgrade", "101 Switching\r\nUpgrade: foo"),
        ("CONNECT h.test:22 HTTP/1.1", "200 OK"),
    ],
)
def test_behind_a_switch_to_no_known_protocol(request_: str, response: str, tmp_path: Path) -> None:
    request = f"{request_}\r\nHost: h.test\r\n\r\n".encode()
    answered = f"HTTP/1.1 {response}\r\n\r\nPASS {HIDDEN}\r\n".encode()
    result, out = changed(conversation(tmp_path / "switch.pcap", request, answered))
    assert ["switched" in part.reason for part in result.parts()] == [True]
    assert request_.split(maxsplit=1)[0] in tshark(out, "http.request.method")
    assert HIDDEN.encode() not in out.read_bytes()


@pytest.mark.parametrize(
    "datagrams",
    [
        (DIGEST, b"PASS hunter2\r\n"),
        (b"PASS hunter2\r\n", DIGEST),
        (DIGEST, DIGEST[:40] + b"hunter2"),
        (DIGEST + b"password=hunter2",),
    ],
)
def test_datagrams_that_are_no_whole_messages(datagrams: tuple[bytes, ...], tmp_path: Path) -> None:
    ip = scapy.IP(src=CLIENT, dst=SERVER) / scapy.UDP(sport=5060, dport=5060)
    path = tmp_path / "sip.pcap"
    scapy.wrpcap(str(path), [scapy.Ether() / ip / scapy.Raw(datagram) for datagram in datagrams])
    result, out = changed(path)
    assert [part.stream for part in result.parts()] == [("udp", 0)]
    assert b"hunter2" not in out.read_bytes()
    assert "REGISTER" in tshark(out, "sip.Method")


def test_keepalives_are_nothing_to_hide(tmp_path: Path) -> None:
    ip = scapy.IP(src=CLIENT, dst=SERVER) / scapy.UDP(sport=5060, dport=5060)
    path = tmp_path / "sip.pcap"
    frames = [ip / scapy.Raw(data) for data in (DIGEST, b"\r\n\r\n", b"\0", DIGEST)]
    scapy.wrpcap(str(path), [scapy.Ether() / frame for frame in frames])
    result, _ = changed(path)
    assert result.left_out == {}


def test_many_secrets_take_linear_time(tmp_path: Path) -> None:
    """Counted in bytes passed over: each of 400 different cookies needs no search of its own."""
    one = "GET / HTTP/1.1\r\nHost: h.test\r\nCookie: sid=%04d\r\n\r\n"
    request = "".join(one % number for number in range(400)).encode()
    path = conversation(
        tmp_path / "many.pcap",
        request,
        answer(b"", "text/plain") * 400,
        range(0, len(request), 1400),
    )
    looked: list[int] = []
    found = Masks.found

    def counted(masks: Masks, text: str) -> Iterator[tuple[int, int]]:
        looked.append(len(text))
        return found(masks, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Masks, "found", counted)
        result, out = changed(path)
    assert sum(looked) < 4 * path.stat().st_size
    assert result.left_out == {}
    assert b"sid=0399" not in out.read_bytes()
    assert result.values == 400


def test_a_folded_field_is_overwritten_where_it_stands(tmp_path: Path) -> None:
    """RFC 9112 §5.2: the value has a line end in it."""
    folded = LOGIN.replace("Basic ", "Basic\r\n ").encode()
    path = conversation(tmp_path / "login.pcap", folded, answer(TOKENS, "application/json"), [60])
    result, out = changed(path)
    assert result.left_out == {}
    assert BASIC.encode() not in out.read_bytes()
    assert b"Host: h.test\r\n" in b"".join(
        bytes(p[scapy.TCP].payload) for p in scapy.rdpcap(str(out))
    )
    assert "POST" in tshark(out, "http.request.method")


def test_a_protocol_that_nobody_knows_is_left_out(tmp_path: Path) -> None:
    path = conversation(
        tmp_path / "other.pcap", b"USER bob\nPASS hunter2\n" * 9, b"\x00\x01ok" * 30
    )
    result, out = changed(path)
    assert [reason for *_, reason in result.reported()] == ["its protocol is not known"]
    assert b"hunter2" not in out.read_bytes()


def test_datagrams_fragments_and_quotations(tmp_path: Path) -> None:
    ether, ip, udp, icmp, raw = scapy.Ether, scapy.IP, scapy.UDP, scapy.ICMP, scapy.Raw
    whole = ip(src=CLIENT, dst=SERVER) / udp(sport=5060, dport=5060) / raw(DIGEST)
    path = tmp_path / "sip.pcap"
    error = ip(src=SERVER, dst=CLIENT) / icmp(type=3, code=3) / bytes(whole)
    scapy.wrpcap(str(path), [ether() / whole, ether() / error])
    result, out = changed(path)
    assert result.left_out == {}
    assert b"0123456789abcdef" not in out.read_bytes()
    assert b"5a1f4c" not in out.read_bytes()
    assert tshark(out, "sip.Method", "udp.checksum.status", "sip.auth.username")[0] == (
        'REGISTER\t1\t"bob"'
    )
    pieces = [ether() / piece for piece in scapy.fragment(whole, 200)]
    scapy.wrpcap(str(path), pieces)
    result, out = changed(path)
    assert all("fragments" in part.reason for part in result.parts())
    assert b"0123456789abcdef" not in out.read_bytes()
    assert b"Digest" not in out.read_bytes()


def test_what_other_messages_tell_is_found(tmp_path: Path) -> None:
    """A value that only the session's book knows, in a field that says nothing of it."""
    request = b"GET / HTTP/1.1\r\nHost: h.test\r\nServer: hallo-welt-17 there\r\n\r\n"
    path = conversation(tmp_path / "book.pcap", request, answer(b"", "text/plain"))
    _, out = changed(path)
    assert b"hallo-welt-17" in out.read_bytes()
    policy = Policy()
    policy.book.learn(Secret("password", "hallo-welt-17"), 0, 1)
    result, out = changed(path, policy)
    assert b"hallo-welt-17" not in out.read_bytes()
    assert result.values == 1


@pytest.mark.parametrize("name", ["proxy-ntlm", "web-signin"])
def test_of_a_recording(name: str, tmp_path: Path) -> None:
    """NTLM before CONNECT: gone without --with-secrets, there with them; TLS untouched."""
    item = scenario(name)
    bare, full = tmp_path / "bare.pcapng", tmp_path / "full.pcapng"
    assert run("export", *item.captures, "-o", str(bare)).exception is None
    result = run("export", *item.captures, "-o", str(full), "--with-secrets")
    assert "sent without TLS is as captured" in result.stderr
    content = bare.read_bytes()
    for secret in item.truth["secrets"]:
        for spelling in spellings(secret["value"]):
            assert spelling not in content
    clear = [s for s in item.truth["secrets"] if s["kind"] == "proxy_authorization"]
    assert all(s["value"].encode() in full.read_bytes() for s in clear)
    assert bool(clear) == (name == "proxy-ntlm")
    kept = ("frame.time_epoch", "frame.len", "tcp.seq_raw", "tls.record.length")
    assert tshark(bare, *kept) == tshark(full, *kept)
    assert set(tshark(bare, "tcp.checksum.status")) <= {"1", ""}
    assert ("CONNECT" in tshark(bare, "http.request.method")) == bool(clear)


def test_bounds_leave_out_and_never_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear stream that is longer than what is looked at, and one that jumps far ahead."""
    from dissect.export import segments

    cuts = range(100, 400, 100)
    path = conversation(
        tmp_path / "long.pcap", LOGIN.encode(), answer(TOKENS, "application/json"), cuts
    )
    monkeypatch.setattr(segments, "MAX_TEXT", 150)
    result, out = changed(path)
    assert "it is too long to be looked through" in [part.reason for part in result.parts()]
    for value in (BASIC, TOKEN, "p%40ss"):
        assert value.encode() not in out.read_bytes()
    monkeypatch.setattr(segments, "MAX_TEXT", 20)
    far, out = changed(path)
    assert len(list(far.reported())) == 1
    for value in (BASIC, TOKEN, "p%40ss"):
        assert value.encode() not in out.read_bytes()


def test_a_body_in_more_pieces_than_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of that message stays; what is around it does."""
    head = answer(b"", "text/plain", "Transfer-Encoding: chunked").replace(
        b"Content-Length: 0\r\n", b""
    )
    few, many = head + b"1\r\na\r\n" * 2 + b"0\r\n\r\n", head + b"1\r\nz\r\n" * 5 + b"0\r\n\r\n"
    monkeypatch.setattr("dissect.protocols.track.MAX_RANGES", 3)
    request = b"GET /a HTTP/1.1\r\nHost: h.test\r\n\r\n" * 2
    result, out = changed(conversation(tmp_path / "many.pcap", request, few + many))
    assert [part.reason for part in result.parts() if "pieces" in part.reason] == [
        "its bytes are not as it reads, or in too many pieces"
    ]
    (payload,) = (
        bytes(p[scapy.TCP].payload)
        for p in scapy.rdpcap(str(out))
        if p[scapy.TCP].sport == 80 and p[scapy.TCP].payload
    )
    assert payload[: len(head)] == head
    assert payload[len(few) :] == bytes(len(many))


def test_what_nobody_reads_takes_linear_time(tmp_path: Path) -> None:
    """Counted in steps: datagrams of no kind, segments that differ from what was read."""

    def of_datagrams(count: int) -> Callable[[], object]:
        ip = scapy.Ether() / scapy.IP(src=CLIENT, dst=SERVER) / scapy.UDP(sport=5060, dport=5060)
        junk = [ip / scapy.Raw(b"j%05d" % number) for number in range(count)]
        path = tmp_path / f"junk{count}.pcap"
        scapy.wrpcap(str(path), [ip / scapy.Raw(DIGEST), *junk])
        return lambda: changed(path)

    def of_segments(count: int) -> Callable[[], object]:
        request = b"GET / HTTP/1.1\r\nHost: h.test\r\n\r\n" * count
        frames = tcp(request, answer(b"", "text/plain"), range(0, len(request), 20))
        others = []
        for frame in frames[2:-1:2]:
            other = frame.copy()
            size = len(other[scapy.TCP].payload)
            other[scapy.TCP].remove_payload()
            others.append(other / scapy.Raw(b"z" * size))
        path = written(tmp_path / f"twice{count}.pcap", [*frames[:-1], *others, frames[-1]])
        return lambda: changed(path)

    assert growth(of_datagrams, 200) < LINEAR
    assert growth(of_segments, 60) < LINEAR
