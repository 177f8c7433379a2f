"""Logs of phones and servers: the same messages as in the packets, in every shape they come in.

The Kamailio logs are the lab's (real syslog); what they must hold is what tshark reads in the
capture that was recorded with them. The other shapes are made of the same messages.
"""

from __future__ import annotations

import gzip
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissect.engines import log_sip, log_vvx, phone_log
from dissect.engines.logs import LogFile
from dissect.errors import UsageError
from dissect.model import LogEntry, SipMessage
from dissect.pipeline import RunOptions, Session
from tests.lab import CAPTURES, need_tshark

DIGEST = CAPTURES / "sip-digest"
KAMAILIO = DIGEST / "kamailio.log"
SIP = [item.parent.name for item in sorted(CAPTURES.glob("sip-*/kamailio.log"))]


def messages(path: Path, year: int = 2026) -> list[SipMessage]:
    return [m for m in phone_log.read(str(path), 1, year) if isinstance(m, SipMessage)]


def told(message: SipMessage) -> tuple[object, ...]:
    """What a message says, without place and time."""
    headers = [(bytes(name).lower(), bytes(value)) for name, value in message.headers]
    return (message.kind, message.method, bytes(message.uri), message.status, message.reason,
            headers, bytes(message.body.data), message.body.problem)  # fmt: skip


def wire(message: SipMessage) -> list[str]:
    """A message's lines, the body's last."""
    if message.kind == "request":
        start = f"{message.method} {message.uri.decode()} SIP/2.0"
    else:
        start = f"SIP/2.0 {message.status} {message.reason}"
    lines = [start, *(f"{n.decode()}: {v.decode()}" for n, v in message.headers), ""]
    return lines + message.body.data.decode().split("\r\n")[:-1]


def moment(message: SipMessage) -> datetime:
    return datetime.fromtimestamp(message.place.span.first_ns / 1e9, UTC)


# ------------------------------------------------------------------ Kamailio


@pytest.mark.parametrize(
    "name",
    [
        n if n in ("sip-digest", "sip-call") else pytest.param(n, marks=pytest.mark.long)
        for n in SIP
    ],
)
def test_kamailios_log_has_the_messages_of_the_capture(name: str) -> None:
    need_tshark()
    folder = CAPTURES / name
    keys = folder / "phone.keys"
    options = ["-o", f"tls.keylog_file:{keys}"] if keys.exists() else []
    fields = ["sip.Call-ID", "sip.CSeq", "sip.Method", "sip.Status-Code", "ip.src", "ip.dst"]
    command = ["tshark", "-n", "-r", str(folder / "phone.pcapng"), *options, "-Y", "sip"]
    command += ["-T", "fields", "-E", "occurrence=f", *(w for f in fields for w in ("-e", f))]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seen = [tuple(line.split("\t")) for line in out.splitlines()]
    logged = [
        (
            (m.header("call-id") or "").strip(),
            (m.header("cseq") or "").strip(),
            m.method if m.kind == "request" else "",
            str(m.status or ""),
            m.place.sender.address,
            m.place.receiver.address,
        )
        for m in messages(folder / "kamailio.log")
    ]
    assert seen
    assert [item for item in seen if item not in logged] == []


def test_times_and_lines_are_those_of_the_log() -> None:
    lines = KAMAILIO.read_text().splitlines()
    for message in messages(KAMAILIO):
        span = message.place.span
        line = lines[span.first_frame - 1]
        assert datetime.fromisoformat(line.split()[0]) == moment(message)
        assert f"{message.place.sender} -> {message.place.receiver}" in line


def test_the_log_alone_and_with_the_capture() -> None:
    for captures in ((), (str(DIGEST / "phone.pcapng"),)):
        run = Session(RunOptions(captures, phone_logs=(str(KAMAILIO),)))
        (chart,) = run.charts
        assert (chart.flow, chart.status) == ("sip-register", "complete")
        addresses = {actor.ident: actor.addresses for actor in chart.actors}
        assert addresses == {"phone": ("10.20.30.41",), "registrar": ("203.0.113.60",)}
        if captures:
            assert {arrow.source.line for step in chart.steps for arrow in step.arrows} == {None}
            assert run.diagnostics == []  # its clock is right


