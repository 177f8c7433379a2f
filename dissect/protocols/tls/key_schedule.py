"""From secrets to openers: the PRFs and key schedules of SSL 3.0 to TLS 1.3.

HMAC and the hashes come from the standard library, whose one-shot calls cost a tenth of
those of `cryptography`; the ciphers come from the latter.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from dissect.protocols.tls.code_points import SSL30, TLS10, TLS12
from dissect.protocols.tls.mac_ciphers import CbcOpener, Mac, NullOpener, StreamOpener
from dissect.protocols.tls.protection import Opener, Tls12Aead, Tls13Opener
from dissect.protocols.tls.suites import Suite

MASTER_SIZE = 48


def expand_label(secret: bytes, label: str, length: int, hash_name: str) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 §7.1)."""
    name = b"tls13 " + label.encode("ascii")
    info = length.to_bytes(2) + bytes((len(name),)) + name + b"\0"
    block = out = hmac.digest(secret, info + b"\x01", hash_name)
    counter = 1
    while len(out) < length:
        counter += 1
        block = hmac.digest(secret, block + info + bytes((counter,)), hash_name)
        out += block
    return out[:length]


@dataclass(frozen=True, slots=True, repr=False)
class TrafficSecret:
    """A traffic secret of TLS 1.3 and the suite that it is used with."""

    secret: bytes
    suite: Suite

    def opener(self) -> Opener:
        """RFC 8446 §7.3."""
        cipher = self.suite.cipher
        assert cipher is not None
        key = expand_label(self.secret, "key", cipher.key, self.suite.prf)
        iv = expand_label(self.secret, "iv", 12, self.suite.prf)
        return Tls13Opener(cipher, key, iv)

    def updated(self) -> TrafficSecret:
        """The secret after a KeyUpdate (RFC 8446 §7.2)."""
        size = len(self.secret)
        return TrafficSecret(
            expand_label(self.secret, "traffic upd", size, self.suite.prf), self.suite
        )


def _p_hash(secret: bytes, seed: bytes, length: int, hash_name: str) -> bytes:
    out = b""
    a = seed
    while len(out) < length:
        a = hmac.digest(secret, a, hash_name)
        out += hmac.digest(secret, a + seed, hash_name)
    return out[:length]


def _ssl3_prf(secret: bytes, seed: bytes, length: int) -> bytes:
    """The derivation of SSL 3.0 (RFC 6101 §6.1, §6.2.2): 'A', 'BB', 'CCC' …"""
    out = b""
    step = 0
    while len(out) < length:
        step += 1
        salt = bytes((64 + step,)) * step
        inner = hashlib.sha1(salt + secret + seed, usedforsecurity=False).digest()
        out += hashlib.md5(secret + inner, usedforsecurity=False).digest()
    return out[:length]


def prf(
    version: int, hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int
) -> bytes:
    """The PRF of the version: RFC 6101, RFC 2246 §5 (MD5 xor SHA-1), RFC 5246 §5."""
    if version == SSL30:
        return _ssl3_prf(secret, seed, length)
    if version >= TLS12:
        return _p_hash(secret, label + seed, length, hash_name)
    state = (len(secret) + 1) // 2
    left = _p_hash(secret[:state], label + seed, length, "md5")
    right = _p_hash(secret[-state:], label + seed, length, "sha1")
    mixed = int.from_bytes(left) ^ int.from_bytes(right)
    return mixed.to_bytes(length)


@dataclass(frozen=True, slots=True, repr=False)
class Agreement:
    """What the hellos agreed for TLS 1.2 and before: all that keys depend on but secrets."""

    version: int
    suite: Suite
    client_random: bytes
    server_random: bytes
    encrypt_then_mac: bool = False

    def master(self, premaster: bytes, session_hash: bytes | None = None) -> bytes:
        """The master secret; `session_hash` for the extended one (RFC 7627 §4)."""
        if session_hash is not None:
            label, seed = b"extended master secret", session_hash
        else:
            label, seed = b"master secret", self.client_random + self.server_random
        return prf(self.version, self.suite.prf, premaster, label, seed, MASTER_SIZE)

    def openers(self, master: bytes) -> tuple[Opener, Opener]:
        """Openers for what the client and what the server sends (RFC 5246 §6.3)."""
        suite, cipher = self.suite, self.suite.cipher
        assert cipher is not None
        mac_size = 0
        if suite.mac:
            mac_size = hashlib.new(suite.mac, usedforsecurity=False).digest_size
        key_size = suite.export or cipher.key
        if cipher.kind in ("gcm", "ccm"):
            iv_size = 4
        elif cipher.kind == "chacha":
            iv_size = 12
        else:
            iv_size = cipher.block if self.version <= TLS10 and not suite.export else 0
        block = prf(
            self.version,
            suite.prf,
            master,
            b"key expansion",
            self.server_random + self.client_random,
            2 * (mac_size + key_size + iv_size),
        )
        parts: list[bytes] = []
        start = 0
        for size in (mac_size, mac_size, key_size, key_size, iv_size, iv_size):
            parts.append(block[start : start + size])
            start += size
        if suite.export:
            parts[2:6] = self._export_keys(parts[2], parts[3])
        return (
            self._opener(parts[0], parts[2], parts[4]),
            self._opener(parts[1], parts[3], parts[5]),
        )

    def _export_keys(self, client: bytes, server: bytes) -> list[bytes]:
        """The longer keys made of the few secret bytes of export suites (RFC 2246 §6.3.1)."""
        cipher = self.suite.cipher
        assert cipher is not None
        randoms = self.client_random + self.server_random
        swapped = self.server_random + self.client_random
        iv_size = cipher.block if self.version <= TLS10 else 0
        if self.version == SSL30:
            keys = [_md5(client + randoms), _md5(server + swapped)]
            ivs = [_md5(randoms), _md5(swapped)]
            return [key[: cipher.key] for key in keys] + [iv[:iv_size] for iv in ivs]
        keys = [
            prf(self.version, self.suite.prf, secret, label, randoms, cipher.key)
            for secret, label in ((client, b"client write key"), (server, b"server write key"))
        ]
        both = prf(self.version, self.suite.prf, b"", b"IV block", randoms, 2 * iv_size)
        return [*keys, both[:iv_size], both[iv_size:]]

    def _opener(self, mac_key: bytes, key: bytes, iv: bytes) -> Opener:
        suite, cipher = self.suite, self.suite.cipher
        assert cipher is not None
        if suite.mac is None:
            return Tls12Aead(cipher, key, iv)
        mac = Mac(suite.mac, mac_key, ssl3=self.version == SSL30)
        if cipher.kind == "null":
            return NullOpener(mac)
        if cipher.kind == "rc4":
            return StreamOpener(key, mac)
        return CbcOpener(
            cipher,
            key,
            mac,
            iv if self.version <= TLS10 else None,
            etm=self.encrypt_then_mac,
            ssl3=self.version == SSL30,
        )


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
