"""QUIC's Initials: a real capture, connections of aioquic's peers, damaged datagrams."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.engines import CaptureInput, embedded
from dissect.errors import ProtocolError
from dissect.model import Anomaly, Direction, Endpoint, TlsConnection
from dissect.protocols.base import Layer
from dissect.protocols.quic import QuicParser
from dissect.protocols.quic_frames import Close, Crypto, CryptoStream, frames
from dissect.protocols.quic_packets import is_quic_datagram, packets
from dissect.protocols.sniff import Ignore
from dissect.protocols.sniff_udp import open_udp

from .drive import UDP, C, Part, S, drive, span
from .tls.peers import certificate

V1, V2 = 0x00000001, 0x6B3343CF


def rows(parts: Iterable[Part]) -> list[TlsConnection]:
    found = drive(QuicParser(Layer(UDP, lambda _: Ignore())), parts)
    return [item for item in found if isinstance(item, TlsConnection)]


def row(parts: Iterable[Part]) -> TlsConnection:
    (found,) = rows(parts)
    return found


@dataclass
class Talk:
    """A client and a server of aioquic that hand each other datagrams."""

    alpn: tuple[str, ...] = ("h3",)
    server_alpn: tuple[str, ...] = ("h3",)
    versions: tuple[int, ...] = (V1,)
    server_versions: tuple[int, ...] = (V1, V2)
    name: str = "login.lab.test"
    wire: list[Part] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        connection = pytest.importorskip("aioquic.quic.connection")
        configuration = pytest.importorskip("aioquic.quic.configuration")
        client = configuration.QuicConfiguration(
            alpn_protocols=list(self.alpn), verify_mode=ssl.CERT_NONE, server_name=self.name
        )
        client.original_version = self.versions[0]
        client.supported_versions = list(reversed(self.versions))  # the preferred one first
        self.server_configuration = configuration.QuicConfiguration(
            is_client=False,
            alpn_protocols=list(self.server_alpn),
            supported_versions=list(self.server_versions),
        )
        _, pem = certificate()
        self.server_configuration.load_cert_chain(pem, pem)
        self.make = connection.QuicConnection
        self.client: Any = self.make(configuration=client)
        self.server: Any = None

    def begin(self) -> list[bytes]:
        self.client.connect(("192.0.2.1", 443), now=self.now)
        return self.leaving(C)

    def leaving(self, direction: Direction) -> list[bytes]:
        """The datagrams that one side sends now; they pass the wire."""
        self.now += 0.01
        end = self.server if direction else self.client
        sent = [data for data, _ in end.datagrams_to_send(now=self.now)]
        self.wire += [(direction, data) for data in sent]
        return sent

    def arrive(self, direction: Direction, datagrams: list[bytes]) -> None:
        """What one side sent comes to the other."""
        end = self.client if direction else self.server
        for data in datagrams:
            sender = ("192.0.2.1", 443) if direction else ("192.0.2.2", 5000)
            end.receive_datagram(data, sender, now=self.now)

    def serve(self, first: bytes, **options: Any) -> None:
        header = pytest.importorskip("aioquic.buffer").Buffer(data=first)
        pull = pytest.importorskip("aioquic.quic.packet").pull_quic_header
        cid = pull(header, host_cid_length=8).destination_cid
        options.setdefault("original_destination_connection_id", cid)
        self.server = self.make(configuration=self.server_configuration, **options)

    def go_on(self, sent: list[bytes], rounds: int = 4) -> None:
        self.arrive(C, sent)
        for _ in range(rounds):
            self.arrive(S, self.leaving(S))
            self.arrive(C, self.leaving(C))

    def run(self) -> list[Part]:
        sent = self.begin()
        self.serve(sent[0])
        self.go_on(sent)
        return self.wire


# --------------------------------------------------------------- a real capture


def test_quic_v2_capture(shared_captures: Path) -> None:
    """Names and numbers are those that tshark shows for its frames 1 and 2, the JA4 is the one
    that the capture's makers publish with it."""
    path = shared_captures / "containers/ndpi-quic_v2_dsb.pcapng"
    messages = embedded.read([CaptureInput(str(path))]).messages
    (found,) = [item for item in messages if isinstance(item, TlsConnection)]
    assert (found.server_name, found.alpn, found.version) == ("test", "h3", "TLS 1.3")
    assert (found.quic, found.cipher_suite) == ("2", "TLS_AES_128_GCM_SHA256")
    assert (found.group, found.groups) == ("secp256r1", ("secp256r1", "x25519"))
    assert (found.decrypted, found.reason) == ("none", "quic_not_decrypted")
    assert found.ja3 == "5e685944fc983af5eabcc813add3dca1"
    assert found.ja3s == "f4febc55ea12b31ae17cfb7e614afda8"
    assert found.ja4 == "q13d0310h3_55b375c5d22e_0a3b52e28cea"
    assert (found.place.span.first_frame, found.place.span.last_frame) == (1, 19)
    assert (found.resumed, found.early_data) == (False, "rejected")  # no PSK in the answer


