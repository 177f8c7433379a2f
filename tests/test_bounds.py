"""Work and memory grow with the size of the input, no faster; each bound is reached here, and
says so. What is counted are steps of the interpreter, never seconds."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from dissect.capture import open_capture, read_key_log, tally
from dissect.capture import source as sources
from dissect.cli.output import MAX_PADDED, print_rows
from dissect.engines import phone_log
from dissect.errors import DefinitionError
from dissect.flow import toml
from dissect.flow.definition import load
from dissect.model import Anomaly, HttpRequest, HttpResponse
from dissect.protocols import content
from dissect.protocols.base import Layer
from dissect.protocols.content import Allowance
from dissect.protocols.dns import DnsParser
from dissect.protocols.http import exchanges, pairing
from dissect.protocols.http1 import Http1Parser
from dissect.protocols.http2 import Http2Parser
from dissect.protocols.tls import secret_store
from dissect.protocols.tls.secret_store import SecretStore
from dissect.protocols.websocket import WebSocketParser
from dissect.signin import redirect_chain
from tests.protocols.drive import UDP, C, Found, Part, S, drive, kinds, layer
from tests.signin.build import exchange
from tests.steps import LINEAR, growth

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def limits(found: Found) -> list[Anomaly]:
    return [x for x in found if isinstance(x, Anomaly) and x.kind.startswith("limit.")]


def ask(number: int) -> bytes:
    return b"GET /%d HTTP/1.1\r\nHost: h.example\r\n\r\n" % number


# ------------------------------------------------------------------ HTTP


def paired(found: Found) -> dict[str, int | None]:
    """Path → the exchange's answer, by the number that it was given as status."""
    answers = {x.exchange: x.status for x in found if isinstance(x, HttpResponse)}
    asked = [x for x in found if isinstance(x, HttpRequest)]
    return {x.target.decode(): answers.get(x.exchange) for x in asked}


def status(number: int) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % number


def test_thousands_of_pipelined_requests_get_their_own_answers() -> None:
    """RFC 9112 §9.3.2: the n-th answer is that of the n-th request."""
    numbers = range(4000)
    parts: list[Part] = [(C, b"".join(map(ask, numbers)))]
    parts.append((S, b"".join(status(200 + number % 200) for number in numbers)))
    found = drive(Http1Parser(layer()), parts)
    assert paired(found) == {f"/{number}": 200 + number % 200 for number in numbers}
    assert limits(found) == []


def test_requests_beyond_the_bound_are_reported_and_shift_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairing, "MAX_PENDING", 10)
    parts: list[Part] = [(C, b"".join(map(ask, range(15))))]
    parts += [(S, b"".join(status(200 + number) for number in range(12)))]
    parts += [(C, b"".join(map(ask, range(15, 18))))]
    parts += [(S, b"".join(status(200 + number) for number in range(12, 18)))]
    found = drive(Http1Parser(layer()), parts)
    right = {f"/{number}": 200 + number if not 10 <= number < 15 else None for number in range(18)}
    assert paired(found) == right
    asked = {x.exchange for x in found if isinstance(x, HttpRequest)}
    assert [
        x.status for x in found if isinstance(x, HttpResponse) and x.exchange not in asked
    ] == list(range(210, 215))
    (reported,) = limits(found)
    assert (reported.kind, reported.frame, reported.stream) == ("limit.http_pipelined", 1, 7)
    assert "requests wait for their answers" in reported.sentence


def test_interim_answers_of_requests_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MAX_PENDING", 1)
    early = b"HTTP/1.1 100 Continue\r\n\r\n"
    parts: list[Part] = [(C, ask(0) + ask(1) + ask(2))]
    parts += [(S, status(200) + early + status(201) + early + early + status(202)), (C, ask(3))]
    parts += [(S, status(203))]
    found = drive(Http1Parser(layer()), parts)
    assert paired(found) == {"/0": 200, "/1": None, "/2": None, "/3": 203}
    answers = [(x.status, x.exchange) for x in found if isinstance(x, HttpResponse)]
    assert answers[1][1] == answers[2][1] != answers[3][1] == answers[4][1] == answers[5][1]


