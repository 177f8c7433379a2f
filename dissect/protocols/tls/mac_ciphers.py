"""Record protection with a MAC of its own: CBC, RC4 and NULL suites up to TLS 1.2.

RFC 5246 §6.2.3.1 and §6.2.3.2 (MAC-then-encrypt), RFC 7366 (encrypt-then-MAC), RFC 6101
§5.2.3 (SSL 3.0).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dissect.protocols.tls.protection import Decrypted, Opener
from dissect.protocols.tls.records import HEADER, MAX_RECORD
from dissect.protocols.tls.suites import Cipher

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher as CipherContext
    from cryptography.hazmat.primitives.ciphers import CipherContext as Decryptor
    from cryptography.hazmat.primitives.ciphers.modes import CBC

MAX_KEY_STREAM = 4 << 20  # bytes of key stream kept to find the place behind a loss
FINISHED = 16  # bytes of a Finished before its MAC; SSL 3.0: 40

_ALL_BYTES = bytes(range(256))


class Mac:
    """The MAC of SSL 3.0 (RFC 6101 §5.2.3.1) or of TLS (RFC 5246 §6.2.3.1)."""

    __slots__ = ("_hash", "_key", "size", "ssl3")

    def __init__(self, hash_name: str, key: bytes, ssl3: bool) -> None:
        self._hash, self._key, self.ssl3 = hash_name, key, ssl3
        self.size = hashlib.new(hash_name, usedforsecurity=False).digest_size

    def matches(self, mac: bytes, seq: int, header: bytes, content: bytes | memoryview) -> bool:
        """`header` gives type and version; the length is that of `content`."""
        number, length = seq.to_bytes(8), len(content).to_bytes(2)
        if not self.ssl3:
            message = b"".join((number, header[:3], length, content))
            return hmac.compare_digest(mac, hmac.digest(self._key, message, self._hash))
        pad = 48 if self._hash == "md5" else 40
        inner = b"".join((self._key, b"\x36" * pad, number, header[:1], length, content))
        outer = self._key + b"\x5c" * pad + self._digest(inner)
        return hmac.compare_digest(mac, self._digest(outer))

    def _digest(self, data: bytes) -> bytes:
        return hashlib.new(self._hash, data, usedforsecurity=False).digest()


def _block_cipher(cipher: Cipher, key: bytes, iv: bytes) -> CipherContext[CBC]:
    from cryptography.hazmat.decrepit.ciphers import algorithms as old
    from cryptography.hazmat.primitives.ciphers import Cipher as Context
    from cryptography.hazmat.primitives.ciphers import algorithms, modes

    if cipher.algorithm == "AES":
        return Context(algorithms.AES(key), modes.CBC(iv))
    if cipher.algorithm == "DES":  # three times the same key make DES of 3DES
        return Context(old.TripleDES(key * 3), modes.CBC(iv))
    return Context(getattr(old, cipher.algorithm)(key), modes.CBC(iv))


class CbcOpener(Opener):
    """CBC suites: explicit or chained IV, MAC before or after encryption."""

    __slots__ = ("_chained", "_cipher", "_etm", "_iv", "_key", "_mac", "_ssl3")

    def __init__(
        self, cipher: Cipher, key: bytes, mac: Mac, iv: bytes | None, *, etm: bool, ssl3: bool
    ) -> None:
        """`iv` is the first one where records chain (TLS 1.0, SSL 3.0), else None."""
        super().__init__()
        self._cipher, self._key, self._mac = cipher, key, mac
        self._iv = iv
        self._chained = iv is not None
        self._etm, self._ssl3 = etm, ssl3

    def passed(self, payload: bytes | memoryview) -> None:
        super().passed(payload)
        self.restart(payload, None)

    def restart(self, before: bytes | memoryview, distance: int | None) -> None:
        if self._chained:  # the IV is the last block of ciphertext that went before
            if self._etm:
                before = before[: max(len(before) - self._mac.size, 0)]
            block = self._cipher.block
            self._iv = bytes(before[-block:]) if len(before) >= block else None

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
        mac_size = self._mac.size
        if self._etm:
            end = len(payload) - mac_size
            if end <= 0:
                return None
            if not self._mac.matches(bytes(payload[end:]), seq, header, payload[:end]):
                return None
            payload = payload[:end]
        plain = self._decrypt(payload)
        if plain is None:
            return None
        padding = plain[-1] + 1
        end = len(plain) - padding - (0 if self._etm else mac_size)
        if end < 0:
            return None
        if not self._ssl3 and plain[-padding:] != _ALL_BYTES[padding - 1 : padding] * padding:
            return None
        content = plain[:end]
        if not self._etm:
            mac = plain[end : end + mac_size]
            if not self._mac.matches(mac, seq, header, content):
                return None
        return header[0], content

    def _decrypt(self, payload: bytes | memoryview) -> bytes | None:
        block = self._cipher.block
        if self._chained:
            iv = self._iv
            if iv is None:
                return None
        else:
            iv, payload = bytes(payload[:block]), payload[block:]
        if not len(payload) or len(payload) % block or len(iv) != block:
            return None
        decryptor = _block_cipher(self._cipher, self._key, iv).decryptor()
        return decryptor.update(payload) + decryptor.finalize()


class StreamOpener(Opener):
    """RC4 with a MAC. The key stream runs through the fragments of all records.

    Behind a loss its place is where `distance` bytes on the wire would put it, less a
    header for each record among them: the MAC tells how many those were.
    """

    __slots__ = ("_ahead", "_distance", "_mac", "_stream")

    def __init__(self, key: bytes, mac: Mac) -> None:
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
        from cryptography.hazmat.primitives.ciphers import Cipher as Context

        super().__init__()
        self._stream: Decryptor = Context(ARC4(key), None).decryptor()
        self._mac = mac
        self._ahead = b""  # key stream that was made and not used yet
        self._distance: int | None = None  # unknown

    def _key_stream(self, size: int) -> bytes:
        if len(self._ahead) < size:
            self._ahead += self._stream.update(bytes(size - len(self._ahead)))
        return self._ahead

    def _attempt(self, seq: int, skipped: int, header: bytes, payload: bytes) -> bytes | None:
        """The content, if the record is number `seq` and `skipped` bytes of fragments came
        before it."""
        size = len(payload)
        key_stream = self._key_stream(skipped + size)[skipped : skipped + size]
        plain = (int.from_bytes(payload) ^ int.from_bytes(key_stream)).to_bytes(size)
        end = size - self._mac.size
        if end < 0 or not self._mac.matches(plain[end:], seq, header, plain[:end]):
            return None
        return plain[:end]

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
        content = self._attempt(seq, 0, header, bytes(payload)) if seq == self.seq else None
        return None if content is None else (header[0], content)

    def open(self, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
        if self._ahead:
            return super().open(header, payload)
        plain = self._stream.update(payload)
        end = len(plain) - self._mac.size
        if end < 0 or not self._mac.matches(plain[end:], self.seq, header, plain[:end]):
            mixed = int.from_bytes(plain) ^ int.from_bytes(payload)
            self._ahead = mixed.to_bytes(len(plain))
            return None
        self.seq += 1
        return header[0], plain[:end]

    def passed(self, payload: bytes | memoryview) -> None:
        self._pass(1, len(payload))

    def lost(self, length: int, tail: bytes) -> None:
        self._pass(1, length)

    def _pass(self, records: int, size: int) -> None:
        self.seq += records
        if size > len(self._ahead):
            self._stream.update(bytes(size - len(self._ahead)))
        self._ahead = self._ahead[size:]

    def restart(self, before: bytes | memoryview, distance: int | None) -> None:
        self._distance = distance

    def locate(self, header: bytes, payload: bytes | memoryview, count: int) -> bool:
        distance, self._distance = self._distance, None
        data = bytes(payload)
        for records, skipped in self._places(distance, count):
            if self._attempt(self.seq + records, skipped, header, data) is not None:
                self._pass(records, skipped)
                return True
        return False

    def _places(self, distance: int | None, count: int) -> Iterator[tuple[int, int]]:
        """How many records may have gone by, and how much of the key stream with them."""
        if distance is None:  # nothing is known but where the key's first records are
            yield 0, 0
            if self.seq == 0:
                yield 1, (40 if self._mac.ssl3 else FINISHED) + self._mac.size
            return
        if distance > MAX_KEY_STREAM:
            return
        fewest = -(-distance // (HEADER + MAX_RECORD))
        for records in range(fewest, min(count, distance // HEADER + 1)):
            yield records, distance - HEADER * records


class NullOpener(Opener):
    """NULL ciphers: content in clear, with a MAC that the secret lets one check."""

    __slots__ = ("_mac",)

    def __init__(self, mac: Mac) -> None:
        super().__init__()
        self._mac = mac

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
        end = len(payload) - self._mac.size
        if end < 0 or not self._mac.matches(bytes(payload[end:]), seq, header, payload[:end]):
            return None
        return header[0], bytes(payload[:end])


class Unauthenticated(Opener):
    """A NULL cipher without the secret: readable, but its MAC can't be checked."""

    __slots__ = ("_mac_size",)
    proves = False

    def __init__(self, mac_name: str) -> None:
        super().__init__()
        self._mac_size = hashlib.new(mac_name, usedforsecurity=False).digest_size

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
        end = len(payload) - self._mac_size
        return (header[0], bytes(payload[:end])) if end >= 0 else None