def test_a_servers_clock_that_is_off(tmp_path: Path) -> None:
    """The log's times moved by hours and seconds: found again, to the millisecond."""
    text = KAMAILIO.read_text().replace("2026-11-25T02:57:2", "2026-11-25T08:56:1")
    path = tmp_path / "k.log"
    path.write_text(text)
    run = Session(RunOptions((str(DIGEST / "phone.pcapng"),), phone_logs=(str(path),)))
    (chart,) = run.charts
    assert {arrow.source.line for step in chart.steps for arrow in step.arrows} == {None}
    (reported,) = run.diagnostics
    assert "in UTC+6 and 70 s behind, ± 1 ms (told by 8 values shared with the capture)" in reported


@pytest.mark.parametrize(
    "shape", ["rsyslog-bsd", "each-line", "raw", "docker", "journal", "sngrep", "ngrep"]
)
def test_other_traffic_patterns_of_the_same_messages(tmp_path: Path, shape: str) -> None:
    known = messages(KAMAILIO)
    rows: list[str] = []
    for m in known:
        when, ends = moment(m), f"{m.place.sender} -> {m.place.receiver}"
        lines, bsd = wire(m), f"{when:%b %d %H:%M:%S} sip kamailio[77]:"
        if shape == "rsyslog-bsd":
            rows.append(f"{bsd} INFO: <script>: {ends} " + "#015#012".join([*lines, ""]))
        elif shape == "each-line":
            rows += [f"{bsd} INFO: <script>: {ends}", *(f"{bsd} {line}" for line in lines)]
        elif shape == "raw":
            rows += [f"{when:%Y-%m-%d %H:%M:%S.%f} INFO: {ends} {lines[0]}", *lines[1:]]
        elif shape == "docker":  # `docker logs -t`: Kamailio on standard error
            stamp = f"{when:%Y-%m-%dT%H:%M:%S.%f}000Z"
            rows += [f"{stamp}  7(31) INFO: <script>: {ends} {lines[0]}"]
            rows += [f"{stamp} {line}" for line in lines[1:]]
        elif shape == "journal":  # `journalctl -o short-iso`
            start = f"{when:%Y-%m-%dT%H:%M:%S}+0000 sip kamailio[77]: "
            rows += [f"{start}INFO: {ends} {lines[0]}"]
            rows += [" " * len(start) + line for line in lines[1:]]
        elif shape == "sngrep":
            rows += [f"{when:%Y/%m/%d %H:%M:%S.%f} {ends}", *lines]
        else:
            rows += [f"U {when:%Y/%m/%d %H:%M:%S.%f} {ends} #7", *lines]
        rows += [f"{bsd} NOTICE: <core>: something else"] if "syslog" in shape else []
    path = tmp_path / "trace.log"
    path.write_text("\n".join(rows) + "\n")
    found = messages(path)
    assert [told(m) for m in found] == [told(m) for m in known]
    assert [(m.place.sender, m.place.receiver) for m in found] == [
        (m.place.sender, m.place.receiver) for m in known
    ]
    for mine, theirs in zip(found, known, strict=True):
        difference = theirs.place.span.first_ns - mine.place.span.first_ns
        assert 0 <= difference < 1_000_000_000  # some shapes have whole seconds


def test_ends_from_the_via_where_the_log_names_none(tmp_path: Path) -> None:
    path = tmp_path / "trace.log"
    known = messages(KAMAILIO)
    path.write_text(
        "\n".join(f"{moment(m).isoformat()} h p[1]: " + "#015#012".join(wire(m)) for m in known)
    )
    for mine, theirs in zip(messages(path), known, strict=True):
        own = mine.place.connection
        assert own.client.address == theirs.place.connection.client.address
        assert mine.place.direction == theirs.place.direction


def test_a_message_cut_by_the_log_says_so(tmp_path: Path) -> None:
    """syslog cuts long lines: the start stays, and nothing is made up."""
    path = tmp_path / "cut.log"
    whole = next(m for m in messages(CAPTURES / "sip-call" / "kamailio.log") if m.body.data)
    text = "#015#012".join(wire(whole))
    path.write_text(f"{moment(whole).isoformat()} h p[1]: {text[:-60]}\n")
    (cut,) = messages(path)
    assert cut.body.problem is not None
    assert whole.body.data.startswith(cut.body.data)
    path.write_text(f"{moment(whole).isoformat()} h p[1]: {text[:200]}\n")
    (cut,) = messages(path)
    assert (cut.method, bytes(cut.uri)) == (whole.method, bytes(whole.uri))
    assert len(cut.headers) < len(whole.headers)


