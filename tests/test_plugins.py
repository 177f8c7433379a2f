"""Plugins: the example works, what is wrong is recognised by name, nothing is loaded unasked."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dissect.cli.main import cli, main
from dissect.errors import PluginError, UsageError
from dissect.pipeline import RunOptions, Session
from dissect.plugins import registry
from dissect.render import FORMATS
from tests.lab import need_tshark, scenario
from tests.wire import conversation

EXAMPLE = str(Path(__file__).resolve().parents[1] / "plugins" / "rules" / "health_check.py")


@pytest.fixture(autouse=True)
def _formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a plugin adds is for its own test."""
    monkeypatch.setattr("dissect.render.FORMATS", dict(FORMATS))


def example(name: str) -> str:
    """A plugin of the folder `plugins/`."""
    return str(Path(EXAMPLE).parents[1] / f"{name}.py")


def capture_of(path: Path, status: bytes) -> str:
    """GET /healthz and its answer, as packets."""
    request = b"GET /healthz HTTP/1.1\r\nHost: s.test\r\n\r\n"
    response = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
    return conversation(path, [(True, request), (False, response)])


@pytest.mark.parametrize(("status", "verdict"), [(b"200 OK", "complete"), (b"503 No", "failed")])
def test_the_example(tmp_path: Path, status: bytes, verdict: str) -> None:
    capture = capture_of(tmp_path / "x.pcap", status)
    (chart,) = Session(RunOptions((capture,), plugins=(EXAMPLE,))).charts
    assert (chart.flow, chart.status) == ("health-check", verdict)
    assert Session(RunOptions((capture,))).charts == []


def test_listed() -> None:
    result = CliRunner().invoke(cli, ["plugins", "--plugin", EXAMPLE], standalone_mode=False)
    assert "rule health, flow health-check" in result.stdout
    names = CliRunner().invoke(cli, ["flows", "--plugin", EXAMPLE], standalone_mode=False).stdout
    assert "health-check" in names
    assert "health-check" not in CliRunner().invoke(cli, ["flows"], standalone_mode=False).stdout


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = ", "SyntaxError"),
        ("raise ValueError('no')", "ValueError: no"),
        ("x = 1", "register"),
        ("def register(registry): registry.add_flow('schema = 1')", "DefinitionError"),
        ("def register(registry): registry.no_such_thing()", "AttributeError"),
    ],
)
def test_what_is_wrong_is_recognised_by_name(tmp_path: Path, source: str, words: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    with pytest.raises(PluginError, match=r"mine\.py") as caught:
        registry([str(path)])
    assert words in str(caught.value)


def test_a_rule_that_fails_is_recognised_by_name_without_the_captures_bytes(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "def bad(exchange):\n"
        "    raise ValueError(exchange.request.headers.get('authorization'))\n"
        "    yield\n"
        "def register(registry): registry.add_rule(bad)\n"
    )
    with pytest.raises(PluginError) as caught:
        _ = Session(RunOptions((scenario("web-signin").phone,), plugins=(str(path),))).charts
    assert "mine.py" in str(caught.value)
    assert "Bearer" not in str(caught.value)


def test_absent_file() -> None:
    with pytest.raises(UsageError, match="no such plugin"):
        registry(["nowhere.py"])


def test_nothing_is_loaded_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = "raise SystemExit('loaded unasked')"
    for name in ("plugins.py", "dissect_plugin.py", "conftest.py", "sitecustomize.py"):
        (tmp_path / name).write_text(trap)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "x.py").write_text(trap)
    monkeypatch.chdir(tmp_path)
    assert registry().plugins == []


def test_installed_plugins_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    def added(registry: object) -> None:
        calls.append(registry)

    calls: list[object] = []
    entry = EntryPoint("mine", "nowhere:register", "dissect.plugins")
    monkeypatch.setattr(EntryPoint, "load", lambda self: added)
    monkeypatch.setattr("dissect.plugins.entry_points", lambda group: [entry])
    assert registry().plugins == [("mine", "nothing")]
    assert len(calls) == 1


