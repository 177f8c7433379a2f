"""Writes `corpus/`: inputs of ours for each target (`python -m tests.fuzz.make_corpus`)."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from dissect.engines.tshark import process
from dissect.engines.tshark.names import FILTER, FRAME_FIELDS, PROTOCOLS, TLS_FIELDS
from tests.capture import containers
from tests.fuzz import container, dialogue, packets, whole
from tests.fuzz.material import CORPUS, ROOT, Material
from tests.fuzz.streams import tls_seeds
from tests.protocols import test_every_parser
from tests.signin.build import jwt

TLS13 = ROOT / "captures" / "web-signin-tls13"
MAX_PART = 6000  # bytes of a recorded conversation that is kept
_PARSERS = {
    "http1": "Http1Parser", "http2": "Http2Parser", "sip": "SipParser",
    "websocket": "WebSocketParser",
    "dns-tcp": "DnsParser", "proxy": "ProxyParser", "sniffer": "Sniffer",
}  # fmt: skip
_DATAGRAMS = {
    "sip-udp": "SipDatagrams", "dns-udp": "DnsParser", "dhcp": "DhcpParser", "ntp": "NtpParser",
    "quic": "QuicParser",
}  # fmt: skip
_FORM = b"username=a%40x.test&password=hunter2&kmsi=on"
_PAGE = (
    b"<html><head><title>Sign in</title><meta http-equiv=refresh content='5; url=/next'>"
    b"</head><body>"
    b"<form method=post action='/adfs/ls/?client-request-id=1'><input type=hidden name=wresult "
    b"value='&lt;a/>'><input name=UserName><input type=password name=Password></form>"
    b"<script>if (1 < 2) submit()</script></body></html>"
)
_SAML = (
    b"<samlp:Response xmlns:samlp='urn:oasis:names:tc:SAML:2.0:protocol' ID='_0123456789abcdef' "
    b"InResponseTo='_fedcba9876543210'><samlp:Status><samlp:StatusCode "
    b"Value='urn:oasis:names:tc:SAML:2.0:status:Success'/></samlp:Status><saml:Assertion "
    b"xmlns:saml='urn:oasis:names:tc:SAML:2.0:assertion' ID='_a'><saml:Issuer>https://sts.x.test</saml:Issuer>"
    b"<saml:Conditions NotBefore='2026-01-01T00:00:00Z' NotOnOrAfter='2026-01-01T01:00:00Z'/>"
    b"<saml:Subject><saml:NameID>a@x.test</saml:NameID></saml:Subject></saml:Assertion></samlp:Response>"
)
_NTLM = b"NTLMSSP\0\3\0\0\0" + struct.pack("<HHI", 8, 8, 72) * 6 + b"\1\2\0\0" + b"u\0s\0e\0r\0" * 4
_SPNEGO = bytes.fromhex("60480606 2b060105 0502a03e 303ca00e 300c060a 2b060104 01823702 020a")


def streams() -> Iterator[tuple[str, bytes]]:
    for target, name in _PARSERS.items():
        yield target, dialogue.joined(test_every_parser.STREAMS[name][1])
    for target, name in _DATAGRAMS.items():
        yield target, dialogue.joined(test_every_parser.DATAGRAMS[name][1])
    hello = dialogue.joined(test_every_parser.STREAMS["TlsParser"][1])
    yield "tls", dialogue.bundle([(dialogue.CAPTURE, hello)])
    recorded = [seed for seed in tls_seeds(Material((TLS13,))) if len(seed) < MAX_PART]
    for seed in recorded[:3]:
        yield "tls", seed


def files() -> Iterator[tuple[str, bytes]]:
    c = containers
    packet = packets._packet(
        (b"\x0a\0\0\1", b"\xc0\0\2\x50"), (1000, 7000), 0, 0x18, 1001, b"GET / HTTP/1.1\r\n\r\n"
    )
    yield "capture", c.pcap([(10**9, packet)] * 3, link=101)
    yield "capture", c.pcap([(10**9, packet)], order=">", nano=True, link=101)
    body = c.section() + c.interface(link=101, options=c.resolution(9) + c.END)
    body += c.enhanced(5, packet) + c.simple(packet) + c.old_packet(6, packet)
    yield "capture", body
    yield "capture", zlib.compress(body, wbits=31)
    yield "frames", (101).to_bytes(2) + dialogue.joined([(0, packet)] * 3)
    tagged = b"\2\0\0\0\0\1\2\0\0\0\0\2\x81\0\0\5\x08\0" + packet
    gre = struct.pack(">BBHHHBBH", 0x45, 0, 24 + len(packet), 1, 0, 64, 47, 0) + bytes(8)
    yield "frames", (1).to_bytes(2) + dialogue.joined([(0, tagged), (0, tagged[:-4])])
    yield "frames", (101).to_bytes(2) + dialogue.joined([(0, gre + b"\0\0\x08\0" + packet)])
    v6 = (
        b"\x60\0\0\0"
        + (len(packet) - 12).to_bytes(2)
        + b"\x2c\x40"
        + bytes(32)
        + b"\6\0\0\1"
        + bytes(4)
    )
    yield "frames", (101).to_bytes(2) + dialogue.joined([(0, v6 + packet[20:])])
    for seed in islice(packets._segment_seeds(Material(())), 3):
        yield "tcp", seed


def readers() -> Iterator[tuple[str, bytes]]:
    json = b'{"token_type":"Bearer","access_token":"' + jwt({"upn": "a@x.test"}).encode() + b'"}'
    parts = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
    for number, content in enumerate((_FORM, json, _SAML, _PAGE, parts)):
        yield "body", bytes((number, 9)) + content
    yield "body", b"\3\0" + zlib.compress(_PAGE, wbits=31)
    asked = (
        b"POST /common/oauth2/token HTTP/1.1\r\nHost: login.microsoftonline.com\r\nContent-Type: "
        b"application/x-www-form-urlencoded\r\nContent-Length: 44\r\n\r\n" + _FORM
    )
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
    for kind, content in ((b"application/json", json), (b"text/html", _PAGE), (b"text/xml", _SAML)):
        answered = answer % (kind, len(content), content)
        yield "exchange", dialogue.joined([(0, asked), (1, answered)])
    yield "url", b"https://u:p@h.test/a/eyJhbGciOiJub25lIn0?code=1&SAMLRequest=a%2Bb#id_token=x.y.z"
    yield "url", b"Set-Cookie: MSISAuth=abcdefghijklmnop; path=/; HttpOnly"
    yield "jwt", jwt({"upn": "a@x.test", "exp": 1_750_000_000, "aud": ["x"]}).encode()
    yield "saml", _SAML
    yield "saml", zlib.compress(_SAML)[2:-4]
    yield "authentication", _NTLM
    yield "authentication", _SPNEGO + _NTLM
    yield "authentication", b'Digest realm="a", nonce="b", stale=true, NTLM, TLS-DSK realm="c"'
    yield "certificates", bytes.fromhex("30820010300ba003020102020101300006")
    yield "sip-text", b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 8\r\na=sendrecv\r\n"
    yield "sip-text", b'1000;reason="Final handshake failed";source="x.test"'
    random, secret = b"ab" * 32, b"cd" * 48
    yield "key-log", b"# x\r\nCLIENT_RANDOM %s %s\nRSA Session-ID:%s Master-Key:%s" % (
        random, secret, random, secret,
    )  # fmt: skip
    yield (
        "rsa-key",
        b"-----BEGIN RSA PRIVATE KEY-----\nMAsCAQACAQACAQA=\n-----END RSA PRIVATE KEY-----\n",
    )
    yield "definition", (ROOT / "plugins" / "flows" / "device-code.toml").read_bytes()
    log = (ROOT / "captures" / "wrong-password" / "phone.log").read_bytes()
    yield "phone-log", log[:4000]
    yield "run-log", dialogue.bundle([(dialogue.PHONE_LOG, log[:4000])])


def runs() -> Iterator[tuple[str, bytes]]:
    planted = (dialogue.CAPTURE, whole.planted())
    yield "run", dialogue.bundle([planted])
    yield "secrets", dialogue.bundle([planted])
    flow = (ROOT / "plugins" / "flows" / "device-code.toml").read_bytes()
    yield "run-flow", dialogue.bundle([planted, (dialogue.FLOW, flow)])
    yield "tshark", tshark(whole.planted())


def tshark(capture: bytes) -> bytes:
    """What tshark writes of a capture of ours."""
    few = container.pcap(container.packets(capture)[:3])
    columns = [word for name in FRAME_FIELDS + TLS_FIELDS for word in ("-e", name)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.pcap"
        path.write_bytes(few)
        common = ["tshark", "-n", "-r", str(path)]
        rows = [
            *common,
            "-T",
            "fields",
            "-E",
            "occurrence=a",
            "-E",
            f"aggregator={process.SEPARATOR}",
        ]
        rows += ["-E", "separator=/t", "-E", "quote=n", *columns]
        path_all = Path(folder) / "all.pcap"
        path_all.write_bytes(capture)
        pdml = [
            "tshark",
            "-n",
            "-r",
            str(path_all),
            "-T",
            "pdml",
            "-Y",
            FILTER,
            "-J",
            PROTOCOLS,
            "-c",
            "8",
        ]
        found = [
            subprocess.run(command, capture_output=True, check=True).stdout
            for command in (rows, pdml)
        ]
    # When and from which folder it was made belongs to nobody.
    found[1] = re.sub(rb"<pdml [^>]*>", b'<pdml version="0" creator="wireshark">', found[1])
    return dialogue.bundle(enumerate(found))


def main() -> None:
    for folder in CORPUS.iterdir():
        if folder.name != "golden":  # `dissect flow --format json` of a recording
            shutil.rmtree(folder)
    for source in (streams, files, readers, runs):
        for target, data in source():
            folder = CORPUS / target
            folder.mkdir(exist_ok=True)
            (folder / f"{len(list(folder.iterdir())) + 1}.bin").write_bytes(data)


if __name__ == "__main__":
    main()
