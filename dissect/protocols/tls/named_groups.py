"""Groups of the key exchange by name (IANA TLS Supported Groups), and which was agreed."""

from __future__ import annotations

from functools import lru_cache

from dissect.protocols.tls.fingerprints import SUPPORTED_GROUPS, numbers, without_grease
from dissect.protocols.tls.handshake import KEY_SHARE, ClientHello, ServerHello

MAX_CACHED = 256  # bytes of a list that is remembered

_FIRST = (
    "sect163k1 sect163r1 sect163r2 sect193r1 sect193r2 sect233k1 sect233r1 sect239k1 sect283k1 "
    "sect283r1 sect409k1 sect409r1 sect571k1 sect571r1 secp160k1 secp160r1 secp160r2 secp192k1 "
    "secp192r1 secp224k1 secp224r1 secp256k1 secp256r1 secp384r1 secp521r1 brainpoolP256r1 "
    "brainpoolP384r1 brainpoolP512r1 x25519 x448 brainpoolP256r1tls13 brainpoolP384r1tls13 "
    "brainpoolP512r1tls13"
)
NAMES = {
    **dict(enumerate(_FIRST.split(), 1)),
    41: "curveSM2",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    259: "ffdhe6144",
    260: "ffdhe8192",
    512: "MLKEM512",
    513: "MLKEM768",
    514: "MLKEM1024",
    4587: "SecP256r1MLKEM768",
    4588: "X25519MLKEM768",
    4589: "SecP384r1MLKEM1024",
    25497: "X25519Kyber768Draft00",
    25498: "SecP256r1Kyber768Draft00",
}

_NAMED_CURVE = 3  # ECCurveType of RFC 8422 §5.4


def name(number: int) -> str:
    return NAMES.get(number, f"0x{number:04X}")


def offered(hello: ClientHello) -> tuple[str, ...]:
    """The groups that the client offers, in its order, without GREASE."""
    data = hello.extensions.get(SUPPORTED_GROUPS)
    return _offered(data) if data and len(data) <= MAX_CACHED else _names(data)


def _names(data: bytes | None) -> tuple[str, ...]:
    found = without_grease(numbers(data, 2))
    return tuple(name(number) for number in found)


@lru_cache(maxsize=64)  # the same clients come with every connection
def _offered(data: bytes) -> tuple[str, ...]:
    return _names(data)


def of_server_hello(hello: ServerHello) -> str | None:
    """The group of a key share of TLS 1.3 (RFC 8446 §4.2.8), also of a HelloRetryRequest."""
    data = hello.extensions.get(KEY_SHARE)
    return name(int.from_bytes(data[:2])) if data and len(data) >= 2 else None


def of_key_exchange(key_exchange: str, body: bytes) -> str | None:
    """The group of a ServerKeyExchange: a named curve (RFC 8422 §5.4), or `DH` and the size
    of its prime in bits (RFC 5246 §7.4.3). None where the exchange has none."""
    if "PSK" in key_exchange:
        body = body[2 + int.from_bytes(body[:2]) :]  # the identity hint
    if key_exchange.startswith(("ECDHE", "ECDH_anon")):
        known = len(body) >= 3 and body[0] == _NAMED_CURVE
        return name(int.from_bytes(body[1:3])) if known else None
    if key_exchange.startswith(("DHE", "DH_anon")) and len(body) > 2:
        prime = int.from_bytes(body[2 : 2 + int.from_bytes(body[:2])])
        return f"DH {prime.bit_length()}"
    return None
