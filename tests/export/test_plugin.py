"""A plugin's protocol leaves as far as it declares what it understood; standard input, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dissect.capture import spool
from dissect.cli.main import cli
from dissect.errors import CaptureError
from tests.export.planted import SECRET, scapy, tcp, written
from tests.export.test_masked import tshark
from tests.lab import scenario
from tests.test_secrets import run

PLUGIN = '''
from dissect.model import PluginMessage, Ranges, Secret
from dissect.protocols.base import StreamReader

class Parser:
    """Lines: a word, a colon, a value. Only the lines of PASS have a secret."""

    def __init__(self, layer):
        self.layer, self.kept, self.at = layer, [b"", b""], [0, 0]

    def data(self, direction, view, span):
        if not self.kept[direction]:
            self.at[direction] = span.offset
        self.kept[direction] += bytes(view)
        while b"\\n" in self.kept[direction]:
            line, _, rest = self.kept[direction].partition(b"\\n")
            at, size = self.at[direction], len(line) + 1
            self.kept[direction] = rest
            self.at[direction] += size
            word, colon, value = line.partition(b":")
            if not colon:
                continue
            facts = {"word": word.decode()}
            if word == b"PASS":
                facts["password"] = Secret("password", value.decode())
            whole = ((direction, at, size),)
            shown = ((direction, at, len(word) + 1),) if word == b"OTHER" else whole
            place = self.layer.place(direction, span, Ranges(whole, understood=shown)) DECLARES
            yield PluginMessage(place, "toy", "toy.said", facts)

    def gap(self, direction, length, span):
        return ()

    def end(self, direction, span):
        return ()

FLOW = """
schema = 1
name = "toy"
title = "Toy"
[instance]
keys = []
anchors = ["toy.said"]
[[actor]]
id = "a"
title = "A"
kind = "client"
[[actor]]
id = "b"
title = "B"
[[step]]
number = 1
title = "Says"
between = ["a", "b"]
done_when = [["toy.said"]]
[[step.arrow]]
event = "toy.said"
from = "a"
to = "b"
label = "{word}"
"""

def register(registry):
    registry.add_parser(StreamReader("toy", lambda head, layer: head[:3] == b"TOY", Parser))
    registry.add_flow(FLOW)
'''
SAID = b"TOY:hello\nPASS:" + SECRET.encode() + b"\nOTHER:" + b"z" * 30 + b"\njunk junk\nBYE:then\n"


def exported(tmp_path: Path, declares: bool, *options: str) -> tuple[bytes, str]:
    plugin, out = tmp_path / "toy.py", tmp_path / "out.pcapng"
    instead = "" if declares else "\n            place = self.layer.place(direction, span)"
    plugin.write_text(PLUGIN.replace(" DECLARES", instead))
    path = written(tmp_path / "toy.pcap", tcp(SAID, b"TOY:fine\n", cuts=[12, 20, 33], twice=[1]))
    result = run(
        "export", str(path), "--plugin", str(plugin), "--flow", "toy", "-o", str(out), *options
    )
    assert result.exception is None, result.exception
    assert result.return_value == 0
    sent = {}
    for packet in scapy.rdpcap(str(out)):
        segment = packet[scapy.TCP]
        if segment.dport == 80 and len(segment.payload):
            sent[(segment.seq + 39) % (1 << 32)] = bytes(segment.payload)
    return b"".join(sent[at] for at in sorted(sent)), result.stderr


def test_what_a_plugin_declares_leaves_without_secrets(tmp_path: Path) -> None:
    stream, reported = exported(tmp_path, True)
    hidden = b"x" * len(SECRET)
    assert stream == b"".join(
        [b"TOY:hello\nPASS:", hidden, b"\nOTHER:", bytes(30), b"\n", bytes(9), b"\nBYE:then\n"]
    )
    assert "bytes that belong to no message" in reported
    assert set(tshark(tmp_path / "out.pcapng", "tcp.checksum.status")) == {"1"}


def test_what_a_plugin_does_not_declare_stays_behind(tmp_path: Path) -> None:
    stream, reported = exported(tmp_path, False)
    assert stream == b""
    assert "its protocol is not known" in reported


def test_with_secrets_all_leaves(tmp_path: Path) -> None:
    stream, _ = exported(tmp_path, False, "--with-secrets")
    assert stream == SAID


def test_the_example_leaves_without_its_password(tmp_path: Path) -> None:
    """`plugins/parsers/mqtt.py`: tshark reads who connects, and no password."""
    strings = b"".join(len(s).to_bytes(2) + s for s in (b"sensor-7", b"anna", SECRET.encode()))
    body = b"\0\4MQTT\4\xc2\0\x3c" + strings
    said = b"\x10" + bytes([len(body)]) + body
    path = written(tmp_path / "m.pcap", tcp(said, b"\x20\2\0\0", cuts=[9, 30]))
    out = tmp_path / "out.pcapng"
    plugin = Path(__file__).parents[2] / "plugins" / "parsers" / "mqtt.py"
    result = run("export", str(path), "--plugin", str(plugin), "-o", str(out))
    assert result.exception is None, result.exception
    content = out.read_bytes()
    assert SECRET.encode() not in content
    assert b"sensor-7" in content
    decode = scapy.rdpcap(str(out))
    sent = {(p[scapy.TCP].seq + 39) % (1 << 32): bytes(p[scapy.TCP].payload) for p in decode
            if p[scapy.TCP].dport == 80 and len(p[scapy.TCP].payload)}  # fmt: skip
    stream = b"".join(sent[at] for at in sorted(sent))
    assert stream == said.replace(len(SECRET).to_bytes(2) + SECRET.encode(), bytes(len(SECRET) + 2))


@pytest.mark.parametrize("options", [(), ("--scrub",), ("--with-secrets",)])
def test_standard_input_leaves_as_a_file_does(options: tuple[str, ...], tmp_path: Path) -> None:
    """The packets are those of the file; keys from the command line open both."""
    path = Path(scenario("proxy-ntlm").captures[0])
    keys = ("-k", str(path.with_suffix(".keys")))
    named, piped = tmp_path / "named.pcapng", tmp_path / "piped.pcapng"
    for name, out in ((str(path), named), ("-", piped)):
        arguments = ["export", name, *keys, "-o", str(out), *options]
        result = CliRunner().invoke(cli, arguments, input=path.read_bytes(), standalone_mode=False)
        assert result.exception is None, result.exception
        assert result.return_value == 0
    fields = ("frame.time_epoch", "frame.len", "tcp.seq_raw", "tcp.payload", "http.request.uri")
    assert tshark(piped, *fields) == tshark(named, *fields)
    assert len(tshark(piped, *fields)) > 20


def test_more_than_is_kept_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Path(scenario("proxy-ntlm").captures[0]).read_bytes()
    monkeypatch.setattr(spool, "SPOOL_LIMIT", len(content) // 2)
    out = tmp_path / "out.pcapng"
    arguments = ["export", "-", "-o", str(out)]
    result = CliRunner().invoke(cli, arguments, input=content, standalone_mode=False)
    assert isinstance(result.exception, CaptureError)
    assert "save it to a file" in str(result.exception)
    assert not out.exists()
