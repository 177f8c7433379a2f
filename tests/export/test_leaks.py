"""No secret leaves, wherever it is planted. The witnesses are the file's bytes and tshark."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissect.capture import Packet, open_capture
from dissect.engines.again import Openers, parsed
from dissect.model import Anomaly, HttpRequest, Message
from dissect.protocols.tls.secret_store import SecretStore
from tests.export.planted import SECRET, dhcp, dns, ntp, record, scapy, tcp, udp, written
from tests.export.test_masked import DIGEST, answer, changed, tshark
from tests.test_secrets import run

PLANTED = SECRET.encode()
GET = b"GET /a HTTP/1.1\r\nHost: h.test\r\n\r\n"
OK = answer(b'{"a": "b"}', "application/json")
ONCE = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize(
    ("frame", "field", "value"),
    [
        (udp(dns() + PLANTED, 53), "dns.qry.name", "h.test"),
        (udp(dns(record(1, b"\1\2\3\4")) + PLANTED, 53), "dns.a", "1.2.3.4"),
        (udp(dns(record(10, PLANTED)), 53), "dns.qry.name", "h.test"),
        (udp(dns(record(5, b"\1b\0" + PLANTED)), 53), "dns.cname", "b"),
        (udp(dns(record(41, b"\0\x0a\0\x0f" + PLANTED)), 53), "dns.qry.name", "h.test"),
        (udp(dns(record(16, b"\x18password=" + PLANTED)), 53), "dns.qry.name", "h.test"),
        (udp(ntp(PLANTED), 123), "ntp.flags.mode", "3"),
        (udp(ntp(b"\x01\x04\0\x1c" + PLANTED + bytes(9)), 123), "ntp.flags.mode", "3"),
        (udp(dhcp(b"\xff" + PLANTED), 67, 68), "dhcp.option.dhcp", "1"),
        (udp(dhcp(b"\xe0\x0f" + PLANTED + b"\xff"), 67, 68), "dhcp.option.dhcp", "1"),
        (udp(dhcp(b"\xff", b"a\0" + PLANTED), 67, 68), "dhcp.option.dhcp", "1"),
        (udp(dhcp(b"\xff", b"", b"a\0" + PLANTED), 67, 68), "dhcp.option.dhcp", "1"),
        (udp(dhcp(b"\xa0\x1b" + b"ftp://u:" + PLANTED + b"@h/a\xff"), 67, 68),
         "dhcp.option.dhcp", "1"),
        (udp(DIGEST + PLANTED, 5060, 5060), "sip.Method", "REGISTER"),
        (udp(PLANTED + b"\r\n" + DIGEST, 5060, 5060), None, ""),
    ],
)  # fmt: skip
def test_behind_and_between_what_was_read(
    frame: Any, field: str | None, value: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "one.pcap", [frame])
    assert PLANTED in path.read_bytes()
    result, out = changed(path)
    assert PLANTED not in out.read_bytes()
    assert list(result.reported()) == []
    if field:
        assert value in tshark(out, field)[0].split(",")
        assert tshark(out, "udp.checksum.status") == ["1"]


@pytest.mark.parametrize("port", [3478, 5004, 1812, 40001])
def test_other_datagrams_are_left_out(port: int, tmp_path: Path) -> None:
    """STUN, RTP, RADIUS, anything."""
    data = b"\0\1\0\x10\x21\x12\xa4\x42" + bytes(12) + b"\0\6\0\x0c" + PLANTED
    result, out = changed(written(tmp_path / "one.pcap", [udp(data, port)]))
    assert PLANTED not in out.read_bytes()
    assert len(list(result.reported())) == 1


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (GET, CHUNKED + b"2;a=" + PLANTED + b"\r\n{}\r\n0\r\n\r\n"),
        (GET, CHUNKED + b"2\r\n{}\r\n0\r\nX-Token: " + PLANTED + b"\r\n\r\n"),
        (GET, CHUNKED + b'14\r\n{"password": "hunter\r\n0b\r\n2secretpw"}\r\n0\r\n\r\n'),
        (GET.replace(b"\r\n\r\n", b"\r\n" + PLANTED + b"\r\n\r\n"), OK),
        (GET.replace(b"\r\n\r\n", b"\r\nX-A: " + b"a, " * 1400 + b"token="
                     + PLANTED + b"\r\n\r\n"), OK),
        (GET + PLANTED + b"\r\n\r\n", OK),
        (PLANTED + b"\r\n" + GET, OK),
        (GET, OK + PLANTED),
        (GET, answer(gzip.compress(b"{}") + PLANTED, "application/json", "Content-Encoding: gzip")),
        (GET, answer(b"--A\r\n\r\nx\r\n--A--\r\n" + PLANTED, "multipart/mixed; boundary=A")),
        (GET, answer(PLANTED + b"\r\n--A\r\n\r\nx\r\n--A--\r\n", "multipart/mixed; boundary=A")),
        (GET, b"HTTP/1.1 401 password=" + PLANTED + b"\r\nContent-Length: 0\r\n\r\n"),
    ],
)  # fmt: skip
def test_in_http(request_: bytes, response: bytes, tmp_path: Path) -> None:
    result, out = changed(written(tmp_path / "http.pcap", tcp(request_, response)))
    content = out.read_bytes()
    assert PLANTED not in content
    assert b"2secretpw" not in content
    assert list(result.reported()) == []
    assert b"h.test" in content
    assert set(tshark(out, "tcp.checksum.status")) == {"1"}


MESSAGES = [
    GET,
    b"POST /l HTTP/1.1\r\nHost: h.test\r\nContent-Length: 27\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\npassword=" + PLANTED + b"&a=",
    b"GET /b?password=" + PLANTED + b" HTTP/1.1\r\nCookie: a=" + PLANTED + b"\r\n\r\n",
    PLANTED + b"\r\n\r\n",
    b"\0\1\2" + PLANTED + b"\n",
    b"X" * 40 + PLANTED,
    GET[:-2] + b"Authorization: Basic " + PLANTED + b"\r\n\r\n",
]


@given(
    st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=6),
    st.lists(st.integers(1, 500), max_size=12),
    st.lists(st.integers(0, 12), max_size=6),
    st.lists(st.integers(0, 12), max_size=4),
)
@ONCE
def test_however_messages_and_junk_are_mixed_cut_shuffled_and_repeated(
    tmp_path: Path, messages: list[bytes], cuts: list[int], order: list[int], twice: list[int]
) -> None:
    frames = tcp(b"".join(messages), OK, cuts, order, twice)
    _, out = changed(written(tmp_path / "mix.pcap", frames))
    parts: dict[int, bytes] = {}
    for frame in scapy.rdpcap(str(out)):
        if frame[scapy.TCP].dport == 80:
            parts[(frame[scapy.TCP].seq + 40) % (1 << 32)] = bytes(frame[scapy.TCP].payload)
    stream = b"".join(parts[seq] for seq in sorted(parts))
    assert PLANTED not in stream
    assert not re.search(rb"hunter2|secretpw", stream)


@given(st.integers(0, len(GET)), st.integers(0, len(GET) + 20))
@ONCE
def test_in_every_place_of_a_message(tmp_path: Path, place: int, cut: int) -> None:
    """Unread lines and bodies: a secret that no rule knows, at any place between messages."""
    planted = b"\x01" + PLANTED + b"\x02"
    behind = GET + planted + GET
    request = GET + (behind if place % 2 else planted[: place + 1] + GET)
    _, out = changed(written(tmp_path / "at.pcap", tcp(request, OK, [cut])))
    assert PLANTED[:8] not in b"".join(
        bytes(frame[scapy.TCP].payload) for frame in scapy.rdpcap(str(out))
    )


def test_what_came_twice_and_differed(tmp_path: Path) -> None:
    """A segment again with other bytes, and a keep-alive's byte (RFC 9293 §3.8.4)."""
    frames = tcp(GET + GET, OK, [len(GET)])
    other = frames[3].copy()
    other[scapy.TCP].remove_payload()
    other = other / scapy.Raw((b"X: " + PLANTED).ljust(len(GET), b"y"))
    result, out = changed(written(tmp_path / "twice.pcap", [*frames[:4], other, *frames[4:]]))
    assert PLANTED not in out.read_bytes()
    assert {part.reason for part in result.parts()} == {"its bytes came twice and differed"}
    assert tshark(out, "http.request.method").count("GET") == 1
    alive = frames[3].copy()
    alive[scapy.TCP].remove_payload()
    alive[scapy.TCP].seq = (alive[scapy.TCP].seq - 1) % (1 << 32)
    alive = alive / scapy.Raw(b"\0")
    result, out = changed(written(tmp_path / "alive.pcap", [*frames, alive]))
    assert list(result.reported()) == list(result.parts()) == []


