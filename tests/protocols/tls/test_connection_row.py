"""Each reason for an unopened connection, made to happen from a real capture."""

from __future__ import annotations

import io
import ssl
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from dissect.capture import Packet, source
from dissect.engines import CaptureInput, embedded
from dissect.model import Span, TlsConnection, TlsReason
from dissect.protocols.base import Layer
from dissect.protocols.tls.parser import TlsParser
from dissect.protocols.tls.secret_store import SecretStore

from ..drive import CONNECTION, C, S
from .peers import Peers, Recorder, certificate, look, store_of
from .real import Change, key_log_of, read

CURL = "tls/hotplace-curl_http1_tls12.pcapng"  # TLS 1.2, Ethernet: frame 4 is the client hello
SCAPY = "tls/scapy-tls_nss_example.pcap"  # stream 1 is TLS 1.3
RESUMED = "tls/snet-tls13_session_resumption.pcap"
ARIA = "tls/snet-tls12_aria256_unsupported.pcap"
SNAKEOIL = "tls/wireshark-rsasnakeoil2.pcap"  # RSA key exchange
WITH_SECRETS = "containers/derived-hotplace_http1_tls13_dsb.pcapng"
BAD_CERTIFICATE = "tls/hotplace-http1_tls13.pcapng"  # stream 0 ends with an alert

ETHERNET_IP = 14


def payload_size(packet: Packet) -> int:
    """Bytes of TCP payload of an Ethernet and IPv4 packet."""
    *_, buffer, start, captured, _ = packet
    head = buffer[start + ETHERNET_IP : start + captured]
    ip_size = (head[0] & 15) * 4
    return int.from_bytes(head[2:4]) - ip_size - (head[ip_size + 12] >> 4) * 4


def source_port(packet: Packet) -> int:
    *_, buffer, start, _, _ = packet
    at = start + ETHERNET_IP + (buffer[start + ETHERNET_IP] & 15) * 4
    return int.from_bytes(buffer[at : at + 2])


def keep(wanted: Callable[[Packet], bool]) -> Change:
    def change(packets: Iterable[Packet]) -> Iterable[Packet]:
        return (packet for packet in packets if wanted(packet))

    return change


