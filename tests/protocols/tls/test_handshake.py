"""Handshake structures: real messages, each with its truncated sibling."""

from __future__ import annotations

import base64
import ssl
import zlib

import pytest

from dissect.errors import ProtocolError
from dissect.protocols.tls import certificates, handshake
from dissect.protocols.tls.dsk import handshake_names

from .peers import SERVER_NAME, Peers, certificate
from .test_rfc8448 import CLIENT_HELLO, RESUMED_HELLO, SERVER_HELLO

# The sample of a phone's log: a client hello of TLS 1.0 in gssapi-data.
DSK_CLIENT = base64.b64decode(
    "FgMBAEQBAABAAwGS0Pl0EBC6TOz0gpjhtvXFtSAqobE5DDpeNvhd6Ls3MQAADgA5ADUAMwAvABYACgD/AQAACQAjAAAADwABAQ=="
)
DSK_SERVER = base64.b64decode("FgMBEpUCAABNAwFYrSE9")  # the beginning of the server's flight


def body(record: str) -> bytes:
    """The handshake message's body in a record."""
    return bytes.fromhex(record)[9:]


def malformed(parse: object, data: bytes, *, whole: int) -> None:
    """Every truncation either raises ProtocolError or, where optional, parses."""
    for size in range(whole):
        with pytest.raises(ProtocolError, match="malformed") as caught:
            parse(data[:size])  # type: ignore[operator]
        assert caught.value.kind == "tls.handshake"


def test_client_hello() -> None:
    hello = handshake.parse_client_hello(body(CLIENT_HELLO))
    assert (hello.version, hello.random.hex()) == (0x0303, CLIENT_HELLO[22:86])
    assert hello.suites == (0x1301, 0x1303, 0x1302)
    assert (hello.server_name, hello.versions) == ("server", (0x0304,))
    assert (hello.protocols, hello.tickets, hello.early_data) == ((), (), False)
    resumed = handshake.parse_client_hello(bytes.fromhex(RESUMED_HELLO)[4:])
    assert resumed.early_data
    assert [len(ticket) for ticket in resumed.tickets] == [0xB2]


def test_client_hello_cut() -> None:
    data = body(CLIENT_HELLO)
    fixed = 2 + 32 + 1 + 2 + 6 + 2  # without extensions it would be whole
    for size in range(len(data)):
        if size == fixed:
            assert handshake.parse_client_hello(data[:size]).extensions == {}
            continue
        with pytest.raises(ProtocolError, match="client hello is malformed"):
            handshake.parse_client_hello(data[:size])


def test_what_a_cut_client_hello_still_tells() -> None:
    data = body(CLIENT_HELLO)
    for size in range(len(data) + 1):
        hello = handshake.parse_cut_client_hello(data[:size])
        if size < 34:
            assert hello is None
        else:
            assert hello is not None
            assert hello.random == data[2:34]
            assert hello.server_name in ("server", None)
    assert hello is not None
    assert hello.extensions == handshake.parse_client_hello(data).extensions


def test_server_hello() -> None:
    data = body(SERVER_HELLO)
    hello = handshake.parse_server_hello(data)
    assert (hello.legacy_version, hello.version, hello.suite) == (0x0303, 0x0304, 0x1301)
    assert not hello.retry
    malformed(handshake.parse_server_hello, data, whole=38)
    with pytest.raises(ProtocolError, match="extensions"):
        handshake.parse_server_hello(data[:-1])


@pytest.mark.parametrize("number", [handshake.SERVER_NAME, handshake.ALPN])
def test_malformed_extensions(number: int) -> None:
    for data in (b"\0", b"\0\x09", b"\0\x03\0\0", b"\0\x05\0\0\x07abc"):
        hello = handshake.ClientHello(0x0303, bytes(32), b"", (), {number: data})
        with pytest.raises(ProtocolError, match="malformed"):
            print(hello.server_name if number == handshake.SERVER_NAME else hello.protocols)


def test_names_of_hosts_are_shown_escaped() -> None:
    name = b"h\xc3\xb6st\x1b"
    data = (len(name) + 3).to_bytes(2) + b"\0" + len(name).to_bytes(2) + name
    hello = handshake.ClientHello(0x0303, bytes(32), b"", (), {handshake.SERVER_NAME: data})
    assert hello.server_name == "h\\xc3\\xb6st\x1b"
    other = handshake.ClientHello(
        0x0303, bytes(32), b"", (), {handshake.SERVER_NAME: b"\0\4\7\0\1a"}
    )
    assert other.server_name is None


def test_version2_hello() -> None:
    """RFC 5246 E.2: suites of three bytes, a challenge padded to a random."""
    suites = bytes.fromhex("00002f00000a010080")
    data = b"\3\1" + (9).to_bytes(2) + b"\0\0" + (16).to_bytes(2) + suites + b"c" * 16
    hello = handshake.parse_version2_hello(data)
    assert (hello.version, hello.suites) == (0x0301, (0x002F, 0x000A))
    assert hello.random == bytes(16) + b"c" * 16
    malformed(handshake.parse_version2_hello, data, whole=len(data))