def test_two_programs_lines_do_not_mix(tmp_path: Path) -> None:
    known = messages(KAMAILIO)[:2]
    first, second = (wire(m) for m in known)
    stamp = "Nov 25 02:57:22 sip"
    rows = []
    for index in range(max(len(first), len(second))):
        rows += [f"{stamp} kamailio[1]: {first[index]}"] if index < len(first) else []
        rows += [f"{stamp} kamailio[2]: {second[index]}"] if index < len(second) else []
    path = tmp_path / "mixed.log"
    path.write_text("\n".join(rows) + "\n")
    assert sorted(map(repr, map(told, messages(path)))) == sorted(map(repr, map(told, known)))


# ------------------------------------------------------------------ VVX


def vvx(rows: list[tuple[str, str]], stamp: str = "1125025722") -> str:
    return "".join(f"{stamp}|{component:5}|2|00|{text}\n" for component, text in rows)


def traced(message: SipMessage) -> list[tuple[str, str]]:
    rows = [("sip", "    " + line) for line in wire(message)]
    if message.place.direction:
        return [("sip", "<<< Data received TLS 1.2.3.4:5061"), *rows]
    return [*rows, ("sip", ">>> End of data send")]


def test_vvx_messages_with_bodies_and_both_directions(tmp_path: Path) -> None:
    known = messages(CAPTURES / "sip-call" / "kamailio.log")
    assert any(m.body.data for m in known)
    path = tmp_path / "app.log"
    path.write_text(vvx([row for m in known for row in traced(m)]))
    found = messages(path)
    assert [told(m) for m in found] == [told(m) for m in known]
    assert [m.place.direction for m in found] == [m.place.direction for m in known]


def test_vvx_lines_without_prefix_and_cut_lines(tmp_path: Path) -> None:
    request = messages(KAMAILIO)[0]
    lines = vvx(traced(request)).splitlines()
    # A line in two parts, the second without prefix; and whole lines that have lost theirs.
    via = next(n for n, line in enumerate(lines) if "Via:" in line)
    damaged = [*lines[:via], lines[via][:-20], lines[via][-20:], *lines[via + 1 :]]
    contact = next(n for n, line in enumerate(damaged) if "Contact:" in line)
    damaged[contact] = damaged[contact].partition("|00|")[2]
    path = tmp_path / "app.log"
    path.write_text("\n".join(damaged) + "\n")
    (found,) = messages(path)
    assert told(found) == told(request)


def test_vvx_first_line_without_prefix(tmp_path: Path) -> None:
    answer = messages(KAMAILIO)[1]
    text = vvx(traced(answer)).splitlines()
    text[1] = text[1].partition("|00|")[2]
    path = tmp_path / "app.log"
    path.write_text("\n".join(text) + "\n")
    (found,) = messages(path)
    assert told(found) == told(answer)
    assert found.place.direction == 1


def test_an_entry_keeps_its_continuation(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text(vvx([("app1", "one")]) + "two\nthree\n" + vvx([("app1", "four")]))
    entries = [m for m in phone_log.read(str(path), 0, 2026) if isinstance(m, LogEntry)]
    assert [bytes(m.text) for m in entries] == [b"one\ntwo\nthree", b"four"]


# ------------------------------------------------------------------ files


def test_a_rotated_log_is_one_log(tmp_path: Path) -> None:
    """The oldest has the highest number; a message that runs over the end of it is whole."""
    known = messages(KAMAILIO)
    text = vvx([row for m in known for row in traced(m)]).splitlines(keepends=True)
    third = len(text) // 3
    parts = ["".join(text[:third]), "".join(text[third : 2 * third]), "".join(text[2 * third :])]
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress(parts[0].encode()))
    (tmp_path / "app.log.1").write_text(parts[1])
    (tmp_path / "app.log").write_text(parts[2])
    paths = [str(tmp_path / name) for name in ("app.log", "app.log.2.gz", "app.log.1")]
    assert phone_log.sets(paths) == [[1, 2, 0]]
    files = [(paths[index], index) for index in phone_log.sets(paths)[0]]
    found = [m for m in phone_log.read_set(files, 2026) if isinstance(m, SipMessage)]
    assert [told(m) for m in found] == [told(m) for m in known]
    assert {m.place.connection.capture for m in found} == {0, 1, 2}


