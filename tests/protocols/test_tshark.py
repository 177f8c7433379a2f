"""Every HTTP, HTTP/2, SIP and DNS message of the shared captures against tshark's.

Rows name the stream, the frame, the method or status and what identifies the message.
Differences are listed with who is right; one that no longer occurs fails the test.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from dissect.capture import open_capture
from dissect.model import Anomaly, DnsMessage, HttpRequest, HttpResponse, Message, SipMessage
from dissect.protocols.base import Layer
from dissect.protocols.dns import RCODES
from dissect.protocols.sniff import opener
from dissect.protocols.sniff_udp import open_udp
from dissect.protocols.tls.secret_store import SecretStore
from dissect.transport import Assembler

from . import oracle
from .oracle import Row

pytestmark = pytest.mark.skipif(oracle.TSHARK is None, reason="tshark is not installed")

# Why one side has a row alone, and which side is right.
UNFINISHED = (
    "dissect: the body is cut by the end of the capture or by lost segments; tshark waits for "
    "the rest and shows nothing, dissect gives the message and says in body.problem what lacks"
)
UNTIL_CLOSE = "dissect: a body that ends with the TLS connection; tshark 4.0 shows it only over TCP"
NEVER_ENDS = (
    "dissect: a request line whose header section never ends, given as incomplete; tshark does "
    "not take this port for HTTP"
)
FRAGMENT = (
    "dissect: the header block is complete in the last CONTINUATION; tshark lists the fields "
    "that the first fragment already held by that fragment's frame"
)
# (capture, the side that has the row alone, row) -> which side is right, and why.
KNOWN: dict[tuple[str, str, Row], str] = {
    (
        "http2/arkime-h2c_nghttp2.pcap",
        "dissect",
        ("http2", 0, 24, 13, "GET", "/", "nghttp2.org"),
    ): "dissect: the request's header block spans segments; tshark 4.0 reports a bound error",
    (
        "http2/suricata-h2c_continuation.pcap",
        "tshark",
        ("http2", 0, 14, 1, "GET", "/tata", "127.0.0.1:8080"),
    ): FRAGMENT,
    (
        "http2/suricata-h2c_continuation.pcap",
        "dissect",
        ("http2", 0, 19, 1, "GET", "/tata", "127.0.0.1:8080"),
    ): FRAGMENT,
    (
        "link-layers/arkime-gre_erspan_vxlan.pcap",
        "tshark",
        ("http", 0, 4, "GET", "/Hello", None),
    ): "dissect: the target was sent with a blank in it; tshark cuts it there",
    (
        "link-layers/arkime-gre_erspan_vxlan.pcap",
        "dissect",
        ("http", 0, 4, "GET", "/Hello Arkime", None),
    ): "dissect: the target was sent with a blank in it; tshark cuts it there",
    (
        "tcp-oddities/suricata-urgent_data.pcap",
        "dissect",
        ("http", 0, 8, "GET", "/malicXious", "10.10.10.55:9090"),
    ): "dissect: tshark stops at the urgent byte and shows no request",
    ("tls/lekensteyn-tls_null_cipher.pcapng", "dissect", ("http", 0, 13, 200, None)): UNTIL_CLOSE,
    ("tls/scapy-tls_nss_example.pcap", "dissect", ("http", 0, 12, 200, None)): UNTIL_CLOSE,
    ("tls/scapy-tls_nss_example.pcap", "dissect", ("http", 1, 32, 200, None)): UNTIL_CLOSE,
    ("tls/snet-ssl30_cbc.pcap", "dissect", ("http", 1, 35, "GET", "/", None)): NEVER_ENDS,
    ("tls/snet-tls10_cbc.pcap", "dissect", ("http", 0, 32, "GET", "/", None)): NEVER_ENDS,
    ("tls/snet-tls10_cbc.pcap", "dissect", ("http", 0, 33, "GET", "/", None)): NEVER_ENDS,
}
for _name, _stream, _frame in (
    ("link-layers/pcapplusplus-raw_ip.pcap", 1, 49),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 0, 160),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 0, 260),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 1, 231),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 1, 242),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 1, 253),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 1, 274),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 3, 201),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 3, 244),
    ("sso/zeek-ntlm_sharepoint_in_erspan.pcap", 3, 261),
    ("tcp-oddities/suricata-http_gap_whole_body.pcap", 0, 7),
    ("tcp-oddities/suricata-http_gap_whole_body.pcap", 0, 22),
    ("tcp-oddities/suricata-http_gap_whole_body.pcap", 0, 26),
):
    KNOWN[_name, "dissect", ("http", _stream, _frame, 200, None)] = UNFINISHED
# DNS over QUIC (RFC 9250), whose keys lie in the file: dissect does not open QUIC yet. tshark does,
# and calls the message in frame 4 and what follows it malformed (no question can be read).
for _frame, _ident in ((4, 0), *((frame, 0x8080) for frame in range(8, 21))):
    KNOWN["quic/ndpi-doq.pcapng", "tshark", ("dns", 0, _frame, _ident, (), 0, (), ())] = (
        "tshark: inside QUIC, which dissect does not open"
    )


@lru_cache
def read(path: Path) -> list[Message | Anomaly]:
    found: list[Message | Anomaly] = []
    with open_capture(path) as capture:
        secrets = SecretStore()
        if (keys := oracle.key_log(path)) is not None:
            secrets.add_key_log(keys.read_bytes(), keys.name)
        for text in capture.secrets:
            secrets.add_key_log(bytes(text.text), text.origin)
        opened = opener(secrets)
        assembler = Assembler(
            0,
            lambda connection: opened(Layer(connection, opened)),
            lambda connection: open_udp(Layer(connection, opened)),
            found.append,
        )
        assembler.feed(capture.packets())
        assembler.finish()
    return found


def row(item: Message) -> Row | None:
    stream, last = item.place.connection.stream, item.place.span.last_frame
    if isinstance(item, HttpRequest):
        target = item.target.decode("utf-8", "replace")
        if item.version == "2":
            return (
                "http2",
                stream,
                item.head_frame,
                item.h2_stream,
                item.method,
                target,
                item.host,
            )
        return ("http", stream, last, item.method, target, item.headers.get("host"))
    if isinstance(item, HttpResponse):
        if item.version == "2":
            return ("http2", stream, item.head_frame, item.h2_stream, item.status)
        return ("http", stream, last, item.status, item.headers.get("location"))
    if isinstance(item, SipMessage):
        return ("sip", stream, last, item.status, item.method or None, item.header("call-id"))
    if isinstance(item, DnsMessage):
        addresses = sorted(data for _, kind, data in item.answers if kind in ("A", "AAAA"))
        names = sorted(
            data.split()[-1] for _, kind, data in item.answers if kind in ("CNAME", "SRV")
        )
        asked = tuple(name for name, _ in item.questions)
        rcode = RCODES.index(item.rcode)
        return ("dns", stream, last, item.ident, asked, rcode, tuple(addresses), tuple(names))
    return None


def captures() -> list[str]:
    folder = Path(__file__).parents[3] / "shared" / "captures"
    names = {
        str(path.relative_to(folder))
        for pattern in ("*/*.pcap", "*/*.pcapng", "*/*.gz", "*/*.zst")
        for path in folder.glob(pattern)
    }
    return sorted(names - {name for name in names if name.startswith("EXPECTED/")})


@pytest.mark.parametrize("name", captures())
def test_messages_equal_tsharks(name: str, shared_captures: Path) -> None:
    """Trouble 49."""
    path = shared_captures / name
    ours = Counter(
        found for item in read(path) if not isinstance(item, Anomaly) and (found := row(item))
    )
    theirs = oracle.rows(path)
    differences = {(name, "tshark", item) for item in theirs - ours}
    differences |= {(name, "dissect", item) for item in ours - theirs}
    assert differences == {known for known in KNOWN if known[0] == name}


def test_known_differences_name_captures_that_exist(shared_captures: Path) -> None:
    assert {name for name, _, _ in KNOWN} <= set(captures())


# Captures whose HTTP/1 bodies tshark exports whole, and some bodies that it does not.
BODIES = [
    "containers/derived-hotplace_http1_tls13_dsb.pcapng",
    "containers/pcapplusplus-nanosecond_big_endian.pcap",
    "http/ndpi-http_lines_split.pcap",
    "http/scapy-http_chunked.pcap.gz",
    "http/zeek-100_continue.pcap",
    "http/zeek-pipelined_requests.pcap",
    "http/zeek-proxy_absolute_uri.pcap",
    "link-layers/arkime-80211_http.pcap",
    "link-layers/zeek-vxlan_http.pcap",
    "tcp-oddities/ndpi-starts_with_reply.pcapng",
    "tcp-oddities/zeek-handshake_reordered.pcap",
    "tls/hotplace-http1_tls13.pcapng",
    "tls/lekensteyn-tls12_39_ciphers.pcapng",
]


@pytest.mark.parametrize("name", BODIES)
def test_decoded_bodies_equal_tsharks(name: str, shared_captures: Path) -> None:
    ours = Counter(
        hashlib.sha256(item.body.data).hexdigest()
        for item in read(shared_captures / name)
        if isinstance(item, HttpRequest | HttpResponse) and item.body.data
    )
    theirs = oracle.http_objects(shared_captures / name)
    assert theirs
    assert ours == theirs


@pytest.mark.parametrize(
    "name", ["http2/suricata-h2_doh_post.pcap", "http2/arkime-h2c_nghttp2.pcap"]
)
def test_http2_bodies_equal_tsharks_data_frames(name: str, shared_captures: Path) -> None:
    ours = {
        (item.place.connection.stream, item.h2_stream or 0, item.place.sender.port): item.body
        for item in read(shared_captures / name)
        if isinstance(item, HttpRequest | HttpResponse) and item.body.wire_size
    }
    theirs = oracle.http2_bodies(shared_captures / name)
    assert {key: body.wire_size for key, body in ours.items()} == {
        key: len(data) for key, data in theirs.items()
    }
    for key, body in ours.items():
        assert body.problem is None
        if len(body.data) == body.wire_size:
            assert body.data == theirs[key]
