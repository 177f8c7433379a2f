"""Record protection: from a protected record to its content, or to nothing.

An opener holds the key of one direction and the number of the next record. It gives
plaintext only for a record whose tag or MAC is right: `None` otherwise, never bytes
that nobody vouches for. The one exception is `Unauthenticated`, for NULL ciphers of
connections without secrets: those bytes are in clear on the wire. Suites with a MAC of their
own stand in `mac_ciphers`.

RFC 5246 §6.2.3.3 (AEAD), RFC 5288 and 6655 (GCM, CCM), RFC 7905 (ChaCha20), RFC 8446 §5.2
(TLS 1.3).
"""

from __future__ import annotations

from collections.abc import Callable

from dissect.protocols.tls.suites import Cipher

# Content type and content; the content may be a view of freshly decrypted bytes.
Decrypted = tuple[int, "bytes | memoryview"]
Decrypt = Callable[[bytes, "bytes | memoryview", bytes], bytes]


class Opener:
    """Opens the records of one direction under one key; `seq` numbers the next one."""

    __slots__ = ("seq",)
    # Whether a record that opens is proven to be one.
    proves = True

    def __init__(self) -> None:
        self.seq = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} record {self.seq}>"

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
        """The content of the record, if it is number `seq` and intact. Changes nothing."""
        raise TypeError(f"{type(self).__name__} can't open records")

    def open(self, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
        """The content of the next record, or None (then the number stays)."""
        decrypted = self.open_at(self.seq, header, payload)
        if decrypted is not None:
            self.passed(payload)
        return decrypted

    def passed(self, payload: bytes | memoryview) -> None:
        """Count a record, decrypted or given up, as gone by."""
        self.seq += 1

    def restart(self, before: bytes | memoryview, distance: int | None) -> None:
        """The next record may not be the one expected. `before` are the bytes before it,
        `distance` how many there were since the last record that was counted (None: unknown)."""

    def lost(self, length: int, tail: bytes) -> None:
        """A record went by of which only the length and the last bytes are known."""
        self.seq += 1
        self.restart(tail, None)

    def locate(self, header: bytes, payload: bytes | memoryview, count: int) -> bool:
        """Whether the record is one of the next `count`, as its tag tells; `seq` is set to
        its number."""
        for seq in range(self.seq, self.seq + count):
            if self.open_at(seq, header, payload) is not None:
                self.seq = seq
                return True
        return False


def _decrypt_function(cipher: Cipher, key: bytes) -> Decrypt:
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

    if cipher.kind == "ccm":
        return AESCCM(key, tag_length=cipher.tag).decrypt
    if cipher.kind == "chacha":
        return ChaCha20Poly1305(key).decrypt
    return AESGCM(key).decrypt


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

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
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

    def open_at(self, seq: int, header: bytes, payload: bytes | memoryview) -> Decrypted | None:
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
