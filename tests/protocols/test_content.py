"""Content codings; the encoders are zlib, brotli and zstandard themselves."""

from __future__ import annotations

import gzip
import random
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.protocols import content
from dissect.protocols.content import BodyCollector, decode

TEXT = b'{"access_token":"...","expires_in":3599}' * 40
# Does not compress, so that a cut leaves some of it decodable.
NOISE = random.Random(7).randbytes(20_000)


def raw_deflate(data: bytes) -> bytes:
    codec = zlib.compressobj(wbits=-15)
    return codec.compress(data) + codec.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("coding", ENCODERS)
def test_each_coding(coding: str) -> None:
    """Trouble 48."""
    assert decode(ENCODERS[coding](TEXT), [coding]) == (TEXT, None)
    assert decode(ENCODERS[coding](b""), [coding]) == (b"", None)


def test_deflate_without_its_header() -> None:
    """Trouble 48."""
    assert decode(raw_deflate(TEXT), ["deflate"]) == (TEXT, None)


def test_several_codings_are_undone_from_the_last() -> None:
    """Trouble 48."""
    assert decode(brotli.compress(gzip.compress(TEXT)), ["gzip", "br"]) == (TEXT, None)
    assert decode(gzip.compress(TEXT), ["identity", "gzip", ""]) == (TEXT, None)


def test_several_members() -> None:
    assert decode(gzip.compress(b"one ") + gzip.compress(b"two"), ["gzip"]) == (b"one two", None)
    assert decode(zstd(b"one ") + zstd(b"two"), ["zstd"]) == (b"one two", None)


@pytest.mark.parametrize("coding", ENCODERS)
def test_wrong_label_gives_the_bytes_as_they_are(coding: str) -> None:
    """Trouble 48."""
    data, problem = decode(b"<html>plain</html>", [coding])
    assert data == b"<html>plain</html>"
    assert problem is not None
    assert coding in problem


def test_unknown_coding() -> None:
    assert decode(b"abc", ["compress"]) == (b"abc", "content coding compress is not known")
    assert "geheim=" not in str(decode(b"abc", ["geheim=1"])[1])


@pytest.mark.parametrize("coding", ENCODERS)
def test_cut_data_gives_what_could_be_decoded(coding: str) -> None:
    """Trouble 48."""
    packed = ENCODERS[coding](NOISE)
    data, problem = decode(packed[:-500], [coding])
    assert NOISE.startswith(data)
    # zstd and brotli decode block by block, of up to 128 KB.
    if coding in ("gzip", "x-gzip", "deflate"):
        assert len(data) > 10_000
    assert problem is not None
    assert problem.endswith("ends early")


def test_damaged_data_gives_what_precedes_the_damage() -> None:
    packed = bytearray(gzip.compress(TEXT + NOISE))
    packed[-4] ^= 0xFF
    data, problem = decode(bytes(packed), ["gzip"])
    assert data == TEXT + NOISE
    assert problem == "gzip data is damaged"


@pytest.mark.parametrize("coding", ENCODERS)
def test_bombs_are_bounded(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_DECODED", 100_000)
    data, problem = decode(ENCODERS[coding](b"\0" * 5_000_000), [coding])
    assert len(data) == 100_000
    assert problem is not None
    assert "larger than 100000 bytes" in problem


def test_too_many_codings() -> None:
    assert decode(b"abc", ["gzip"] * 9)[0] == b"abc"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([*ENCODERS, "nope"]), st.integers(0, 200))
def test_any_bytes_raise_nothing(data: bytes, coding: str, cut: int) -> None:
    decode(data, [coding])
    if coding in ENCODERS:
        packed = bytearray(ENCODERS[coding](data))
        packed[cut % len(packed)] ^= 0x55
        decode(bytes(packed), [coding])


def test_collector_keeps_a_bounded_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_BODY", 10)
    collector = BodyCollector()
    for _ in range(5):
        collector.add(b"abcd")
    body = collector.body([])
    assert (body.data, body.wire_size) == (b"abcdabcdab", 20)
    assert body.problem == "only the first 10 of 20 bytes are kept"


def test_collector_does_not_join_over_a_hole() -> None:
    collector = BodyCollector()
    collector.add(b"begin")
    collector.lose(3)
    collector.add(b"end")
    body = collector.body([])
    assert (body.data, body.wire_size) == (b"begin", 8)
    assert body.problem == "3 bytes were not captured, the text stops there"
