"""pcap and pcapng as the specifications write them, cut, damaged, compressed, streamed."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.capture import CaptureFile, open_capture
from dissect.capture import file as file_module
from dissect.capture import source as source_module

from . import containers as c

PACKETS = [
    (1_700_000_000_123_456_000, b"first packet"),
    (1_700_000_001_000_000_000, b"2nd"),
    (1_700_000_000_999_999_000, bytes(61)),
]
KEYS = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n"


class Pipe(io.BytesIO):
    """Standard input: not seekable, a few bytes a read."""

    name = "<stdin>"

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(min(size or 1, 7) if size != -1 else 7)


def read(data: bytes | io.BytesIO) -> tuple[list[tuple[int, bytes]], CaptureFile]:
    """((ns, packet) of all frames, the capture after it was read)."""
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    with open_capture(stream) as capture:
        packets = [
            (ns, buf[start : start + size]) for _, ns, _, buf, start, size, _ in capture.packets()
        ]
        return packets, capture


def ng(packets: list[tuple[int, bytes]] = PACKETS, order: str = "<") -> bytes:
    data = c.section(order) + c.interface(order, options=c.resolution(9, order))
    return data + b"".join(c.enhanced(ns, packet, 0, order) for ns, packet in packets)


Packets = list[tuple[int, bytes]]


def late(packets: Packets) -> bytes:
    """Each packet of an interface of its own, declared right before it; then a comment."""
    data = c.section(options=c.option(4, b"who wrote it"))
    for number, (ns, packet) in enumerate(packets):
        data += c.interface(options=c.resolution(9)) + c.enhanced(ns, packet, number)
    return data


MAKE: dict[str, Callable[[Packets], bytes]] = {
    "pcap µs LE": c.pcap,
    "pcap µs BE": lambda packets: c.pcap(packets, order=">"),
    "pcap ns LE": lambda packets: c.pcap(packets, nano=True),
    "pcap ns BE": lambda packets: c.pcap(packets, nano=True, order=">"),
    "pcap Kuznetzov": lambda packets: c.pcap(packets, magic=0xA1B2CD34),
    "pcap Kuznetzov BE": lambda packets: c.pcap(packets, magic=0xA1B2CD34, order=">"),
    "pcap Ixia ns": lambda packets: c.pcap(packets, magic=0x1C0001AC),
    "pcap Ixia µs": lambda packets: c.pcap(packets, magic=0x1C0001AB),
    "pcapng ns LE": ng,
    "pcapng ns BE": lambda packets: ng(packets, ">"),
    "pcapng obsolete blocks": lambda packets: (
        c.section()
        + c.interface(options=c.resolution(9))
        + b"".join(c.old_packet(ns, data) for ns, data in packets)
    ),
    "pcapng µs by default": lambda packets: (
        c.section() + c.interface() + b"".join(c.enhanced(ns // 1000, data) for ns, data in packets)
    ),
    "pcapng sections": lambda packets: b"".join(
        ng([packet], "<>"[number % 2]) for number, packet in enumerate(packets)
    ),
    "pcapng late interfaces": late,
}
FORMS = {form: make(PACKETS) for form, make in MAKE.items()}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_packets_in_every_container_form(form: str) -> None:
    packets, capture = read(FORMS[form])
    assert packets == PACKETS
    assert capture.anomalies == []
    info = capture.info()
    assert (info.frames, info.start_ns, info.end_ns) == (3, PACKETS[0][0], PACKETS[1][0])
    assert info.link_types == ("ETHERNET",)


@pytest.mark.parametrize("form", FORMS)
def test_a_pipe_gives_the_same_as_a_file(form: str) -> None:
    packets, capture = read(Pipe(FORMS[form]))
    assert packets == PACKETS
    assert capture.name == "standard input"
    assert capture.anomalies == []


WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip, two members": lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]),
    "gzip, zero padding": lambda data: gzip.compress(data) + bytes(512),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "zstd, two frames": lambda data: (
        zstandard.ZstdCompressor().compress(data[:50])
        + zstandard.ZstdCompressor().compress(data[50:])
    ),
    "lz4": lz4.frame.compress,
    "lz4, two frames": lambda data: lz4.frame.compress(data[:50]) + lz4.frame.compress(data[50:]),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("form", ["pcap µs LE", "pcapng ns LE"])
def test_compression_is_recognised_by_its_first_bytes(
    wrapper: str, piped: bool, form: str, tmp_path: Path
) -> None:
    data = WRAPPERS[wrapper](FORMS[form])
    if piped:
        packets, capture = read(Pipe(data))
    else:
        path = tmp_path / "misleading näme.pcap.txt"
        path.write_bytes(data)
        with open_capture(path) as capture:
            packets = [(p[1], p[3][p[4] : p[4] + p[5]]) for p in capture.packets()]
    assert packets == PACKETS
    assert capture.anomalies == []


MANY = [(10**18 + n, zlib.crc32(bytes([n % 251])).to_bytes(4) * 200) for n in range(2000)]


def assert_the_packets_before_and_one_diagnostic(broken: bytes) -> None:
    packets, capture = read(broken)
    assert packets == MANY[: len(packets)]
    assert 0 < len(packets) < len(MANY)
    (anomaly,) = capture.anomalies
    assert anomaly.kind == "capture.cut"


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, lz4.frame.compress, zstandard.ZstdCompressor(level=-5).compress],
    ids=["gzip", "lz4", "zstd"],
)
def test_cut_compression_gives_the_packets_before_it(compress: Callable[[bytes], bytes]) -> None:
    for whole in (c.pcap(MANY, nano=True), ng(MANY)):
        data = compress(whole)
        assert_the_packets_before_and_one_diagnostic(data[: len(data) * 9 // 10])
        for size in range(len(data) // 2, len(data), len(data) // 23):
            packets, capture = read(data[:size])
            assert packets == MANY[: len(packets)]
            assert [a.kind for a in capture.anomalies] == ["capture.cut"]


def test_damaged_gzip_gives_the_packets_before_it() -> None:
    data = c.pcap(MANY, nano=True)
    half = len(data) // 2
    broken = gzip.compress(data[:half]) + b"\x1f\x8b" + b"\xff" * 64
    assert_the_packets_before_and_one_diagnostic(broken)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", [io.BytesIO, Pipe], ids=["file", "pipe"])
def test_cut_at_any_byte_every_whole_packet_and_one_diagnostic(
    form: str, source: type[io.BytesIO]
) -> None:
    data = FORMS[form]
    at = [len(MAKE[form](PACKETS[:n])) for n in range(4)]
    # The file may end after each block, too.
    ends = {size for size in range(4, len(data) + 1) if ends_with_a_block(data[:size], form)}
    assert set(at) - {0} <= ends
    for size in range(4, len(data)):
        packets, capture = read(source(data[:size]))
        count = sum(whole <= size for whole in at[1:])
        assert packets == PACKETS[:count], size
        assert len(capture.anomalies) == (0 if size in ends else 1), size
        for anomaly in capture.anomalies:
            assert anomaly.kind == "capture.cut"
            words = anomaly.sentence
            assert size < 28 or (("block" in words or "record" in words) and "offset" in words)


def ends_with_a_block(data: bytes, form: str) -> bool:
    """By the lengths that the blocks and records themselves have."""
    if form.startswith("pcapng"):
        at, order = 0, "little"
        while at + 12 <= len(data):
            if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
                order = "little" if data[at + 8] == 0x4D else "big"
            at += int.from_bytes(data[at + 4 : at + 8], order)  # type: ignore[arg-type]
        return at == len(data)
    order = "big" if "BE" in form else "little"
    at = 28 if "Ixia" in form else 24
    head = 24 if "Kuznetzov" in form else 16
    if len(data) < at:
        return False
    while at + head <= len(data):
        at += head + int.from_bytes(data[at + 8 : at + 12], order)  # type: ignore[arg-type]
    return at == len(data)


class Growing(io.FileIO):
    """A file to which another program appends between two reads, a bit at a time."""

    def __init__(self, path: Path, rest: bytes, step: int) -> None:
        super().__init__(path)
        self._path, self._rest, self._step = path, rest, step

    def read(self, size: int | None = -1) -> bytes:
        part, self._rest = self._rest[: self._step], self._rest[self._step :]
        with self._path.open("ab") as file:
            file.write(part)
        return super().read(size if size is not None else -1) or b""


@pytest.mark.parametrize("form", ["pcap ns LE", "pcapng ns BE", "pcapng late interfaces"])
@pytest.mark.parametrize("step", [1, 7, 60, 1000])
def test_a_file_that_grows_while_it_is_read(form: str, step: int, tmp_path: Path) -> None:
    data = FORMS[form]
    for start in (40, len(data) // 2, len(data) - 3):
        path = tmp_path / f"{start}.pcapng"
        path.write_bytes(data[:start])
        with Growing(path, data[start:], step) as file, open_capture(file) as capture:
            packets = [(p[1], p[3][p[4] : p[4] + p[5]]) for p in capture.packets()]
        assert packets == PACKETS[: len(packets)]
        assert [a.kind for a in capture.anomalies] in ([], ["capture.cut"])
        if step == 1000:
            assert packets == PACKETS
            assert capture.anomalies == []


def test_secrets_that_are_appended_while_the_file_is_read_are_used_from_then_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "growing.pcapng"
    path.write_bytes(ng())
    with open_capture(path) as capture:
        packets = capture.packets()
        assert capture.secrets == []
        with path.open("ab") as file:
            file.write(c.secrets(KEYS) + c.enhanced(5, b"more"))
        assert len(list(packets)) == 4
    assert [bytes(secret.text) for secret in capture.secrets] == [KEYS]
    assert [a.kind for a in capture.anomalies] == ["capture.secrets_after_packets"]


@given(data=st.binary(max_size=400), form=st.sampled_from(sorted(FORMS)), at=st.integers(0, 300))
@settings(max_examples=300, deadline=None)
def test_any_damage_is_an_anomaly_never_an_exception(data: bytes, form: str, at: int) -> None:
    good = FORMS[form]
    at = max(4, at)
    packets, _ = read(good[:at] + data)
    assert all(isinstance(packet, bytes) for _, packet in packets)
    with open_capture(io.BytesIO(good[:at] + data)) as capture:
        for _, _, _, buf, start, size, length in capture.packets():
            assert 0 <= start <= start + size <= len(buf)
            assert length >= 0


@pytest.mark.parametrize(
    ("value", "ticks", "ns"),
    [
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (0, 1_700_000_000, 1_700_000_000_000_000_000),
        (12, 1_700_000_123_456_789_987, 1_700_000_123_456_789),  # picoseconds are floored
        (0x8A, 1_700_000_000 * 1024 + 1023, 1_700_000_000_999_023_437),
        (0x80, 1_700_000_000, 1_700_000_000_000_000_000),
        (0xA0, (1_700_000_000 << 32) + 1, 1_700_000_000_000_000_000),
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_time_resolutions(value: int, ticks: int, ns: int, order: str) -> None:
    for extra, shift in ((b"", 0), (c.option(14, (3600).to_bytes(8, "big"), ">"), 3600)):
        if extra and order == "<":
            extra = c.option(14, (3600).to_bytes(8, "little"))
        data = c.section(order) + c.interface(order, options=c.resolution(value, order) + extra)
        packets, _ = read(data + c.enhanced(ticks, b"x", 0, order))
        assert packets == [(ns + shift * 10**9, b"x")]


def test_a_negative_time_offset() -> None:
    options = c.resolution(6) + c.option(14, (-7200).to_bytes(8, "little", signed=True))
    data = c.section() + c.interface(options=options) + c.enhanced(1_700_000_000_000_000, b"x")
    assert read(data)[0] == [(1_699_992_800_000_000_000, b"x")]


def test_sections_of_either_order_number_their_interfaces_anew() -> None:
    first = c.section("<") + c.interface(link=1) + c.interface(link=113) + c.enhanced(5, b"a", 1)
    second = c.section(">") + c.interface(">", link=101) + c.enhanced(6, b"b", 0, ">")
    second += c.interface(">", link=276) + c.enhanced(7, b"c", 1, ">")
    for stream in (io.BytesIO(first + second), Pipe(first + second)):
        with open_capture(stream) as capture:
            assert [(p[0], p[1], p[2]) for p in capture.packets()] == [
                (1, 5000, 113),
                (2, 6000, 101),
                (3, 7000, 276),
            ]
            assert len(capture.info().interfaces) == 4


def test_rare_blocks_between_the_packets() -> None:
    custom = c.block(0xBAD, b"\x7e\xd9\0\0data")
    data = c.section(options=c.option(2, b"hardware"))  # no end of options
    data += c.interface(snaplen=96, options=c.option(2, b"eth0") + c.option(3, b"uplink"))
    data += c.enhanced(1, b"one", options=c.option(1, b"a comment") + c.END)
    data += custom + c.block(0x4242, bytes(40)) + c.block(9, b"__REALTIME_TIMESTAMP=1\n")
    data += c.simple(b"four") + c.statistics(0, 17) + c.block(11, bytes(8))
    data += c.names((b"\x0a\0\0\1", "phone.example"), (b"\0" * 15 + b"\1", "here"))
    data += c.simple(bytes(200)) + c.enhanced(2, b"six")
    with open_capture(io.BytesIO(data)) as capture:
        packets = [(p[0], p[2], p[3][p[4] : p[4] + p[5]], p[6]) for p in capture.packets()]
    assert packets[0] == (1, 1, b"one", 3)
    # Wireshark numbers custom and journal blocks as frames (test 202 of the shared captures).
    assert [p[:2] for p in packets[1:3]] == [(2, -1), (3, -1)]
    assert packets[3] == (4, 1, b"four", 4)
    assert packets[4] == (5, 1, bytes(96), 200)  # a simple packet is cut to the snaplen
    assert packets[5] == (6, 1, b"six", 3)
    info = capture.info()
    assert info.drops == 17
    assert info.snaplen == 96
    assert info.interfaces == ("eth0 (uplink), ETHERNET",)
    assert capture.names == {"10.0.0.1": "phone.example", "::1": "here"}
    assert [anomaly.kind for anomaly in capture.anomalies] == ["capture.no_time"]


def test_drops_of_the_interface_and_of_the_system_add_up() -> None:
    def statistics(number: int, *options: bytes) -> bytes:
        return c.block(5, number.to_bytes(4, "little") + bytes(8) + b"".join(options) + c.END)

    def count(code: int, value: int) -> bytes:
        return c.option(code, value.to_bytes(8, "little"))

    data = c.section() + c.interface() + c.interface() + c.enhanced(1, b"x")
    data += statistics(0, count(4, 1000), count(5, 3)) + statistics(1, count(7, 20))
    # A later block of an interface counts from the start again.
    data += statistics(0, count(5, 4), count(7, 100))
    assert read(data)[1].info().drops == 124
    assert read(c.section() + c.interface() + statistics(0, count(4, 9)))[1].info().drops is None


def test_section_length_minus_one_and_the_true_one_mean_the_same() -> None:
    body = c.interface() + c.enhanced(1, b"x")
    assert read(c.section(length=-1) + body)[0] == read(c.section(length=len(body)) + body)[0]


def test_a_packet_of_an_undeclared_interface_is_numbered_and_named() -> None:
    data = c.section() + c.enhanced(1, b"x", 3) + c.interface() + c.enhanced(2, b"y")
    with open_capture(io.BytesIO(data)) as capture:
        assert [p[:3] for p in capture.packets()] == [(1, 0, -1), (2, 2000, 1)]
    assert [(a.kind, a.frame) for a in capture.anomalies] == [("capture.unknown_interface", 1)]


@pytest.mark.parametrize("length", [0, 4, 11, 0x7FFFFFFF])
def test_a_block_of_impossible_length_ends_the_file(length: int) -> None:
    data = ng() + b"\x06\0\0\0" + length.to_bytes(4, "little") + bytes(40)
    packets, capture = read(data)
    assert packets == PACKETS
    (anomaly,) = capture.anomalies
    assert anomaly.kind == "capture.damaged"
    assert f"offset {len(ng())}" in anomaly.sentence
    assert f"length of {length} bytes" in anomaly.sentence


def test_an_option_that_reaches_over_its_block_is_left_out() -> None:
    broken = (9).to_bytes(2, "little") + (400).to_bytes(2, "little") + b"\x09\0\0\0"
    data = c.section() + c.interface(options=broken) + c.enhanced(7, b"x")
    assert read(data)[0] == [(7000, b"x")]
    name = (2).to_bytes(2, "little") + (400).to_bytes(2, "little") + b"eth0"
    with open_capture(io.BytesIO(c.section() + c.interface(options=name))) as capture:
        assert list(capture.packets()) == []
        assert capture.info().interfaces == ("unnamed, ETHERNET",)


def test_lengths_swapped_before_version_2_3() -> None:
    data = c.pcap([], version=(2, 2)) + b"".join(
        value.to_bytes(4, "little") for value in (1, 2, 100, 3)
    )
    with open_capture(io.BytesIO(data + b"abc")) as capture:
        ((_, ns, _, buf, start, size, length),) = capture.packets()
    assert (ns, buf[start : start + size], length) == (1_000_002_000, b"abc", 100)


@pytest.mark.parametrize("where", ["before", "after", "both"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("wrap", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", [io.BytesIO, Pipe], ids=["file", "pipe"])
def test_secrets_are_known_before_the_packets(
    where: str, order: str, wrap: Callable[[bytes], bytes], kind: type[io.BytesIO]
) -> None:
    block = c.secrets(KEYS, order)
    data = c.section(order) + (block if where != "after" else b"") + c.interface(order)
    data += c.enhanced(1, b"x", 0, order) + c.secrets(b"no TLS", order, kind=0x5353484B)
    data += block if where != "before" else b""
    with open_capture(kind(wrap(data))) as capture:
        known = list(capture.secrets)
        assert len(list(capture.packets())) == 1
        assert capture.secrets == known
    assert [bytes(secret.text) for secret in known] == [KEYS] * (2 if where == "both" else 1)
    assert known[0].origin.endswith(" DSB 1")
    assert KEYS.decode() not in repr(known) + str(known[0])
    assert capture.anomalies == []


def test_secrets_past_the_spool_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "SPOOL_LIMIT", 200)
    data = ng() + c.secrets(KEYS) + c.enhanced(5, b"last")
    with open_capture(Pipe(data)) as capture:
        assert capture.secrets == []
        packets = [p[3][p[4] : p[4] + p[5]] for p in capture.packets()]
    assert packets == [data for _, data in PACKETS] + [b"last"]
    assert [bytes(secret.text) for secret in capture.secrets] == [KEYS]
    assert [a.kind for a in capture.anomalies] == ["capture.secrets_after_packets"]


def test_a_block_larger_than_the_window() -> None:
    class Slow(Pipe):
        def read1(self, size: int | None = -1) -> bytes:
            return io.BytesIO.read1(self, 1 << 16)

    data = c.section() + c.interface() + c.block(0x4242, bytes(32 << 20)) + c.enhanced(1, b"x")
    assert read(Slow(data))[0] == [(1000, b"x")]


def test_the_spool_is_closed_with_the_capture() -> None:
    with open_capture(Pipe(ng())) as capture:
        closers = list(capture._closers)
        assert closers
        (spool,) = [closer.__self__ for closer in closers]  # type: ignore[attr-defined]
        list(capture.packets())
    assert spool.closed


def test_opening_one_capture_leaves_no_descriptor_when_it_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"no capture at all")
    with pytest.raises(file_module.CaptureError):
        open_capture(path)
    path.unlink()  # Windows refuses while a descriptor is open; ResourceWarning is an error


def test_packets_come_once() -> None:
    with open_capture(io.BytesIO(FORMS["pcap µs LE"])) as capture:
        assert len(list(capture.packets())) == 3