def test_pipelining_costs_the_same_for_each_request() -> None:
    def make(size: int) -> Callable[[], object]:
        parts: list[Part] = [(C, b"".join(map(ask, range(size)))), (S, OK * size)]
        return lambda: drive(Http1Parser(layer()), parts)

    assert growth(make, 300) < LINEAR


def packed(size: int) -> bytes:
    body = gzip.compress(b"a" * size)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def test_bodies_unpack_within_one_allowance_of_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_UNPACKED", 3 << 20)
    shared = Allowance()
    sizes = []
    for _ in range(2):  # two connections
        parts: list[Part] = [(C, ask(1) * 4), (S, packed(1 << 20) * 4)]
        found = drive(Http1Parser(layer(allowance=shared)), parts)
        sizes += [len(x.body.data) for x in found if isinstance(x, HttpResponse)]
    wire = 8 * len(packed(1 << 20))
    assert sizes[:3] == [1 << 20] * 3
    assert sum(sizes) <= (3 << 20) + content.UNPACKED_RATIO * wire
    (reported,) = limits(found)
    assert (reported.kind, reported.frame) == ("limit.unpacked", 2)
    cut = [x.body.problem for x in found if isinstance(x, HttpResponse)]
    assert all(problem and "unpack to more than is kept" in problem for problem in cut)


def test_bodies_that_pack_as_pages_do_are_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_UNPACKED", 1 << 20)
    page = b"".join(b"<li>%d</li>" % (number * 7919 % 10007) for number in range(20000))
    body = gzip.compress(page)
    assert len(page) < content.UNPACKED_RATIO * len(body)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    found = drive(Http1Parser(layer()), [(C, ask(1) * 40), (S, (head + body) * 40)])
    assert {x.body.data for x in found if isinstance(x, HttpResponse)} == {page}
    assert limits(found) == []


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
GET = b"\x82\x86\x84"  # :method GET, :scheme http, :path / of the static table


def test_http2_fields_unpack_within_the_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    """One field of 4,000 bytes is sent, then named by one byte, many times a block."""
    monkeypatch.setattr(content, "MAX_FIELDS_UNPACKED", 1 << 20)
    value = b"\x7f" + bytes((0x80 | (4000 - 127) & 0x7F, (4000 - 127) >> 7)) + b"a" * 4000
    blocks = frame(1, 5, 1, GET + b"\x40\x01x" + value)
    blocks += b"".join(frame(1, 5, 3 + 2 * n, GET + b"\xbe" * 100) for n in range(20))
    found = drive(Http2Parser(layer()), [(C, PREFACE + blocks)])
    asked = [x for x in found if isinstance(x, HttpRequest)]
    assert len(asked) == 21
    assert {(x.method, x.target.decode()) for x in asked} == {("GET", "/")}
    held = sum(len(value) for x in asked for _, value in x.headers)
    assert held <= (1 << 20) + content.UNPACKED_RATIO * len(blocks)
    (reported,) = limits(found)
    assert (reported.kind, reported.frame) == ("limit.http2_fields", 1)


def test_http2_streams_beyond_the_bound_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MAX_STREAMS", 5)
    asked = b"".join(frame(1, 4, 1 + 2 * n, GET) for n in range(8))
    found = drive(Http2Parser(layer()), [(C, PREFACE + asked)])
    assert sum(isinstance(x, HttpRequest) for x in found) == 8
    (reported,) = limits(found)
    assert (reported.kind, reported.frame) == ("limit.http2_streams", 1)