# --------------------------------------------------------------- real peers


@pytest.mark.parametrize(("number", "name"), [(V1, "1"), (V2, "2")])
def test_versions(number: int, name: str) -> None:
    found = row(Talk(versions=(number,)).run())
    assert (found.server_name, found.alpn, found.quic) == ("login.lab.test", "h3", name)
    assert (found.version, found.reason) == ("TLS 1.3", "quic_not_decrypted")
    assert found.sentence is not None
    assert "UDP port 443" in found.sentence
    assert len(found.round_trips_ns) == 1
    assert {shape.direction for shape in found.record_sizes} == {0, 1}


def test_server_takes_up_a_later_version() -> None:
    """Begun with version 1, answered with version 2 (RFC 9368)."""
    found = row(Talk(versions=(V1, V2), server_versions=(V2, V1)).run())
    assert (found.quic, found.version, found.server_name) == ("2", "TLS 1.3", "login.lab.test")


def test_protocols_offered_are_not_the_one_agreed() -> None:
    found = row(Talk(alpn=("h3", "hq-interop"), server_alpn=("hq-interop",)).run())
    assert (found.alpn, found.alpn_offered) == (None, ("h3", "hq-interop"))


def test_retry() -> None:
    """The keys change with the server's new connection id; the hello is sent again."""
    packet = pytest.importorskip("aioquic.quic.packet")
    talk = Talk()
    (first,) = talk.begin()
    header = packet.pull_quic_header(
        pytest.importorskip("aioquic.buffer").Buffer(data=first), host_cid_length=8
    )
    retry = packet.encode_quic_retry(
        version=V1,
        source_cid=b"retrycid",
        destination_cid=header.source_cid,
        original_destination_cid=header.destination_cid,
        retry_token=b"token",
    )
    talk.wire.append((S, retry))
    talk.arrive(S, [retry])
    again = talk.leaving(C)
    talk.serve(
        again[0],
        original_destination_connection_id=header.destination_cid,
        retry_source_connection_id=b"retrycid",
    )
    talk.go_on(again)
    found = row(talk.wire)
    assert (found.retried, found.version, found.reason) == (True, "TLS 1.3", "quic_not_decrypted")
    assert len(found.round_trips_ns) == 2
    forged = retry[:-1] + bytes((retry[-1] ^ 1,))
    kinds = [
        item.kind
        for item in drive(QuicParser(Layer(UDP, lambda _: Ignore())), [(C, first), (S, forged)])
        if isinstance(item, Anomaly)
    ]
    assert kinds == ["quic.retry"]


def test_version_negotiation() -> None:
    packet = pytest.importorskip("aioquic.quic.packet")
    talk = Talk()
    (first,) = talk.begin()
    answer = packet.encode_quic_version_negotiation(
        source_cid=b"a" * 8, destination_cid=b"b" * 8, supported_versions=[V2, 0x51303530]
    )
    found = row([(C, first), (S, answer)])
    assert found.reason == "handshake_failed"
    assert "2, 0x51303530" in (found.sentence or "")
    assert found.server_name == "login.lab.test"


def test_no_common_protocol_is_an_alert() -> None:
    found = row(Talk(server_alpn=("other",)).run())
    assert found.reason == "handshake_failed"
    (alert,) = found.alerts
    assert (alert.direction, alert.description) == (S, "no_application_protocol")
    assert found.sentence is not None
    assert "the server broke off" in found.sentence


def test_nobody_answers() -> None:
    found = row([(C, data) for data in Talk().begin()])
    assert (found.reason, found.server_name) == ("no_server_hello", "login.lab.test")
    assert "UDP blocked" in (found.sentence or "")


def test_begun_before_the_capture() -> None:
    parts = Talk().run()
    found = row([part for part in parts if part != parts[0]])
    assert (found.server_name, found.reason) == (None, "quic_not_decrypted")
    assert "client hello was not captured" in (found.sentence or "")


