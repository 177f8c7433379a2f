"""What TLS costs: a record of 16 KB, a connection, a connection that stays undecrypted.

The sessions are recorded here, from Python's own ssl over memory BIOs; no network, no
root. `python benchmarks/bench_tls.py [seconds]` prints one line a figure.
"""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dissect.model import Connection, Direction, Endpoint, Output, Span
from dissect.protocols.base import Layer
from dissect.protocols.tls.parser import TlsParser
from dissect.protocols.tls.secret_store import SecretStore

CONNECTION = Connection(0, "tcp", 0, Endpoint("192.0.2.1", 50000), Endpoint("198.51.100.1", 443))
SEGMENT = 1448
RECORDS = 256
SUITES = (
    ("TLS 1.3 AES-256-GCM", ssl.TLSVersion.TLSv1_3, None),
    ("TLS 1.2 AES-128-GCM", ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256"),
    ("TLS 1.2 ChaCha20", ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-CHACHA20-POLY1305"),
    ("TLS 1.2 AES-256-CBC SHA-1", ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES256-SHA"),
)

Wire = list[tuple[Direction, bytes]]


class Nothing:
    """A child that costs nothing."""

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> Output:
        return ()

    def gap(self, direction: Direction, length: int, span: Span) -> Output:
        return ()

    def end(self, direction: Direction, span: Span) -> Output:
        return ()


def self_signed(folder: Path, *key: str) -> Path:
    """A certificate and its key in one file; `key` are options of openssl for another kind."""
    pem = folder / "peer.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", *(key or ("rsa:2048",)), "-nodes", "-days", "2",
         "-subj", "/CN=bench", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return pem


def record(
    folder: Path, pem: Path, version: ssl.TLSVersion, ciphers: str | None, size: int
) -> tuple[Wire, bytes]:
    """A connection whose server sends `size` bytes, and its key log."""
    keys = Path(tempfile.mkdtemp(dir=folder)) / "keys"
    server, client = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
    server.load_cert_chain(pem)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.keylog_filename = str(keys)
    for context in (client, server):
        context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
    inboxes, outboxes = [ssl.MemoryBIO() for _ in "cs"], [ssl.MemoryBIO() for _ in "cs"]
    ends = (
        client.wrap_bio(inboxes[0], outboxes[0], server_hostname="bench.test"),
        server.wrap_bio(inboxes[1], outboxes[1], server_side=True),
    )
    wire: Wire = []

    def carry(direction: Direction) -> None:
        flight = outboxes[direction].read()
        if flight:
            wire.append((direction, flight))
            inboxes[direction ^ 1].write(flight)

    for _ in range(4):
        for direction in (0, 1):
            with contextlib.suppress(ssl.SSLWantReadError):
                ends[direction].do_handshake()
            carry(direction)  # type: ignore[arg-type]
    ends[0].write(b"GET / HTTP/1.1\r\n\r\n")
    carry(0)
    ends[1].write(bytes(size))
    carry(1)
    return wire, keys.read_bytes()


def segments(wire: Wire) -> Wire:
    return [
        (direction, flight[at : at + SEGMENT])
        for direction, flight in wire
        for at in range(0, len(flight), SEGMENT)
    ]


def run(parts: Wire, store: SecretStore) -> None:
    parser = TlsParser(Layer(CONNECTION, lambda _: Nothing()), store)
    span = Span(1, 1, 1, 1)
    for direction, content in parts:
        parser.data(direction, content, span)
    parser.end(0, span)
    parser.end(1, span)


def measure(act: Callable[[], None], seconds: float) -> float:
    """Seconds a call, the best of many."""
    act()
    best, until = 1e9, time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    code = (
        "import time; start = time.perf_counter(); import dissect.protocols.tls.{}; "
        "print(time.perf_counter() - start)"
    )
    for module in ("handshake", "parser"):
        command = [sys.executable, "-c", code.format(module)]
        took = min(float(subprocess.check_output(command)) for _ in range(3))
        print(f"import of tls.{module:10}                {took * 1e3:8.1f} ms")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pem = self_signed(folder)
        for title, version, ciphers in SUITES:
            wire, keys = record(folder, pem, version, ciphers, 1)
            large, large_keys = record(folder, pem, version, ciphers, RECORDS * 16384)
            store = SecretStore()
            store.add_key_log(keys + large_keys, "bench")
            small_parts, large_parts = segments(wire), segments(large)
            once = measure(lambda: run(small_parts, store), seconds)  # noqa: B023
            bulk = measure(lambda: run(large_parts, store), seconds)  # noqa: B023
            undecrypted = measure(lambda: run(large_parts, SecretStore()), seconds)  # noqa: B023
            print(f"{title:26} connection {once * 1e6:8.0f} µs")
            print(f"{title:26} record of 16 KB {(bulk - once) / RECORDS * 1e6:5.1f} µs, "
                  f"shut {(undecrypted - once) / RECORDS * 1e6:5.1f} µs")  # fmt: skip


if __name__ == "__main__":
    main()