# ------------------------------------------------------------------ every kind of plugin


def load_plugin(path: Path, source: str) -> str:
    path.write_text(source)
    return str(path)


def mqtt_packet(kind: int, body: bytes) -> bytes:
    return bytes([kind << 4, len(body)]) + body


def mqtt_string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


# OASIS MQTT 3.1.1 §3.1.2: protocol level 4, flags: user name and password.
CONNECT = mqtt_packet(
    1, mqtt_string(b"MQTT") + b"\x04\xc2\x00\x3c"
    + mqtt_string(b"sensor-7") + mqtt_string(b"anna") + mqtt_string(b"hunter2hunter2"),
)  # fmt: skip


@pytest.mark.parametrize(("code", "status"), [(0, "complete"), (5, "failed")])
def test_a_parser(tmp_path: Path, code: int, status: str) -> None:
    """What it reads is what tshark reads."""
    answer = mqtt_packet(2, bytes([0, code]))
    capture = conversation(tmp_path / "m.pcap", [(True, CONNECT), (False, answer)], 1883)
    run = Session(RunOptions((capture,), plugins=(example("parsers/mqtt"),)))
    (chart,) = run.charts
    assert (chart.flow, chart.status, chart.subject) == ("mqtt-connect", status, "anna")
    label = chart.steps[0].arrows[0].label
    assert label == "CONNECT sensor-7 as anna"
    sent = next(event for event in run.events if event.name == "mqtt.connect.sent")
    assert "hunter2" not in str(dict(sent.facts)) + run.book.show(sent.facts["password"])
    if chart.cause:
        assert (chart.cause.code, chart.cause.evidence[0].last_frame) == ("mqtt.5", 4)
    need_tshark()
    fields = ["mqtt.clientid", "mqtt.username", "mqtt.conack.val"]
    words = ["tshark", "-n", "-r", capture, "-Y", "mqtt", "-T", "fields"]
    words += [word for field in fields for word in ("-e", field)]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert out.split() == ["sensor-7", "anna", str(code)]


KEYS_OF_MQTT = ["client_id", "user", "password", "code", "reason"]


def mqtt_capture(path: Path, *connects: bytes) -> str:
    answers = [(False, mqtt_packet(2, bytes([0, 5])))]
    return conversation(path, [*((True, item) for item in connects), *answers], 1883)


def test_a_protocol_has_a_table(tmp_path: Path) -> None:
    capture, plugin = mqtt_capture(tmp_path / "m.pcap", CONNECT), example("parsers/mqtt")
    words = ["table", "mqtt", capture, "--plugin", plugin]
    reported = CliRunner().invoke(cli, [*words, "--format", "json"]).stdout
    sent, answered = [json.loads(line) for line in reported.splitlines()]
    assert list(sent)[8:] == ["event", *KEYS_OF_MQTT]
    assert [sent[key] for key in ("first_frame", "client_id", "user", "code")] == [
        3, "sensor-7", "anna", None,
    ]  # fmt: skip
    assert sent["password"].startswith("‹password")
    assert "hunter2" not in reported
    assert (answered["event"], answered["code"]) == ("mqtt.connect.answered", 5)
    table = CliRunner().invoke(cli, words).stdout.splitlines()
    assert table[0].split() == [
        "time", "stream", "first", "frame", "client", "event", "client", "id", "user", "code",
        "reason",
    ]  # fmt: skip
    only = CliRunner().invoke(cli, [*words, "--fields", "user,code", "--format", "csv"]).stdout
    assert only.splitlines() == ["user,code", "anna,", ",5"]


def test_a_table_that_is_not_there_is_reported(tmp_path: Path) -> None:
    capture = mqtt_capture(tmp_path / "m.pcap", CONNECT)
    result = CliRunner().invoke(cli, ["table", "mqtt", capture])
    assert result.exit_code == 2
    assert "no table is called 'mqtt'; there are http, sip" in result.output


