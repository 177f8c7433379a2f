"""A second look at a capture gives the bytes that a message's ranges name."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dissect.capture import open_capture, spool
from dissect.capture.spool import Spool
from dissect.engines import CaptureInput
from dissect.engines.again import Again, again, bodies, body_key
from dissect.engines.embedded import read
from dissect.errors import CaptureError, UsageError
from dissect.model import HttpRequest, HttpResponse, Message, SipMessage
from dissect.pipeline import RunOptions, bind_key_logs
from tests.lab import need_tshark, scenario

TEXTS = (HttpRequest, HttpResponse, SipMessage)


def input_of(path: str) -> CaptureInput:
    (item,) = bind_key_logs(RunOptions((path,)))
    return item


def stream_of(message: Message) -> tuple[str, int]:
    return message.place.connection.transport, message.place.connection.stream


def check(look: Again, message: Any) -> str:
    """That the bytes at the ranges of a message are what was read from them; what was checked."""
    ranges, place = message.place.ranges, message.place
    assert ranges is not None
    body = look.read(place, ranges.body)
    assert body is not None
    assert len(body) == message.body.wire_size
    coded = message.headers.get("content-encoding") or message.body.problem
    if body and not coded:
        assert body == message.body.data
    if not ranges.verbatim:
        assert look.read(place, ranges.whole)
        return "frames"
    head = look.read(place, ranges.head)
    assert head is not None
    for number, (name, value) in enumerate(message.headers):
        assert look.read(place, [(place.direction, *ranges.field(number))]) == value
        assert name in head
    return "tls" if ranges.stream else "clear"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("web-signin", {"tls", "frames"}),
        ("proxy-ntlm", {"clear", "tls"}),
        ("sip-websocket", {"frames"}),
    ],
)
def test_of_recordings(name: str, kinds: set[str]) -> None:
    """In clear, in TLS (through a proxy too), HTTP/2, WebSocket."""
    seen: Counter[str] = Counter()
    for capture in scenario(name).captures:
        item = input_of(capture)
        first = [m for m in read([item]).messages if isinstance(m, TEXTS)]
        look = again(item, 0, frozenset(map(stream_of, first)))
        repeated = [m for m in look.messages if isinstance(m, TEXTS)]
        key = [(m.place.connection.stream, m.place.ranges) for m in first]
        assert sorted(map(repr, key)) == sorted(
            repr((m.place.connection.stream, m.place.ranges)) for m in repeated
        )
        for message in first:
            seen[check(look, message)] += 1
    assert kinds <= set(seen)


def test_only_streams_asked_for_are_read() -> None:
    item = input_of(scenario("web-signin").phone)
    messages = [m for m in read([item]).messages if isinstance(m, TEXTS)]
    one = stream_of(messages[0])
    look = again(item, 0, frozenset({one}))
    assert {stream_of(m) for m in look.messages} - {one} == set() or all(
        not isinstance(m, TEXTS) for m in look.messages if stream_of(m) != one
    )
    assert {stream for stream, _, _ in look.texts} == {one}
    other = next(m for m in messages if stream_of(m) != one)
    assert other.place.ranges is not None
    assert look.read(other.place, other.place.ranges.whole) is None


def test_offsets_are_those_of_tshark(tmp_path: Path) -> None:
    """tshark's own reassembly of a clear stream holds each message at its offset."""
    capture = scenario("proxy-ntlm").captures[0]
    item = input_of(capture)
    found = [m for m in read([item]).messages if isinstance(m, HttpRequest | HttpResponse)]
    clear = [m for m in found if m.place.ranges and not m.place.ranges.stream]
    stream = clear[0].place.connection.stream
    follow = subprocess.run(
        [need_tshark(), "-n", "-r", capture, "-q", "-z", f"follow,tcp,raw,{stream}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    sides = {0: bytearray(), 1: bytearray()}
    for line in follow.splitlines():
        if line.strip() and all(c in "0123456789abcdef" for c in line.strip()):
            sides[int(line.startswith("\t"))] += bytes.fromhex(line.strip())
    compared = 0
    for message in clear:
        if message.place.connection.stream == stream:
            assert message.place.ranges is not None
            ((way, at, size),) = message.place.ranges.whole
            line = bytes(sides[way][at : at + size]).partition(b"\r\n")[0]
            word = message.method if isinstance(message, HttpRequest) else str(message.status)
            assert word.encode() in line
            assert b"HTTP/1.1" in line
            compared += 1
    assert compared > 1


class Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)
        self.buffer.seekable = lambda: False  # type: ignore[method-assign]


def test_standard_input_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    item = input_of(scenario("proxy-ntlm").captures[0])
    content = Path(item.name).read_bytes()
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    kept = Spool()
    piped = CaptureInput("-", item.key_logs, item.found_key_logs)
    first = [m for m in read([piped], spool=kept).messages if isinstance(m, TEXTS)]
    look = again(piped, 0, frozenset(map(stream_of, first)), spool=kept)
    assert len(first) > 10
    for message in first:
        check(look, message)
    kept.close()
    with pytest.raises(UsageError, match="not kept"):
        kept.again(0)


def test_the_kept_bytes_are_nobody_elses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(Path(scenario("proxy-ntlm").captures[0]).read_bytes()))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = Spool()
    with kept.first(0) as capture:
        assert sum(1 for _ in capture.packets()) > 10
        if os.name != "nt":
            assert list(tmp_path.iterdir()) == []
            assert kept._file is not None
            assert stat.S_IMODE(os.fstat(kept._file.fileno()).st_mode) == 0o600
    kept.close()
    assert list(tmp_path.iterdir()) == []


