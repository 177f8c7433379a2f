"""HTTP/2 of real peers, the capture begun late: header fields are right or unknown, never guessed.

Each cut capture is compared with the whole one, whose messages equal tshark's (test_tshark.py).
"""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

import pytest

from dissect.model import HttpRequest, HttpResponse
from dissect.pipeline import RunOptions, Session

Key = tuple[str, str, int | None]
Fields = list[tuple[bytes, bytes]]
UNKNOWN = "‹unknown›".encode()


def messages(path: Path) -> dict[Key, Fields]:
    return {
        (type(m).__name__, str(m.place.connection.client), m.h2_stream): [
            (bytes(name), bytes(value)) for name, value in m.headers
        ]
        for m in Session(RunOptions((str(path),))).messages
        if isinstance(m, HttpRequest | HttpResponse)
    }


@cache
def whole(path: Path) -> dict[Key, Fields]:
    return messages(path)


def without_the_first(path: Path, count: int, target: Path) -> Path:
    """The pcap file without its first packets."""
    data = path.read_bytes()
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    at = 24
    for _ in range(count):
        at += 16 + struct.unpack_from(order + "I", data, at + 8)[0]
    target.write_bytes(data[:24] + data[at:])
    return target


@pytest.mark.parametrize("count", [5, 6, 10, 24])
@pytest.mark.parametrize(
    "name", ["arkime-h2c_nghttp2", "suricata-h2c_continuation", "suricata-h2c_deflate",
             "suricata-h2_doh_post"]
)  # fmt: skip
def test_fields_are_right_or_unknown(
    name: str, count: int, shared_captures: Path, tmp_path: Path
) -> None:
    path = shared_captures / "http2" / f"{name}.pcap"
    expected = whole(path)
    found = messages(without_the_first(path, count, tmp_path / "late.pcap"))
    assert set(found) <= set(expected)
    for key, fields in found.items():
        for field in fields:
            assert UNKNOWN in field or field in expected[key], (key, field[0])


def test_some_are_known_some_unknown_and_later_ones_right_again(
    shared_captures: Path, tmp_path: Path
) -> None:
    path = shared_captures / "http2" / "suricata-h2_doh_post.pcap"
    found = messages(without_the_first(path, 6, tmp_path / "late.pcap"))
    fields = [field for each in found.values() for field in each]
    unknown = [field for field in fields if UNKNOWN in field]
    assert len(found) > 60
    assert 0 < len(unknown) < len(fields)
    # What was sent as new after the beginning is known by its number later on.
    complete = [key for key, each in found.items() if not any(UNKNOWN in f for f in each)]
    assert any(found[key] == whole(path)[key] for key in complete)
