"""Record protection: from a protected record to its content, or to nothing.

An opener holds the key of one direction and the number of the next record. It gives
plaintext only for a record whose tag or MAC is right: `None` otherwise, never bytes
that nobody vouches for. The one exception is `Unauthenticated`, for NULL ciphers of
connections without secrets: those bytes are in clear on the wire.

RFC 5246 §6.2.3 (MAC-then-encrypt, AEAD), RFC 7366 (encrypt-then-MAC), RFC 5288 and 6655
(GCM, CCM), RFC 7905 (ChaCha20), RFC 8446 §5.2 (TLS 1.3), RFC 6101 §5.2.3 (SSL 3.0).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING

from dissect.protocols.tls.suites import Cipher

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher as CipherContext
    from cryptography.hazmat.primitives.ciphers import CipherContext as Decryptor
    from cryptography.hazmat.primitives.ciphers.modes import CBC

# Content type and content; the content may be a view of freshly decrypted bytes.
Opened = tuple[int, "bytes | memoryview"]
Decrypt = Callable[[bytes, "bytes | memoryview", bytes], bytes]

_ALL_BYTES = bytes(range(256))


class Opener:
    """Opens the records of one direction under one key; `seq` numbers the next one."""

    __slots__ = ("seq",)
    # Whether a record can be opened when those before it were lost.
    restartable = True

    def __init__(self) -> None:
        self.seq = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} record {self.seq}>"

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Opened | None:
        """The content of the record, if it is number `seq` and intact. Changes nothing."""
        raise TypeError(f"{type(self).__name__} can't open records")

    def open(self, header: bytes, payload: bytes | memoryview) -> Opened | None:
        """The content of the next record, or None (then the number stays)."""
        opened = self.open_at(self.seq, header, payload)
        if opened is not None:
            self.passed(payload)
        return opened

    def passed(self, payload: bytes | memoryview) -> None:
        """Count a record, opened or given up, as gone by."""
        self.seq += 1

    def restart(self, before: bytes | memoryview) -> None:
        """The next record is not the one expected; `before` are the bytes before it."""

    def lost(self, length: int, tail: bytes) -> None:
        """A record went by of which only the length and the last bytes are known."""
        self.seq += 1
        self.restart(tail)

    def locate(self, header: bytes, payload: bytes | memoryview, count: int) -> bool:
        """Whether the record is one of the next `count`, as its tag tells; `seq` is set to
        its number."""
        for seq in range(self.seq, self.seq + count):
            if self.open_at(seq, header, payload) is not None:
                self.seq = seq
                return True
        return False


def _decrypt_function(cipher: Cipher, key: bytes) -> Decrypt:
    from cryptography.hazmat.primitives.ciphers import aead

    if cipher.kind == "ccm":
        return aead.AESCCM(key, tag_length=cipher.tag).decrypt
    if cipher.kind == "chacha":
        return aead.ChaCha20Poly1305(key).decrypt
    return aead.AESGCM(key).decrypt


class _Aead(Opener):
    __slots__ = ("_bad", "_decrypt", "_iv", "_tag")

    def __init__(self, cipher: Cipher, key: bytes, iv: bytes) -> None:
        from cryptography.exceptions import InvalidTag

        super().__init__()
        self._decrypt = _decrypt_function(cipher, key)
        self._iv = int.from_bytes(iv)
        self._tag = cipher.tag
        # Some releases of cryptography refuse too short input with ValueError.
        self._bad = (InvalidTag, ValueError)


class Tls13Opener(_Aead):
    """TLS 1.3: the header is authenticated, the content type is inside, after it zeros."""

    __slots__ = ()

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Opened | None:
        try:
            inner = self._decrypt((self._iv ^ seq).to_bytes(12), payload, header)
        except self._bad:
            return None
        end = len(inner) - 1
        if end < 0:
            return None
        if not inner[end]:
            end = len(inner.rstrip(b"\0")) - 1
            if end < 0:
                return None
        return inner[end], memoryview(inner)[:end]


class Tls12Aead(_Aead):
    """AEAD suites of TLS 1.2: the nonce's last 8 bytes are sent, but for ChaCha20."""

    __slots__ = ("_explicit", "_salt")

    def __init__(self, cipher: Cipher, key: bytes, iv: bytes) -> None:
        super().__init__(cipher, key, iv)
        self._explicit = 0 if cipher.kind == "chacha" else 8
        self._salt = iv

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Opened | None:
        explicit = self._explicit
        length = len(payload) - explicit - self._tag
        if length < 0:
            return None
        bound = seq.to_bytes(8) + header[:3] + length.to_bytes(2)
        if explicit:
            nonce = self._salt + payload[:8]
            payload = memoryview(payload)[8:]
        else:
            nonce = (self._iv ^ seq).to_bytes(12)
        try:
            return header[0], self._decrypt(nonce, payload, bound)
        except self._bad:
            return None

    def locate(self, header: bytes, payload: bytes | memoryview, count: int) -> bool:
        if self._explicit:
            # Nearly everyone sends the record's number as nonce: try that one first.
            guess = int.from_bytes(payload[:8])
            if (
                self.seq <= guess < self.seq + count
                and self.open_at(guess, header, payload) is not None
            ):
                self.seq = guess
                return True
        return super().locate(header, payload, count)


