"""Files that are no captures, and key logs: one line each, and what it says."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dissect.capture import link_name, open_capture, read_key_log
from dissect.capture.linktypes import NATIVE
from dissect.errors import CaptureError, UsageError
from dissect.transport.links import LINKS

from . import containers as c


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n", "neither pcap nor pcapng"),
        (b"GET / HTTP/1.1\r\n\r\n", "neither pcap nor pcapng"),
        (gzip.compress(b"", mtime=0), "nothing is inside the gzip data"),
        (gzip.compress(b"text", mtime=0), "neither pcap nor pcapng"),
        (gzip.compress(c.pcap([]), mtime=0)[:12], "the gzip data is cut short"),
        (b"\x1f\x8b" + b"\xff" * 40, "the gzip data is damaged"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 40, "the zstd data is damaged"),
        (b"\x04\x22\x4d\x18" + b"\xff" * 40, "the lz4 data is damaged"),
    ],
)
def test_no_capture(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "some file ü.pcap"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as caught:
        open_capture(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no such file"):
        open_capture(tmp_path / "absent.pcap")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="a directory"):
        open_capture(tmp_path)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As the system answers it, also when the tests run as root.
    def refuse(name: str) -> None:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr("dissect.capture.file.io.FileIO", refuse)
    with pytest.raises(CaptureError, match="no permission"):
        open_capture(tmp_path / "x.pcap")


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(CaptureError, match="not a file name"):
        open_capture("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = c.section() + c.interface() + c.enhanced(1, b"x") + c.secrets(b"keys\n")
    code = "import sys; open(sys.argv[1], 'wb').write(bytes.fromhex(sys.argv[2]))"
    writer = subprocess.Popen([sys.executable, "-c", code, str(path), data.hex()])
    with writer, open_capture(path) as capture:
        assert len(capture.secrets) == 1
        assert len(list(capture.packets())) == 1


def test_a_decompressor_that_is_absent_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = tmp_path / "x.pcap"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(CaptureError, match="package zstandard is absent"):
        open_capture(path)


def test_key_logs(tmp_path: Path) -> None:
    path = tmp_path / "schlüssel.keys"
    path.write_bytes(b"CLIENT_RANDOM aa bb\r\n")
    log = read_key_log(path)
    assert bytes(log.text) == b"CLIENT_RANDOM aa bb\r\n"
    assert log.origin == str(path)
    assert "bb" not in repr(log)
    with pytest.raises(UsageError, match="no such key log"):
        read_key_log(tmp_path / "absent.keys")
    with pytest.raises(UsageError, match="directory"):
        read_key_log(tmp_path)


def test_link_types_that_transport_walks_are_those_that_scapy_is_not_asked_for() -> None:
    assert frozenset(LINKS) == NATIVE
    assert link_name(147) == "USER0"
    assert link_name(9999) == "LINKTYPE_9999"


def test_reading_common_captures_loads_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(c.pcap([(1, bytes(60))]))
    code = (
        "import sys; from dissect.capture import open_capture;"
        "from dissect.transport import Assembler;"
        "capture = open_capture(sys.argv[1]);"
        "Assembler(0, None, None, print).feed(capture.packets()); capture.close();"
        "heavy = {'scapy', 'zstandard', 'lz4', 'cryptography'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=root)
