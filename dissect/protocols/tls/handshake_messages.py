"""Handshake messages out of records, and the transcript that some keys depend on."""

from __future__ import annotations

import hashlib

from dissect.errors import ProtocolError
from dissect.protocols.tls.code_points import HANDSHAKE_NAMES, TLS12

MAX_MESSAGE = 1 << 20  # bytes of one handshake message; larger ones are passed over
MAX_TRANSCRIPT = 1 << 16  # bytes of handshake kept for an extended master secret

HEADER = 4


class MessageReader:
    """Cuts the handshake bytes of one direction into messages, whatever the records."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._passing = 0  # bytes to come of a message that is passed over

    @property
    def begun(self) -> bytes:
        """What there is of a message that isn't whole, its header included."""
        return bytes(self._buffer)

    def clear(self) -> None:
        """Forget what was begun: its rest won't come."""
        self._buffer.clear()
        self._passing = 0

    def feed(self, content: bytes | memoryview) -> None:
        passed = min(self._passing, len(content))
        self._passing -= passed
        self._buffer += content[passed:]

    def take(self) -> tuple[int, bytes] | None:
        """Type and body of the next message, or None if it isn't whole yet.

        Raises ProtocolError for what can't be a message (the rest is dropped) and for one
        that is too large (it is passed over); asking again goes on behind it.
        """
        buffer = self._buffer
        if len(buffer) < HEADER:
            return None
        kind, size = buffer[0], int.from_bytes(buffer[1:HEADER])
        name = HANDSHAKE_NAMES.get(kind)
        if name is None:
            buffer.clear()
            raise ProtocolError("tls.handshake", f"a handshake message of type {kind}")
        if size > MAX_MESSAGE:
            self._passing = max(0, HEADER + size - len(buffer))
            del buffer[: HEADER + size]
            raise ProtocolError("tls.handshake", f"a {name} of {size} bytes is left out")
        if len(buffer) < HEADER + size:
            return None
        body = bytes(buffer[HEADER : HEADER + size])
        del buffer[: HEADER + size]
        return kind, body


class Transcript:
    """The messages of a handshake up to the client's key exchange, for RFC 7627."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._open = True

    def add(self, kind: int, body: bytes) -> None:
        if not self._open:
            return
        if len(self._bytes) + len(body) > MAX_TRANSCRIPT:
            self.drop()
            return
        self._bytes += bytes((kind,)) + len(body).to_bytes(3) + body

    def seal(self) -> None:
        """The session hash is that of the messages so far (RFC 7627 §3)."""
        self._open = False

    def drop(self) -> None:
        """Nothing will ask for the hash, or it can't be made."""
        self._bytes.clear()
        self._open = False

    def digest(self, version: int, hash_name: str) -> bytes | None:
        """The session hash, if the handshake was protected whole."""
        if self._open or not self._bytes:
            return None
        if version >= TLS12:
            return hashlib.new(hash_name, self._bytes).digest()
        md5 = hashlib.md5(self._bytes, usedforsecurity=False).digest()
        return md5 + hashlib.sha1(self._bytes, usedforsecurity=False).digest()