class Mac:
    """The MAC of SSL 3.0 (RFC 6101 §5.2.3.1) or of TLS (RFC 5246 §6.2.3.1)."""

    __slots__ = ("_hash", "_key", "_ssl3", "size")

    def __init__(self, hash_name: str, key: bytes, ssl3: bool) -> None:
        self._hash, self._key, self._ssl3 = hash_name, key, ssl3
        self.size = hashlib.new(hash_name, usedforsecurity=False).digest_size

    def matches(self, mac: bytes, seq: int, header: bytes, content: bytes | memoryview) -> bool:
        """`header` gives type and version; the length is that of `content`."""
        number, length = seq.to_bytes(8), len(content).to_bytes(2)
        if not self._ssl3:
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
        self.restart(payload)

    def restart(self, before: bytes | memoryview) -> None:
        if self._chained:  # the IV is the last block of ciphertext that went before
            if self._etm:
                before = before[: max(len(before) - self._mac.size, 0)]
            block = self._cipher.block
            self._iv = bytes(before[-block:]) if len(before) >= block else None

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Opened | None:
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
    """RC4 with a MAC. The key stream runs through all records: after a loss it is gone."""

    __slots__ = ("_mac", "_plain", "_stream")
    restartable = False

    def __init__(self, key: bytes, mac: Mac) -> None:
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
        from cryptography.hazmat.primitives.ciphers import Cipher as Context

        super().__init__()
        self._stream: Decryptor = Context(ARC4(key), None).decryptor()
        self._mac = mac

    def open(self, header: bytes, payload: bytes | memoryview) -> Opened | None:
        # Counted in any case: the key stream has moved on.
        plain = self._stream.update(payload)
        seq = self.seq
        self.seq += 1
        end = len(plain) - self._mac.size
        if end < 0 or not self._mac.matches(plain[end:], seq, header, plain[:end]):
            return None
        return header[0], plain[:end]

    def lost(self, length: int, tail: bytes) -> None:
        self.seq += 1
        self._stream.update(bytes(length))

    def locate(self, header: bytes, payload: bytes | memoryview, count: int) -> bool:
        return True  # it can't be searched for: `open` will tell


class NullOpener(Opener):
    """NULL ciphers: content in clear, with a MAC that the secret lets one check."""

    __slots__ = ("_mac",)

    def __init__(self, mac: Mac) -> None:
        super().__init__()
        self._mac = mac

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Opened | None:
        end = len(payload) - self._mac.size
        if end < 0 or not self._mac.matches(bytes(payload[end:]), seq, header, payload[:end]):
            return None
        return header[0], bytes(payload[:end])


class Unauthenticated(Opener):
    """A NULL cipher without the secret: readable, but its MAC can't be checked."""

    __slots__ = ("_mac_size",)
    restartable = False

    def __init__(self, mac_name: str) -> None:
        super().__init__()
        self._mac_size = hashlib.new(mac_name, usedforsecurity=False).digest_size

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Opened | None:
        end = len(payload) - self._mac_size
        return (header[0], bytes(payload[:end])) if end >= 0 else None
