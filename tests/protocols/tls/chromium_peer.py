"""Chromium against nginx: the browser writes the key log, nginx logs what passed.

Neither tells every byte of a head. What is known: the request line, the page, and from
nginx's log how many bytes of plaintext each connection took in and gave out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..drive import Part
from .nginx_peer import PAGE, serve
from .nginx_peer import here as nginx_here
from .peers import Recorded

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
here = CHROMIUM is not None and nginx_here
needs_chromium = pytest.mark.skipif(not here, reason="chromium or nginx is not installed")

PATIENCE = 60.0  # seconds; a browser takes its time to start

_LOG = "log_format sizes '$connection $request_length $bytes_sent $request';\n"


def record(folder: Path, directives: str) -> Recorded:
    """The connection on which the page came; sizes that differ from nginx's are an error."""
    assert CHROMIUM is not None
    log, keys = folder / "sizes.log", folder / "chromium.keys"
    with serve(folder, f"access_log {log} sizes; default_type text/html;\n{directives}",
               outside=_LOG) as relay:  # fmt: skip
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
             "--disable-quic", f"--user-data-dir={folder / 'profile'}", "--dump-dom",
             f"https://127.0.0.1:{relay.port}/page"],
            env={**os.environ, "SSLKEYLOGFILE": str(keys)}, capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert b"<title>lab</title>" in done.stdout, done.stderr[-500:]
    sizes: dict[str, list[int]] = {}
    wanted = ""
    for line in log.read_text().splitlines():
        connection, taken, given, request = line.split(" ", 3)
        total = sizes.setdefault(connection, [0, 0])
        total[0] += int(taken)
        total[1] += int(given)
        if "/page" in request:
            wanted = connection
    # What the page came on has most bytes; sizes are those of that connection alone.
    parts = max(relay.recordings, key=_size)
    return Recorded(
        parts,
        keys.read_bytes(),
        (b"GET /page HTTP/1.1\r\n", PAGE),
        whole=False,
        sizes=(sizes[wanted][0], sizes[wanted][1]),
    )


def _size(parts: list[Part]) -> int:
    return sum(len(flight) for _, flight in parts if isinstance(flight, bytes))


SUITES12 = (
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA",
    "AES128-GCM-SHA256",
)
SUITES13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


def tries() -> Iterator[tuple[str, str, str, Callable[[Path], Recorded]]]:
    """(version, suite, feature, how to record it)"""
    if not here:
        return
    for suite in SUITES12:
        yield (
            "TLS 1.2",
            suite,
            "plain",
            _later(f"ssl_protocols TLSv1.2; ssl_ciphers {suite}:@SECLEVEL=0;\n"),
        )
    for suite in SUITES13:
        only = f"ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {suite};\n"
        yield "TLS 1.3", suite, "plain", _later(only)
        yield "TLS 1.3", suite, "HelloRetryRequest", _later(only + "ssl_ecdh_curve secp384r1;\n")


def _later(directives: str) -> Callable[[Path], Recorded]:
    return lambda folder: record(folder, directives)
