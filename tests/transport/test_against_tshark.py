"""Every real capture, read by dissect and by tshark: frames, link types, times, IP pairs,
streams, bytes a direction of TCP and UDP.

tshark is an oracle, not the truth: `KNOWN` lists where the two differ, and who is right.
An entry that no longer occurs fails, so the list can't rot.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dissect.capture import open_capture
from dissect.model import Anomaly, Connection, Direction, Message, Span, TcpConnection
from dissect.transport import Assembler

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "captures"
SUFFIXES = (".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz", ".pcapng.zst")
CAPTURES = sorted(
    path
    for folder in (SHARED, ROOT / "captures")
    for path in folder.glob("*/*")
    if path.name.endswith(SUFFIXES)
)

# Wireshark's encapsulation numbers (frame.encap_type) as LINKTYPE_ values.
LINK_OF_ENCAP = {1: 1, 4: 9, 7: 101, 15: 0, 23: 127, 25: 113}
LINK_OF_ENCAP |= {129: 228, 130: 229, 141: 239, 210: 276}

# tshark puts this into the bytes where some are lost.
MISSING = re.compile(rb"\[\d+ bytes missing in capture file\]\.?\0?")

KEEP_ALIVE = "dissect: a keep-alive's byte before the first segment is no data (RFC 9293 §3.8.4)"
COPY = "dissect: the same packet twice (same IP identification), so one message is handed on"
KNOWN: dict[str, dict[str, str]] = {
    "containers/pcapng-test202-three_sections-le.pcapng": {"udp 2 192.168.1.139:17500": COPY},
    "containers/pcapplusplus-many_interfaces.pcapng": {
        "udp 0 192.168.1.139:17500": COPY,
        "udp 1 192.168.1.139:17500": COPY,
    },
    "http/scapy-http_chunked.pcap.gz": {
        "bytes 0 192.168.62.91:53226": KEEP_ALIVE,
        "bytes 1 192.168.62.91:53019": KEEP_ALIVE,
    },
    "link-layers/pcapplusplus-raw_ip.pcap": {
        "bytes 3 10.0.0.1:55461": KEEP_ALIVE,
        "udp 1 0.0.0.0:68": COPY,
    },
    "malformed/libpcap-shb_option_too_long.pcapng": {
        "frames": "dissect: nothing needs the section's options, so the packet can be read",
    },
}


ADDRESSES = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst")


class Recorder:
    """A parser that keeps what it is given."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sent = {connection.client: b"", connection.server: b""}

    def data(self, direction: Direction, view: bytes | memoryview, span: Span) -> tuple[()]:
        self.sent[self.connection.sender(direction)] += bytes(view)
        return ()

    def gap(self, direction: Direction, length: int, span: Span) -> tuple[()]:
        return ()

    def end(self, direction: Direction, span: Span) -> tuple[()]:
        return ()


class Read:
    """A capture as dissect reads it."""

    def __init__(self, path: Path) -> None:
        self.recorders: dict[tuple[str, int], Recorder] = {}
        self.messages: list[Message | Anomaly] = []
        self.assembler = Assembler(0, self._open, self._open, self.messages.append)
        self.frames: list[tuple[int, int]] = []
        self.tcp: dict[int, int] = {}
        self.udp: dict[int, int] = {}
        with open_capture(path) as capture:
            for packet in capture.packets():
                self.frames.append(packet[:2])
                self.assembler.feed([packet])
                self._streams(packet[0])
            self.links = set(capture._tally.links)
        self.assembler.finish()

    def _open(self, connection: Connection) -> Recorder:
        recorder = self.recorders[connection.transport, connection.stream] = Recorder(connection)
        return recorder

    def addresses(self, kind: str, stream: int) -> set[str]:
        if kind == "tcp":
            return {state.sender.address for state in self.assembler.flows[stream].states}
        where = self.assembler.pairs[stream].connection
        return {where.client.address, where.server.address}

    def _streams(self, frame: int) -> None:
        for flow in self.assembler.flows:
            if any(state.last_frame == frame for state in flow.states):
                self.tcp[frame] = flow.stream
        for pair in self.assembler.pairs:
            if pair.last_frame == frame:
                self.udp[frame] = pair.connection.stream


