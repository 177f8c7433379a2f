"""NTLM over HTTP ([MS-NLMP], [MS-NTHT]) as far as a proxy and a phone need it: NTLMv2.

The messages are the real ones, so that a dissector names their parts, and the proxy checks the
proof. No session security follows, as with every HTTP proxy.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import time
from dataclasses import dataclass

SIGNATURE = b"NTLMSSP\0"
UNICODE, TARGET, NTLM, ALWAYS_SIGN = 0x1, 0x4, 0x200, 0x8000
EXTENDED, TARGET_INFO, VERSION, KEY_128 = 0x80000, 0x800000, 0x2000000, 0x20000000
FLAGS = UNICODE | TARGET | NTLM | ALWAYS_SIGN | EXTENDED | TARGET_INFO | VERSION | KEY_128
WINDOWS_7 = bytes.fromhex("0601b11d0000000f")  # §2.2.2.10
NETBIOS_COMPUTER, NETBIOS_DOMAIN, TIMESTAMP, END = 1, 2, 7, 0
SINCE_1601 = 11_644_473_600


def md4(data: bytes) -> bytes:
    """MD4 (RFC 1320), which OpenSSL 3 no longer offers by default."""
    mask = 0xFFFFFFFF
    padded = data + b"\x80" + b"\0" * ((55 - len(data)) % 64) + struct.pack("<Q", len(data) * 8)
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    orders = (
        range(16),
        [i % 4 * 4 + i // 4 for i in range(16)],
        [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
    )
    shifts, constants = ((3, 7, 11, 19), (3, 5, 9, 13), (3, 9, 11, 15)), (0, 0x5A827999, 0x6ED9EBA1)
    for start in range(0, len(padded), 64):
        words = struct.unpack("<16I", padded[start : start + 64])
        a, b, c, d = state
        for turn, order in enumerate(orders):
            for step, index in enumerate(order):
                if turn == 0:
                    mixed = (b & c) | (~b & mask & d)
                elif turn == 1:
                    mixed = (b & c) | (b & d) | (c & d)
                else:
                    mixed = b ^ c ^ d
                total = (a + mixed + words[index] + constants[turn]) & mask
                shift = shifts[turn][step % 4]
                total = (total << shift | total >> (32 - shift)) & mask
                a, b, c, d = d, total, b, c
        state = [(x + y) & mask for x, y in zip(state, (a, b, c, d), strict=True)]
    return struct.pack("<4I", *state)


@dataclass(frozen=True)
class Account:
    """Who signs in to the proxy."""

    domain: str
    user: str
    password: str

    def key(self) -> bytes:
        """NTOWFv2 (§3.3.2)."""
        hashed = md4(self.password.encode("utf-16-le"))
        who = (self.user.upper() + self.domain).encode("utf-16-le")
        return hmac.new(hashed, who, hashlib.md5).digest()


def negotiate() -> bytes:
    """NEGOTIATE_MESSAGE (§2.2.1.1)."""
    return SIGNATURE + struct.pack("<II", 1, FLAGS & ~TARGET_INFO) + b"\0" * 16 + WINDOWS_7


def challenge(domain: str, computer: str) -> tuple[bytes, bytes]:
    """CHALLENGE_MESSAGE (§2.2.1.2) and the eight bytes that are the challenge."""
    nonce = secrets.token_bytes(8)
    filetime = int((time.time() + SINCE_1601) * 10_000_000)
    name = domain.encode("utf-16-le")
    info = b"".join(
        struct.pack("<HH", kind, len(value)) + value
        for kind, value in (
            (NETBIOS_DOMAIN, name),
            (NETBIOS_COMPUTER, computer.encode("utf-16-le")),
            (TIMESTAMP, struct.pack("<Q", filetime)),
            (END, b""),
        )
    )
    head = SIGNATURE + struct.pack("<IHHI", 2, len(name), len(name), 56)
    head += struct.pack("<I", FLAGS) + nonce + b"\0" * 8
    head += struct.pack("<HHI", len(info), len(info), 56 + len(name)) + WINDOWS_7
    return head + name + info, nonce


def authenticate(account: Account, challenged: bytes, workstation: str) -> bytes:
    """AUTHENTICATE_MESSAGE (§2.2.1.3) with the NTLMv2 response to a CHALLENGE_MESSAGE."""
    nonce = challenged[24:32]
    length, _, offset = struct.unpack_from("<HHI", challenged, 40)
    info = challenged[offset : offset + length]
    stamp = info[-12:-4]  # the AV pair before the end
    blob = b"\1\1" + b"\0" * 6 + stamp + secrets.token_bytes(8) + b"\0" * 4 + info + b"\0" * 4
    proof = hmac.new(account.key(), nonce + blob, hashlib.md5).digest()
    names = [text.encode("utf-16-le") for text in (account.domain, account.user, workstation)]
    parts = [b"\0" * 24, proof + blob, *names, b""]
    head, at = SIGNATURE + struct.pack("<I", 3), 72
    for part in parts:
        head += struct.pack("<HHI", len(part), len(part), at)
        at += len(part)
    return head + struct.pack("<I", FLAGS) + WINDOWS_7 + b"".join(parts)


def user_of(message: bytes) -> str:
    """The user name in an AUTHENTICATE_MESSAGE. Raises ValueError when it is none."""
    return _part(message, 36).decode("utf-16-le")


def proves(message: bytes, nonce: bytes, account: Account) -> bool:
    """Whether an AUTHENTICATE_MESSAGE proves knowledge of the account's password."""
    answer = _part(message, 20)
    proof = hmac.new(account.key(), nonce + answer[16:], hashlib.md5).digest()
    return hmac.compare_digest(proof, answer[:16])


def _part(message: bytes, at: int) -> bytes:
    if message[:12] != SIGNATURE + struct.pack("<I", 3) or len(message) < 72:
        raise ValueError("not an NTLM AUTHENTICATE_MESSAGE")
    length, _, offset = struct.unpack_from("<HHI", message, at)
    return message[offset : offset + length]