def test_a_bound_is_reported_though_there_were_too_many_anomalies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairing, "MAX_PENDING", 300)
    anomaly = b"GET /x HTTP/1.1\r\nno field\r\n\r\n" * 400
    found = drive(Http1Parser(layer()), [(C, anomaly)])
    assert "anomalies.more" in kinds(found)
    assert [x.kind for x in limits(found)] == ["limit.http_pipelined"]


class _Inner:
    def data(self, *_: object) -> tuple[()]:
        return ()

    gap = end = data


def test_fragments_of_a_websocket_message_are_joined_once() -> None:
    """Copied whole for each of its fragments, a message took its size squared."""

    def peak(size: int) -> int:
        parser = WebSocketParser(layer(), _Inner())
        parts: list[Part] = [(S, b"\x01\x01a" + b"\x00\x01b" * size)]
        tracemalloc.start()
        drive(parser, parts)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(40_000) < LINEAR * peak(20_000)


# ------------------------------------------------------------------ DNS


@pytest.mark.parametrize("count", [256, 257])
def test_dns_answers_beyond_the_bound_are_reported(count: int) -> None:
    question = b"\x01a\x07example\0\0\1\0\1"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"
    message = struct.pack("!6H", 1, 0x8180, 1, count, 0, 0) + question + record * count
    found = drive(DnsParser(Layer(UDP, layer().open_child)), [(S, message)])
    assert [x.kind for x in limits(found)] == ["limit.dns_answers"] * (count > 256)


# ------------------------------------------------------------------ redirects


def chain(size: int, spread: bool) -> list[object]:
    """Redirects, each followed at once; with `spread` each to a page of its own."""
    return [
        exchange(
            url=f"https://a.test/{number if spread else ''}?n={number}",
            at=float(number),
            client="192.0.2.20",
            status=302,
            response_headers={"Location": f"/{number + 1 if spread else ''}?n={number + 1}"},
        )
        for number in range(size)
    ]


@pytest.mark.parametrize("spread", [True, False])
def test_redirects_are_followed_in_linear_time(spread: bool) -> None:
    def make(size: int) -> Callable[[], object]:
        found = chain(size, spread)
        return lambda: redirect_chain.follow_redirects(found)  # type: ignore[arg-type]

    assert growth(make, 150) < LINEAR


def test_a_long_chain_of_redirects_is_one() -> None:
    found = redirect_chain.follow_redirects(chain(3000, False))  # type: ignore[arg-type]
    assert {hop.chain for hop in found} == {1}
    assert [hop.number for hop in found] == list(range(1, 3001))
    assert sum(hop.target is not None for hop in found) == 2999


def test_requests_that_may_have_followed_are_looked_at_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redirect_chain, "MAX_LOOKED", 5)
    first = exchange(
        url="https://a.test/", at=0, client="192.0.2.20", status=302,
        response_headers={"Location": "/to?n=9"},
    )  # fmt: skip
    rest = [
        exchange(url=f"https://a.test/to?n={number}", at=1 + number, client="192.0.2.20")
        for number in range(10)
    ]
    reported: list[str] = []
    (hop,) = redirect_chain.follow_redirects([first, *rest], reported)  # type: ignore[list-item]
    assert hop.target is None
    assert len(reported) == 1
    assert "more than 5 requests" in reported[0]
    monkeypatch.setattr(redirect_chain, "MAX_LOOKED", 10)
    (hop,) = redirect_chain.follow_redirects([first, *rest], reported)  # type: ignore[list-item]
    assert hop.target is rest[9]
    assert len(reported) == 1


# ------------------------------------------------------------------ tables