def h2(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def test_a_tunnel_through_http2_in_clear(tmp_path: Path) -> None:
    """What is inside has offsets of its own, which mean other bytes of the connection."""
    hpack = pytest.importorskip("hpack")
    connect = hpack.Encoder().encode([(":method", "CONNECT"), (":authority", "h.test:80")])
    inner = GET.replace(b"\r\n\r\n", b"\r\nX-Zeta: " + PLANTED + b"\r\n\r\n")
    there = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2(4, 0, 0) + h2(1, 4, 1, connect)
    back = h2(4, 0, 0) + h2(1, 4, 1, hpack.Encoder().encode([(":status", "200")]))
    frames = tcp(there, back)
    ends = frames[2][scapy.IP]
    seq = (ends[scapy.TCP].seq + len(there)) % (1 << 32)
    head = scapy.TCP(sport=40000, dport=80, flags="PA", seq=seq, ack=901 + len(back))
    more = scapy.Ether() / scapy.IP(src=ends.src, dst=ends.dst) / head
    more = more / scapy.Raw(h2(0, 0, 1, inner * 6))
    path = written(tmp_path / "tunnel.pcap", [*frames, more])
    assert PLANTED in path.read_bytes()
    with open_capture(str(path)) as capture:
        inside = [m for m in read_all(capture.packets()) if isinstance(m, HttpRequest)]
    assert [m.method for m in inside] == ["CONNECT", *["GET"] * 6]
    result, out = changed(path)
    assert PLANTED not in out.read_bytes()
    assert list(result.reported()) == []


def read_all(packets: Iterable[Packet]) -> list[Message]:
    found: list[Message] = []
    openers = Openers(SecretStore())
    parsed(0, openers, lambda m: None if isinstance(m, Anomaly) else found.append(m), packets)
    return found


def ethernet(kind: int, data: bytes) -> Any:
    return scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=kind) / scapy.Raw(
        data
    )


