"""A bug of ours costs the stream, message or log entry that it met: it is reported, the rest is
there, and the exit code is 2. Each is planted; what it says must not hold captured bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from dissect.cli.main import main
from dissect.model import Output
from dissect.protocols.dns import DnsParser
from dissect.protocols.http1 import Http1Parser
from dissect.protocols.http2 import Http2Parser
from dissect.protocols.tls.parser import TlsParser
from dissect.redaction import secret_collection
from dissect.signin import network
from tests.lab import scenario

TRAP = b"hunter2"
SAID = "internal error, please report: "


def ran(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, rows of JSON Lines, and standard error."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
        code = main([*arguments, "--format", "json"])
    assert TRAP.decode() not in out.getvalue() + errors.getvalue()
    lines = [] if arguments[0] == "flow" else out.getvalue().splitlines()
    return code, [json.loads(line) for line in lines], errors.getvalue()


def trapped(monkeypatch: pytest.MonkeyPatch, parser: type, error: Exception) -> None:
    """A parser that raises, with the captured bytes in the text, where these hold the trap."""
    right = parser.data  # type: ignore[attr-defined]

    def data(self: Any, direction: int, view: bytes | memoryview, span: Any) -> Output:
        if TRAP in bytes(view):
            raise error
        found: Output = right(self, direction, view, span)
        return found

    monkeypatch.setattr(parser, "data", data)


def tcp(path: Path, *spoken: list[tuple[int, bytes]]) -> str:
    """Connections one after the other from ports 40001 on, each with what was reported (by)."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    frames = []
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    ends = ("192.0.2.1", "192.0.2.2")
    for number, reported in enumerate(spoken, 40001):
        ports, sent = (number, 80), [1000, 5000]
        for side, content in reported:
            head = TCP(
                sport=ports[side],
                dport=ports[1 - side],
                seq=sent[side],
                ack=sent[1 - side],
                flags="PA",
            )
            frames.append(ether / IP(src=ends[side], dst=ends[1 - side]) / head / content)
            sent[side] += len(content)
    wrpcap(str(path), frames)
    return str(path)


def exchange(name: bytes) -> list[tuple[int, bytes]]:
    request = b"GET /" + name + b" HTTP/1.1\r\nHost: s.example\r\n\r\n"
    return [(0, request), (1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]


ERRORS = (ValueError(TRAP), KeyError(TRAP), AssertionError(TRAP), RecursionError(), MemoryError())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("before", [b"", b"GET /first HTTP/1.1\r\nHost: s.example\r\n\r\n"])
def test_a_parser_of_tcp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes, error: Exception
) -> None:
    """Both ways of the assembler: the first segment of a stream, and one that is next in it."""
    trapped(monkeypatch, Http1Parser, error)
    reported = [(0, before)] if before else []
    capture = tcp(tmp_path / "x.pcap", [*reported, *exchange(TRAP)], exchange(b"good"))
    code, rows, statement = ran("http", capture)
    assert code == 2
    assert f"{SAID}{type(error).__name__} at " in statement
    assert "x.pcap frame " in statement
    good = [row for row in rows if row["path"] == "/good"]
    assert [row["status"] for row in good] == [200]
    assert len(statement.splitlines()) == 1


def test_a_parser_that_can_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(self: object, *_: object) -> None:
        raise ValueError(TRAP)

    monkeypatch.setattr(TlsParser, "__init__", init)
    hello = bytes.fromhex("1603010005") + b"\x01\x00\x00\x01\x00"
    capture = tcp(tmp_path / "x.pcap", [(0, hello)], exchange(b"good"))
    code, rows, reported = ran("http", capture)
    assert (code, [row["status"] for row in rows]) == (2, [200])
    assert f"{SAID}ValueError at " in reported


def test_a_parser_of_udp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scapy.layers.dns import DNS, DNSQR
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    trapped(monkeypatch, DnsParser, ValueError(TRAP))
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    packets = [
        ether
        / IP(src="192.0.2.1", dst="192.0.2.2")
        / UDP(sport=port, dport=53)
        / DNS(qd=DNSQR(qname=f"{name}.example"))
        for port, name in ((40001, TRAP.decode()), (40002, "good"))
    ]
    wrpcap(str(tmp_path / "x.pcap"), packets)
    code, rows, reported = ran("dns", str(tmp_path / "x.pcap"))
    assert (code, [row["name"] for row in rows]) == (2, ["good.example"])
    assert f"x.pcap frame 1: {SAID}ValueError at " in reported