def test_a_table_in_a_pipe_is_plain_and_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"a": "x" * 5000, "b": 1}, {"a": "界", "b": 2}, {"a": "z", "b": [3, None]}]
    print_rows(rows, "table", ("a", "b"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a" + " " * (MAX_PADDED - 1) + "  b"
    assert lines[1] == "x" * 5000 + "  1"
    assert lines[2] == "界" + " " * (MAX_PADDED - 2) + "  2"
    assert lines[3] == "z" + " " * (MAX_PADDED - 1) + "  3,"
    assert len(lines) == 4


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_rows_are_printed_in_linear_time(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    def make(size: int) -> Callable[[], object]:
        rows = [{"time": f"{number}", "path": "/" + "a" * (number % 50)} for number in range(size)]
        return lambda: print_rows(rows, form, ("time", "path"))

    assert growth(make, 300) < LINEAR
    make(1000)()
    assert len(capsys.readouterr().out.splitlines()) >= 1000


def test_a_table_in_a_pipe_loads_no_rich() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from dissect.cli.output import print_rows;"
        "print_rows([{'a': 1}], 'table', ('a',)); sys.exit('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [b"a", b"1"])


# ------------------------------------------------------------------ files that a user names


@pytest.mark.parametrize(
    "text",
    ["a{} = 1", "[a{}]", "[[a{}]]", "x = {{ a{} = 1 }}", "x = [{{ a{} = 1 }}]", "'b'{} = 1"],
)
@pytest.mark.parametrize("part", [".a", " . a", '."a"', ".'a b'", "\t.\ta"])
def test_a_key_of_too_many_parts_is_refused(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text("# a comment\n" + text.format(part * (toml.MAX_KEY_PARTS - 1)) + "\n")
    assert toml.loads(path.read_text())
    path.write_text("# a comment\n" + text.format(part * 50_000) + "\n")
    with pytest.raises(DefinitionError, match=r"more than 32 parts \(at line 2\)"):
        load(str(path))


@pytest.mark.parametrize(
    "value",
    ['"a.{}"', "'a.{}'", '"""\n"a".{}\n"""', "'''a.{}'''", '"\\"a.{}"', "1 # a.{}"],
)
def test_dots_that_are_in_no_key_are_not_counted(value: str) -> None:
    assert set(toml.loads("key = " + value.replace("{}", "a." * 500) + "\n")) == {"key"}


def test_values_that_are_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("a = " + "[" * 100_000)
    with pytest.raises(DefinitionError, match="nested too deeply"):
        load(str(path))


def test_a_definition_of_more_than_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("#" * (toml.MAX_BYTES + 1))
    with pytest.raises(DefinitionError, match="more than 1024 KiB"):
        load(str(path))


LINE = b"CLIENT_RANDOM %064x %096x\n"


def test_a_key_log_is_read_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.keys"
    text = b"".join(LINE % (number, number) for number in range(10))
    path.write_bytes(text)
    monkeypatch.setattr(tally, "MAX_KEY_LOG", len(text))
    assert read_key_log(path).text == text
    assert read_key_log(path).problem == ""
    path.write_bytes(text + b"x")
    assert read_key_log(path).text == text
    assert "are read" in read_key_log(path).problem


def test_a_sparse_key_log_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.keys"
    with path.open("wb") as file:
        file.write(LINE % (1, 1))
        file.truncate(1 << 30)
    tracemalloc.start()
    log = read_key_log(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert log.problem
    store = SecretStore()
    store.add_key_log(log.text, log.origin)
    assert store.count == 1


@pytest.mark.parametrize("labels", [1, 5])
def test_what_is_kept_of_a_key_log_is_a_small_multiple_of_it(labels: int) -> None:
    names = [name for name, sizes in secret_store.LABELS.items() if sizes == (32, 48, 64)]
    text = b"".join(
        f"{names[number % labels]} {number // labels:064x} {number:064x}\n".encode()
        for number in range(20_000)
    )
    tracemalloc.start()
    store = SecretStore()
    assert store.add_key_log(text, "x.keys") == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (store.count, store.randoms) == (20_000, 20_000 // labels)
    assert peak < 2.5 * len(text), peak / len(text)


def test_more_secrets_than_are_kept_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_store, "MAX_SECRETS", 5)
    store = SecretStore()
    text = b"".join(LINE % (number, number) for number in range(7))
    assert store.add_key_log(text, "a") == ["more than 5 secrets: the rest is left out"]
    assert store.add_key_log(text, "b") == [], "said once"
    assert store.count == 5


def test_more_problems_than_are_listed_are_reported() -> None:
    problems = SecretStore().add_key_log(b"x\n" * 500, "a")
    assert len(problems) == secret_store.MAX_PROBLEMS + 1
    assert problems[-1] == "more than 100 problems: the rest is not listed"


def test_secrets_blocks_are_kept_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dissect.capture import blocks
    from tests.capture import containers as make

    monkeypatch.setattr(blocks, "MAX_SECRETS_BLOCKS", 3)
    path = tmp_path / "x.pcapng"
    parts = [make.section(), make.interface()]
    parts += [make.secrets(LINE % (number, number)) for number in range(6)]
    path.write_bytes(b"".join(parts))
    with open_capture(str(path), 0) as capture:
        assert list(capture.packets()) == []
        found = capture.secrets
    assert [len(item.text) for item in found] == [len(LINE % (1, 1))] * 3 + [0]
    assert [bool(item.problem) for item in found] == [False] * 3 + [True]
    assert capture.anomalies == []


@pytest.mark.parametrize("name", ["gzip", "zstd", "lz4"])
def test_a_compressed_capture_unpacks_to_a_bound(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lz4.frame
    import zstandard

    monkeypatch.setattr(sources, "UNPACKED_FLOOR", 1 << 20)
    monkeypatch.setattr(sources, "UNPACKED_RATIO", 5)
    record = struct.pack("<4I", 1, 1, 60, 60) + bytes(60)
    whole = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1) + record * 100_000
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress, "lz4": lz4.frame.compress}[name]
    path = tmp_path / "x.pcap"
    path.write_bytes(pack(whole))
    with open_capture(str(path), 0) as capture:
        count = sum(1 for _ in capture.packets())
        (reported,) = capture.anomalies
    limit = max(1 << 20, 5 * path.stat().st_size)
    assert limit - (1 << 18) < count * len(record) <= limit
    assert reported.kind == "capture.cut"
    assert f"the {name} data unpacks to more than 5 times its size" in reported.sentence


def test_a_packed_log_unpacks_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_log, "LOG_FLOOR", 1 << 20)
    entry = b"1201100000|cfg  |3|00|entry\n"
    path = tmp_path / "x.log.gz"
    path.write_bytes(gzip.compress(entry * 100_000))
    limit = max(1 << 20, phone_log.LOG_RATIO * path.stat().st_size)
    reported: list[str] = []
    messages = phone_log.read_set([(str(path), 0)], 2026, warnings=reported)
    assert len(messages) - limit // len(entry) in (0, 1)
    assert reported == [f"{path}: it unpacks to more than 1 MB; only these are read"]
    path.write_bytes(gzip.compress(entry * 30_000))
    assert len(phone_log.read_set([(str(path), 0)], 2026, warnings=reported)) == 30_000
    assert len(reported) == 1


def test_a_long_log_is_read_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_log, "LOG_LIMIT", 1 << 20)
    path = tmp_path / "x.log"
    path.write_bytes(b"1201100000|cfg  |3|00|entry\n" * 50_000)
    reported: list[str] = []
    phone_log.read_set([(str(path), 0)], 2026, warnings=reported)
    assert reported == [f"{path}: only its first 1 MB are read"]


def test_a_request_follows_one_redirect_only() -> None:
    twice = [
        exchange(url=f"https://a.test/{at}", at=at, client="192.0.2.20", status=302,
                 response_headers={"Location": "/to"})
        for at in (0.0, 1.0)
    ]  # fmt: skip
    later = [exchange(url="https://a.test/to", at=at, client="192.0.2.20") for at in (2.0, 3.0)]
    found = redirect_chain.follow_redirects([*twice, *later])  # type: ignore[list-item]
    assert [hop.target for hop in found] == later
