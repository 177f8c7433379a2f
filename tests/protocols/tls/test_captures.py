"""Real captures with key logs: the plaintext equals what tshark decrypts, byte by byte."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dissect.protocols.tls.secret_store import SecretStore

from .real import Capture, key_log_of, read

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

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


def tshark_plaintext(
    path: Path, keylog: Path | None, streams: list[int], *options: str
) -> dict[int, tuple[str, bytes, bytes]]:
    """Stream → a sender, what it sent, what its peer sent (whom tshark doesn't name)."""
    command = ["tshark", "-2", "-q", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE"]
    command += options
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


def test_every_capture_with_keys_is_here(shared_captures: Path) -> None:
    """All but those of QUIC and DTLS, which are no TLS over TCP."""
    logs = [log for log in shared_captures.glob("*/*.keylog") if log.parent.name != "quic"]
    stems = {log.with_suffix("").relative_to(shared_captures).as_posix() for log in logs}
    assert {name.rsplit(".", 1)[0] for name in WITH_KEYS} == stems


@needs_tshark
@pytest.mark.parametrize("name", WITH_KEYS + WITHOUT_KEYS)
def test_plaintext_is_that_of_tshark(shared_captures: Path, name: str) -> None:
    path = shared_captures / name
    ours = read(path, key_log_of(path))
    compare(ours, tshark_plaintext(path, key_log_of(path), sorted(ours.rows)))


@needs_tshark
def test_private_key_instead_of_a_key_log(shared_captures: Path) -> None:
    """A whole handshake of SSL 3.0, and another connection that resumes its session."""
    path = shared_captures / "tls/wireshark-rsasnakeoil2.pcap"
    key = path.with_suffix(".key")
    store = SecretStore()
    store.add_rsa_key(key.read_bytes(), key.name)
    ours = read(path, None, store=store)
    option = f'uat:rsa_keys:"{key}",""'
    compare(ours, tshark_plaintext(path, None, sorted(ours.rows), "-o", option))
    assert [row.decrypted for row in ours.rows.values()] == ["full", "full"]
    assert [row.resumed for row in ours.rows.values()] == [False, True]
    assert {row.secret_source for row in ours.rows.values()} == {key.name}


def compare(ours: Capture, theirs: dict[int, tuple[str, bytes, bytes]]) -> None:
    for stream, (node, sent, answered) in theirs.items():
        got = ours.plaintext(stream)
        if sent or answered:
            assert got.pop(node) == sent, f"stream {stream}: {node}"
            assert got.popitem()[1] == answered, f"stream {stream}: peer of {node}"
        else:
            assert set(got.values()) == {b""}, f"stream {stream}"