def crosschecked(capture: str, plugin: str) -> tuple[int, dict[str, Any]]:
    words = ["crosscheck", capture, "--plugin", plugin, "--format", "json"]
    result = CliRunner().invoke(cli, words, standalone_mode=False)
    return result.return_value, json.loads(result.stdout)


def test_a_protocol_is_held_against_tshark(tmp_path: Path) -> None:
    """Two messages in one frame, too: tshark tells their values without telling them apart."""
    need_tshark()
    plugin = example("parsers/mqtt")
    other = CONNECT.replace(b"sensor-7", b"sensor-8")
    capture = mqtt_capture(tmp_path / "m.pcap", CONNECT[:20], CONNECT[20:] + other)
    code, document = crosschecked(capture, plugin)
    assert (code, document["agreed"]["mqtt"]) == (0, 3)


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('"client_id": next(fields, "")', '"client_id": next(fields, "") + "x"', "client_id"),
        ('facts["user"] = next', 'facts["nobody"] = next', "user"),
        ('Secret("password", next(fields, ""))', 'Secret("password", "hunter3")', "password"),
        ('{"code": code, "reason"', '{"code": code + 1, "reason"', "code"),
        ("if packet.kind != CONNECT:", "if True:", "absent"),
    ],
)
def test_a_parser_that_reads_otherwise_than_tshark_is_found_out(
    tmp_path: Path, old: str, new: str, column: str
) -> None:
    need_tshark()
    source = Path(example("parsers/mqtt")).read_text("utf-8")
    assert old in source
    plugin = load_plugin(tmp_path / "mine.py", source.replace(old, new))
    code, document = crosschecked(mqtt_capture(tmp_path / "m.pcap", CONNECT), plugin)
    assert code == 1
    assert {item["field"] for item in document["differences"]} == {column}
    assert "hunter" not in json.dumps(document)


def test_a_filter_that_tshark_does_not_take_is_reported(tmp_path: Path) -> None:
    need_tshark()
    source = Path(example("parsers/mqtt")).read_text("utf-8")
    broken = source.replace('"mqtt.msgtype == 1 ||', '"mqtt.nonsense == 1 ||')
    plugin = load_plugin(tmp_path / "mine.py", broken)
    with contextlib.redirect_stderr(io.StringIO()) as reported:
        code = main(["crosscheck", mqtt_capture(tmp_path / "m.pcap", CONNECT), "--plugin", plugin])
    assert code == 2
    assert "protocol mqtt: tshark ended" in reported.getvalue()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("StreamReader('http', None, None), 'x', ()", "is taken"),
        ("StreamReader('Mine!', None, None), 'x', ()", "lower-case"),
        ("StreamReader('mine', None, None), 'x', (Column('time', ''),)", "every table has"),
        ("StreamReader('mine', None, None), 'x', (Column('a', ''), Column('a', ''))", "twice"),
        ("StreamReader('mine', None, None), 'x', (Column('a', ''),), ('b',)", "has not"),
    ],
)
def test_a_protocol_that_can_have_no_table_is_reported(
    tmp_path: Path, arguments: str, words: str
) -> None:
    source = (
        "from dissect.protocols.base import StreamReader\n"
        "from dissect.protocols.record import Column, Protocol\n"
        f"def register(registry): registry.add_protocol(Protocol({arguments}))\n"
    )
    with pytest.raises(PluginError, match=words):
        registry([load_plugin(tmp_path / "mine.py", source)])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 60])
def test_the_example_parser_in_pieces(tmp_path: Path, size: int) -> None:
    pieces = [(True, CONNECT[at : at + size]) for at in range(0, len(CONNECT), size)]
    capture = conversation(tmp_path / "m.pcap", [*pieces, (False, b"\x20\x02\x00\x00")], 1883)
    run = Session(RunOptions((capture,), plugins=(example("parsers/mqtt"),)))
    assert [chart.status for chart in run.charts] == ["complete"]


