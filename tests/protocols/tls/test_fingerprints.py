"""JA3, JA4 and their kin: of real captures, as other programs print them.

JA3 and JA3S are tshark's. The JA4 and JA3S of `derived-teams_login_streams.pcap` are those
that nDPI publishes for the capture it was cut from, by client port. The lists of a
browser's hello with their JA3 and JA4 were printed by a public test site for its visitor.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.protocols.tls.fingerprints import is_grease, ja3, ja4
from dissect.protocols.tls.handshake import ALPN, ClientHello
from dissect.protocols.tls.named_groups import of_key_exchange, offered

from .real import key_log_of, read

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

TEAMS = {
    60533: ("t12d1311h2_8b80da21ef18_77989cba1f4a", "0f14538e1c9070becdad7739c67d6363"),
    60534: ("t12d2010h2_2a284e3b0c56_f05fdf8c38a9", None),
    60536: ("t12d1312h2_8b80da21ef18_b00751acaffa", "0f14538e1c9070becdad7739c67d6363"),
    60556: ("t12d2010h2_2a284e3b0c56_f05fdf8c38a9", None),
    60557: ("t12d220700_0d4ca5d4ec72_3304d8368043", None),
    60560: ("t12d2010h2_2a284e3b0c56_f05fdf8c38a9", "678aeaf909676262acfb913ccb78a126"),
}

CAPTURES = [
    "tls/scapy-tls_nss_example.pcap",
    "tls/hotplace-http1_tls13.pcapng",
    "tls/snet-tls10_cbc.pcap",
    "tls/snet-ssl30_cbc.pcap",
    "tls/lekensteyn-tls12_39_ciphers.pcapng",
    "sso/derived-teams_login_streams.pcap",
    "link-layers/zeek-geneve_tls.pcap",
]


def test_ja4_as_ndpi_has_it(shared_captures: Path) -> None:
    rows = read(shared_captures / "sso/derived-teams_login_streams.pcap").rows.values()
    assert len(rows) == len(TEAMS)
    for row in rows:
        client, server = TEAMS[row.place.connection.client.port]
        assert row.ja4 == client
        assert server in (None, row.ja3s)


@needs_tshark
@pytest.mark.parametrize("name", CAPTURES)
def test_ja3_as_tshark_has_it(shared_captures: Path, name: str) -> None:
    path = shared_captures / name
    command = [
        *("tshark", "-r", str(path), "-Y", "tls.handshake.ja3 or tls.handshake.ja3s"),
        *("-T", "fields", "-e", "tcp.stream", "-e", "tls.handshake.ja3"),
        *("-e", "tls.handshake.ja3s"),
    ]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines
    rows = read(path, key_log_of(path)).rows
    for line in lines:
        stream, client, server = line.split("\t")
        row = rows[int(stream)]
        assert not client or row.ja3 == client.split(",")[0]
        assert not server or row.ja3s == server.split(",")[0]


def vector(numbers: list[int], width: int = 2) -> bytes:
    data = b"".join(number.to_bytes(2) for number in numbers)
    return len(data).to_bytes(width) + data


SUITES = [0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8]
SUITES += [0xC013, 0xC014, 0x9C, 0x9D, 0x2F, 0x35]
KINDS = [45, 51, 16, 65037, 23, 17613, 0, 11, 10, 43, 65281, 35, 18, 5, 13, 27]
BODIES = {
    10: vector([4588, 29, 23, 24]),
    11: b"\1\0",
    13: vector([0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]),
    16: b"\0\x0c\2h2\x08http/1.1",
    43: vector([0x0304, 0x0303], 1),
}


def browser(grease: bool = False) -> ClientHello:
    """The hello of a browser, with or without the GREASE that no method counts."""
    extensions = {kind: BODIES.get(kind, b"") for kind in KINDS}
    suites = list(SUITES)
    if grease:
        extensions = {0x1A1A: b"", **extensions, 0xEAEA: b"\0"}
        extensions[10] = vector([0x2A2A, 4588, 29, 23, 24])
        extensions[13] = vector([0x3A3A, *(int.from_bytes(BODIES[13][at : at + 2])
                                          for at in range(2, len(BODIES[13]), 2))])  # fmt: skip
        extensions[43] = vector([0x4A4A, 0x0304, 0x0303], 1)
        suites.insert(0, 0x5A5A)
    return ClientHello(0x0303, bytes(32), b"", tuple(suites), extensions)


@pytest.mark.parametrize("grease", [False, True])
def test_browser(grease: bool) -> None:
    hello = browser(grease)
    assert ja4(hello) == "t13d1516h2_8daaf6152771_d8a2da3f94cd"
    assert ja3(hello) == "98487aa16281980e7d1120d399efb6a4"
    assert offered(hello) == ("X25519MLKEM768", "x25519", "secp256r1", "secp384r1")
    assert (ja4(hello, "q") or "")[0] == "q"


@pytest.mark.parametrize(
    ("protocol", "ends"),
    [(b"h2", "h2"), (b"http/1.1", "h1"), (b"x", "xx"), (b"\xab\xcd", "ad"), (b"0\xab", "3b")],
)
def test_protocol_in_ja4(protocol: bytes, ends: str) -> None:
    """First and last letter; where one is none, of the hexadecimal form (the method's text)."""
    names = bytes((len(protocol),)) + protocol
    hello = ClientHello(0x0303, bytes(32), b"", (0x1301,), {ALPN: len(names).to_bytes(2) + names})
    assert (ja4(hello) or "")[8:10] == ends


def test_hello_that_was_cut_has_none() -> None:
    hello = ClientHello(0x0303, bytes(32), b"", ())
    assert (ja3(hello), ja4(hello)) == (None, None)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=12), max_size=8))
def test_any_extensions(extensions: dict[int, bytes]) -> None:
    """Malformed extensions still give a fingerprint of the form that the method has."""
    hello = ClientHello(0x0303, bytes(32), b"", (0x1301,), extensions)
    text = ja4(hello) or ""
    assert [len(part) for part in text.split("_")] == [10, 12, 12]
    assert len(ja3(hello) or "") == 32
    offered(hello)


def test_grease() -> None:
    """RFC 8701 §2 names sixteen values."""
    found = [number for number in range(0x10000) if is_grease(number)]
    assert len(found) == 16
    assert (found[0], found[-1]) == (0x0A0A, 0xFAFA)


def test_groups_of_key_exchanges() -> None:
    assert of_key_exchange("ECDHE_RSA", b"\3\0\x1d" + bytes(33)) == "x25519"
    assert of_key_exchange("ECDHE_PSK", b"\0\4hint\3\0\x17") == "secp256r1"
    assert of_key_exchange("DHE_RSA", b"\0\x80" + b"\xff" * 128) == "DH 1024"
    assert of_key_exchange("ECDHE_RSA", b"\3\0") is None
    assert of_key_exchange("RSA", b"\3\0\x1d") is None