class Oracle:
    """The same by tshark, in one run: fields of every frame, then the bytes of streams."""

    def __init__(self, path: Path, streams: int, pairs: list[int]) -> None:
        follow = [word for n in range(streams) for word in ("-z", f"follow,tcp,raw,{n}")]
        follow += [word for n in pairs for word in ("-z", f"follow,udp,raw,{n}")]
        fields = ["frame.number", "frame.time_epoch", "frame.encap_type", "tcp.stream"]
        fields += ["udp.stream", "icmp.type", "icmpv6.type", *ADDRESSES]
        command = ["tshark", "-n", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE"]
        # Ports that SDP named give each direction of the media a conversation of its own, which
        # tshark numbers as two streams.
        command += ["-o", "sdp.establish_conversation:FALSE"]
        command += ["-T", "fields", *(word for name in fields for word in ("-e", name))]
        run = subprocess.run(
            command + follow,
            capture_output=True,
            text=True,
            check=False,
        )
        fields_text, _, follow_text = run.stdout.partition("\n=====")
        self.rows = [line.split("\t") for line in fields_text.splitlines() if line]
        self.sent: dict[tuple[str, int], dict[str, bytes]] = {}
        nodes: list[str] = []
        stream = "", -1
        for line in follow_text.splitlines():
            if line.startswith(("Filter: tcp.stream eq ", "Filter: udp.stream eq ")):
                stream = line[8:11], int(line.rsplit(" ", 1)[1])
            elif line.startswith("Node "):
                nodes = [*nodes, line.split(": ", 1)[1]][-2:]
                self.sent.setdefault(stream, {})[nodes[-1]] = b""
            elif line and not line.startswith(("=", "Follow")):
                sender = nodes[1] if line.startswith("\t") else nodes[0]
                self.sent[stream][sender] += MISSING.sub(b"", bytes.fromhex(line.strip()))


def streams_of(cell: str) -> list[int]:
    return [int(word) for word in cell.split(",") if word]


def nanoseconds(text: str) -> int:
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))


@functools.lru_cache(maxsize=4)
def both(path: Path) -> tuple[Read, Oracle]:
    ours = Read(path)
    pairs = [pair.connection.stream for pair in ours.assembler.pairs if not pair.tunnel]
    return ours, Oracle(path, len(ours.assembler.flows), pairs)


def differences(path: Path) -> dict[str, str]:
    """What differs: a short key, and the detail."""
    ours, theirs = both(path)
    found: dict[str, str] = {}
    if len(ours.frames) != len(theirs.rows):
        found["frames"] = f"{len(ours.frames)}, tshark {len(theirs.rows)}"
    encaps = {LINK_OF_ENCAP[int(row[2])] for row in theirs.rows if row[2]}
    if not encaps <= ours.links:
        found["links"] = f"{ours.links}, tshark {encaps}"
    for (frame, ns), row in zip(ours.frames, theirs.rows, strict=False):
        if row[1] and nanoseconds(row[1]) != ns:
            found.setdefault("times", f"frame {frame}: {ns}, tshark {row[1]}")
        if row[5] or row[6]:
            continue  # the stream of a packet quoted in an ICMP error: numbered, not counted
        for name, mine, cell in (("tcp", ours.tcp, row[3]), ("udp", ours.udp, row[4])):
            wanted = streams_of(cell)
            if (frame in mine or wanted) and mine.get(frame) not in wanted:
                found.setdefault(name, f"frame {frame}: {mine.get(frame)}, tshark {wanted}")
        for name, number in (("tcp", ours.tcp.get(frame)), ("udp", ours.udp.get(frame))):
            if number is None:
                continue
            there = {address for cell in row[7:] for address in cell.split(",") if address}
            if not ours.addresses(name, number) <= there:
                found.setdefault("pairs", f"frame {frame}: {name} {number}, tshark {there}")
    for (kind, stream), sent in theirs.sent.items():
        recorder = ours.recorders.get((kind, stream))
        got = {str(end): data for end, data in recorder.sent.items()} if recorder else {}
        for end, data in sent.items():
            mine = got.get(end, b"")
            if mine != data:
                key = f"bytes {stream} {end}" if kind == "tcp" else f"udp {stream} {end}"
                found[key] = f"{len(mine)}, tshark {len(data)}"
    return found


@pytest.mark.skipif(not CAPTURES, reason="no captures beside or in the repository")
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_frames_times_and_streams_equal_tsharks(path: Path) -> None:
    found = differences(path)
    known = KNOWN.get(f"{path.parent.name}/{path.name}", {})
    new = {key: text for key, text in found.items() if key not in known}
    assert not new
    assert set(known) <= set(found), "a known difference no longer occurs"
    rows = [item for item in both(path)[0].messages if isinstance(item, TcpConnection)]
    assert [row.place.connection.stream for row in rows] == list(range(len(rows)))