class Pipe(io.RawIOBase):
    """Bytes that can be read once and not sought."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        return self._rest.readinto(buffer)


def pcapng_blocks(path: Path) -> list[bytes]:
    """The blocks of a little-endian pcapng file."""
    data, blocks, at = path.read_bytes(), [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        blocks.append(data[at : at + size])
        at += size
    return blocks


def row_of(path: Path, key_log: bytes | None, change: Change, stream: int = 0) -> TlsConnection:
    store = SecretStore()
    if key_log is not None:
        store.add_key_log(key_log, "some.keys")
    return read(path, store=store, change=change).rows[stream]


def unchanged(packets: Iterable[Packet]) -> Iterable[Packet]:
    return packets


def cut_at(size: int) -> Change:
    def change(packets: Iterable[Packet]) -> Iterable[Packet]:
        for frame, ns, link, buffer, start, captured, length in packets:
            yield frame, ns, link, buffer, start, min(captured, size), length

    return change


def key_log(captures: Path, name: str) -> bytes:
    path = key_log_of(captures / name)
    assert path is not None
    return path.read_bytes()


def without_lines(text: bytes, *labels: bytes) -> bytes:
    return b"".join(line for line in text.splitlines(True) if not line.startswith(labels))


def check(row: TlsConnection, reason: TlsReason, *words: str, decrypted: str = "none") -> None:
    assert (row.decrypted, row.reason) == (decrypted, reason)
    for word in words:
        assert word in (row.sentence or "")


class TestReasons:
    def test_no_client_hello(self, shared_captures: Path) -> None:
        row = row_of(
            shared_captures / CURL, key_log(shared_captures, CURL), keep(lambda p: p[0] > 8)
        )
        check(row, "no_client_hello", "start the capture before")

    def test_no_server_hello(self, shared_captures: Path) -> None:
        row = row_of(
            shared_captures / CURL, key_log(shared_captures, CURL), keep(lambda p: p[0] <= 5)
        )
        check(row, "no_server_hello")
        assert row.server_name == "www.google.com"

    def test_no_secret_for_random(self, shared_captures: Path) -> None:
        other = key_log(shared_captures, SCAPY)
        row = row_of(shared_captures / CURL, other, unchanged)
        check(row, "no_secret_for_random", "has 6 secrets, none for this connection")
        assert row.certificates
        assert row.record_sizes

    def test_no_key_log(self, shared_captures: Path) -> None:
        row = row_of(shared_captures / CURL, None, unchanged)
        check(row, "no_secret_for_random", "no key log was given", "SSLKEYLOGFILE")

    def test_log_matches_other_connections(self, shared_captures: Path) -> None:
        store = SecretStore()
        store.add_key_log(key_log(shared_captures, CURL), "curl.keys")
        read(shared_captures / CURL, store=store)
        row = read(shared_captures / SCAPY, store=store).rows[0]
        check(row, "no_secret_for_random", "match connections to www.google.com")

    @pytest.mark.parametrize(
        ("left_out", "missing"),
        [
            (b"SERVER_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"),
            (b"CLIENT_TRAFFIC_SECRET_0", "CLIENT_TRAFFIC_SECRET_0"),
        ],
    )
    def test_secret_incomplete(self, shared_captures: Path, left_out: bytes, missing: str) -> None:
        text = without_lines(key_log(shared_captures, SCAPY), left_out)
        row = row_of(shared_captures / SCAPY, text, unchanged, 1)
        check(row, "secret_incomplete", missing, decrypted="partial")
        assert row.bytes_decrypted > 0  # the other direction

    def test_only_handshake_secrets(self, shared_captures: Path) -> None:
        text = key_log(shared_captures, SCAPY)
        text = without_lines(text, b"SERVER_TRAFFIC_SECRET_0", b"CLIENT_TRAFFIC_SECRET_0")
        row = row_of(shared_captures / SCAPY, text, unchanged, 1)
        check(row, "secret_incomplete", decrypted="partial")
        assert (row.bytes_decrypted, len(row.certificates)) == (0, 1)

    def test_only_application_secrets(self, shared_captures: Path) -> None:
        """The handshake stays undecrypted, its end is found by trial."""
        text = key_log(shared_captures, SCAPY)
        whole = row_of(shared_captures / SCAPY, text, unchanged, 1)
        text = without_lines(text, b"SERVER_HANDSHAKE", b"CLIENT_HANDSHAKE")
        row = row_of(shared_captures / SCAPY, text, unchanged, 1)
        assert (row.decrypted, row.certificates) == ("full", ())
        assert row.bytes_decrypted == whole.bytes_decrypted > 0

    def test_label_of_tls12_for_tls13(self, shared_captures: Path) -> None:
        lines = key_log(shared_captures, SCAPY).splitlines()
        random = next(line for line in lines if line.startswith(b"SERVER_TRAFFIC")).split()[1]
        text = b"CLIENT_RANDOM " + random + b" " + b"ab" * 48
        row = row_of(shared_captures / SCAPY, text, unchanged, 1)
        check(row, "secret_incomplete", "_TRAFFIC_SECRET_0")

    def test_resumed_without_secret(self, shared_captures: Path) -> None:
        row = row_of(shared_captures / RESUMED, key_log(shared_captures, SCAPY), unchanged)
        check(row, "resumed_without_secret", "resumes an earlier session")
        assert row.resumed

    def test_resumed_names_the_stream_that_it_resumes(self) -> None:
        peers = Peers(ssl.TLSVersion.TLSv1_2)
        first, ticket = peers.talk()
        number = len(peers.keylog.read_text().splitlines())
        second, _ = peers.talk(session=ticket)
        other, _ = Peers(ssl.TLSVersion.TLSv1_3).talk()
        store = store_of("\n".join(second.keys.splitlines()[:number]))
        check(look(second.wire, store_of(other.keys)).row, "resumed_without_secret")
        look(first.wire, store)  # stream 7 of the driver
        assert look(second.wire, store).row.decrypted == "full"

    def test_lost_segment(self, shared_captures: Path) -> None:
        path = shared_captures / "http2/snet-h2_curl_google.pcap"
        whole = row_of(path, key_log(shared_captures, "http2/snet-h2_curl_google.pcap"), unchanged)
        lost: list[int] = []

        def change(packets: Iterable[Packet]) -> Iterable[Packet]:
            for packet in packets:
                if payload_size(packet) > 1000 and packet[0] > 25 and not lost:
                    lost.append(payload_size(packet))
                else:
                    yield packet

        row = row_of(path, key_log(shared_captures, "http2/snet-h2_curl_google.pcap"), change)
        assert lost
        check(row, "lost_segment", f"{lost[0]} bytes from the server", decrypted="partial")
        assert 0 < row.bytes_decrypted < whole.bytes_decrypted

    def test_cut_by_snaplen(self, shared_captures: Path) -> None:
        text = key_log(shared_captures, CURL)
        row = row_of(shared_captures / CURL, text, cut_at(400))
        check(row, "cut_by_snaplen", "tcpdump -s 0", decrypted="partial")
        assert row.server_name == "www.google.com"
        for size in (100, 66, 54):  # of the TCP payload some, next to nothing, none
            row = row_of(shared_captures / CURL, text, cut_at(size))
            check(row, "cut_by_snaplen", "tcpdump -s 0", decrypted="none")

    def test_cut_by_snaplen_in_one_direction(self, shared_captures: Path) -> None:
        def change(packets: Iterable[Packet]) -> Iterable[Packet]:
            for packet in packets:
                cut = source_port(packet) == 443 and payload_size(packet) > 0
                yield (*packet[:5], 54, packet[6]) if cut else packet

        row = row_of(shared_captures / CURL, key_log(shared_captures, CURL), change)
        check(row, "cut_by_snaplen", "of the server", "tcpdump -s 0")

    def test_lost_and_cut_is_lost(self, shared_captures: Path) -> None:
        """The advice to capture packets whole would not help against the loss."""
        path = shared_captures / CURL

        def change(packets: Iterable[Packet]) -> Iterable[Packet]:
            big = 0
            for packet in packets:
                big += source_port(packet) == 443 and payload_size(packet) > 1000
                if big == 2 and source_port(packet) == 443 and payload_size(packet) > 1000:
                    continue
                yield (*packet[:5], min(packet[5], 400), packet[6])

        row = row_of(path, key_log(shared_captures, CURL), change)
        check(row, "lost_segment", decrypted=row.decrypted)

    def test_cipher_unsupported(self, shared_captures: Path) -> None:
        row = row_of(shared_captures / ARIA, key_log(shared_captures, ARIA), unchanged)
        check(row, "cipher_unsupported", "TLS_RSA_WITH_ARIA_256_GCM_SHA384")

    def test_damaged_record(self, shared_captures: Path) -> None:
        """A bit of one record was turned on the way into the capture (troubles 28)."""
        text = key_log(shared_captures, SCAPY)
        whole = row_of(shared_captures / SCAPY, text, unchanged, 1)
        turned: list[int] = []

        def change(packets: Iterable[Packet]) -> Iterable[Packet]:
            for packet in packets:
                frame, ns, link, buffer, start, captured, length = packet
                inside = whole.place.span.first_frame + 6 < frame < whole.place.span.last_frame
                if inside and payload_size(packet) > 60 and not turned:
                    turned.append(frame)
                    changed = bytearray(buffer[start : start + captured])
                    changed[-20] ^= 1
                    yield frame, ns, link, bytes(changed), 0, captured, length
                else:
                    yield packet

        found = read(shared_captures / SCAPY, store=store_of(text), change=change)
        check(found.rows[1], "damaged_record", f"in frame {turned[0]}", decrypted="partial")
        assert [(one.kind, one.frame) for one in found.anomalies] == [("tls.bad_tag", turned[0])]

    @pytest.mark.parametrize(("name", "stream"), [(CURL, 0), (SCAPY, 0), (SCAPY, 1)])
    def test_wrong_secret(self, shared_captures: Path, name: str, stream: int) -> None:
        text = b"\n".join(
            b" ".join([*words[:2], words[2][:-2] + (b"00" if words[2][-2:] != b"00" else b"11")])
            for words in (line.split() for line in key_log(shared_captures, name).splitlines())
            if len(words) == 3 and not words[0].startswith(b"#")
        )
        row = row_of(shared_captures / name, text, unchanged, stream)
        check(row, "wrong_secret", "fail their integrity check")
        assert row.bytes_decrypted == 0

    def test_conflicting_secrets_are_tried(self, shared_captures: Path) -> None:
        text = key_log(shared_captures, SCAPY)
        wrong = b"\n".join(
            b" ".join([*words[:2], b"00" * (len(words[2]) // 2)])
            for words in (line.split() for line in text.splitlines())
            if len(words) == 3
        )
        for both in (text + b"\n" + wrong, wrong + b"\n" + text):
            rows = [row_of(shared_captures / SCAPY, both, unchanged, stream) for stream in (0, 1)]
            assert [row.decrypted for row in rows] == ["full", "full"]

    def test_rsa_key_wrong(self, shared_captures: Path) -> None:
        store = SecretStore()
        store.add_rsa_key(certificate("rsa")[1].read_bytes(), "other.pem")
        row = read(shared_captures / SNAKEOIL, store=store).rows[0]
        check(row, "rsa_key_wrong", "snakeoil.dom")

    def test_rsa_key_for_another_key_exchange(self, shared_captures: Path) -> None:
        store = SecretStore()
        store.add_rsa_key(certificate("rsa")[1].read_bytes(), "other.pem")
        row = read(shared_captures / CURL, store=store).rows[0]
        check(row, "no_secret_for_random", "key exchange was not RSA")

    def test_handshake_failed(self, shared_captures: Path) -> None:
        text = key_log(shared_captures, BAD_CERTIFICATE)
        row = row_of(shared_captures / BAD_CERTIFICATE, text, unchanged)
        check(row, "handshake_failed", "client", "certificate_unknown", decrypted="full")
        (alert,) = row.alerts
        assert (alert.direction, alert.level, alert.frame) == (C, "fatal", 8)

    def test_handshake_failed_in_clear(self) -> None:
        session, _ = Peers(ssl.TLSVersion.TLSv1_2, trust=False).talk()
        row = look(session.wire, SecretStore()).row
        check(row, "handshake_failed", "client", "unknown_ca")

    @pytest.mark.parametrize("port_443", [True, False])
    def test_one_direction_only(self, shared_captures: Path, port_443: bool) -> None:
        change = keep(lambda packet: (source_port(packet) == 443) is port_443)
        row = row_of(shared_captures / CURL, key_log(shared_captures, CURL), change)
        check(row, "one_direction_only", "server" if port_443 else "client")

    def test_secrets_after_packets(self) -> None:
        session, _ = Peers(ssl.TLSVersion.TLSv1_3).talk()
        store = SecretStore()
        parser = TlsParser(Layer(CONNECTION, Recorder), store)
        for direction, content in session.wire:
            assert isinstance(content, bytes)
            list(parser.data(direction, content, Span(1, 1, 1, 1)))
        store.add_key_log(session.keys.encode(), "pipe DSB 1")
        list(parser.end(C, Span(1, 1, 1, 1)))
        (row,) = parser.end(S, Span(1, 1, 1, 1))
        assert isinstance(row, TlsConnection)
        check(row, "secrets_after_packets", "save it to a file")

    def test_secrets_behind_a_pipe(
        self, shared_captures: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A real capture from standard input, its secrets last and too far behind to wait."""
        blocks = pcapng_blocks(shared_captures / WITH_SECRETS)
        secrets = [block for block in blocks if block[:4] == b"\x0a\0\0\0"]
        size = (1 << 20).to_bytes(4, "little")  # of a custom block that nobody knows
        filler = b"\xad\x0b\0\0" + size + bytes((1 << 20) - 12) + size
        packets = [block for block in blocks if block not in secrets]
        late = [*packets, *[filler] * 9, *secrets]
        monkeypatch.setattr(source, "SPOOL_LIMIT", 4096)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(b"".join(late))))
        messages = embedded.read([CaptureInput("-")]).messages
        rows = [item for item in messages if isinstance(item, TlsConnection)]
        assert "secrets_after_packets" in {row.reason for row in rows}
        for row in rows:
            if row.reason == "secrets_after_packets":
                check(row, "secrets_after_packets", "save it to a file")

    def test_quic_not_decrypted(self, shared_captures: Path) -> None:
        path = shared_captures / "containers/ndpi-quic_v2_dsb.pcapng"
        messages = embedded.read([CaptureInput(str(path))]).messages
        (row,) = [item for item in messages if isinstance(item, TlsConnection)]
        check(row, "quic_not_decrypted", "QUIC version 2", "block UDP port 443")

    def test_all_are_here(self) -> None:
        tested = " ".join(name for name in vars(type(self)) if name.startswith("test_"))
        missing = [reason for reason in get_args(TlsReason) if reason not in tested]
        assert missing == []


def test_sentences_hold_no_secret(shared_captures: Path) -> None:
    text = key_log(shared_captures, SCAPY)
    values = [line.split()[2].decode() for line in text.splitlines() if len(line.split()) == 3]
    for stream in (0, 1):
        row = row_of(shared_captures / SCAPY, text, unchanged, stream)
        assert not any(value in repr(row) for value in values)
