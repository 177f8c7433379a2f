"""What reading and reassembly cost a packet: the walk and the assembler against scapy.

    python benchmarks/bench_reader.py [CAPTURE] [--packets N]

Without CAPTURE a synthetic one is written to a temporary folder: TCP downloads over
Ethernet and IPv4, two data segments of 1,400 bytes for each acknowledgment, 50
connections at a time; once more with VLAN tags and copies, as mirror ports write it. Each
row is the best of three runs, in one process, file cached. The first rows are the memory
of a capture and of one ten times longer.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from dissect.capture import open_capture
from dissect.model import Connection, Direction, Span
from dissect.transport import Assembler

CONNECTIONS = 50
PAYLOAD = bytes(1400)


class Sink:
    """A parser that does nothing, so that only transport is measured."""

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> tuple[()]:
        return ()

    def gap(self, direction: Direction, length: int, span: Span) -> tuple[()]:
        return ()

    def end(self, direction: Direction, span: Span) -> tuple[()]:
        return ()


TAG = b"\x81\x00\x00\x07"


def synthetic(path: Path, packets: int, pcapng: bool = False, mirrored: bool = False) -> None:
    """Write the capture that the module's docstring describes; `mirrored`: as a mirror port
    does, all packets with a VLAN tag, and half of them a second time."""
    with path.open("wb") as file:
        if pcapng:
            file.write(struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28))
            file.write(struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20))
        else:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        state = [[1000, 5000, 0] for _ in range(CONNECTIONS)]
        for number in range(packets):
            which = number % CONNECTIONS
            seq, ack, turn = conn = state[which]
            client = b"\x0a\x00\x00\x01", 40000 + which
            server = b"\x0a\x00\x00\x02", 443
            if turn == 0:
                packet = _packet(client, server, seq, 0, 0x02, b"")
                conn[0] += 1
            elif turn == 1:
                packet = _packet(server, client, ack, seq, 0x12, b"")
                conn[1] += 1
            elif turn % 3 == 2:
                packet = _packet(client, server, seq, ack, 0x10, b"")
            else:
                packet = _packet(server, client, ack, seq, 0x10, PAYLOAD)
                conn[1] = (ack + len(PAYLOAD)) & 0xFFFFFFFF
            conn[2] += 1
            micros = 1_700_000_000_000_000 + number * 20
            if mirrored:
                packet = packet[:12] + TAG + packet[12:]
            if pcapng:
                padded = packet + bytes(-len(packet) % 4)
                size = 32 + len(padded)
                file.write(
                    struct.pack(
                        "<7I",
                        6,
                        size,
                        0,
                        micros >> 32,
                        micros & 0xFFFFFFFF,
                        len(packet),
                        len(packet),
                    )
                    + padded
                    + struct.pack("<I", size)
                )
            else:
                size = len(packet)
                record = struct.pack("<4I", *divmod(micros, 1_000_000), size, size) + packet
                file.write(record * (2 if mirrored and number % 2 else 1))


def _packet(
    source: tuple[bytes, int],
    target: tuple[bytes, int],
    seq: int,
    ack: int,
    flags: int,
    data: bytes,
) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", source[1], target[1], seq, ack, 0x50, flags, 65535, 0, 0)
    total = 20 + len(tcp) + len(data)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 0, 0x4000, 64, 6, 0, source[0], target[0])
    return bytes(12) + b"\x08\x00" + ip + tcp + data


def drain(packets: Iterable[object]) -> int:
    count = 0
    for count, _ in enumerate(packets, 1):  # noqa: B007
        pass
    return count


def walk(path: Path) -> int:
    with open_capture(path) as capture:
        return drain(capture.packets())


def assemble(path: Path) -> int:
    def open_parser(connection: Connection) -> Sink:
        return Sink()

    with open_capture(path) as capture:
        assembler = Assembler(0, open_parser, open_parser, lambda message: None)
        assembler.feed(capture.packets())
        assembler.finish()
        return assembler.frames


def scapy_raw(path: Path) -> int:
    from scapy.utils import RawPcapNgReader, RawPcapReader

    kind = RawPcapNgReader if path.open("rb").read(4) == b"\x0a\x0d\x0d\x0a" else RawPcapReader
    with kind(str(path)) as reader:
        return drain(reader)


def scapy_dissected(path: Path) -> int:
    from scapy.layers.inet import TCP
    from scapy.utils import PcapReader

    count = 0
    with PcapReader(str(path)) as reader:
        for packet in reader:
            packet.getlayer(TCP)
            count += 1
            if count == 2000:
                break
    return count


def best(run: Callable[[Path], int], path: Path) -> tuple[float, int]:
    """(µs a packet, packets) of the fastest of three runs."""
    times = []
    count = 0
    for _ in range(3):
        begin = time.perf_counter()
        count = run(path)
        times.append(time.perf_counter() - begin)
    return min(times) / max(1, count) * 1e6, count


def peak_memory(path: Path) -> float:
    """MB at most that a fresh process needs to read and assemble `path`."""
    code = (
        "import sys, resource, pathlib; sys.path.insert(0, sys.argv[2]);"
        "sys.path.insert(0, sys.argv[3]); import bench_reader;"
        "bench_reader.assemble(pathlib.Path(sys.argv[1]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    here = Path(__file__).resolve().parent
    answer = subprocess.run(
        [sys.executable, "-c", code, str(path), str(here), str(here.parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(answer.stdout) / 1024


def table(path: Path) -> None:
    size = path.stat().st_size / 1e6
    print(f"{path.name}: {size:.1f} MB")
    for title, run in (
        ("walk", walk),
        ("walk + assembler", assemble),
        ("scapy raw reader", scapy_raw),
        ("scapy dissected", scapy_dissected),
    ):
        micros, count = best(run, path)
        print(f"  {title:<20}{micros:>9.2f} µs/packet  ({count} packets)")


def main() -> None:
    parser = argparse.ArgumentParser(description="µs per packet of the readers")
    parser.add_argument("capture", nargs="?", type=Path)
    parser.add_argument("--packets", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.capture:
        table(arguments.capture)
        return
    with tempfile.TemporaryDirectory() as folder:
        # Memory first: a child's peak is never below what its parent had when it started.
        path = Path(folder) / "synthetic.pcapng"
        for factor in (1, 10):
            synthetic(path, arguments.packets // 2 * factor, pcapng=True)
            size = path.stat().st_size / 1e6
            print(f"memory at most, {size:.0f} MB of capture: {peak_memory(path):.0f} MB")
        for name in ("synthetic.pcap", "synthetic.pcapng", "mirrored.pcap"):
            path = Path(folder) / name
            synthetic(path, arguments.packets, name.endswith("ng"), name.startswith("mirrored"))
            table(path)


if __name__ == "__main__":
    main()
