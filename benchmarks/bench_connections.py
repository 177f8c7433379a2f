"""What a capture of many short TLS connections costs, from the file to the messages.

Real handshakes of Python's own ssl, a request and an answer each; every connection has
its own secrets. Times are those of the processor.
`python benchmarks/bench_connections.py [connections]` prints the figures.
"""

from __future__ import annotations

import contextlib
import resource
import ssl
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench_tls import SEGMENT, Wire, self_signed

from dissect.engines import CaptureInput, embedded
from dissect.model import TlsConnection

REQUEST = b"GET /poll HTTP/1.1\r\nHost: bench.test\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
SYN, ACK, FIN = 2, 16, 1
VERSIONS = (("TLS 1.3", ssl.TLSVersion.TLSv1_3), ("TLS 1.2", ssl.TLSVersion.TLSv1_2))


def sessions(folder: Path, version: ssl.TLSVersion, count: int) -> Iterator[Wire]:
    """Connections one after the other; their secrets go to `folder`/keys."""
    # A key that signs fast: most of the time would go into making the handshakes.
    pem = self_signed(folder, "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(pem)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.keylog_filename = str(folder / "keys")
    for context in (client, server):
        context.minimum_version = context.maximum_version = version
    for _ in range(count):
        inboxes, outboxes = [ssl.MemoryBIO() for _ in "cs"], [ssl.MemoryBIO() for _ in "cs"]
        ends = (
            client.wrap_bio(inboxes[0], outboxes[0], server_hostname="bench.test"),
            server.wrap_bio(inboxes[1], outboxes[1], server_side=True),
        )
        wire: Wire = []

        def carry(direction: int) -> None:
            flight = outboxes[direction].read()  # noqa: B023
            if flight:
                wire.append((direction, flight))  # type: ignore[arg-type]  # noqa: B023
                inboxes[direction ^ 1].write(flight)  # noqa: B023

        for _ in range(3):
            for direction in (0, 1):
                with contextlib.suppress(ssl.SSLWantReadError):
                    ends[direction].do_handshake()
                carry(direction)
        for direction, text in ((0, REQUEST), (1, ANSWER)):
            ends[direction].write(text)
            carry(direction)
        yield wire


def write(path: Path, connections: Iterator[Wire]) -> int:
    """A pcap of them; how many packets it has."""
    count = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, wire in enumerate(connections):
            ends = (
                (b"\x0a\0" + (number // 50000).to_bytes(2), 10000 + number % 50000),
                (b"\xc6\x33\x64\1", 443),
            )
            seq = [1000, 5000]
            segments = [(0, SYN, b""), (1, SYN | ACK, b"")]
            segments += [
                (direction, ACK, flight[at : at + SEGMENT])
                for direction, flight in wire
                for at in range(0, len(flight), SEGMENT)
            ]
            segments += [(0, FIN | ACK, b""), (1, FIN | ACK, b"")]
            for direction, flags, payload in segments:
                (source, sport), (target, dport) = ends[direction], ends[direction ^ 1]
                ack = seq[direction ^ 1] if flags & ACK else 0
                tcp = struct.pack("!HHIIBBHHH", sport, dport, seq[direction], ack, 0x50, flags,
                                  65535, 0, 0)  # fmt: skip
                size = 40 + len(payload)
                ip = struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0, 64, 6, 0) + source + target
                packet = bytes(12) + b"\x08\0" + ip + tcp + payload
                head = struct.pack("<IIII", 1_700_000_000 + count // 1000, count % 1000 * 1000,
                                   len(packet), len(packet))  # fmt: skip
                file.write(head + packet)
                seq[direction] += len(payload) + bool(flags & (SYN | FIN))
                count += 1
    return count


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for name, version in VERSIONS:
        with tempfile.TemporaryDirectory() as where:
            folder = Path(where)
            path = folder / "many.pcap"
            packets = write(path, sessions(folder, version, wanted))
            started = time.process_time()
            undecrypted = embedded.read([CaptureInput(str(path))])
            without = time.process_time() - started
            started = time.process_time()
            read = embedded.read([CaptureInput(str(path), (str(folder / "keys"),))])
            took = time.process_time() - started
            rows = [item for item in read.messages if isinstance(item, TlsConnection)]
            assert [row.decrypted for row in rows] == ["full"] * wanted
            assert sum(isinstance(item, TlsConnection) for item in undecrypted.messages) == wanted
            print(
                f"{name}: {wanted} connections, {packets} packets: {took:.2f} s, "
                f"{took / wanted * 1e6:.0f} µs a connection; without keys "
                f"{without / wanted * 1e6:.0f} µs"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"memory at most: {peak} MB")


if __name__ == "__main__":
    main()