def test_more_than_is_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = Path(scenario("proxy-ntlm").captures[0]).read_bytes()
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    monkeypatch.setattr(spool, "SPOOL_LIMIT", len(content) - 1)
    with pytest.raises(CaptureError, match="save it to a file"):
        Spool().first(0)
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    monkeypatch.setattr(spool, "SPOOL_LIMIT", len(content))
    kept = Spool()
    with kept.first(0) as capture, open_capture(io.BytesIO(content)) as same:
        assert len(list(capture.packets())) == len(list(same.packets()))
    kept.close()


def test_bodies_are_read_again_as_they_were_decoded() -> None:
    """Of two captures at once: compressed, chunked, in HTTP/2, in TLS, in SIP."""
    compared = 0
    for name in ("web-signin", "sip-call"):
        inputs = bind_key_logs(RunOptions(tuple(scenario(name).captures)))
        first = [m for m in read(inputs).messages if isinstance(m, TEXTS)]
        found = bodies(inputs, [message.place for message in first])
        for message in first:
            assert found[body_key(message.place)] == message.body
            compared += bool(message.body.data)
    assert compared > 20


def test_a_body_that_nobody_kept_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--body` needs none of those that the first reading had."""
    from click.testing import CliRunner

    from dissect.cli.main import cli
    from dissect.engines import embedded
    from dissect.model import Body

    path = scenario("web-signin").browser
    table = CliRunner().invoke(cli, ["http", path, "--format", "json"], standalone_mode=False)
    assert table.exception is None
    messages = read([input_of(path)]).messages
    texts = [m for m in messages if isinstance(m, HttpResponse) and len(m.body.data) > 500]
    frame = texts[0].place.span.last_frame
    arguments = ["http", path, "--body", f"{frame}.1"]
    wanted = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert "page says" in wanted.stdout
    first = embedded.read

    def without(*given: Any, **options: Any) -> Any:
        reading = first(*given, **options)
        reading.messages = [
            replace(m, body=Body(wire_size=m.body.wire_size)) if isinstance(m, HttpResponse) else m
            for m in reading.messages
        ]
        return reading

    monkeypatch.setattr(embedded, "read", without)
    shown = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert shown.exception is None
    assert shown.stdout == wanted.stdout
