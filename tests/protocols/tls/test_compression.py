"""DEFLATE in records (RFC 3749). No peer here still has it; tshark confirms the records that
are made by hand."""

from __future__ import annotations

import hashlib
import hmac
import random
import shutil
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from dissect.protocols.tls.compression import MAX_CONTENT, Inflater

from ...wire import conversation
from ..drive import C, Part, S, bytewise
from .peers import look, store_of
from .test_captures import tshark_plaintext
from .test_damage import spans, without

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

CLIENT_RANDOM, SERVER_RANDOM, MASTER = b"c" * 32, b"s" * 32, b"m" * 48
KEYS = f"CLIENT_RANDOM {CLIENT_RANDOM.hex()} {MASTER.hex()}\n"
SUITE = 0x003C  # TLS_RSA_WITH_AES_128_CBC_SHA256
GET = b"GET /a/path/that/repeats/a/path/that/repeats HTTP/1.1\r\nHost: lab.test\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + b"0123456789" * 400


def p_hash(label: bytes, seed: bytes, size: int) -> bytes:
    """RFC 5246 §5."""
    out, a = b"", label + seed
    while len(out) < size:
        a = hmac.digest(MASTER, a, "sha256")
        out += hmac.digest(MASTER, a + label + seed, "sha256")
    return out[:size]


BLOCK = p_hash(b"key expansion", SERVER_RANDOM + CLIENT_RANDOM, 96)


class Sender:
    def __init__(self, direction: int) -> None:
        self._mac_key = BLOCK[32 * direction : 32 * direction + 32]
        self._key = BLOCK[64 + 16 * direction : 80 + 16 * direction]
        self._packer = zlib.compressobj()
        self._number = 0

    def record(self, kind: int, content: bytes, packed: bytes | None = None) -> bytes:
        if packed is None:
            packed = self._packer.compress(content) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        head = bytes((kind, 3, 3))
        bound = self._number.to_bytes(8) + head + len(packed).to_bytes(2) + packed
        self._number += 1
        plain = packed + hmac.new(self._mac_key, bound, hashlib.sha256).digest()
        padding = 15 - len(plain) % 16
        plain += bytes((padding,)) * (padding + 1)
        iv = random.Random(self._number).randbytes(16)
        encryptor = Cipher(algorithms.AES(self._key), modes.CBC(iv)).encryptor()
        body = iv + encryptor.update(plain)
        return head + len(body).to_bytes(2) + body


def plain(kind: int, body: bytes) -> bytes:
    return bytes((kind, 3, 3)) + len(body).to_bytes(2) + body


def message(kind: int, body: bytes) -> bytes:
    return plain(22, bytes((kind,)) + len(body).to_bytes(3) + body)


def connection(method: int = 1, bomb: bytes | None = None) -> list[Part]:
    client, server = Sender(0), Sender(1)
    suite = SUITE.to_bytes(2)
    hello = b"\3\3" + CLIENT_RANDOM + b"\0" + b"\0\2" + suite + b"\2" + bytes((method, 0))
    answer = b"\3\3" + SERVER_RANDOM + b"\0" + suite + bytes((method,))
    change, finished = plain(20, b"\1"), b"\x14\0\0\x0c" + bytes(12)
    parts: list[Part] = [
        (C, message(1, hello)),
        (S, message(2, answer) + message(14, b"")),
        (C, message(16, bytes(2)) + change + client.record(22, finished)),
        (S, change + server.record(22, finished)),
    ]
    for _ in range(3):
        parts += [(C, client.record(23, GET)), (S, server.record(23, ANSWER))]
    if bomb is not None:
        parts.append((S, server.record(23, b"", bomb)))
    return parts


SENT = (GET * 3, ANSWER * 3)


def test_content_is_unpacked() -> None:
    for parts in (connection(), bytewise(connection())):
        seen = look(parts, store_of(KEYS))
        assert seen.got == SENT
        assert (seen.row.decrypted, seen.row.reason, seen.kinds) == ("full", None, [])


@needs_tshark
def test_as_tshark_unpacks_it(tmp_path: Path) -> None:
    path = tmp_path / "packed.pcap"
    reported = [(way == C, flight) for way, flight in connection() if isinstance(flight, bytes)]
    conversation(path, reported, server_port=443)
    keys = tmp_path / "keys"
    keys.write_text(KEYS)
    ((node, sent, answered),) = tshark_plaintext(path, keys, [0]).values()
    assert node == "192.0.2.1:40000"
    assert (sent, answered) == SENT


def test_what_is_compressed_against_lost_bytes_stays_undecrypted() -> None:
    parts = connection()
    data = [span for span in spans(parts, S) if span[0] == 23]
    seen = look(without(parts, S, data[1][1], data[1][2]), store_of(KEYS))
    assert seen.got == (SENT[0], ANSWER)
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "lost_segment")
    assert "compressed against" in (seen.row.sentence or "")


def test_unpacking_is_bounded() -> None:
    packer = zlib.compressobj()
    bomb = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert Inflater().content(bomb) is None
    seen = look(connection(bomb=bomb[:16000]), store_of(KEYS))
    assert seen.got == SENT
    assert (seen.row.decrypted, seen.row.reason) == ("partial", "damaged_record")
    packer = zlib.compressobj()
    most = packer.compress(bytes(MAX_CONTENT)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert Inflater().content(most) == bytes(MAX_CONTENT)


@pytest.mark.parametrize(("method", "words"), [(64, "LZS"), (7, "method 7")])
def test_other_methods_are_named(method: int, words: str) -> None:
    seen = look(connection(method), store_of(KEYS))
    assert (seen.row.decrypted, seen.row.reason) == ("none", "cipher_unsupported")
    assert words in (seen.row.sentence or "")