def test_joined_behind_all_long_headers() -> None:
    """Troubles 27: listed all the same. Only on port 443, and only if both sides send so."""
    talk = Talk()
    talk.run()
    for number in range(3):
        stream = talk.client.get_next_available_stream_id()
        talk.client.send_stream_data(stream, b"question %d" % number * 9)
        talk.go_on(talk.leaving(C), 1)
        talk.server.send_stream_data(stream, b"answer %d" % number * 9)
        talk.go_on(talk.leaving(C), 1)
    late: list[Part] = [
        (way, data) for way, data in talk.wire if isinstance(data, bytes) and data[0] < 0x80
    ]
    assert {way for way, _ in late} == {C, S}

    def of(parts: list[Part], port: int = 443) -> list[TlsConnection]:
        ends = replace(UDP, server=Endpoint("192.0.2.1", port))
        found = drive(open_udp(Layer(ends, lambda _: Ignore())), parts)
        return [item for item in found if isinstance(item, TlsConnection)]

    (found,) = of(late)
    assert (found.quic, found.reason, found.decrypted) == (
        "unknown",
        "quic_not_decrypted",
        "none",
    )
    assert "most likely QUIC" in (found.sentence or "")
    assert len(found.record_sizes) == len(late)
    assert of(late, 5000) == []
    assert of([part for part in late if part[0] == S]) == []
    channel = [(way, b"\x40\0\0\x1c" + bytes(28)) for way in (C, S)]
    assert of(channel) == []
    assert of([(C, b"\x01" * 30), *late]) == []


def test_two_connections_of_the_same_ports() -> None:
    first, second = Talk(name="one.lab.test").run(), Talk(name="two.lab.test").run()
    found = rows([*first, *second])
    assert [item.server_name for item in found] == ["one.lab.test", "two.lab.test"]


def test_the_first_packet_of_a_pair_is_the_servers() -> None:
    """Who is client is recognised by the hello, not by who was seen first."""
    parts: list[Part] = [(direction ^ 1, data) for direction, data in Talk().run()]  # type: ignore[misc]
    assert row(parts).server_name == "login.lab.test"


def test_hello_in_pieces_out_of_order() -> None:
    """A hello of several Initials, of which the first comes last."""
    talk = Talk(name="a" * 60 + ".lab.test")
    talk.client.configuration.max_datagram_size = 1200
    parts: list[Part] = [(C, data) for data in talk.begin()]
    assert row([*reversed(parts)]).server_name == talk.name
    assert row([*parts, *parts]).server_name == talk.name


def test_found_by_content_on_any_port() -> None:
    parser = open_udp(Layer(UDP, lambda _: Ignore()))
    found = [item for item in drive(parser, Talk().run()) if isinstance(item, TlsConnection)]
    assert [item.server_name for item in found] == ["login.lab.test"]


# --------------------------------------------------------------- bad input


def test_truncated_anywhere() -> None:
    """Each datagram cut at many places: no error, and nothing but what was there."""
    parts = Talk().run()
    first = parts[0][1]
    assert isinstance(first, bytes)
    (packet,) = packets(first)
    for size in range(0, len(packet.raw), 7):
        for item in rows([(C, first[:size])]):
            assert item.server_name is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 3))
def test_any_bytes_behind_a_header(tail: bytes, kind: int) -> None:
    datagram = bytes((0xC0 | kind << 4,)) + V1.to_bytes(4) + tail
    assert is_quic_datagram(datagram) in (True, False)
    for part in ((C, datagram), (S, datagram)):
        drive(QuicParser(Layer(UDP, lambda _: Ignore())), [part, part])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_as_frames(payload: bytes) -> None:
    try:
        found = list(frames(payload))
    except ProtocolError:
        return
    assert all(isinstance(item, Crypto | Close) for item in found)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.randoms(use_true_random=False), st.data())
def test_crypto_stream_puts_any_cut_in_order(
    whole: bytes, chance: Any, data: st.DataObject
) -> None:
    cuts = sorted({0, len(whole), *data.draw(st.lists(st.integers(0, len(whole)), max_size=8))})
    pieces = [Crypto(a, whole[a:b]) for a, b in pairwise(cuts)]
    pieces += pieces[:2]
    chance.shuffle(pieces)
    stream = CryptoStream()
    assert b"".join(stream.add(piece, span(1)) for piece in pieces) == whole


def test_pieces_that_wait_for_a_handshake_are_bounded() -> None:
    """No client cuts its hello like this; the bounds are those of what waits."""
    stream = CryptoStream()
    for at in range(1, 513, 2):
        assert stream.add(Crypto(at, b"x"), span(at)) == b""
    with pytest.raises(ProtocolError, match="too many pieces"):
        stream.add(Crypto(515, b"x"), span(1))
    with pytest.raises(ProtocolError, match="larger than any real one"):
        CryptoStream().add(Crypto(1 << 16, b"x"), span(1))


def test_cut_header_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="breaks off"):
        list(packets(b"\xc0" + V1.to_bytes(4) + b"\x08abc"))


def test_other_protocols_are_no_quic() -> None:
    assert not is_quic_datagram(b"\x40" + bytes(40))
    assert not is_quic_datagram(b"\xc0\x00\x00\x00\x02" + bytes(40))
    assert not is_quic_datagram(b"\xc0\x00\x00\x00\x01\x15" + bytes(40))  # a connection id of 21
