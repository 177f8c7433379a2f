"""The PROXY protocol before other protocols; examples of its specification §2.1 and §2.2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.model import Anomaly, Endpoint, HttpRequest, HttpResponse, ProxyHeader
from dissect.pipeline import RunOptions, Session
from dissect.protocols.haproxy import SIGNATURE, header_size, named_ends
from tests.wire import conversation

from . import oracle
from .drive import C, Found, Part, S, drive, kinds, messages, same_however_cut
from .test_http1 import GET, OK
from .test_sniff import HELLO, on

V1 = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
V1_6 = b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"
V1_UNKNOWN = b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"
ADDRESSES = bytes([192, 168, 0, 1, 192, 168, 0, 11]) + (56324).to_bytes(2) + (443).to_bytes(2)
V2 = SIGNATURE + b"\x21\x11\x00\x0c" + ADDRESSES
# With a TLV (PP2_TYPE_ALPN) after the addresses.
V2_TLV = SIGNATURE + b"\x21\x11\x00\x11" + ADDRESSES + b"\x01\x00\x02h2"
V2_6 = SIGNATURE + b"\x21\x21\x00\x24" + bytes(15) + b"\1" + bytes(15) + b"\2" + ADDRESSES[8:]
V2_LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


def told(found: Found) -> list[str]:
    return [item.sentence for item in found if isinstance(item, Anomaly)]


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (V1, "the client is 192.168.0.1:56324"),
        (V1_6, "the client is [2001:db8::1]:56324"),
        (V1_UNKNOWN, "the proxy speaks for itself"),
        (V2, "the client is 192.168.0.1:56324"),
        (V2_TLV, "the client is 192.168.0.1:56324"),
        (V2_6, "the client is [::1]:56324"),
        (V2_LOCAL, "the proxy speaks for itself"),
    ],
)
def test_what_follows_is_read(header: bytes, client: str) -> None:
    found = same_however_cut(lambda: on(4711), [(C, header + GET), (S, OK), (C, GET), (S, OK)])
    kinds_ = [type(item) for item in messages(found) if not isinstance(item, ProxyHeader)]
    assert kinds_ == [HttpRequest, HttpResponse] * 2
    assert told(found) == [f"a PROXY header says that {client}"]


def test_before_tls() -> None:
    found = drive(on(443), [(C, V2 + HELLO), (S, b"\x15\x03\x03\x00\x02\x02\x28")])
    header, row = messages(found)
    assert isinstance(header, ProxyHeader)
    assert type(row).__name__ == "TlsConnection"


def test_the_actor_is_the_client_that_the_header_names(tmp_path: Path) -> None:
    """In front of ADFS stands a balancer: who signs in is not it."""
    ask = b"GET /adfs/ls/?wa=wsignin1.0&wtrealm=urn:x HTTP/1.1\r\nHost: sts.example\r\n\r\n"
    answer = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"
    capture = conversation(tmp_path / "adfs.pcap", [(True, V2_TLV + ask), (False, answer)])
    events = Session(RunOptions((capture,))).events
    found = {e.name: e for e in events if e.name in ("wsfed.signin.requested", "adfs.unavailable")}
    assert len(found) == 2
    assert found["wsfed.signin.requested"].sender == "192.168.0.1"
    assert found["adfs.unavailable"].receiver == "192.168.0.1"
    for event in found.values():
        assert event.client == Endpoint("192.168.0.1", 56324)
        assert event.facts["balancer"] == "192.0.2.1"


def test_only_at_the_very_start() -> None:
    parts: list[Part] = [(C, GET), (S, OK), (C, V1 + GET), (S, OK)]
    assert "proxy_protocol.header" not in kinds(drive(on(80), parts))


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY /x HTTP/1.1\r\n",
        b"PROXY TCP4 a b c d\r\n",
        b"PROXY " + b"x" * 200,
        SIGNATURE + b"\x31\x11\x00\x0c",
        b"\r\n\r\nGET / HTTP/1.1\r\n",
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    assert header_size(data) == 0


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([V1, V2, V2_6]), st.integers(0, 60), st.binary(max_size=4), st.integers(0, 60)
)
def test_damage_raises_nothing(header: bytes, at: int, noise: bytes, cut: int) -> None:
    damaged = header[:at] + noise + header[at + len(noise) :]
    drive(on(443), [(C, damaged[:cut]), (S, OK), (C, damaged[cut:] + GET), (C, 3), (C, GET)])


@pytest.mark.skipif(oracle.TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize("header", [V1, V1_6, V2, V2_TLV, V2_6])
def test_tshark_reads_the_same_client(header: bytes, tmp_path: Path) -> None:
    """tshark 4.0 reads nothing after a header of version 2, but the header it does."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(
        src="192.0.2.1", dst="192.0.2.2"
    )
    path = tmp_path / "proxy.pcap"
    ends = {"sport": 4000, "dport": 4711}
    sent = header + GET
    wrpcap(
        str(path),
        [link / TCP(**ends, seq=0, flags="S"), link / TCP(**ends, seq=1, flags="PA") / sent],
    )
    command = [str(oracle.TSHARK), "-n", "-r", str(path), "-Y", "proxy", "-T", "fields"]
    fields = ("src.ipv4", "src.ipv6", "srcport", "dst.ipv4", "dst.ipv6", "dstport")
    for field in (f"proxy.{name}" for name in fields):
        command += ["-e", field]
    shown = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    ).stdout
    four, six, port, to_four, to_six, to_port = shown.decode().rstrip("\n").split("\t")
    client, server = named_ends(header)
    assert client is not None
    assert server is not None
    assert (client.address, str(client.port)) == (four or six, port)
    assert (server.address, str(server.port)) == (to_four or to_six, to_port)
