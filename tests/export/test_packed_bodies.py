"""Compressed bodies in an export: bytes around the body leave nothing (RFC 1952, RFC 1950)."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from tests.export.planted import tcp, written
from tests.export.test_leaks import GET, PLANTED
from tests.export.test_masked import answer, changed

BODY = b'{"lang": "en"}'
FTEXT, FHCRC, FEXTRA, FNAME, FCOMMENT = 1, 2, 4, 8, 16  # RFC 1952 §2.3.1


def member(flags: int, fields: bytes = b"", body: bytes = BODY) -> bytes:
    """A gzip member with optional fields in its header, as RFC 1952 §2.3 writes it."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\xff" + fields
    if flags & FHCRC:
        head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    raw = zlib.compressobj(wbits=-15)
    tail = zlib.crc32(body).to_bytes(4, "little") + len(body).to_bytes(4, "little")
    return head + raw.compress(body) + raw.flush() + tail


EXTRA = (4 + len(PLANTED)).to_bytes(2, "little") + b"AP" + len(PLANTED).to_bytes(2, "little")
HELD = {
    "name": member(FNAME, PLANTED + b"\0"),
    "comment": member(FCOMMENT, PLANTED + b"\0"),
    "name and comment": member(FNAME | FCOMMENT, b"a\0" + PLANTED + b"\0"),
    "extra field": member(FEXTRA, EXTRA + PLANTED),
    "name and checksum of the header": member(FNAME | FHCRC, PLANTED + b"\0"),
    "bytes behind": member(0) + PLANTED,
}
CODINGS = {"gzip": member(0), "deflate": zlib.compress(BODY)}


def exported(tmp_path: Path, packed: bytes, coding: str) -> tuple[bytes, bytes]:
    response = answer(packed, "application/json", f"Content-Encoding: {coding}")
    result, out = changed(written(tmp_path / "packed.pcap", tcp(GET, response)))
    assert list(result.reported()) == []
    return response, out.read_bytes()


@pytest.mark.parametrize("where", HELD)
def test_what_a_gzip_header_holds_beside_the_body_does_not_leave(
    tmp_path: Path, where: str
) -> None:
    """Any reader of the capture finds a file name or comment there, though no browser shows it."""
    packed = HELD[where]
    reader = zlib.decompressobj(31)
    assert reader.decompress(packed) == BODY  # a real gzip member
    _, content = exported(tmp_path, packed, "gzip")
    assert PLANTED not in content
    assert packed[-8:] not in content
    assert b"Content-Encoding: gzip" in content


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_alone_stays_as_it_was(tmp_path: Path, coding: str) -> None:
    response, content = exported(tmp_path, CODINGS[coding], coding)
    assert response in content


def test_what_gzip_itself_writes_stays(tmp_path: Path) -> None:
    response, content = exported(tmp_path, gzip.compress(BODY, mtime=0), "gzip")
    assert response in content


@pytest.mark.parametrize("coding", CODINGS)
def test_bytes_behind_any_coding_do_not_leave(tmp_path: Path, coding: str) -> None:
    _, content = exported(tmp_path, CODINGS[coding] + PLANTED, coding)
    assert PLANTED not in content


@pytest.mark.parametrize("second", [b"", BODY, PLANTED])
def test_a_second_member_does_not_leave(tmp_path: Path, second: bytes) -> None:
    """RFC 1952 §2.2: members follow one another; browsers read the first alone."""
    packed = member(0) + member(0, body=second)
    _, content = exported(tmp_path, packed, "gzip")
    assert packed not in content
    assert packed[-12:] not in content