def test_certificates_of_both_forms() -> None:
    der, _ = certificate()
    one = len(der).to_bytes(3) + der
    old = (2 * len(one)).to_bytes(3) + one * 2
    assert handshake.parse_certificates(old) == (der, der)
    malformed(handshake.parse_certificates, old, whole=len(old))
    entry = one + b"\0\2xx"
    new = b"\1c" + (2 * len(entry)).to_bytes(3) + entry * 2
    assert handshake.parse_certificates13(new) == (der, der)
    malformed(handshake.parse_certificates13, new, whole=len(new))


def test_encrypted_extensions() -> None:
    """RFC 8446 §4.3.1: ALPN (RFC 7301 §3.1) and the mark of early data."""
    data = bytes.fromhex("000d 0010 0005 0003 02 6832 002a 0000".replace(" ", ""))
    assert handshake.parse_encrypted_extensions(data) == ("h2", True)
    assert handshake.parse_encrypted_extensions(b"\0\0") == (None, False)
    for size in range(1, len(data)):
        with pytest.raises(ProtocolError, match="extensions"):
            handshake.parse_encrypted_extensions(data[:size])


def test_session_tickets_of_both_forms() -> None:
    """RFC 5077 §3.3 and RFC 8446 §4.6.1; what follows a ticket is not needed."""
    old = bytes.fromhex("00001c20 0005".replace(" ", "")) + b"first"
    assert handshake.parse_ticket(old, tls13=False) == b"first"
    malformed(lambda data: handshake.parse_ticket(data, tls13=False), old, whole=len(old))
    new = bytes(8) + b"\x02no" + b"\0\x06second"
    assert handshake.parse_ticket(new + b"\0\0", tls13=True) == b"second"
    malformed(lambda data: handshake.parse_ticket(data, tls13=True), new, whole=len(new))


def test_compressed_certificate() -> None:
    der, _ = certificate()
    one = len(der).to_bytes(3) + der + b"\0\0"
    message = b"\0" + len(one).to_bytes(3) + one

    def packed(algorithm: int, data: bytes, length: int = len(message)) -> bytes:
        return algorithm.to_bytes(2) + length.to_bytes(3) + len(data).to_bytes(3) + data

    def parse(data: bytes) -> tuple[bytes, ...]:
        return handshake.parse_compressed_certificate(data, certificates.decompress)

    assert parse(packed(1, zlib.compress(message))) == (der,)
    brotli = pytest.importorskip("brotli")
    assert parse(packed(2, brotli.compress(message))) == (der,)
    zstandard = pytest.importorskip("zstandard")
    assert parse(packed(3, zstandard.compress(message))) == (der,)
    bomb = zlib.compress(bytes(1 << 24))
    for data in (
        packed(9, b"x"),
        packed(1, b"no zlib"),
        packed(1, zlib.compress(message), len(message) - 1),
        packed(1, bomb),
        packed(1, bomb, (1 << 24) - 1),
    ):
        with pytest.raises(ProtocolError) as caught:
            parse(data)
        assert caught.value.kind == "tls.certificate"


def test_what_certificates_say() -> None:
    der, _ = certificate("rsa")
    (read,) = certificates.read_chain([der])
    assert (read.subject, read.key) == (f"CN={SERVER_NAME}, O=Lab", "RSA 2048")
    (bad,) = certificates.read_chain([der[:100]])
    assert bad.issuer.startswith("unreadable certificate")
    assert len(certificates.read_chain([der] * 100)) == certificates.MAX_CHAIN


@pytest.mark.parametrize("at", range(4, 120, 3))
def test_damaged_certificates_are_tolerated(at: int) -> None:
    der = bytearray(certificate()[0])
    der[at] ^= 0x15
    assert len(certificates.read_chain([bytes(der)])) == 1


class TestTlsDsk:
    def test_the_sample(self) -> None:
        assert handshake_names(DSK_CLIENT) == ("client_hello",)
        hello = handshake.parse_client_hello(DSK_CLIENT[9:])
        assert hello.version == 0x0301
        assert hello.suites[:2] == (0x0039, 0x0035)

    def test_flights_cut_by_the_log(self) -> None:
        assert handshake_names(DSK_SERVER) == ("server_hello",)
        for size in range(6, len(DSK_CLIENT)):
            assert handshake_names(DSK_CLIENT[:size]) == ("client_hello",)

    @pytest.mark.parametrize("noise", [b"", b"\x16", b"hello, world", b"\x16\3\1\xff\xff" * 9])
    def test_what_is_no_tls_has_no_names(self, noise: bytes) -> None:
        assert handshake_names(noise) in ((), ("unknown",))

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    def test_a_whole_handshake(self) -> None:
        peers = Peers(ssl.TLSVersion.TLSv1, "AES256-SHA", "rsa", client_certificate=True)
        session, _ = peers.talk(())
        flights = [handshake_names(flight) for _, flight in session.wire[:4]]  # type: ignore[arg-type]
        assert flights == [
            ("client_hello",),
            ("server_hello", "certificate", "certificate_request", "server_hello_done"),
            ("certificate", "client_key_exchange", "certificate_verify", "change_cipher_spec",
             "encrypted_handshake"),
            ("new_session_ticket", "change_cipher_spec", "encrypted_handshake"),
        ]  # fmt: skip
        assert handshake_names(b"\x15\3\1\0\2\2\x30") == ("alert",)
        assert handshake_names(b"\x17\3\1\0\1x") == ("application_data",)