def test_logs_that_are_not_one() -> None:
    assert phone_log.sets(["a/app.log", "b/app.log"]) == [[0], [1]]
    assert phone_log.sets(["a/one.log", "a/two.log"]) == [[0], [1]]
    assert phone_log.sets(["a/x-1.log", "a/x-2.log"]) == [[0], [1]]


def test_the_same_file_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "k.log").write_text(KAMAILIO.read_text())
    (tmp_path / "k.log.1").write_text(KAMAILIO.read_text())
    logs = (str(tmp_path / "k.log"), str(tmp_path / "k.log.1"))
    (chart,) = Session(RunOptions((), phone_logs=logs)).charts
    alone = Session(RunOptions((), phone_logs=logs[:1])).charts[0]
    assert [len(s.arrows) for s in chart.steps] == [len(s.arrows) for s in alone.steps]


def test_two_kinds_in_one_rotation(tmp_path: Path) -> None:
    (tmp_path / "k.log").write_text(KAMAILIO.read_text())
    (tmp_path / "k.log.1").write_text(vvx([("app1", "x")]))
    with pytest.raises(UsageError, match="another kind of log"):
        phone_log.read_set([(str(tmp_path / "k.log"), 0), (str(tmp_path / "k.log.1"), 1)], 2026)


def test_a_cut_gzip_is_read_to_the_cut(tmp_path: Path) -> None:
    """As `gzip -dc` does, which then says "unexpected end of file"."""
    content = KAMAILIO.read_bytes()
    packed = gzip.compress(content)
    whole, path = tmp_path / "whole.log", tmp_path / "cut.log.gz"
    whole.write_bytes(content)
    path.write_bytes(packed[: len(packed) * 3 // 4])
    warnings: list[str] = []
    some = phone_log.read_set([(str(path), 0)], 2026, warnings=warnings)
    every = phone_log.read_set([(str(whole), 0)], 2026)
    assert 0 < len(some) < len(every)
    (reported,) = warnings
    assert reported.startswith(f"{path}: the gzip file is cut; read to byte ")
    path.write_bytes(packed[:-8] + bytes(8))  # a wrong checksum costs nothing of the content
    assert len(phone_log.read_set([(str(path), 0)], 2026, warnings=warnings)) == len(every)
    assert "damaged" in warnings[1]


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "x.log.gz"
    path.write_bytes(gzip.compress(KAMAILIO.read_bytes())[:12])
    with pytest.raises(UsageError, match="damaged gzip"):
        phone_log.read(str(path), 0, 2026)
    path = tmp_path / "x.log"
    for text in ("", "REGISTER sip:x SIP/2.0\n", "Nov 25 01:02:03 host sshd[1]: hello\n"):
        path.write_text(text)
        assert not log_vvx.fits(text)
        assert not log_sip.fits(text)
        with pytest.raises(UsageError, match="no entries"):
            phone_log.read(str(path), 0, 2026)


LINES = (
    KAMAILIO.read_text().splitlines()[38:48]
    + vvx([row for m in messages(KAMAILIO)[:2] for row in traced(m)]).splitlines()
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(LINES), st.integers(0, 400), st.text(max_size=8)), max_size=12
    )
)
def test_whatever_the_lines_are_nothing_is_raised(pieces: list[tuple[str, int, str]]) -> None:
    text = "\n".join(line[: -cut or None] + more for line, cut, more in pieces)
    for reader in phone_log.BUILT_IN:
        reader.fits(text)
        for message in reader.read([LogFile(0, "x", text)], 2026):
            assert 1 <= message.place.span.first_frame <= text.count("\n") + 2 + len(pieces) * 8


def test_a_line_made_to_be_slow_is_not(tmp_path: Path) -> None:
    """Expressions over captured text take time in proportion to it."""
    start = "2026-11-25T02:57:22+00:00 h p[1]: "
    text = "\n".join(
        start + part * 20_000 for part in (":", "a:", "A" * 12 + " sip:", "#015", "[[")
    )
    text += f"\n{start}REGISTER sip:x SIP/2.0#015#012Via: " + "SIP/2.0/UDP " * 5000
    (found,) = log_sip.read([LogFile(0, "x", text)], 2026)
    assert isinstance(found, SipMessage)
