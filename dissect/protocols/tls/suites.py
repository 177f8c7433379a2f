"""What a cipher suite's name means: key exchange, cipher, MAC and PRF hash.

The registered names are regular, so the table of names (`suite_names`) is the only
table of suites; the ciphers that can be decrypted stand in `CIPHERS`. A suite whose
`cipher` is None is known by name but can't be decrypted (ARIA, GOST, SM4 …).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from dissect.protocols.tls.suite_names import read_names

Kind = Literal["gcm", "ccm", "chacha", "cbc", "rc4", "null"]


@dataclass(frozen=True, slots=True)
class Cipher:
    """A bulk cipher. Sizes in bytes; `block` is 0 for stream ciphers and AEADs.

    `algorithm` is the name of its class in `cryptography`.
    """

    kind: Kind
    algorithm: str
    key: int
    block: int = 0
    tag: int = 16


CIPHERS: dict[str, Cipher] = {
    "AES_128_GCM": Cipher("gcm", "AESGCM", 16),
    "AES_256_GCM": Cipher("gcm", "AESGCM", 32),
    "AES_128_CCM": Cipher("ccm", "AESCCM", 16),
    "AES_256_CCM": Cipher("ccm", "AESCCM", 32),
    "AES_128_CCM_8": Cipher("ccm", "AESCCM", 16, tag=8),
    "AES_256_CCM_8": Cipher("ccm", "AESCCM", 32, tag=8),
    "CHACHA20_POLY1305": Cipher("chacha", "ChaCha20Poly1305", 32),
    "AES_128_CBC": Cipher("cbc", "AES", 16, block=16),
    "AES_256_CBC": Cipher("cbc", "AES", 32, block=16),
    "CAMELLIA_128_CBC": Cipher("cbc", "Camellia", 16, block=16),
    "CAMELLIA_256_CBC": Cipher("cbc", "Camellia", 32, block=16),
    "SEED_CBC": Cipher("cbc", "SEED", 16, block=16),
    "IDEA_CBC": Cipher("cbc", "IDEA", 16, block=8),
    "3DES_EDE_CBC": Cipher("cbc", "TripleDES", 24, block=8),
    "DES_CBC": Cipher("cbc", "DES", 8, block=8),
    "DES40_CBC": Cipher("cbc", "DES", 8, block=8),
    "DES_CBC_40": Cipher("cbc", "DES", 8, block=8),
    "RC2_CBC_40": Cipher("cbc", "RC2", 16, block=8),
    "RC2_CBC_56": Cipher("cbc", "RC2", 16, block=8),
    "RC4_128": Cipher("rc4", "ARC4", 16),
    "RC4_56": Cipher("rc4", "ARC4", 16),
    "RC4_40": Cipher("rc4", "ARC4", 16),
    "NULL": Cipher("null", "", 0),
}
_MACS = {"MD5": "md5", "SHA": "sha1", "SHA256": "sha256", "SHA384": "sha384"}
_NAME = re.compile(r"(?:TLS|SSL)_(\w+)")


@dataclass(frozen=True, slots=True)
class Suite:
    """One cipher suite. `mac` and `prf` are hashlib names; `mac` is None for AEADs.

    `export` is the number of secret key bytes of an export suite (RFC 2246 §6.3.1),
    else 0. `tls13` tells the suites of RFC 8446 from those before.
    """

    code: int
    name: str
    key_exchange: str
    cipher: Cipher | None
    mac: str | None = None
    prf: str = "sha256"
    export: int = 0
    tls13: bool = False


@cache
def _names() -> dict[int, str]:
    return read_names()


@cache
def suite(code: int) -> Suite:
    """The suite of a code; an unknown code gives a suite named after it, unopenable."""
    name = _names().get(code)
    if name is None:
        return Suite(code, f"0x{code:04X}", "", None)
    match = _NAME.fullmatch(name)
    if match is None:
        return Suite(code, name, "", None)
    key_exchange, _, rest = match[1].rpartition("_WITH_")
    cipher_name, _, hash_name = rest.rpartition("_")
    if rest in CIPHERS:  # the CCM suites of RFC 6655 name no hash
        cipher_name, hash_name = rest, "SHA256"
    cipher = CIPHERS.get(cipher_name)
    if cipher is None or hash_name not in _MACS:
        return Suite(code, name, key_exchange, None)
    aead = cipher.kind in ("gcm", "ccm", "chacha")
    export = 0
    if "EXPORT" in key_exchange:
        export = 5 if "EXPORT1024" not in key_exchange else 8 if "DES" in cipher_name else 7
    return Suite(
        code,
        name,
        key_exchange,
        cipher,
        mac=None if aead else _MACS[hash_name],
        prf="sha384" if hash_name == "SHA384" else "sha256",
        export=export,
        tls13=aead and not key_exchange,
    )