def test_a_parser_inside_tls_leaves_tls_and_the_other_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = scenario("web-signin").browser
    _, connections, _ = ran("tls", browser)
    _, exchanges, _ = ran("http", browser)
    chosen = next(row["stream"] for row in exchanges if row["encrypted"])
    for parser in (Http1Parser, Http2Parser):
        right = parser.data

        def data(self: Any, direction: Any, view: Any, span: Any, right: Any = right) -> Output:
            if self._out._connection.stream == chosen:
                raise ValueError(TRAP)
            found: Output = right(self, direction, view, span)
            return found

        monkeypatch.setattr(parser, "data", data)
    code, kept, reported = ran("http", browser)
    assert code == 2
    assert f"{SAID}ValueError at " in reported
    assert kept == [row for row in exchanges if row["stream"] != chosen]
    assert kept
    assert len(ran("tls", browser)[1]) == len(connections)


@pytest.mark.parametrize("command", ["events", "flow"])
def test_a_rule_costs_its_events_of_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def bad(exchange: Any) -> Any:
        if TRAP.decode() in exchange.path:
            raise ValueError(TRAP)
        return iter(())

    from dissect.signin.recogniser import BUILT_IN

    monkeypatch.setattr("dissect.plugins.BUILT_IN", (bad, *BUILT_IN))
    phone = scenario("web-signin").phone
    right = ran("events", phone)[1]
    capture = tcp(tmp_path / "x.pcap", exchange(TRAP))
    code, rows, reported = ran(command, phone, capture)
    assert code == 2
    assert f"{SAID}ValueError at " in reported
    assert "x.pcap frame 1" in reported
    if command == "events":
        assert [r["event"] for r in rows if r["capture"] == phone] == [r["event"] for r in right]


@pytest.mark.parametrize(
    ("where", "name", "events"),
    [
        (secret_collection.SecretCollector, "sip", "sip."),
        (network, "dns", "dns."),
        (network, "tls", "tls."),
    ],
)
def test_what_reads_messages_for_events(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, events: str
) -> None:
    def bad(*_: object) -> Any:
        raise KeyError(TRAP)

    phone = scenario("web-signin").phone
    others = [r["event"] for r in ran("events", phone)[1] if not r["event"].startswith(events)]
    monkeypatch.setattr(where, name, bad)
    code, rows, reported = ran("events", phone)
    assert code == 2
    assert f"{SAID}KeyError at " in reported
    names = [row["event"] for row in rows]
    assert not [name for name in names if name.startswith(events)]
    assert set(names) & set(others)


@pytest.mark.parametrize("kind", ["vvx", "sip"])
def test_an_entry_of_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    from dissect.engines import log_sip, log_vvx, phone_log
    from dissect.model import SipMessage

    def planted(right: Callable[..., Any]) -> Callable[..., Any]:
        def message(text: str, *rest: Any) -> Any:
            if TRAP.decode() in text:
                raise ValueError(text)
            return right(text, *rest)

        return message

    for module in (log_sip, log_vvx):
        monkeypatch.setattr(module, "message", planted(module.message))

    def register(user: str) -> str:
        head = f"REGISTER sip:example.com SIP/2.0\r\nFrom: <sip:{user}@example.com>\r\n"
        return f"{head}Call-ID: {user}\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"

    log = tmp_path / "phone.log"
    users = ("ann", TRAP.decode(), "bob")
    if kind == "vvx":
        blocks = [
            "\n".join(f"1201100000|sip  |3|00|    {line}" for line in register(user).split("\r\n"))
            + "\n1201100000|sip  |3|00|>>> End of data send"
            for user in users
        ]
        log.write_text("\n".join(blocks) + "\n")
    else:
        log.write_text(
            "".join(
                f"2026/12/01 10:00:0{number}.000000 192.0.2.1:5060 -> 192.0.2.2:5060\n"
                + register(user).replace("\r\n", "\n")
                for number, user in enumerate(users)
            )
        )
    code, _, reported = ran("flow", "--phone-log", str(log))
    assert code == 2
    assert f"{SAID}ValueError at " in reported
    assert "phone.log line " in reported
    read = phone_log.read_set([(str(log), 0)], 2026)
    assert [item.headers.get("call-id") for item in read if isinstance(item, SipMessage)] == [
        "ann",
        "bob",
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RecursionError(TRAP), "nested too deeply"),
        (TypeError(TRAP), SAID + "TypeError at "),
    ],
    ids=lambda item: type(item).__name__,
)
def test_what_ends_the_run_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def bad(*_: object) -> Any:
        raise error

    monkeypatch.setattr("dissect.tables.http.pair", bad)
    code, rows, reported = ran("http", scenario("web-signin").phone)
    assert (code, rows) == (2, [])
    assert words in reported
    assert len(reported.splitlines()) == 1