def test_a_parsers_protocol_error_is_an_anomaly_of_its_stream(tmp_path: Path) -> None:
    broken = b"\x10\x0c\x00\x04MQTT\x04\xc2\x00\x3c\xff\xff"
    capture = conversation(tmp_path / "m.pcap", [(True, broken)], 1883)
    run = Session(RunOptions((capture,), plugins=(example("parsers/mqtt"),)))
    assert run.charts == []
    assert [item.kind for item in run.reading.anomalies] == ["mqtt.string"]


def test_what_a_parser_does_not_take_goes_the_usual_way(tmp_path: Path) -> None:
    """One that waits for more keeps nothing from the built-in ones."""
    waits = load_plugin(
        tmp_path / "waits.py",
        "from dissect.protocols.base import StreamReader\n"
        "def begins(head, layer): return None\n"
        "def register(registry):\n"
        "    registry.add_parser(StreamReader('waits', begins, lambda layer: None))\n"
        "    registry.add_parser(StreamReader('waits', begins, lambda layer: None, 'udp'))\n",
    )
    capture = capture_of(tmp_path / "x.pcap", b"200 OK")
    plain = Session(RunOptions((capture,))).messages
    assert Session(RunOptions((capture,), plugins=(waits,))).messages == plain
    phone = scenario("web-signin").phone
    plain = Session(RunOptions((phone,))).messages
    assert Session(RunOptions((phone,), plugins=(example("parsers/mqtt"),))).messages == plain


def test_a_parser_of_datagrams(tmp_path: Path) -> None:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    own = load_plugin(
        tmp_path / "beacons.py",
        "from dissect.model import PluginMessage\n"
        "from dissect.protocols.base import StreamReader\n"
        "class Beacons:\n"
        "    def __init__(self, layer): self.layer = layer\n"
        "    def data(self, direction, view, span):\n"
        "        yield PluginMessage(self.layer.place(direction, span), 'beacon', 'beacon.seen',\n"
        "                            {'size': len(view)})\n"
        "    def gap(self, direction, length, span): return ()\n"
        "    def end(self, direction, span): return ()\n"
        "def register(registry): registry.add_parser(\n"
        "    StreamReader('beacon', lambda head, layer: head[:4] == b'BCN1', Beacons, 'udp'))\n",
    )
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    ip = IP(src="192.0.2.1", dst="192.0.2.2")
    path = str(tmp_path / "b.pcap")
    wrpcap(
        path,
        [frame / ip / UDP(sport=4000, dport=9999) / b"BCN1abc", frame / ip / UDP(sport=1) / b"x"],
    )
    (event,) = Session(RunOptions((path,), plugins=(own,))).events
    assert (event.name, event.facts["size"], event.source.first_frame) == ("beacon.seen", 7, 1)


def test_a_log_reader(tmp_path: Path) -> None:
    """Asterisk's log of the messages that Kamailio's log has."""
    from dissect.engines import phone_log
    from tests.engines.test_logs import KAMAILIO, told, wire

    known = phone_log.read(str(KAMAILIO), 0, 2026)
    rows = []
    for number, item in enumerate(known):
        came = item.place.direction == 0
        peer = item.place.connection.client
        words = ("Received", "from") if came else ("Transmitting", "to")
        rows += [
            f"[2026-11-25 02:57:22.{number:03}] VERBOSE[99] res_pjsip_logger.c: "
            f"<--- {words[0]} SIP {item.kind} (555 bytes) {words[1]} UDP:{peer} --->",
            *wire(item),
            "",
            "[2026-11-25 02:57:23] NOTICE[99] chan.c: something else",
        ]
    path = tmp_path / "full"
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(UsageError, match="no entries"):
        _ = Session(RunOptions((), phone_logs=(str(path),))).events
    run = Session(RunOptions((), phone_logs=(str(path),), plugins=(example("logs/asterisk"),)))
    (chart,) = run.charts
    assert (chart.flow, chart.status) == ("sip-register", "complete")
    found = phone_log.read(str(path), 0, 2026, run.registry.log_readers)
    assert [told(item) for item in found] == [told(item) for item in known]
    assert [item.place.direction for item in found] == [item.place.direction for item in known]