def eap(code: int, method: int, data: bytes) -> bytes:
    packet = bytes((code, 7)) + (5 + len(data)).to_bytes(2) + bytes((method,)) + data
    return b"\2\0" + len(packet).to_bytes(2) + packet


HELLO = b"\x16\x03\x01\0\x06\x01\0\0\x02\x03\x03"


@pytest.mark.parametrize(
    ("frame", "field", "value"),
    [
        (ethernet(0x888E, eap(2, 1, PLANTED)), "eap.type", "1"),
        (ethernet(0x888E, eap(2, 4, b"\x0f" + PLANTED)), "eap.type", "4"),
        (ethernet(0x888E, eap(2, 6, PLANTED)), "eap.type", "6"),
        (ethernet(0x888E, eap(2, 13, b"\0" + PLANTED)), "eap.type", "13"),
        (ethernet(0x888E, eap(2, 13, b"\0" + HELLO) + PLANTED), "eap.type", "13"),
        (ethernet(0x888E, b"\2\3\0\x5f\2" + bytes(12) + PLANTED.ljust(82)), "eapol.type", "3"),
        (ethernet(0x888E, b"\2\1\0\0" + PLANTED), "eapol.type", "1"),
        (ethernet(0x0806, bytes(scapy.ARP(psrc="10.0.0.1")) + PLANTED), "arp.opcode", "1"),
        (ethernet(0x88CC, b"\2\3\7ab\4\2\7c\6\2\0\x78\xfe\x13\1\2\3\0" + PLANTED + b"\0\0"),
         "lldp.time_to_live", "120"),
        (ethernet(0x88B5, PLANTED), "eth.type", "0x88b5"),
        (scapy.Ether() / scapy.IP() / scapy.ICMP() / scapy.Raw(PLANTED), "icmp.type", "8"),
        (scapy.Ether() / scapy.IP(proto=132) / scapy.Raw(PLANTED), "ip.proto", "132"),
        (scapy.Ether() / scapy.IP(src="1.2.3.4") / scapy.ICMP(type=3, code=3)
         / bytes(udp(PLANTED, 5060)[scapy.IP]), "icmp.type", "3"),
    ],
)  # fmt: skip
def test_frames_without_streams(frame: Any, field: str, value: str, tmp_path: Path) -> None:
    path = written(tmp_path / "frame.pcap", [frame])
    assert PLANTED in path.read_bytes()
    _, out = changed(path)
    assert PLANTED not in out.read_bytes()
    found = tshark(out, field)[0].split(",")
    assert value in found or f"0x{int(value, 0):04x}" in found


def test_padding_trailers_and_options(tmp_path: Path) -> None:
    """Behind the packet, in options of IP and TCP, in the check values of what is cut."""
    ip = scapy.IP(src="10.0.0.1", dst="10.0.0.2", options=[scapy.IPOption(b"\x9e\x11" + PLANTED)])
    head = scapy.TCP(sport=40000, dport=80, flags="S", options=[(253, PLANTED)])
    frame = scapy.Ether() / ip / head
    path = written(tmp_path / "pad.pcap", [scapy.Ether(bytes(frame) + PLANTED)])
    assert path.read_bytes().count(PLANTED) == 3
    _, out = changed(path)
    assert PLANTED not in out.read_bytes()
    assert tshark(out, "tcp.checksum.status", "tcp.flags.syn") == ["1\t1"]
    command = tshark(out, "ip.hdr_len", "tcp.hdr_len")
    assert command == tshark(path, "ip.hdr_len", "tcp.hdr_len")


