"""Real captures with key logs: the plaintext equals what tshark decrypts, byte by byte."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dissect.capture import open_capture
from dissect.model import Anomaly, Connection, Message, StreamParser, TlsConnection
from dissect.protocols.base import Layer
from dissect.protocols.sniff import Ignore
from dissect.protocols.tls.parser import TlsParser
from dissect.protocols.tls.secrets import SecretStore
from dissect.transport import Assembler

from .peers import Recorder

WITH_KEYS = [
    "tls/hotplace-curl_http1_tls12.pcapng",
    "tls/hotplace-http1_tls13.pcapng",
    "tls/hotplace-tls12_encrypt_then_mac_cbc.pcapng",
    "tls/hotplace-tls12_mac_then_encrypt_cbc.pcapng",
    "tls/hotplace-tls12_renegotiation.pcapng",
    "tls/hotplace-tls13_x25519mlkem768.pcapng",
    "tls/scapy-tls_nss_example.pcap",
    "tls/illustrated-tls13.pcap",
    "tls/snet-tls13_keyupdate.pcap",
    "tls/snet-tls13_session_resumption.pcap",
    "tls/snet-mtls13_rsa.pcap",
    "tls/snet-tls12_aes256_ccm8.pcap",
    "tls/snet-tls12_aria256_unsupported.pcap",
    "tls/snet-tls10_cbc.pcap",
    "tls/snet-ssl30_cbc.pcap",
    "tls/lekensteyn-tls12_39_ciphers.pcapng",
    "tls/zeek-tls12_decryption.pcap",
    "http2/hotplace-h2_tls13.pcapng",
    "http2/hotplace-h2_tls13_mldsa.pcapng",
    "http2/snet-h2_curl_google.pcap",
]
WITHOUT_KEYS = [
    "tls/lekensteyn-tls_null_cipher.pcapng",
    "containers/derived-hotplace_http1_tls13_dsb.pcapng",
]


@dataclass
class Capture:
    rows: dict[int, TlsConnection] = field(default_factory=dict)
    children: dict[int, list[Recorder]] = field(default_factory=dict)
    anomalies: list[Anomaly] = field(default_factory=list)

    def plaintext(self, stream: int) -> dict[str, bytes]:
        """Sender → bytes."""
        connection = self.rows[stream].place.connection
        found = {str(connection.client): b"", str(connection.server): b""}
        for child in self.children.get(stream, ()):
            found[str(connection.client)] += child.got[0]
            found[str(connection.server)] += child.got[1]
        return found


def read(path: Path, keylog: Path | None) -> Capture:
    """Every TCP stream through the TLS parser."""
    found = Capture()
    store = SecretStore()
    if keylog is not None:
        assert store.add_key_log(keylog.read_bytes(), keylog.name) == []

    def open_child(layer: Layer) -> Recorder:
        child = Recorder(layer)
        found.children.setdefault(layer.connection.stream, []).append(child)
        return child

    def open_tcp(connection: Connection) -> StreamParser:
        return TlsParser(Layer(connection, open_child), store)

    def emit(item: Message | Anomaly) -> None:
        if isinstance(item, TlsConnection):
            found.rows[item.place.connection.stream] = item
        elif isinstance(item, Anomaly):
            found.anomalies.append(item)

    with open_capture(path) as capture:
        for text in capture.secrets:
            store.add_key_log(text.text, text.origin)
        assembler = Assembler(0, open_tcp, lambda _: Ignore(), emit)
        assembler.feed(capture.packets())
        assembler.finish()
    return found


def key_log_of(path: Path) -> Path | None:
    keylog = path.with_suffix(".keylog")
    return keylog if keylog.exists() else None


def tshark_plaintext(
    path: Path, keylog: Path | None, streams: list[int]
) -> dict[int, tuple[str, bytes, bytes]]:
    """Stream → a sender, what it sent, what its peer sent (whom tshark doesn't name)."""
    command = ["tshark", "-2", "-q", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE"]
    if keylog is not None:
        command += ["-o", f"tls.keylog_file:{keylog}"]
    for stream in streams:
        command += ["-z", f"follow,tls,raw,{stream}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[int, tuple[str, bytes, bytes]] = {}
    stream, node, sent = -1, "", [b"", b""]
    for line in text.splitlines():
        if line.startswith("Filter: tcp.stream eq "):
            stream, sent = int(line.rsplit(" ", 1)[1]), [b"", b""]
        elif line.startswith("Node 0: "):
            node = line.removeprefix("Node 0: ")
        elif line.startswith("=") and stream >= 0:
            found[stream] = (node, sent[0], sent[1])
        elif line.strip() and set(line.strip()) <= set("0123456789abcdef"):
            sent[line.startswith("\t")] += bytes.fromhex(line.strip())
    assert sorted(found) == streams
    return found


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", WITH_KEYS + WITHOUT_KEYS)
def test_plaintext_is_that_of_tshark(shared_captures: Path, name: str) -> None:
    path = shared_captures / name
    ours = read(path, key_log_of(path))
    streams = sorted(ours.rows)
    for stream, (node, sent, answered) in tshark_plaintext(path, key_log_of(path), streams).items():
        got = ours.plaintext(stream)
        if sent or answered:
            assert got.pop(node) == sent, f"stream {stream}: {node}"
            assert got.popitem()[1] == answered, f"stream {stream}: peer of {node}"
        else:
            assert set(got.values()) == {b""}, f"stream {stream}"