def test_a_format(tmp_path: Path) -> None:
    item = scenario("wrong-password")
    out = tmp_path / "chart.steps"
    plugin = ["--plugin", example("formats/steps"), "-o", str(out)]
    result = CliRunner().invoke(cli, ["flow", *item.captures, *plugin], standalone_mode=False)
    assert result.return_value == 1
    lines = out.read_text("utf-8").splitlines()
    assert lines[0].endswith("failed")
    assert [line[2] for line in lines[1:5]] == ["~", "+", "+", "x"]
    assert lines[-1].endswith("[adfs.credentials_rejected]")


@pytest.mark.parametrize(
    ("kind", "added", "words"),
    [
        ("begins", "parser(StreamReader('p', boom, print))", "parser p"),
        ("open", "parser(StreamReader('p', lambda *a: True, boom))", "parser p"),
        ("data", "parser(StreamReader('p', lambda *a: True, lambda l: Bad()))", "parser p"),
        ("draw", "renderer(Renderer('f', ('bad',), 'x/y', False, '', draw=boom))", "format f"),
        ("fits", "log_reader(LogReader('l', boom, print, ''))", "log reader l"),
        ("read", "log_reader(LogReader('l', lambda t: True, boom, ''))", "log reader l"),
    ],
)
def test_whatever_a_plugin_raises_is_one_line_with_its_name(
    tmp_path: Path, kind: str, added: str, words: str
) -> None:
    """And without what the capture says, which the text of the error may hold."""
    mine = load_plugin(
        tmp_path / "mine.py",
        "from dissect.engines.logs import LogReader\n"
        "from dissect.protocols.base import StreamReader\n"
        "from dissect.render import Renderer\n"
        "def boom(*given): raise KeyError('hunter2')\n"
        "class Bad:\n"
        "    def data(self, direction, view, span):\n"
        "        yield from ()\n"
        "        raise KeyError('hunter2')\n"
        f"def register(registry): registry.add_{added}\n",
    )
    capture = capture_of(tmp_path / "x.pcap", b"200 OK")
    log = tmp_path / "x.log"
    log.write_text("0101000000|app1 |2|00|x\n")
    command = ["flow", capture, "--plugin", mine]
    command += ["--phone-log", str(log)] if kind in ("fits", "read") else []
    command += ["--plugin", EXAMPLE, "-o", str(tmp_path / "x.bad")] if kind == "draw" else []
    reported = run_main(command)
    assert reported.count("\n") == 1
    assert reported.startswith(f"dissect: plugin {mine}: its {words} raised KeyError")
    assert "hunter2" not in reported


def run_main(command: list[str]) -> str:
    """What the command says on standard error; it has to fail as unusable input."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        code = main(command)
    assert code == 2, err.getvalue()
    return err.getvalue()


def test_all_examples_are_listed() -> None:
    folder = Path(EXAMPLE).parents[1]
    files = sorted(str(path) for path in folder.glob("*/*.py"))
    arguments = [word for path in files for word in ("--plugin", path)]
    out = CliRunner().invoke(cli, ["plugins", *arguments, "--format", "json"]).stdout
    adds = " ".join(json.loads(line)["adds"] for line in out.splitlines())
    for word in (
        "rule health",
        "flow health-check",
        "protocol mqtt",
        "log reader Asterisk",
        "format steps",
    ):
        assert word in adds
    kinds = {path.parent.name for path in folder.glob("*/*") if path.is_file()}
    assert kinds == {"flows", "formats", "logs", "parsers", "rules"}