def test_the_checksum_of_what_is_cut_tells_nothing(tmp_path: Path) -> None:
    frame = udp(b"PIN 4711", 40001)
    _, out = changed(written(tmp_path / "pin.pcap", [frame]))
    assert tshark(out, "udp.checksum") == ["0x0000"]


def test_clear_bytes_behind_tls_records(tmp_path: Path) -> None:
    """Where encrypted records are expected."""
    hello = bytes.fromhex("16030100") + bytes((47,)) + b"\1\0\0\x2b\3\3" + bytes(32) + b"\0"
    hello += b"\0\2\x13\1\1\0\0\0"
    request = hello + b"\x17\3\3\0\x10" + bytes(range(16)) + PLANTED + b"\r\n"
    result, out = changed(written(tmp_path / "tls.pcap", tcp(request, b"\x15\3\3\0\2\2\x28")))
    assert PLANTED not in out.read_bytes()
    assert hello + b"\x17\3\3\0\x10" + bytes(range(16)) in out.read_bytes()
    assert [part.size for part in result.parts()] == [len(PLANTED)]


FLOW = """
schema = 1
name = "dot1x"
title = "802.1X"
[instance]
keys = ["eap.id"]
anchors = ["identity"]
[[actor]]
id = "phone"
title = "Phone"
kind = "client"
[[actor]]
id = "switch"
title = "Switch"
[[step]]
number = 1
title = "The phone says who it is"
between = ["phone", "switch"]
done_when = [["identity"]]
[[step.arrow]]
id = "identity"
match = { tshark = "eap.code == 2 && eap.type == 1" }
fields = ["eap.id"]
from = "phone"
to = "switch"
label = "identity"
"""


def test_a_flow_that_is_no_ip(tmp_path: Path) -> None:
    """The frames of its arrows leave, whatever their link layer, without what they say."""
    flow = tmp_path / "dot1x.toml"
    flow.write_text(FLOW)
    frames = [ethernet(0x0806, bytes(scapy.ARP())), ethernet(0x888E, eap(2, 1, PLANTED))]
    path = written(tmp_path / "port.pcap", frames)
    out = tmp_path / "out.pcapng"
    result = run("export", str(path), "--flow", str(flow), "-o", str(out))
    assert result.exception is None, result.exception
    assert result.return_value == 0
    assert PLANTED not in out.read_bytes()
    assert tshark(out, "eap.type", "eap.identity") == [f"1\t{'x' * len(PLANTED)}"]
    assert "identities and credentials of EAP" in result.stderr
    whole = run("export", str(path), "--flow", str(flow), "-o", str(out), "--with-secrets")
    assert whole.exception is None
    assert tshark(out, "eap.identity") == [SECRET]


def test_names_comments_and_keys_of_the_capture_stay_behind(tmp_path: Path) -> None:
    """pcapng's own places for text (draft-ietf-opsawg-pcapng §4): none is copied."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    def option(code: int, value: bytes) -> bytes:
        return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)

    flow = tmp_path / "dot1x.toml"
    flow.write_text(FLOW)
    frame = bytes(ethernet(0x888E, eap(2, 1, b"bob")))
    head = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    texts = b"".join(option(code, PLANTED) for code in (1, 2, 3, 4))
    interface = b"".join(option(code, PLANTED) for code in (1, 2, 3, 12, 15))
    interface += option(11, b"\0" + PLANTED)
    packet = struct.pack("<IIIII", 0, 0, 0, len(frame), len(frame))
    packet += frame + bytes(-len(frame) % 4) + option(1, PLANTED)
    names = struct.pack("<HH", 1, 4 + len(PLANTED) + 1) + b"\1\2\3\4" + PLANTED + b"\0"
    keys = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + PLANTED
    content = block(0x0A0D0D0A, head + texts) + block(1, struct.pack("<HHI", 1, 0, 0) + interface)
    content += block(4, names + bytes(-len(names) % 4 + 4))
    content += block(10, struct.pack("<II", 0x544C534B, len(keys)) + keys)
    content += block(6, packet) + block(5, bytes(12) + option(1, PLANTED))
    content += block(0xBAD, struct.pack("<I", 7) + PLANTED)
    path, out = tmp_path / "texts.pcapng", tmp_path / "out.pcapng"
    path.write_bytes(content)
    result = run("export", str(path), "--flow", str(flow), "-o", str(out))
    assert result.exception is None, result.exception
    assert PLANTED not in out.read_bytes()
    assert tshark(out, "eap.type") == ["1"]
