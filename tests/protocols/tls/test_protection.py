"""Record protection against records made by hand with the library's ciphers."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from dissect.protocols.tls.mac_ciphers import CbcOpener, Mac, Unauthenticated
from dissect.protocols.tls.protection import Opener
from dissect.protocols.tls.suites import CIPHERS

KEY, MAC_KEY, IV = b"k" * 16, b"m" * 20, b"i" * 16
CONTENT = b"twenty-seven bytes of text."


def header(size: int) -> bytes:
    return b"\x17\x03\x03" + size.to_bytes(2)


def sealed(seq: int, padding: bytes) -> bytes:
    """A record of TLS 1.2, AES-128-CBC and HMAC-SHA-1, with the padding as given."""
    bound = seq.to_bytes(8) + b"\x17\x03\x03" + len(CONTENT).to_bytes(2) + CONTENT
    mac = hmac.new(MAC_KEY, bound, hashlib.sha1).digest()
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(IV)).encryptor()
    return IV + encryptor.update(CONTENT + mac + padding) + encryptor.finalize()


def opener() -> CbcOpener:
    mac = Mac("sha1", MAC_KEY, ssl3=False)
    return CbcOpener(CIPHERS["AES_128_CBC"], KEY, mac, None, etm=False, ssl3=False)


@pytest.mark.parametrize("blocks", [0, 1, 14])
def test_padding_of_any_length(blocks: int) -> None:
    size = 16 * blocks  # 27 + 20 + 1 bytes are three blocks
    body = sealed(0, bytes((size,)) * (size + 1))
    assert opener().open(header(len(body)), body) == (23, CONTENT)


@pytest.mark.parametrize(
    "padding",
    [b"\x10" + b"\0" * 15 + b"\x10", b"\x0f" * 16 + b"\x10", b"\xff" * 17, b"\x01" * 17],
)
def test_wrong_padding(padding: bytes) -> None:
    """The MAC doesn't cover it: it has to be looked at by itself."""
    body = sealed(0, padding)
    assert opener().open(header(len(body)), body) is None


def test_number_of_the_record_counts() -> None:
    body = sealed(5, b"\0")
    one = opener()
    assert one.open(header(len(body)), body) is None
    assert not one.locate(header(len(body)), body, 5)
    assert one.locate(header(len(body)), body, 6)
    assert one.open(header(len(body)), body) == (23, CONTENT)
    assert one.seq == 6


@pytest.mark.parametrize("name", [name for name, one in CIPHERS.items() if one.kind == "cbc"])
@pytest.mark.parametrize("etm", [True, False])
def test_bodies_of_impossible_sizes(name: str, etm: bool) -> None:
    cipher = CIPHERS[name]
    for iv in (None, bytes(cipher.block)):
        mac = Mac("sha1", MAC_KEY, ssl3=False)
        one = CbcOpener(cipher, bytes(range(cipher.key)), mac, iv, etm=etm, ssl3=False)
        for size in range(70):
            assert one.open_at(0, header(size), bytes(size)) is None


def test_openers_show_nothing() -> None:
    assert repr(opener()) == "<CbcOpener record 0>"
    with pytest.raises(TypeError):
        Opener().open_at(0, header(0), b"")


def test_null_cipher_without_a_secret() -> None:
    body = CONTENT + bytes(20)
    assert Unauthenticated("sha1").open(header(len(body)), body) == (23, CONTENT)
    assert Unauthenticated("sha1").open(header(5), b"short") is None
